// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stream of formatted events: a buffer, and what of it has arrived.

use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use rustix::fs::{FileType, fstat, ftruncate, tell};

use crate::output::lines::{lines, whole_lines};
use crate::output::ownership::{self, Source};
use crate::output::rotation::{Named, Rotation};
use crate::output::terminal;
use crate::runtime::report;
use crate::runtime::unblocked::{ATOMIC, Unblocked};

/// Bytes in the buffer that are worth a write while more is at hand.
pub const WRITE_SIZE: usize = 64 * 1024;

/// A file that is written in batches.
#[derive(Debug)]
pub struct Output {
    file: Unblocked,
    name: String,
    buffer: Vec<u8>,
    /// Bytes at the buffer's beginning whose lines are no events.
    uncounted: usize,
    written: bool,
    /// The last flush left something.
    blocked: bool,
    /// A command writes to it, too.
    shared: bool,
    /// And it is a terminal on which that may have left the cursor behind a part of a line.
    wraps: bool,
    /// What was written last is a part of a line.
    torn: bool,
    /// See [`Self::give_up`].
    given_up: bool,
    named: Option<Named>,
}

/// A write that failed, and how much of the batch did not arrive.
#[derive(Debug)]
pub struct WriteFailed {
    /// The system's reason; [`io::ErrorKind::TimedOut`] where the output was given up.
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
        let file = Unblocked::inherited(io::stdout().as_fd()).context("standard output")?;
        Ok(Self::new(file, "standard output".to_owned()))
    }

    /// Standard error, when standard output belongs to a command, which writes there, too.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn stderr() -> Result<Self> {
        let file = Unblocked::inherited(io::stderr().as_fd()).context("standard error")?;
        let wraps = file.is_terminal() && terminal::wraps();
        Ok(Self { shared: true, wraps, ..Self::new(file, "standard error".to_owned()) })
    }

    /// A file, created where it isn't there. What is in it stays until [`Self::begin`].
    ///
    /// # Errors
    /// The file can't be opened for writing, or root must not; or it can't be rotated, because
    /// it is a link or no regular file.
    pub fn open(path: &Path, rotation: Option<Rotation>) -> Result<Self> {
        let name = path.display().to_string();
        let (named, file) = Named::open(path, rotation)?;
        let file = Unblocked::inherited(file.as_fd()).context("no descriptor is left")?;
        Ok(Self { named: Some(named), ..Self::new(file, name) })
    }

    /// Makes a file that was opened by name its owner's alone, and empties it. One that is rotated
    /// is continued instead, as far as it has room: else every restart would push a whole file
    /// out, however little is in it. To be called when nothing else can fail any more, so that
    /// nobody loses a capture for nothing.
    ///
    /// # Errors
    /// It can't be done.
    pub fn begin(&mut self) -> Result<()> {
        let Some(named) = &self.named else { return Ok(()) };
        if named.source == Source::Found {
            ownership::make_private(&self.file, named.destination.path())?;
        }
        if !self.is_regular() || self.size() == 0 {
            return Ok(());
        }
        let cant = || format!("can't write {}", self.name);
        if named.rotation.is_none() {
            ftruncate(&self.file, 0).with_context(cant)?;
        } else if self.is_torn() {
            // Of a capture that was killed: what comes behind it is none of that line.
            rustix::io::write(&self.file, b"\n").with_context(cant)?;
        }
        Ok(())
    }

    /// Whether a regular file's last line has no end, as far as it can be read.
    fn is_torn(&self) -> bool {
        let path = format!("/proc/self/fd/{}", self.file.as_fd().as_raw_fd());
        let mut last = [b'\n'];
        let read = File::open(path).and_then(|file| file.read_at(&mut last, self.size() - 1));
        read.is_ok() && last != *b"\n"
    }

    fn new(file: Unblocked, name: String) -> Self {
        Self {
            file,
            name,
            buffer: Vec::new(),
            uncounted: 0,
            written: false,
            blocked: false,
            shared: false,
            wraps: false,
            torn: false,
            given_up: false,
            named: None,
        }
    }

    /// Makes what is in the buffer the head of each file that this output will go on in.
    pub fn keep_head(&mut self) {
        if let Some(named) = &mut self.named {
            named.head.clone_from(&self.buffer);
        }
    }

    /// Goes on in the file that has the output's name now: behind what is in it, or with the head
    /// where it is new. What was written before stays where it is. Where that can't be opened, the
    /// output says so and goes on in the old one, as it does where that is blocked.
    ///
    /// # Errors
    /// What was in the buffer, or the head, can't be written.
    pub fn reopen(&mut self) -> Result<(), WriteFailed> {
        self.flush()?;
        if self.blocked {
            return Ok(());
        }
        let Some(named) = &mut self.named else { return Ok(()) };
        let file = named.destination.reopen();
        match file.and_then(|file| Ok(Unblocked::inherited(file.as_fd())?)) {
            Ok(file) => {
                named.goes_on_in(&file);
                self.file = file;
                if self.size() == 0 {
                    self.buffer.extend(self.named.as_ref().iter().flat_map(|named| &named.head));
                    self.uncounted();
                }
                self.flush()
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

    /// Where sinks append their bytes; [`Self::flush`] writes them. An event is a line.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// What is in the buffer are no events: none of its lines counts as missing.
    pub fn uncounted(&mut self) {
        self.uncounted = self.buffer.len();
    }

    /// The descriptor, when it is of a kind whose other end can be closed.
    pub fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.file.can_close().then(|| self.file.as_fd())
    }

    /// The descriptor, to wait for room while [`Self::is_blocked`].
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Device and inode number of the file, if it is a regular one.
    pub fn identity(&self) -> Option<(u64, u64)> {
        let stat = fstat(&self.file).ok().filter(|_| self.is_regular())?;
        Some((stat.st_dev, stat.st_ino))
    }

    /// Whether something was written to a terminal.
    pub fn scrolls(&self) -> bool {
        self.written && self.file.is_terminal()
    }

    /// Whether it is a terminal, where a person decides how long it stands still.
    pub fn is_terminal(&self) -> bool {
        self.file.is_terminal()
    }

    /// Whether the last flush left something in the buffer, for lack of room.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Drops what is in the buffer, and all that comes there: each flush fails from now on, and
    /// tells what did not arrive.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    /// Whether it was given up.
    pub fn is_given_up(&self) -> bool {
        self.given_up
    }

    /// Writes what there is room for, in as many files as it takes; the rest stays in the buffer.
    ///
    /// # Errors
    /// When a write fails, a regular file is cut back to its last whole line, and the rest of
    /// the buffer is dropped and counted.
    pub fn flush(&mut self) -> Result<(), WriteFailed> {
        let mut buffer = mem::take(&mut self.buffer);
        let mut done = 0;
        let result = if self.given_up {
            Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads it"))
        } else {
            self.write_all(&buffer, &mut done)
        };
        self.blocked = result.is_ok() && done < buffer.len();
        let uncounted = mem::take(&mut self.uncounted);
        if let Err(cause) = result {
            let lines_missing = lines(&buffer[done.max(uncounted)..]);
            buffer.clear();
            self.buffer = buffer;
            // What was given up, and was no event, need not be told.
            return match lines_missing {
                0 if self.given_up => Ok(()),
                _ => Err(WriteFailed { cause, lines_missing }),
            };
        }
        self.uncounted = uncounted.saturating_sub(done);
        buffer.drain(..done);
        self.buffer = buffer;
        Ok(())
    }

    /// Writes all of the buffer. Where there is no room, `wait` waits for some, or returns false
    /// to give up.
    ///
    /// # Errors
    /// As for [`Self::flush`].
    pub fn settle(
        &mut self,
        mut wait: impl FnMut(BorrowedFd<'_>) -> bool,
    ) -> Result<(), WriteFailed> {
        self.flush()?;
        while self.is_blocked() {
            if !wait(self.file.as_fd()) {
                self.give_up();
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Waits until the files that were put aside are compressed, if they are to be.
    pub fn finish(&mut self) {
        if let Some(compressor) = self.named.as_mut().and_then(|named| named.compressor.take()) {
            compressor.finish();
        }
    }

    fn write_all(&mut self, bytes: &[u8], done: &mut usize) -> io::Result<()> {
        while *done < bytes.len() {
            self.begin_file_if_full(&bytes[*done..])?;
            let rest = &bytes[*done..];
            let room =
                self.named.as_ref().map_or(rest.len(), |named| named.room(self.size(), rest));
            if !self.write(&rest[..room], done)? {
                break;
            }
        }
        Ok(())
    }

    /// Goes on in a new file where the next line would make this one too large. Where that can't
    /// be, the output says so and lets this one grow: no event is lost for it.
    fn begin_file_if_full(&mut self, bytes: &[u8]) -> io::Result<()> {
        let size = self.size();
        let Some(named) = self.named.as_mut().filter(|named| named.rotation.is_some()) else {
            return Ok(());
        };
        if !named.is_full(size, bytes) {
            return Ok(());
        }
        match named.rotate(&self.file) {
            Ok(file) => {
                self.file = file;
                let head = self.head();
                if bytes.starts_with(&head) {
                    return Ok(());
                }
                self.write(&head, &mut 0).map(|_all| ())
            }
            Err(error) => {
                let name = &self.name;
                report::error(
                    &error.context(format!("can't rotate {name}, which continues to grow")),
                );
                if let Some(named) = &mut self.named {
                    named.rotation = None;
                }
                Ok(())
            }
        }
    }

    fn head(&self) -> Vec<u8> {
        self.named.as_ref().map_or_else(Vec::new, |named| named.head.clone())
    }

    /// Bytes in the file. Asked for, not counted: somebody else may have emptied it.
    fn size(&self) -> u64 {
        fstat(&self.file).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
    }

    fn is_regular(&self) -> bool {
        let kind = fstat(&self.file).map(|stat| FileType::from_raw_mode(stat.st_mode));
        kind == Ok(FileType::RegularFile)
    }

    /// Adds to `done` what was written. Returns whether that is all; else there is no room.
    fn write(&mut self, bytes: &[u8], done: &mut usize) -> io::Result<bool> {
        let mut written = 0;
        let cause = loop {
            let rest = &bytes[written..];
            if rest.is_empty() {
                return Ok(true);
            }
            // What a pipe takes at once, no line of the command's comes in between.
            let now = if self.shared { &rest[..whole_lines(rest, ATOMIC)] } else { rest };
            let columns = if self.wraps && !self.torn { self.columns() } else { None };
            let moves = columns.map_or_else(Vec::new, terminal::to_line_start);
            let result = match moves.len() {
                0 => self.file.write(now),
                // With the lines, lest somebody else write in between.
                _ => self.file.write(&[&moves, now].concat()),
            };
            match result {
                Ok(0) => break io::ErrorKind::WriteZero.into(),
                Ok(n) => {
                    let n = n.saturating_sub(moves.len());
                    written += n;
                    self.torn = written > 0 && bytes[written - 1] != b'\n';
                    *done += n;
                    self.written = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => break error,
            }
        };
        let torn = bytes[..written].iter().rev().take_while(|&&byte| byte != b'\n').count();
        self.cut(torn as u64);
        Err(cause)
    }

    /// Removes the last `torn` bytes of a regular file, unless somebody else wrote behind them.
    fn cut(&self, torn: u64) {
        if torn > 0 && self.is_regular() && tell(&self.file) == Ok(self.size()) {
            // The failed write is reported; that the file could not be cut changes nothing in it.
            let _ = ftruncate(&self.file, self.size() - torn);
        }
    }
}

#[cfg(test)]
mod tests;
