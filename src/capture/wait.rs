// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waits for whatever a capture has to react to.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Its time, or a signal.
    Timer,
    /// The BPF side: records are ready.
    Ring,
    /// The last reader of the output pipe has gone.
    OutputClosed,
    /// The command that was started has ended.
    CommandEnded,
}

impl Woken {
    /// The sources, the most urgent last; their places are their numbers in epoll's data.
    const SOURCES: [Self; 3] = [Self::Ring, Self::OutputClosed, Self::CommandEnded];

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

    /// The output, if it is a pipe or socket: its other end may be closed while nothing happens.
    ///
    /// # Errors
    /// Of `epoll_ctl(2)`.
    pub fn add_output(&self, pipe: BorrowedFd<'_>) -> io::Result<()> {
        // EPOLLERR comes unasked.
        self.add(pipe, Woken::OutputClosed, epoll::EventFlags::empty())
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
    use super::*;

    #[test]
    fn without_a_source_it_waits_for_its_time() {
        let waiter = Waiter::new().expect("an epoll instance");
        let woken = waiter.wait(Duration::from_millis(1)).expect("a wait");
        assert_eq!(woken, Woken::Timer);
    }

    #[test]
    fn a_closed_pipe_is_noticed_and_stays_so() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let waiter = Waiter::new().expect("an epoll instance");
        waiter.add_output(writer.as_fd()).expect("added");
        assert_eq!(waiter.wait(Duration::ZERO).expect("a wait"), Woken::Timer);
        drop(reader);
        for _ in 0..2 {
            let woken = waiter.wait(Duration::from_secs(5)).expect("a wait");
            assert_eq!(woken, Woken::OutputClosed);
        }
    }
}
