// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a capture: of a file or of standard input, decompressed where its first bytes
//! say so.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};

use super::gzip::Gzip;
use crate::output::Output;
use crate::runtime::stop::Stop;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// What a frame may ask for: 128 MiB, as zstd(1) allows unless it is told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;

/// A capture that is open for reading.
#[derive(Debug)]
pub struct Input {
    file: File,
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
            let file = rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from);
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
        Ok(Self { file, name, size, identity, fed_by_pipe })
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

    /// Its bytes, which end when the stop is requested, too.
    pub fn bytes(self, stop: &Stop) -> Bytes {
        let done = Rc::new(Cell::new(0));
        let waits = self.size.is_none();
        let raw = Raw { file: self.file, stop: stop.clone(), waits, done: done.clone() };
        Bytes { state: State::Unknown(raw), stop: stop.clone(), size: self.size, done }
    }
}

/// The bytes of a capture, decompressed.
pub struct Bytes {
    state: State,
    stop: Stop,
    size: Option<u64>,
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
    /// The part of the file that was read, from 0 to 1, where its size is known.
    pub fn progress(&self) -> Option<f64> {
        self.size.filter(|&size| size > 0).map(|size| self.done.get() as f64 / size as f64)
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
    let (gzip, zstd) = (magic.starts_with(&GZIP), magic == ZSTD);
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
    file: File,
    stop: Stop,
    /// It is none whose reads return at once.
    waits: bool,
    done: Rc<Cell<u64>>,
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.waits {
                let stop = self.stop.fd();
                let mut fds =
                    [PollFd::new(&self.file, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
                poll(&mut fds, None)?;
                if !fds[1].revents().is_empty() {
                    return Ok(0);
                }
            }
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    let read = read?;
                    self.done.set(self.done.get() + read as u64);
                    return Ok(read);
                }
            }
        }
    }
}
