// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where formatted events go: standard output or a file, in whole lines.

use std::fs::File;
use std::io::{self, IsTerminal as _, Seek as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A file that is written in batches.
#[derive(Debug)]
pub struct Output {
    file: File,
    name: String,
    buffer: Vec<u8>,
    written: bool,
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

    /// A file, created or emptied.
    ///
    /// # Errors
    /// The file can't be opened for writing.
    pub fn create(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("can't write {name}"))?;
        Ok(Self::new(file, name))
    }

    fn new(file: File, name: String) -> Self {
        Self { file, name, buffer: Vec::new(), written: false }
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns of the terminal that it is, if it is one.
    pub fn columns(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(&self.file).ok()?;
        Some(usize::from(size.ws_col))
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

    /// Whether something was written to a terminal.
    pub fn scrolls(&self) -> bool {
        self.written && self.file.is_terminal()
    }

    /// Writes the buffer and empties it.
    ///
    /// # Errors
    /// When a write fails, a regular file is cut back to its last whole line, and the rest of
    /// the buffer is dropped and counted.
    pub fn flush(&mut self) -> Result<(), WriteFailed> {
        let mut written = 0;
        let mut failure = None;
        while written < self.buffer.len() && failure.is_none() {
            match self.file.write(&self.buffer[written..]) {
                Ok(0) => failure = Some(io::ErrorKind::WriteZero.into()),
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => failure = Some(error),
            }
        }
        let result = match failure {
            None => Ok(()),
            Some(cause) => {
                let (done, missing) = self.buffer.split_at(written);
                let torn = done.iter().rev().take_while(|&&byte| byte != b'\n').count() as u64;
                let lines_missing = lines(missing);
                self.cut(torn);
                Err(WriteFailed { cause, lines_missing })
            }
        };
        self.written |= written > 0;
        self.buffer.clear();
        result
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
