// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a ring buffer record -> [`Event`]. `bpf/proc.h` describes the records.
//!
//! The basic mode's is mirrored here, because its layout is a promise. Those of the wide mode are
//! the types that the skeleton makes of the header: there is nothing to keep alike.

use std::fmt;

use plain::Plain;

use crate::kernel::skel::{proc, wide};
use crate::model::event::{Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Wide};
use wide::types::{
    proc_event_type, wide_cgroup, wide_event, wide_exec, wide_exit, wide_flags, wide_fork,
    wide_header,
};

/// Fails to compile where a mirror is laid out otherwise than clang laid out the original, which
/// the skeleton has from the object's BTF.
macro_rules! mirrors {
    ($rust:ty, $c:ty, $($field:ident),+) => {
        const _: () = {
            assert!(size_of::<$rust>() == size_of::<$c>());
            $(assert!(std::mem::offset_of!($rust, $field) == std::mem::offset_of!($c, $field));)+
        };
    };
}

/// `struct proc_event` of `bpf/proc.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcEvent {
    /// Fork: the child's task id. Exec, exit: TGID of the current task.
    pub pid: u32,
    /// Fork: the parent's task id. Exec, exit: 0.
    pub ppid: u32,
    /// `enum proc_event_type`.
    pub event_type: u8,
    /// Zero.
    pub _padding: [u8; 7],
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub timestamp_ns: u64,
    /// NUL-padded.
    pub comm: [u8; 16],
}

// SAFETY: repr(C) of integers and byte arrays only, without implicit padding (the fields add up
// to the 40 bytes that are asserted below): every bit pattern is a value.
unsafe impl Plain for ProcEvent {}

mirrors!(ProcEvent, proc::types::proc_event, pid, ppid, event_type, _padding, timestamp_ns, comm);
const _: () = assert!(size_of::<ProcEvent>() == 40);

/// `struct maker` of `bpf/proc.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maker {
    /// Process id.
    pub tgid: u32,
    /// Not 0: the BPF side follows what it made by itself.
    pub followed: u32,
}

// SAFETY: two integers without padding.
unsafe impl Plain for Maker {}

mirrors!(Maker, proc::types::maker, tgid, followed);
mirrors!(Maker, wide::types::maker, tgid, followed);

/// Lets these be read from bytes.
macro_rules! plain {
    ($($record:ty),+) => {
        // SAFETY: bpf/proc.h makes its records of integers and arrays of integers only, which
        // the skeleton turns into the like (an enum into a struct of one integer), and names all
        // padding: every bit pattern is a value.
        $(unsafe impl Plain for $record {})+
    };
}

plain!(wide_header, wide_event, wide_fork, wide_exec, wide_exit, wide_cgroup);

/// A decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// What tells of an event.
    Event(RingRecord),
    /// Where a cgroup lies, for events to come.
    Cgroup {
        /// Its id.
        id: u64,
        /// Its path; none where it is too long, or outside of the cgroup namespace of this process.
        path: Option<String>,
    },
}

impl Decoded {
    /// What tells of an event, if this does.
    pub fn event(self) -> Option<RingRecord> {
        match self {
            Self::Event(record) => Some(record),
            Self::Cgroup { .. } => None,
        }
    }
}

/// A decoded record of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingRecord {
    /// What happened.
    pub event: Event,
    /// Nobody asked for it: it was sent because a later event's line needs what it tells.
    pub hidden: bool,
    /// Of the wide mode: what the process runs.
    pub image: Image,
}

/// Which program a process runs, as the kernel tells one from the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// One more after each exec of the process; a child begins with its maker's.
    pub exec_id: u64,
    /// It is still the one that the process was forked with.
    pub inherited: bool,
}

/// A record that is not what `bpf/proc.h` describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Too few or too many bytes, or bytes that aren't aligned to 8.
    Shape {
        /// Bytes that came.
        len: usize,
    },
    /// No record has this number.
    Kind(u32),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { len } => write!(f, "a record of {len} bytes has the wrong shape"),
            Self::Kind(number) => write!(f, "a record of the unknown kind {number}"),
        }
    }
}

impl std::error::Error for WireError {}

/// Decodes a record of the basic mode.
///
/// # Errors
/// The record's length, alignment or kind is not one that `bpf/proc.h` describes.
pub fn decode_basic(record: &[u8]) -> Result<Decoded, WireError> {
    let shape = WireError::Shape { len: record.len() };
    if record.len() != size_of::<ProcEvent>() {
        return Err(shape);
    }
    let raw: &ProcEvent = plain::from_bytes(record).map_err(|_| shape)?;
    let kind = EventKind::from_number(raw.event_type);
    let event = Event {
        kind: kind.ok_or(WireError::Kind(raw.event_type.into()))?,
        pid: raw.pid,
        ppid: raw.ppid,
        comm: Comm::new(&raw.comm),
        timestamp_ns: raw.timestamp_ns,
        wide: None,
    };
    Ok(Decoded::Event(RingRecord { event, hidden: false, image: Image::default() }))
}

/// Decodes a record of the wide mode.
///
/// The wall clock, the cgroup's path and what only earlier events tell is left empty.
///
/// # Errors
/// As for [`decode_basic`].
pub fn decode_wide(record: &[u8]) -> Result<Decoded, WireError> {
    let shape = WireError::Shape { len: record.len() };
    let header: &wide_header = plain::from_bytes(record).map_err(|_| shape)?;
    let decoded = match header.kind {
        proc_event_type::PROC_FORK => plain::from_bytes(record).ok().map(fork),
        proc_event_type::PROC_EXEC => exec(record),
        proc_event_type::PROC_EXIT => plain::from_bytes(record).ok().map(exit),
        proc_event_type::WIDE_CGROUP => return cgroup(record).ok_or(shape),
        proc_event_type(number) => return Err(WireError::Kind(number)),
    };
    decoded.map(Decoded::Event).ok_or(shape)
}

fn has(header: &wide_header, flag: wide_flags) -> bool {
    header.flags.0 & flag.0 != 0
}

fn fork(raw: &wide_fork) -> RingRecord {
    let thread = has(&raw.event.header, wide_flags::WIDE_THREAD);
    let detail = Detail::Fork { thread, parent_tid: raw.parent_tid };
    event(&raw.event, EventKind::Fork, detail)
}

/// None if its lengths are not those of its bytes.
fn exec(record: &[u8]) -> Option<RingRecord> {
    let raw: &wide_exec = plain::from_bytes(record).ok()?;
    let header = &raw.event.header;
    let (filename, rest) =
        record[size_of::<wide_exec>()..].split_at_checked(raw.filename_len as usize)?;
    let args = rest.get(..raw.args_len as usize)?;
    let truncated =
        has(header, wide_flags::WIDE_ARGS_CUT) || has(header, wide_flags::WIDE_ARGS_UNREAD);
    let detail = Detail::Exec {
        filename: filename.strip_suffix(b"\0").unwrap_or(filename).to_vec(),
        args: Args::new(args, truncated),
    };
    Some(event(&raw.event, EventKind::Exec, detail))
}

/// None if its length is not that of its bytes.
fn cgroup(record: &[u8]) -> Option<Decoded> {
    let raw: &wide_cgroup = plain::from_bytes(record).ok()?;
    let names = record[size_of::<wide_cgroup>()..].get(..raw.names_len as usize)?;
    let mut path = String::new();
    for name in names.split(|&b| b == 0).rev().filter(|name| !name.is_empty()) {
        path.push('/');
        path.push_str(&String::from_utf8_lossy(name));
    }
    if path.is_empty() {
        path.push('/');
    }
    Some(Decoded::Cgroup { id: raw.id, path: (raw.whole != 0).then_some(path) })
}

fn exit(raw: &wide_exit) -> RingRecord {
    let detail = Detail::Exit(Ended {
        thread: has(&raw.event.header, wide_flags::WIDE_THREAD),
        status: ExitStatus::from_wait(raw.status),
        duration_ns: raw.event.timestamp_ns.saturating_sub(raw.began_ns),
        ..Ended::default()
    });
    event(&raw.event, EventKind::Exit, detail)
}

fn event(raw: &wide_event, kind: EventKind, detail: Detail) -> RingRecord {
    let hidden = has(&raw.header, wide_flags::WIDE_HIDDEN);
    let inherited = has(&raw.header, wide_flags::WIDE_NO_EXEC);
    let event = Event {
        kind,
        pid: raw.pid,
        ppid: raw.ppid,
        comm: Comm::new(&raw.comm),
        timestamp_ns: raw.timestamp_ns,
        wide: Some(Box::new(Wide {
            time_ns: 0,
            tid: raw.tid,
            uid: raw.uid,
            start_ns: raw.start_ns,
            cgroup_id: raw.cgroup_id,
            cgroup: None,
            detail,
        })),
    };
    RingRecord { event, hidden, image: Image { exec_id: raw.exec_id, inherited } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records lie at addresses that are multiples of 8, as on the ring.
    #[repr(align(8))]
    struct Aligned([u8; 128]);

    fn aligned(record: &impl Plain, tail: &[u8]) -> Aligned {
        let mut bytes = [0; 128];
        // SAFETY: records have no padding that isn't named, so all their bytes are initialised.
        let head = unsafe { plain::as_bytes(record) };
        bytes[..head.len()].copy_from_slice(head);
        bytes[head.len()..head.len() + tail.len()].copy_from_slice(tail);
        Aligned(bytes)
    }

    fn comm() -> [u8; 16] {
        let mut comm = [0; 16];
        comm[..4].copy_from_slice(b"bash");
        comm
    }

    fn basic() -> ProcEvent {
        ProcEvent {
            pid: 4521,
            ppid: 3890,
            event_type: 0,
            timestamp_ns: 128_934_567_890,
            comm: comm(),
            ..ProcEvent::default()
        }
    }

    fn wide(kind: proc_event_type, flags: u32) -> wide_event {
        wide_event {
            header: wide_header { kind, flags: wide_flags(flags) },
            timestamp_ns: 128_934_567_890,
            start_ns: 128_900_000_000,
            exec_id: 3,
            cgroup_id: 77,
            pid: 4521,
            ppid: 3890,
            tid: 4522,
            uid: 1000,
            comm: comm(),
        }
    }

    const HIDDEN: u32 = wide_flags::WIDE_HIDDEN.0;
    const THREAD: u32 = wide_flags::WIDE_THREAD.0;
    const NO_EXEC: u32 = wide_flags::WIDE_NO_EXEC.0;
    const CUT: u32 = wide_flags::WIDE_ARGS_CUT.0;

    fn exec_record(flags: u32, filename_len: u32, args_len: u32, tail: &[u8]) -> Aligned {
        let event = wide(proc_event_type::PROC_EXEC, flags);
        aligned(&wide_exec { event, filename_len, args_len }, tail)
    }

    fn detail(record: &[u8]) -> Detail {
        let decoded = decode_wide(record).expect("a good record").event().expect("an event");
        decoded.event.wide.expect("of the wide mode").detail
    }

    #[test]
    fn decodes_each_field_from_its_place() {
        let want = Event {
            kind: EventKind::Fork,
            pid: 4521,
            ppid: 3890,
            comm: Comm::new(b"bash"),
            timestamp_ns: 128_934_567_890,
            wide: None,
        };
        let record = aligned(&basic(), b"");
        let none = Image::default();
        let basic = RingRecord { event: want.clone(), hidden: false, image: none };
        assert_eq!(decode_basic(&record.0[..40]), Ok(Decoded::Event(basic)));

        let more = Wide {
            time_ns: 0,
            tid: 4522,
            uid: 1000,
            start_ns: 128_900_000_000,
            cgroup_id: 77,
            cgroup: None,
            detail: Detail::Fork { thread: true, parent_tid: 9 },
        };
        let event = Event { wide: Some(Box::new(more)), ..want };
        let image = Image { exec_id: 3, inherited: true };
        let fork = |flags| {
            let event = wide(proc_event_type::PROC_FORK, flags);
            aligned(&wide_fork { event, parent_tid: 9, _padding: 0 }, b"")
        };
        for (more, hidden) in [(0, false), (HIDDEN, true)] {
            let want = RingRecord { event: event.clone(), hidden, image };
            let decoded = decode_wide(&fork(THREAD | NO_EXEC | more).0[..80]);
            assert_eq!(decoded, Ok(Decoded::Event(want)));
        }
        assert_eq!(decode_wide(&fork(0).0[..79]), Err(WireError::Shape { len: 79 }));
    }

    #[test]
    fn an_exec_brings_its_name_and_arguments_and_may_have_slack() {
        let record = exec_record(0, 8, 6, b"/bin/ls\0ls\0-l\0slack");
        let want =
            Detail::Exec { filename: b"/bin/ls".to_vec(), args: Args::new(b"ls\0-l\0", false) };
        assert_eq!(detail(&record.0[..104]), want);
        let record = exec_record(CUT, 2, 2, b"x\0ls");
        let want = Detail::Exec { filename: b"x".to_vec(), args: Args::new(b"ls", true) };
        assert_eq!(detail(&record.0[..88]), want);
    }

    #[test]
    fn an_exit_brings_its_status_and_age() {
        let record = wide_exit {
            event: wide(proc_event_type::PROC_EXIT, 0),
            began_ns: 128_900_000_001,
            status: 42 << 8,
            _padding: 0,
        };
        let record = aligned(&record, b"");
        let want = Detail::Exit(Ended {
            thread: false,
            status: ExitStatus::Code(42),
            duration_ns: 34_567_889,
            ..Ended::default()
        });
        assert_eq!(detail(&record.0[..88]), want);
        assert_eq!(decode_wide(&record.0[..87]), Err(WireError::Shape { len: 87 }));
    }

    /// The kind alone says what a record is: no length makes another one of it.
    #[test]
    fn refuses_every_length_that_the_kind_does_not_have() {
        let basic = aligned(&basic(), b"");
        for len in (0..40).chain(41..128) {
            assert_eq!(decode_basic(&basic.0[..len]), Err(WireError::Shape { len }));
        }
        for number in 0..3 {
            let record = aligned(&wide(proc_event_type(number), 0), b"");
            for len in 0..80 {
                assert_eq!(decode_wide(&record.0[..len]), Err(WireError::Shape { len }));
            }
        }
    }

    #[test]
    fn never_trusts_a_length_inside_a_record() {
        for (name, args) in [(49, 0), (0, 49), (48, 1), (u32::MAX, u32::MAX), (1, u32::MAX)] {
            let record = exec_record(0, name, args, b"");
            assert_eq!(decode_wide(&record.0), Err(WireError::Shape { len: 128 }), "{name} {args}");
        }
        assert!(decode_wide(&exec_record(0, 48, 0, b"").0).is_ok());
    }

    #[test]
    fn refuses_a_record_that_is_not_aligned() {
        let record = aligned(&basic(), b"");
        assert_eq!(decode_basic(&record.0[1..41]), Err(WireError::Shape { len: 40 }));
        let record = exec_record(0, 0, 0, b"");
        assert_eq!(decode_wide(&record.0[1..101]), Err(WireError::Shape { len: 100 }));
    }

    #[test]
    fn refuses_every_unknown_kind() {
        for kind in 3..=255 {
            let record = aligned(&ProcEvent { event_type: kind, ..basic() }, b"");
            let number = kind.into();
            assert_eq!(decode_basic(&record.0[..40]), Err(WireError::Kind(number)));
            if proc_event_type(number) != proc_event_type::WIDE_CGROUP {
                let record = aligned(&wide(proc_event_type(number), 0), b"");
                assert_eq!(decode_wide(&record.0[..80]), Err(WireError::Kind(number)));
            }
        }
        let record = aligned(&wide(proc_event_type(u32::MAX), 0), b"");
        assert_eq!(decode_wide(&record.0), Err(WireError::Kind(u32::MAX)));
    }

    #[test]
    fn a_cgroups_names_come_from_the_leaf_up() {
        let cgroup = |names: &[u8], whole, names_len| {
            let header = wide_header { kind: proc_event_type::WIDE_CGROUP, ..Default::default() };
            let record = aligned(&wide_cgroup { header, id: 77, names_len, whole }, names);
            decode_wide(&record.0[..size_of::<wide_cgroup>() + 32])
        };
        let path = |path: &str| Ok(Decoded::Cgroup { id: 77, path: Some(path.to_owned()) });
        assert_eq!(
            cgroup(b"cron.service\0system.slice\0", 1, 26),
            path("/system.slice/cron.service")
        );
        assert_eq!(cgroup(b"a\0slack", 1, 2), path("/a"));
        assert_eq!(cgroup(b"", 1, 0), path("/"), "the root has no name");
        assert_eq!(cgroup(b"a\0", 0, 2), Ok(Decoded::Cgroup { id: 77, path: None }));
        assert!(matches!(cgroup(b"", 1, 33), Err(WireError::Shape { .. })), "more than there is");
    }

    #[test]
    fn takes_any_comm() {
        let record = aligned(&ProcEvent { comm: [0xff; 16], ..basic() }, b"");
        let decoded = decode_basic(&record.0[..40]).expect("any comm is good");
        assert_eq!(decoded.event().expect("an event").event.comm.as_bytes(), [0xff; 16]);
    }

    /// What the fuzzer starts from is what the BPF programs sent once.
    #[test]
    fn every_seed_of_the_fuzzer_is_a_record() {
        let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/wire");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(seeds).expect("seeds").map(|entry| entry.expect("a seed")) {
            let bytes = std::fs::read(entry.path()).expect("a seed");
            let mut words = vec![0_u64; bytes.len().div_ceil(8)];
            // SAFETY: u64 has no padding and is aligned to 8.
            let record = unsafe { plain::as_mut_bytes(words.as_mut_slice()) };
            record[..bytes.len()].copy_from_slice(&bytes);
            let record = &record[..bytes.len()];
            let name = entry.file_name().into_string().expect("a name");
            let decoded = match name.starts_with("basic-") {
                true => decode_basic(record),
                false => decode_wide(record),
            };
            let decoded = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
            let event = decoded.event().expect("an event").event;
            assert!(name.ends_with(event.kind.name()), "{name}: {event:?}");
            names.push(name);
        }
        names.sort_unstable();
        let want =
            ["basic-exec", "basic-exit", "basic-fork", "wide-exec", "wide-exit", "wide-fork"];
        assert_eq!(names, want);
    }
}
