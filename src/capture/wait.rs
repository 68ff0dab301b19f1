// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waits for whatever a capture has to react to.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use crate::output::Output;
use crate::runtime::stop::Stop;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Its time, or a signal.
    Timer,
    /// The BPF side: records are ready.
    Ring,
    /// A key was pressed.
    Keys,
    /// The last reader of the output pipe has gone, or there is room again for what waits.
    Output,
    /// The end was asked for.
    Stop,
    /// The command that was started has ended.
    CommandEnded,
}

impl Woken {
    /// The sources, the most urgent last; their places are their numbers in epoll's data.
    const SOURCES: [Self; 5] =
        [Self::Ring, Self::Keys, Self::Output, Self::Stop, Self::CommandEnded];

    fn data(self) -> epoll::EventData {
        let place = Self::SOURCES.iter().position(|&source| source == self);
        epoll::EventData::new_u64(place.unwrap_or_default() as u64)
    }
}

/// An epoll instance over a capture's sources.
#[derive(Debug)]
pub struct Waiter(OwnedFd);

impl Waiter {
    /// Without sources, it waits for its time only.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    fn add(&self, fd: BorrowedFd<'_>, source: Woken, flags: epoll::EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.0, fd, source.data(), flags)?)
    }

    /// The ring buffer.
    ///
    /// # Errors
    /// Of `epoll_ctl(2)`.
    pub fn add_ring(&self, ring: BorrowedFd<'_>) -> io::Result<()> {
        // Edge-triggered: a level-triggered wait returns at once while any record lies on the
        // ring, and would undo the throttling of the wakeups.
        self.add(ring, Woken::Ring, epoll::EventFlags::IN | epoll::EventFlags::ET)
    }

    /// A terminal that somebody types at.
    ///
    /// # Errors
    /// Of `epoll_ctl(2)`.
    pub fn add_keys(&self, terminal: BorrowedFd<'_>) -> io::Result<()> {
        self.add(terminal, Woken::Keys, epoll::EventFlags::IN)
    }

    /// The output: until it has room, where it is blocked; else until its other end is closed, if
    /// it is a pipe or a socket. To be called again when that changes, or the output's file does.
    ///
    /// # Errors
    /// Of `epoll_ctl(2)`.
    pub fn watch_output(&self, output: &Output) -> io::Result<()> {
        // EPOLLERR comes unasked. That of a terminal is no reader's end.
        let flags = match (output.is_blocked(), output.pipe()) {
            (true, _) => epoll::EventFlags::OUT,
            (false, Some(_)) => epoll::EventFlags::empty(),
            (false, None) => {
                return match epoll::delete(&self.0, output.fd()) {
                    // What can't be waited for was never added.
                    Err(Errno::NOENT | Errno::PERM) => Ok(()),
                    done => Ok(done?),
                };
            }
        };
        match epoll::modify(&self.0, output.fd(), Woken::Output.data(), flags) {
            Err(Errno::NOENT) => self.add(output.fd(), Woken::Output, flags),
            done => Ok(done?),
        }
    }

    /// The wish for the end.
    ///
    /// # Errors
    /// Of `epoll_ctl(2)`.
    pub fn add_stop(&self, stop: &Stop) -> io::Result<()> {
        // Told once for each signal: it stays readable.
        self.add(stop.fd(), Woken::Stop, epoll::EventFlags::IN | epoll::EventFlags::ET)
    }

    /// A pidfd of the command.
    ///
    /// # Errors
    /// Of `epoll_ctl(2)`.
    pub fn add_command(&self, pidfd: BorrowedFd<'_>) -> io::Result<()> {
        // Told once: it stays ended.
        self.add(pidfd, Woken::CommandEnded, epoll::EventFlags::IN | epoll::EventFlags::ET)
    }

    /// Waits at most this long.
    ///
    /// # Errors
    /// Of `epoll_wait(2)`; an interrupting signal is none.
    pub fn wait(&self, timeout: Duration) -> io::Result<Woken> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let none = epoll::Event { flags: epoll::EventFlags::empty(), data: Woken::Ring.data() };
        let mut events = [none; Woken::SOURCES.len()];
        let ready = match epoll::wait(self.0.as_fd(), &mut events, Some(&timeout)) {
            Ok(n) => &events[..n],
            Err(Errno::INTR) => &[],
            Err(error) => return Err(error.into()),
        };
        let urgent = ready.iter().map(|event| event.data.u64()).max();
        Ok(urgent.map_or(Woken::Timer, |place| {
            Woken::SOURCES.get(place as usize).copied().unwrap_or(Woken::Timer)
        }))
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};

    use super::*;

    #[test]
    fn without_a_source_it_waits_for_its_time() {
        let waiter = Waiter::new().expect("an epoll instance");
        let woken = waiter.wait(Duration::from_millis(1)).expect("a wait");
        assert_eq!(woken, Woken::Timer);
    }

    #[test]
    fn a_pipe_tells_of_its_room_and_of_its_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let reader = openat(CWD, &path, flags, Mode::empty()).expect("a reader");
        let mut output = Output::open(&path, None).expect("an output");
        let waiter = Waiter::new().expect("an epoll instance");
        waiter.watch_output(&output).expect("added");
        assert_eq!(waiter.wait(Duration::ZERO).expect("a wait"), Woken::Timer);

        output.buffer().resize(100_000, b'\n');
        output.flush().expect("no failure");
        waiter.watch_output(&output).expect("changed");
        assert_eq!(waiter.wait(Duration::ZERO).expect("a wait"), Woken::Timer);
        rustix::io::read(&reader, &mut [0; 50_000]).expect("reading");
        assert_eq!(waiter.wait(Duration::ZERO).expect("a wait"), Woken::Output);
        output.flush().expect("no failure");
        assert!(!output.is_blocked());
        waiter.watch_output(&output).expect("changed");
        assert_eq!(waiter.wait(Duration::ZERO).expect("a wait"), Woken::Timer);

        drop(reader);
        for _ in 0..2 {
            let woken = waiter.wait(Duration::from_secs(5)).expect("a wait");
            assert_eq!(woken, Woken::Output);
        }
    }

    #[test]
    fn a_regular_file_is_not_waited_for() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let output = Output::open(file.path(), None).expect("an output");
        Waiter::new().expect("an epoll instance").watch_output(&output).expect("nothing to do");
    }
}
