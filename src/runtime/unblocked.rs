// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes that don't wait for whoever reads them.
//!
//! `O_NONBLOCK` belongs to an open file description, which the command, a shell and other
//! programs share with us, so it isn't ours to set: a pipe or terminal is opened once more
//! through /proc, which makes a description of our own.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{SendFlags, send};

/// What a pipe takes whole once it is writable: `PIPE_BUF` of pipe(7).
pub const ATOMIC: usize = 4096;

/// A file, and how to write to it without being blocked by its reader.
#[derive(Debug)]
pub struct Unblocked {
    file: OwnedFd,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// A regular file or a device, where no reader is waited for.
    Plain,
    /// A description of our own, with `O_NONBLOCK`.
    Own,
    /// One that can't be opened again: another user's pipe or terminal. It is asked for room, and
    /// given no more than a pipe then takes; if another program fills that up in between, the
    /// write waits.
    Shared,
    /// It has a flag for each call.
    Socket,
}

impl Unblocked {
    /// A descriptor that others have, too.
    ///
    /// # Errors
    /// It is closed, or no descriptor is left.
    pub fn inherited(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let file = File::from(fd.try_clone_to_owned()?);
        if file.metadata()?.file_type().is_socket() {
            return Ok(Self { file: file.into(), way: Way::Socket });
        }
        if !is_pipe(&file)? && !is_terminal(&file) {
            return Ok(Self { file: file.into(), way: Way::Plain });
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(match openat(CWD, path, flags, Mode::empty()) {
            Ok(own) => Self { file: own, way: Way::Own },
            Err(_) => Self { file: file.into(), way: Way::Shared },
        })
    }

    /// A regular file that is ours alone. It takes no further descriptor.
    pub fn regular(file: File) -> Self {
        Self { file: file.into(), way: Way::Plain }
    }

    /// Writes what there is room for; of a regular file or a device all that the system takes.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is no room; and those of `write(2)`.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.way {
            Way::Plain | Way::Own => rustix::io::write(&self.file, bytes),
            Way::Socket => send(&self.file, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Way::Shared => {
                let now = Timespec { tv_sec: 0, tv_nsec: 0 };
                if poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&now))? == 0 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                rustix::io::write(&self.file, &bytes[..bytes.len().min(ATOMIC)])
            }
        };
        Ok(written?)
    }

    /// Whether a write may find no room, so that it makes sense to wait for some.
    pub fn can_block(&self) -> bool {
        self.way != Way::Plain
    }

    /// Whether it is a pipe or a socket, whose other end can be closed.
    pub fn can_close(&self) -> bool {
        self.can_block() && !self.is_terminal()
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        is_terminal(&self.file)
    }
}

impl AsFd for Unblocked {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn is_pipe(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.file_type().is_fifo())
}

fn is_terminal(fd: impl AsFd) -> bool {
    rustix::termios::isatty(fd)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use rustix::fs::fcntl_getfl;

    use super::*;

    /// Writes until there is no room, and returns how much there was.
    fn fill(unblocked: &Unblocked) -> usize {
        let mut sum = 0;
        loop {
            match unblocked.write(&[b'x'; 4096]) {
                Ok(n) => sum += n,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    return sum;
                }
            }
        }
    }

    #[test]
    fn a_full_pipe_blocks_nobody_and_others_flags_stay() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let ours = Unblocked::inherited(writer.as_fd()).expect("a pipe");
        assert_eq!(ours.way, Way::Own);
        assert_eq!(fill(&ours), 64 << 10);
        assert!(!fcntl_getfl(&writer).expect("flags").contains(OFlags::NONBLOCK));
        drop((reader, writer));
        assert_eq!(ours.write(b"x").expect_err("closed").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_pipe_that_can_not_be_opened_again_is_asked_first() {
        let (_reader, writer) = rustix::pipe::pipe().expect("a pipe");
        assert_eq!(fill(&Unblocked { file: writer, way: Way::Shared }), 64 << 10);
    }

    #[test]
    fn a_socket_that_is_full_blocks_nobody() {
        let (mut reader, writer) = UnixStream::pair().expect("a pair");
        let ours = Unblocked::inherited(writer.as_fd()).expect("a socket");
        let written = fill(&ours);
        drop((writer, ours));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).expect("reading");
        assert_eq!(read.len(), written);
    }

    #[test]
    fn a_regular_file_keeps_its_place() {
        let file = tempfile::tempfile().expect("a file");
        let ours = Unblocked::inherited(file.as_fd()).expect("a file");
        assert!(!ours.can_block());
        assert_eq!(ours.write(b"123").expect("written"), 3);
        assert_eq!(rustix::fs::tell(&file).expect("a place"), 3);
    }
}
