// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model of what happened to a process. It knows nothing of BPF or of output formats.

use std::borrow::Cow;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// A task was created.
    Fork = 0,
    /// A task replaced its program.
    Exec = 1,
    /// A task ended.
    Exit = 2,
}

impl EventKind {
    /// Every kind, in the order of its number in `bpf/proc.h`.
    pub const ALL: [Self; 3] = [Self::Fork, Self::Exec, Self::Exit];

    /// The kind with this number in `bpf/proc.h`, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name in JSON and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Exec => "exec",
            Self::Exit => "exit",
        }
    }
}

/// A task's name: up to 15 bytes that the task itself can choose, so any byte but NUL may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Comm([u8; 16]);

impl Comm {
    /// From the kernel's NUL-padded `TASK_COMM_LEN` array.
    pub fn new(padded: [u8; 16]) -> Self {
        Self(padded)
    }

    /// The bytes before the padding.
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(self.0.len());
        &self.0[..len]
    }

    /// As text: what isn't UTF-8 becomes U+FFFD.
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

/// One event of the basic view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Fork: the child's task id. Exec, exit: the process id (TGID) of the task.
    pub pid: u32,
    /// Fork: the parent's task id. Exec, exit: 0.
    pub ppid: u32,
    /// The name of the task that the event happened in (fork: of the parent).
    pub comm: Comm,
    /// `CLOCK_MONOTONIC`, in nanoseconds since boot, suspend not counted.
    pub timestamp_ns: u64,
}

/// Events that did not reach the program, a count for each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost([u64; 3]);

impl Lost {
    /// Counts in the order of [`EventKind::ALL`].
    pub fn new(counts: [u64; 3]) -> Self {
        Self(counts)
    }

    /// All kinds together.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The count of one kind.
    pub fn of(&self, kind: EventKind) -> u64 {
        self.0[kind as usize]
    }
}

/// `fork 3, exec 0, exit 12`
impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, kind) in EventKind::ALL.into_iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", kind.name(), self.of(kind))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comm_ends_at_its_first_nul_or_is_full() {
        assert_eq!(Comm::new(*b"sh\0garbage......").as_bytes(), b"sh");
        assert_eq!(Comm::new(*b"0123456789abcdef").as_bytes(), b"0123456789abcdef");
        assert_eq!(Comm::new([0; 16]).as_bytes(), b"");
    }

    #[test]
    fn kinds_keep_their_wire_numbers() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(EventKind::from_number(3), None);
    }

    #[test]
    fn lost_counts_read_aloud() {
        let lost = Lost::new([3, 0, 12]);
        assert_eq!(lost.to_string(), "fork 3, exec 0, exit 12");
        assert_eq!(lost.total(), 15);
    }
}
