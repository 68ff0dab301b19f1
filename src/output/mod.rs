// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where formatted events go: standard output or a file, in whole lines.

use std::fs::{File, Metadata};
use std::io::{self, IsTerminal as _, Seek as _, Write as _};
use std::mem;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, poll};

use crate::model::failure::{Exit, Failure};
use crate::output::destination::Destination;
use crate::text::report;

pub mod destination;
pub mod progress;
pub mod terminal;

/// A file that is written in batches.
#[derive(Debug)]
pub struct Output {
    file: File,
    name: String,
    buffer: Vec<u8>,
    written: bool,
    named: Option<Named>,
}

/// When to go on in a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before a file is larger than so many bytes.
    pub size: u64,
    /// So many old files stay.
    pub keep: u32,
}

/// An output that was opened by name, and so can be again.
#[derive(Debug)]
struct Named {
    destination: Destination,
    rotation: Option<Rotation>,
    /// What each file begins with.
    head: Vec<u8>,
}

/// A write that failed, and how much of the batch did not arrive.
#[derive(Debug)]
pub struct WriteFailed {
    /// The system's reason.
    pub cause: io::Error,
    /// Lines of the batch that are not in the file.
    pub lines_missing: u64,
}

impl Output {
    /// Standard output.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn stdout() -> Result<Self> {
        // Not io::stdout(): it flushes at each line end, and hides how much it has written.
        let fd = io::stdout().as_fd().try_clone_to_owned().context("standard output")?;
        Ok(Self::new(File::from(fd), "standard output".to_owned()))
    }

    /// Standard error, when standard output belongs to a command.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn stderr() -> Result<Self> {
        let fd = io::stderr().as_fd().try_clone_to_owned().context("standard error")?;
        Ok(Self::new(File::from(fd), "standard error".to_owned()))
    }

    /// A file, created where it isn't there. What is in it stays until [`Self::begin`].
    ///
    /// # Errors
    /// The file can't be opened for writing, or root must not; or it can't be rotated, because
    /// it is a link or no regular file.
    pub fn open(path: &Path, rotation: Option<Rotation>) -> Result<Self> {
        let name = path.display().to_string();
        let destination = Destination::find(path)?;
        // The link would be renamed, and the file that it leads to grow on or be forgotten.
        if rotation.is_some() && destination.is_link() {
            let what = format!("{name} can't be rotated: it is a symbolic link");
            return Err(Failure::new(Exit::Usage, what, "give the path that it leads to").into());
        }
        let file = destination.open()?;
        if rotation.is_some() && !file.metadata()?.is_file() {
            let what = format!("{name} can't be rotated: it is no regular file");
            return Err(Failure::new(Exit::Usage, what, "leave out --rotate-size").into());
        }
        let named = Named { destination, rotation, head: Vec::new() };
        Ok(Self { named: Some(named), ..Self::new(file, name) })
    }

    /// Empties a file that was opened by name, or puts it aside if it is rotated. To be called
    /// when nothing else can fail any more, so that nobody loses a capture for nothing.
    ///
    /// # Errors
    /// It can't be done.
    pub fn begin(&mut self) -> Result<()> {
        let Some(named) = &self.named else { return Ok(()) };
        let meta = self.file.metadata()?;
        if meta.is_file() && meta.len() > 0 {
            match named.rotation {
                Some(Rotation { keep, .. }) => self.file = named.destination.rotate(keep)?,
                None => {
                    let name = &self.name;
                    self.file.set_len(0).with_context(|| format!("can't write {name}"))?;
                }
            }
        }
        Ok(())
    }

    fn new(file: File, name: String) -> Self {
        Self { file, name, buffer: Vec::new(), written: false, named: None }
    }

    /// Makes what is in the buffer the head of each file that this output will go on in.
    pub fn keep_head(&mut self) {
        if let Some(named) = &mut self.named {
            named.head.clone_from(&self.buffer);
        }
    }

    /// Goes on in the file that has the output's name now: behind what is in it, or with the head
    /// where it is new. What was written before stays where it is. Where that can't be opened, the
    /// output says so and goes on in the old one.
    ///
    /// # Errors
    /// What was in the buffer, or the head, can't be written.
    pub fn reopen(&mut self) -> Result<(), WriteFailed> {
        self.flush()?;
        let Some(named) = &mut self.named else { return Ok(()) };
        match named.destination.open() {
            Ok(file) => {
                self.file = file;
                if self.size() > 0 { Ok(()) } else { self.write_head() }
            }
            Err(error) => {
                report::error(&error.context("can't reopen the output"));
                Ok(())
            }
        }
    }

    /// The directory in which files may yet have to be made, if it was opened by name.
    pub fn dir(&self) -> Option<BorrowedFd<'_>> {
        Some(self.named.as_ref()?.destination.dir().as_fd())
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns that its terminal has now, if it is one that knows.
    pub fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(&self.file).ok()?;
        Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
    }

    /// It is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Where sinks append their bytes; [`Self::flush`] writes them.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// The descriptor, when it is of a kind whose other end can be closed.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        let kind = self.file.metadata().ok()?.file_type();
        (kind.is_fifo() || kind.is_socket()).then(|| self.file.as_fd())
    }

    /// Device and inode number of the file, if it is a regular one.
    pub fn identity(&self) -> Option<(u64, u64)> {
        let meta = self.file.metadata().ok().filter(Metadata::is_file)?;
        Some((meta.dev(), meta.ino()))
    }

    /// Whether something was written to a terminal.
    pub fn scrolls(&self) -> bool {
        self.written && self.is_terminal()
    }

    /// Writes the buffer and empties it, in as many files as it takes.
    ///
    /// # Errors
    /// When a write fails, a regular file is cut back to its last whole line, and the rest of
    /// the buffer is dropped and counted.
    pub fn flush(&mut self) -> Result<(), WriteFailed> {
        let mut buffer = mem::take(&mut self.buffer);
        let mut rest = &buffer[..];
        let mut result = Ok(());
        while !rest.is_empty() && result.is_ok() {
            let begun = self.begin_file_if_full(rest);
            let (now, later) = rest.split_at(self.room(rest));
            result = begun.and_then(|()| self.write(now));
            if let Err(failed) = &mut result {
                failed.lines_missing += lines(later);
            }
            rest = later;
        }
        buffer.clear();
        self.buffer = buffer;
        result
    }

    /// How many of these bytes go into this file: whole lines, and one at least.
    fn room(&self, bytes: &[u8]) -> usize {
        let line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let Some(rotation) = self.rotation() else { return bytes.len() };
        let room = rotation.size.saturating_sub(self.size());
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if fits == bytes.len() {
            return fits;
        }
        memchr::memrchr(b'\n', &bytes[..fits]).map_or(line, |end| end + 1)
    }

    /// Goes on in a new file where the next line would make this one too large. Where that can't
    /// be, the output says so and lets this one grow: no event is lost for it.
    fn begin_file_if_full(&mut self, bytes: &[u8]) -> Result<(), WriteFailed> {
        let line = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
        let Some(rotation) = self.rotation() else { return Ok(()) };
        let size = self.size();
        let Some(named) = &mut self.named else { return Ok(()) };
        // A line that is larger than a whole file has a file of its own.
        let empty = size <= named.head.len() as u64;
        if empty || size + line as u64 <= rotation.size {
            return Ok(());
        }
        match named.destination.rotate(rotation.keep) {
            Ok(file) => {
                self.file = file;
                self.write_head()
            }
            Err(error) => {
                named.rotation = None;
                let name = &self.name;
                report::error(&error.context(format!("can't rotate {name}, which grows on")));
                Ok(())
            }
        }
    }

    fn rotation(&self) -> Option<Rotation> {
        self.named.as_ref()?.rotation
    }

    /// Bytes in the file. Asked for, not counted: somebody else may have emptied it.
    fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |meta| meta.len())
    }

    /// Its lines are not events: none of them counts as missing.
    fn write_head(&mut self) -> Result<(), WriteFailed> {
        let head = self.named.as_ref().map_or_else(Vec::new, |named| named.head.clone());
        self.write(&head).map_err(|failed| WriteFailed { lines_missing: 0, ..failed })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteFailed> {
        let mut written = 0;
        let mut failure = None;
        while written < bytes.len() && failure.is_none() {
            match self.file.write(&bytes[written..]) {
                Ok(0) => failure = Some(io::ErrorKind::WriteZero.into()),
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A program that shares the descriptor, such as ssh, may have made it so.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // What ends the wait but room, the next write tells.
                    let _ = poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None);
                }
                Err(error) => failure = Some(error),
            }
        }
        self.written |= written > 0;
        let Some(cause) = failure else { return Ok(()) };
        let (done, missing) = bytes.split_at(written);
        let torn = done.iter().rev().take_while(|&&byte| byte != b'\n').count() as u64;
        self.cut(torn);
        Err(WriteFailed { cause, lines_missing: lines(missing) })
    }

    /// Removes the last `torn` bytes of a regular file, unless somebody else wrote behind them.
    fn cut(&mut self, torn: u64) {
        let Ok(end) = self.file.stream_position() else { return };
        let ours = self.file.metadata().is_ok_and(|meta| meta.is_file() && meta.len() == end);
        if torn > 0 && ours {
            // The failed write is reported; that the file could not be cut changes nothing in it.
            let _ = self.file.set_len(end - torn);
        }
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn rotating(size: u64, keep: u32) -> (tempfile::TempDir, Output) {
        let dir = tempfile::tempdir().expect("a directory");
        let rotation = Some(Rotation { size, keep });
        let mut output = Output::open(&dir.path().join("out"), rotation).expect("an output");
        output.begin().expect("begun");
        (dir, output)
    }

    fn write(output: &mut Output, text: &str) {
        output.buffer().extend(text.bytes());
        output.flush().expect("written");
    }

    /// The files from the newest on.
    fn files(dir: &tempfile::TempDir) -> Vec<String> {
        let names = (0..).map(|n| if n == 0 { "out".to_owned() } else { format!("out.{n}") });
        let read = |name| fs::read_to_string(dir.path().join(name)).ok();
        let files: Vec<String> = names.map_while(read).collect();
        assert_eq!(fs::read_dir(dir).expect("a directory").count(), files.len());
        files
    }

    #[test]
    fn goes_on_in_a_new_file_before_one_is_too_large() {
        let (dir, mut output) = rotating(8, 9);
        write(&mut output, "1234567\n");
        assert_eq!(files(&dir), ["1234567\n"]);
        write(&mut output, "ab\ncd\nef\ngh\n12345\n");
        assert_eq!(files(&dir), ["12345\n", "ef\ngh\n", "ab\ncd\n", "1234567\n"]);
    }

    #[test]
    fn a_line_that_is_too_large_has_its_own_file() {
        let (dir, mut output) = rotating(4, 9);
        write(&mut output, "a\n1234567890\nb\nc\n");
        assert_eq!(files(&dir), ["b\nc\n", "1234567890\n", "a\n"]);
    }

    #[test]
    fn keeps_so_many_files() {
        let (dir, mut output) = rotating(2, 2);
        write(&mut output, "a\nb\nc\nd\n");
        assert_eq!(files(&dir), ["d\n", "c\n", "b\n"]);
    }

    #[test]
    fn each_file_begins_with_the_head() {
        let (dir, mut output) = rotating(10, 9);
        output.buffer().extend(b"HEAD\n");
        output.keep_head();
        write(&mut output, "aaaa\nbbbb\n12345678901\ncccc\n");
        let wanted = ["HEAD\ncccc\n", "HEAD\n12345678901\n", "HEAD\nbbbb\n", "HEAD\naaaa\n"];
        assert_eq!(files(&dir), wanted);
    }

    #[test]
    fn what_was_there_is_put_aside() {
        let (dir, mut output) = rotating(100, 2);
        write(&mut output, "first\n");
        for text in ["second\n", "third\n"] {
            let rotation = Some(Rotation { size: 100, keep: 2 });
            let path = dir.path().join("out");
            let mut again = Output::open(&path, rotation).expect("an output");
            assert_ne!(fs::metadata(path).expect("is there").len(), 0);
            again.begin().expect("begun");
            write(&mut again, text);
        }
        assert_eq!(files(&dir), ["third\n", "second\n", "first\n"]);
    }

    #[test]
    fn reopens_behind_what_is_there() {
        let (dir, mut output) = rotating(100, 9);
        let (path, moved) = (dir.path().join("out"), dir.path().join("moved"));
        output.buffer().extend(b"HEAD\n");
        output.keep_head();
        write(&mut output, "a\n");
        output.reopen().expect("the same file");
        write(&mut output, "b\n");
        fs::rename(&path, &moved).expect("renamed");
        write(&mut output, "c\n");
        output.buffer().extend(b"d\n");
        output.reopen().expect("a new file");
        write(&mut output, "e\n");
        assert_eq!(fs::read_to_string(moved).expect("moved"), "HEAD\na\nb\nc\nd\n");
        assert_eq!(fs::read_to_string(path).expect("new"), "HEAD\ne\n");
    }

    #[test]
    fn a_file_that_is_emptied_has_all_its_room_again() {
        let (dir, mut output) = rotating(8, 9);
        write(&mut output, "12345\n");
        fs::write(dir.path().join("out"), "").expect("emptied");
        write(&mut output, "67890\n");
        assert_eq!(files(&dir), ["67890\n"]);
    }

    #[test]
    fn goes_on_in_the_old_file_where_no_new_one_can_be() {
        let (dir, mut output) = rotating(2, 1);
        fs::create_dir_all(dir.path().join("out.1/full")).expect("in the way");
        write(&mut output, "a\nb\nc\n");
        assert_eq!(fs::read_to_string(dir.path().join("out")).expect("written"), "a\nb\nc\n");
        output.reopen().expect("the same file");
        write(&mut output, "d\n");
        assert_eq!(fs::read_to_string(dir.path().join("out")).expect("written"), "a\nb\nc\nd\n");
    }
}
