// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a capture: of a file or of standard input, decompressed where its first bytes
//! say so.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::gzip::Gzip;
use crate::model::failure::{Exit, Failure};
use crate::output::Output;
use crate::runtime::stop::Stop;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What a frame may ask for: 128 MiB, as zstd(1) allows unless it is told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;
/// How often it is looked whether a file has grown, or another has its name.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// A capture that is open for reading.
#[derive(Debug)]
pub struct Input {
    file: Rc<File>,
    name: String,
    size: Option<u64>,
    identity: Option<(u64, u64)>,
    fed_by_pipe: bool,
}

impl Input {
    /// Opens a file, or standard input where the path is `-`. Nothing is waited for.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, name) = if path == Path::new("-") {
            // Not io::stdin(): it has a buffer and a lock of its own.
            let fd = io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
            (File::from(fd), "standard input".to_owned())
        } else {
            let name = path.display().to_string();
            // A FIFO's writer may never come.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            let file = rustix::fs::open(path, flags, Mode::empty());
            if matches!(file, Err(Errno::MFILE)) {
                let what = format!("can't read {name}: too many files are open");
                let remedy = "all are opened before the first is read: raise the limit (ulimit -n) \
                              or give fewer";
                return Err(Failure::new(Exit::Failed, what, remedy).into());
            }
            let file = file.map_err(io::Error::from);
            (file.with_context(|| format!("can't read {name}"))?.into(), name)
        };
        let meta = file.metadata().with_context(|| format!("can't read {name}"))?;
        if meta.is_dir() {
            bail!("can't read {name}: it is a directory");
        }
        let size = meta.is_file().then_some(meta.len());
        let identity = meta.is_file().then_some((meta.dev(), meta.ino()));
        let kind = meta.file_type();
        let fed_by_pipe = path == Path::new("-") && (kind.is_fifo() || kind.is_socket());
        Ok(Self { file: Rc::new(file), name, size, identity, fed_by_pipe })
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a program writes into our standard input. It gets a terminal's Ctrl-C, too, and the
    /// last that it has to say is worth waiting for.
    pub fn is_fed_by_pipe(&self) -> bool {
        self.fed_by_pipe
    }

    /// Whether this is the file that an output writes to.
    pub fn is(&self, output: &Output) -> bool {
        self.identity.is_some() && self.identity == output.identity()
    }

    /// Whether both are the same regular file.
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.identity.is_some() && self.identity == other.identity
    }

    /// Device and inode of a regular file.
    pub fn identity(&self) -> Option<(u64, u64)> {
        self.identity
    }

    /// How many bytes it has, if it is a regular file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The file itself.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Lets the bytes that are asked for next begin at this place.
    ///
    /// # Errors
    /// It isn't a regular file.
    pub fn go_to(&self, offset: u64) -> io::Result<()> {
        (&*self.file).seek(SeekFrom::Start(offset)).map(drop)
    }

    /// A regular file that isn't compressed.
    pub fn is_plain(&self) -> bool {
        let mut magic = [0; ZSTD.len()];
        let read = self.file.read_at(&mut magic, 0).unwrap_or(0);
        self.size.is_some() && !magic[..read].starts_with(&GZIP) && !is_zstd(&magic[..read])
    }

    /// Its bytes, which end when the stop is requested, too. With `tail`, the path of a regular file,
    /// they go on when the file grows, and end when the path has another file, or this one is cut.
    pub fn bytes(&self, tail: Option<&Path>, stop: &Stop) -> Bytes {
        let done = Rc::new(Cell::new(0));
        let tail = tail.map(Path::to_owned).zip(self.identity);
        let waits = self.size.is_none();
        let raw =
            Raw { file: self.file.clone(), stop: stop.clone(), waits, tail, done: done.clone() };
        Bytes { state: State::Unknown(raw), stop: stop.clone(), done }
    }
}

/// The bytes of a capture, decompressed.
pub struct Bytes {
    state: State,
    stop: Stop,
    done: Rc<Cell<u64>>,
}

enum State {
    /// Nothing was read yet.
    Unknown(Raw),
    Known(Box<dyn Read>),
    /// The first bytes could not be read.
    Failed,
}

impl Bytes {
    /// How many bytes of the file were read.
    pub fn done(&self) -> u64 {
        self.done.get()
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A few compressed bytes may be many.
        if self.stop.requested() {
            return Ok(0);
        }
        self.state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Unknown(raw) => State::Known(decompressed(raw)?),
            known => known,
        };
        match &mut self.state {
            State::Known(bytes) => bytes.read(buffer),
            State::Unknown(_) | State::Failed => Ok(0),
        }
    }
}

/// Looks at the first bytes and puts the decoder that they call for in between.
fn decompressed(mut raw: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::new();
    raw.by_ref().take(ZSTD.len() as u64).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(&GZIP), is_zstd(&magic));
    let whole = Cursor::new(magic).chain(raw);
    Ok(if gzip {
        Box::new(Gzip::new(BufReader::new(whole)))
    } else if zstd {
        let mut decoder = zstd::Decoder::with_buffer(BufReader::new(whole))?;
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Box::new(Zstd(decoder))
    } else {
        Box::new(whole)
    })
}

/// What a frame begins with, or one that decoders skip: pzstd(1) writes such a one in front of each.
fn is_zstd(magic: &[u8]) -> bool {
    magic == ZSTD || matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// Says what to do where a frame asks for too much memory.
struct Zstd<R>(R);

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.to_string() {
            // libzstd's words for ZSTD_error_frameParameter_windowTooLarge.
            text if text.contains("requires too much memory") => io::Error::other(
                "it takes more than 128 MiB to decompress: use zstd -d --long=31 first",
            ),
            _ => error,
        })
    }
}

/// Counts what is read of a file, and doesn't wait for it beyond the stop.
struct Raw {
    file: Rc<File>,
    stop: Stop,
    /// It is none whose reads return at once.
    waits: bool,
    /// Whose growth is waited for: its path, device and inode.
    tail: Option<(PathBuf, (u64, u64))>,
    done: Rc<Cell<u64>>,
}

impl Raw {
    /// Waits until there may be more to read. Returns false when there won't.
    fn await_growth(&mut self) -> io::Result<bool> {
        let Some((path, identity)) = &self.tail else { return Ok(false) };
        loop {
            let stop = self.stop.fd();
            if poll(&mut [PollFd::new(&stop, PollFlags::IN)], Some(&LOOK_AGAIN))? > 0 {
                return Ok(false);
            }
            let at = (&*self.file).stream_position()?;
            match self.file.metadata()?.len() {
                len if len > at => return Ok(true),
                len if len < at => return Ok(false),
                _ => {}
            }
            // Between two names a file may have none.
            let other =
                std::fs::metadata(path).is_ok_and(|meta| (meta.dev(), meta.ino()) != *identity);
            if other {
                // What was written before it was put aside.
                self.tail = None;
                return Ok(true);
            }
        }
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.waits {
                let stop = self.stop.fd();
                let mut fds =
                    [PollFd::new(&*self.file, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
                poll(&mut fds, None)?;
                if !fds[1].revents().is_empty() {
                    return Ok(0);
                }
            }
            match (&*self.file).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) if !buffer.is_empty() && self.await_growth()? => {}
                read => {
                    let read = read?;
                    self.done.set(self.done.get() + read as u64);
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_file_is_a_regular_one_that_is_not_compressed() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = |name: &str| dir.path().join(name);
        let files: [(&str, &[u8], bool); 8] = [
            ("a", b"{}\n", true),
            ("empty", b"", true),
            ("short", &ZSTD[..3], true),
            ("gzip", &[GZIP[0], GZIP[1], 8, 0], false),
            ("zstd", &ZSTD, false),
            ("skippable", b"\x50\x2a\x4d\x18\0\0\0\0", false),
            ("the last of them", b"\x5f\x2a\x4d\x18\0\0\0\0", false),
            ("none of them", b"\x60\x2a\x4d\x18\0\0\0\0", true),
        ];
        for (name, bytes, plain) in files {
            std::fs::write(path(name), bytes)?;
            let input = Input::open(&path(name))?;
            assert_eq!(
                (input.is_plain(), input.size()),
                (plain, Some(bytes.len() as u64)),
                "{name}"
            );
        }
        let null = Input::open(Path::new("/dev/null"))?;
        assert_eq!((null.is_plain(), null.size(), null.identity()), (false, None, None));
        let [one, again, other] = ["a", "a", "gzip"].map(|name| Input::open(&path(name)));
        let (one, again, other) = (one?, again?, other?);
        assert!(one.is_same_file(&again) && !one.is_same_file(&other));
        assert!(!null.is_same_file(&Input::open(Path::new("/dev/null"))?), "not to be told apart");
        let mut bytes = one.bytes(None, &Stop::new()?);
        assert_eq!(bytes.done(), 0);
        bytes.read_to_end(&mut Vec::new())?;
        assert_eq!(bytes.done(), 3);
        Ok(())
    }
}
