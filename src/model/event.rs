// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model of what happened to a process. It knows nothing of BPF or of output formats.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::model::errno::Errno;
use crate::model::keys::event_keys;
use crate::model::place::Place;
use crate::model::signal;
use crate::model::trace::TraceContext;

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
    /// A task could not replace its program; of the wide mode alone, and only where it is asked for.
    ExecFailed = 3,
}

impl EventKind {
    /// Every kind, in the order of its number in `bpf/proc.h`.
    pub const ALL: [Self; 4] = [Self::Fork, Self::Exec, Self::Exit, Self::ExecFailed];

    /// Those that each capture has, unless it is told otherwise: all of the basic mode.
    pub const USUAL: [Self; 3] = [Self::Fork, Self::Exec, Self::Exit];

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
            Self::ExecFailed => "exec_failed",
        }
    }
}

/// A task's name. The kernel's has up to 15 bytes that the task itself can choose, so any byte
/// but NUL may occur; one read back from a capture is UTF-8 and may be three times as long,
/// each byte that was none having become U+FFFD.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Comm {
    len: u8,
    bytes: [u8; Self::CAPACITY],
}

impl Comm {
    const CAPACITY: usize = 47;

    /// Up to the first NUL, cut at the end of what a name can be.
    pub fn new(name: &[u8]) -> Self {
        let len = name.iter().position(|&b| b == 0).unwrap_or(name.len()).min(Self::CAPACITY);
        let mut bytes = [0; Self::CAPACITY];
        bytes[..len].copy_from_slice(&name[..len]);
        Self { len: len as u8, bytes }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// As text: what isn't UTF-8 becomes U+FFFD.
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_text())
    }
}

/// One event. The first five fields are the basic mode's; the wide mode means them alike but for
/// the ids, which are always process ids there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Basic: the child's task id at fork, else the process id (TGID). Wide: the process id.
    pub pid: u32,
    /// Basic: the parent's task id at fork, else 0. Wide: the process id of the real parent.
    pub ppid: u32,
    /// Basic: the name of the task that the event happened in (fork: of the parent). Wide: the
    /// name of the process, that is of its thread group's leader.
    pub comm: Comm,
    /// `CLOCK_MONOTONIC`, in nanoseconds since boot, suspend not counted.
    pub timestamp_ns: u64,
    /// What the wide mode adds.
    pub wide: Option<Box<Wide>>,
}

impl Event {
    /// What the wide mode knows of this kind of event.
    pub fn detail(&self) -> Option<&Detail> {
        Some(&self.wide.as_deref()?.detail)
    }

    /// How it ended, where it did and the wide mode tells.
    pub fn ended(&self) -> Option<&Ended> {
        match self.detail()? {
            Detail::Exit(ended) => Some(ended),
            _ => None,
        }
    }
}

/// Makes the types of the list of keys.
macro_rules! types {
    (
        $(#[$about_wide:meta])* Wide { $($(#[$wide_doc:meta])* $wide:ident: $wide_type:ty as $_wide:ty,)* }
        $(#[$about_fork:meta])* Fork { $($(#[$fork_doc:meta])* $fork:ident: $fork_type:ty as $_fork:ty,)* }
        $(#[$about_exec:meta])* Exec { $($(#[$exec_doc:meta])* $exec:ident: $exec_type:ty as $_exec:ty,)* }
        $(#[$about_failed:meta])* ExecFailed { $($(#[$failed_doc:meta])* $failed:ident: $failed_type:ty as $_failed:ty,)* }
        $(#[$about_end:meta])* Ended { $($(#[$end_doc:meta])* $end:ident: $end_type:ty as $_end:ty,)* }
    ) => {
        $(#[$about_wide])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Wide {
            $($(#[$wide_doc])* pub $wide: $wide_type,)*
            /// What is known of this kind of event.
            pub detail: Detail,
        }

        /// What the wide mode adds for one kind of event.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Detail {
            $(#[$about_fork])*
            Fork { $($(#[$fork_doc])* $fork: $fork_type,)* },
            $(#[$about_exec])*
            Exec { $($(#[$exec_doc])* $exec: $exec_type,)* },
            $(#[$about_failed])*
            ExecFailed { $($(#[$failed_doc])* $failed: $failed_type,)* },
            $(#[$about_end])*
            Exit(Box<Ended>),
        }

        $(#[$about_end])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Ended { $($(#[$end_doc])* pub $end: $end_type,)* }
    };
}

event_keys!(types);

impl Detail {
    /// An end.
    pub fn exit(ended: Ended) -> Self {
        Self::Exit(Box::new(ended))
    }

    /// It is about a thread, not about a process.
    pub fn is_of_thread(&self) -> bool {
        match self {
            Self::Fork { thread, .. } => *thread,
            Self::Exec { .. } | Self::ExecFailed { .. } => false,
            Self::Exit(ended) => ended.thread,
        }
    }

    /// The arguments that it tells.
    pub fn args(&self) -> Option<&Args> {
        match self {
            Self::Fork { .. } => None,
            Self::Exec { args, .. } | Self::ExecFailed { args, .. } => Some(args),
            Self::Exit(ended) => ended.args.as_ref(),
        }
    }
}

/// An argument array: each argument ends with a NUL, as in `/proc/PID/cmdline`, so that it is
/// one small shared allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Args {
    bytes: Arc<[u8]>,
    /// There were more bytes than are kept.
    pub truncated: bool,
}

impl Args {
    /// From NUL-terminated arguments; the last may lack its NUL where it was cut.
    pub fn new(bytes: &[u8], truncated: bool) -> Self {
        Self { bytes: bytes.into(), truncated }
    }

    /// The arguments, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let ended = self.bytes.strip_suffix(b"\0").unwrap_or(&self.bytes);
        let none = self.bytes.is_empty();
        ended.split(|&b| b == 0).skip(usize::from(none))
    }

    /// The first `max` bytes of them.
    pub fn cut(&self, max: usize) -> Self {
        match self.bytes.get(..max) {
            Some(shown) if max < self.bytes.len() => Self::new(shown, true),
            _ => self.clone(),
        }
    }

    /// Whether both may be the same list: where one is cut, the other begins as it does.
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self.truncated, other.truncated) {
            (false, false) => self.bytes == other.bytes,
            (true, false) => other.bytes.starts_with(&self.bytes),
            (false, true) => self.bytes.starts_with(&other.bytes),
            (true, true) => {
                let both = self.len().min(other.len());
                self.bytes[..both] == other.bytes[..both]
            }
        }
    }

    /// The program's name alone: of the first argument what stands before a blank, for a process that
    /// has a title of its own keeps it there.
    pub fn program(&self) -> Self {
        let end = self.bytes.iter().position(|&b| b == 0 || b == b' ');
        match end {
            Some(end) if end + 1 < self.bytes.len() => Self::new(&self.bytes[..end], true),
            _ => self.clone(),
        }
    }

    /// Bytes, a NUL behind each argument included.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// There is no argument at all: not even the program's name.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// How a process or thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitStatus {
    /// With exit(2): 0 to 255.
    Code(u8),
    /// By a signal.
    Signal {
        /// Its number on this architecture.
        number: u8,
        /// A core dump was written.
        core_dumped: bool,
    },
}

/// Success.
impl Default for ExitStatus {
    fn default() -> Self {
        Self::Code(0)
    }
}

impl ExitStatus {
    /// From the status word of wait(2), which is also the kernel's `exit_code`.
    pub fn from_wait(status: u32) -> Self {
        match (status & 0x7f) as u8 {
            0 => Self::Code((status >> 8) as u8),
            number => Self::Signal { number, core_dumped: status & 0x80 != 0 },
        }
    }

    /// Neither exit status 0 nor anything else that a script would take for success.
    pub fn failed(self) -> bool {
        self != Self::Code(0)
    }
}

/// `0`, `SIGSEGV`, `SIGABRT (core dumped)`
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "{code}"),
            Self::Signal { number, core_dumped } => {
                let core = if core_dumped { " (core dumped)" } else { "" };
                write!(f, "{}{core}", signal::name(number))
            }
        }
    }
}

/// What did not reach the program: a count for each kind of event, and of processes whose exit
/// may have come, but not what they have cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    events: [u64; 4],
    /// Exits that lack what their process has cost, at most.
    pub cost: u64,
}

impl Lost {
    /// Counts in the order of [`EventKind::ALL`].
    pub fn new(events: [u64; 4], cost: u64) -> Self {
        Self { events, cost }
    }

    /// Nothing was lost.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// All kinds of events together.
    pub fn total(&self) -> u64 {
        // A capture may claim any number.
        self.events.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// These and those of another capture.
    pub fn plus(&self, other: &Self) -> Self {
        let events = EventKind::ALL.map(|kind| self.of(kind).saturating_add(other.of(kind)));
        Self { events, cost: self.cost.saturating_add(other.cost) }
    }

    /// What came to these after the others.
    pub fn less(&self, other: &Self) -> Self {
        let events = EventKind::ALL.map(|kind| self.of(kind).saturating_sub(other.of(kind)));
        Self { events, cost: self.cost.saturating_sub(other.cost) }
    }

    /// The count of one kind.
    pub fn of(&self, kind: EventKind) -> u64 {
        self.events[kind as usize]
    }
}

/// `fork 3, exec 0, exit 12`, and where there are any, `, exec_failed 2`, `, cost 2`
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, kind) in EventKind::USUAL.into_iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", kind.name(), self.of(kind))?;
        }
        if self.of(EventKind::ExecFailed) > 0 {
            let kind = EventKind::ExecFailed;
            write!(f, ", {} {}", kind.name(), self.of(kind))?;
        }
        match self.cost {
            0 => Ok(()),
            cost => write!(f, ", cost {cost}"),
        }
    }
}

/// How a capture came about: what its `meta` record tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// The version of the program that captured.
    pub version: String,
    /// The kernel's release, as uname(2) gives it.
    pub kernel: String,
    /// The host's name.
    pub host: String,
    /// The kernel's random id of this boot: `start_ns` and `timestamp_ns` are comparable within it.
    pub boot_id: String,
    /// The options that chose the events, as they were given.
    pub filters: Vec<String>,
    /// `time - timestamp_ns` at the start, in nanoseconds.
    pub clock_offset_ns: u64,
    /// When it began, on the clock of `timestamp_ns`; 0 where it isn't known.
    pub began_ns: u64,
    /// How many CPUs the machine had online; 0 where it isn't known.
    pub cpus: u32,
    /// The process id of the command that was run, as tuxscope's own PID namespace numbers it; 0
    /// where none was.
    pub command_pid: u32,
    /// The arguments of programs were left out.
    pub no_args: bool,
    /// The command's place in a trace, chosen before it began.
    pub trace: Option<TraceContext>,
}

/// What a capture came to: what its `summary` record tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events that were printed.
    pub printed: u64,
    /// Events that were lost.
    pub lost: Lost,
    /// Events that weren't to be printed and were lost, so that later ones lack what they tell.
    pub lost_unshown: u64,
    /// Times that the kernel skipped a handler: at most so many events are missing besides.
    pub missed: u64,
    /// How long the capture lasted, in nanoseconds.
    pub elapsed_ns: u64,
    /// Events that a live capture could not write, because nobody read its output.
    pub unwritten: u64,
    /// It did not come to its end: what happened behind its last event is missing.
    pub cut_off: bool,
}

impl Totals {
    /// These and those of another capture.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            printed: self.printed.saturating_add(other.printed),
            lost: self.lost.plus(&other.lost),
            lost_unshown: self.lost_unshown.saturating_add(other.lost_unshown),
            missed: self.missed.saturating_add(other.missed),
            elapsed_ns: self.elapsed_ns.saturating_add(other.elapsed_ns),
            unwritten: self.unwritten.saturating_add(other.unwritten),
            cut_off: self.cut_off || other.cut_off,
        }
    }

    /// Nothing that was asked for is missing.
    pub fn complete(&self) -> bool {
        let lost = !self.lost.is_none() || self.lost_unshown != 0;
        !lost && self.missed == 0 && self.unwritten == 0 && !self.cut_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comm_ends_at_its_first_nul_or_is_full() {
        assert_eq!(Comm::new(b"sh\0garbage......").as_bytes(), b"sh");
        assert_eq!(Comm::new(b"0123456789abcdef").as_bytes(), b"0123456789abcdef");
        assert_eq!(Comm::new(&[0; 16]).as_bytes(), b"");
        assert_eq!(Comm::new(&[b'x'; 99]).as_bytes().len(), 47);
    }

    #[test]
    fn kinds_keep_their_wire_numbers() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(EventKind::from_number(4), None);
    }

    #[test]
    fn lost_counts_read_aloud() {
        let lost = Lost::new([3, 0, 12, 0], 0);
        assert_eq!(lost.to_string(), "fork 3, exec 0, exit 12");
        assert_eq!(lost.total(), 15);
        let lost = lost.plus(&Lost::new([0; 4], 2));
        assert_eq!(lost.to_string(), "fork 3, exec 0, exit 12, cost 2");
        assert_eq!(lost.total(), 15, "no event of its own");
        assert!(!Lost::new([0; 4], 1).is_none());
        let lost = lost.plus(&Lost::new([0, 0, 0, 2], 0));
        assert_eq!(lost.to_string(), "fork 3, exec 0, exit 12, exec_failed 2, cost 2");
        assert_eq!(lost.total(), 17);
    }

    fn list(bytes: &[u8]) -> Vec<Vec<u8>> {
        Args::new(bytes, false).iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn arguments_keep_their_structure() {
        assert_eq!(list(b"ls\0-l\0"), [b"ls".to_vec(), b"-l".to_vec()]);
        assert_eq!(list(b"sh\0-c\0\0"), [b"sh".to_vec(), b"-c".to_vec(), b"".to_vec()]);
        assert_eq!(list(b"\0"), [b"".to_vec()]);
        assert_eq!(list(b"cut\0in the mid"), [b"cut".to_vec(), b"in the mid".to_vec()]);
        assert!(list(b"").is_empty());
    }

    #[test]
    fn lists_that_are_cut_may_be_the_same() {
        let agree = |a: &[u8], a_cut, b: &[u8], b_cut| {
            let (a, b) = (Args::new(a, a_cut), Args::new(b, b_cut));
            assert_eq!(a.agrees_with(&b), b.agrees_with(&a));
            a.agrees_with(&b)
        };
        assert!(agree(b"ls\0-l\0", false, b"ls\0-l\0", false));
        assert!(!agree(b"ls\0-l\0", false, b"ls\0", false));
        assert!(agree(b"ls\0-l\0", false, b"ls\0", true));
        assert!(agree(b"ls\0-l\0", true, b"ls\0", true));
        assert!(!agree(b"ls\0-l\0", true, b"ls\0", false));
        assert!(!agree(b"ls\0-l\0", true, b"cp\0", true));
    }

    #[test]
    fn status_words_are_those_of_wait() {
        assert_eq!(ExitStatus::from_wait(0), ExitStatus::Code(0));
        assert_eq!(ExitStatus::from_wait(42 << 8), ExitStatus::Code(42));
        assert_eq!(ExitStatus::from_wait(255 << 8), ExitStatus::Code(255));
        let segv = ExitStatus::Signal { number: 11, core_dumped: true };
        assert_eq!(ExitStatus::from_wait(0x8b), segv);
        assert_eq!(segv.to_string(), "SIGSEGV (core dumped)");
        assert!(segv.failed() && !ExitStatus::Code(0).failed());
    }
}
