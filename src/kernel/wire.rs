// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a ring buffer record -> [`Event`]. `bpf/proc.h` describes the record.

use std::fmt;

use plain::Plain;

use crate::model::event::{Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Wide};

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

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<ProcEvent>() == 40);
    assert!(offset_of!(ProcEvent, pid) == 0);
    assert!(offset_of!(ProcEvent, ppid) == 4);
    assert!(offset_of!(ProcEvent, event_type) == 8);
    assert!(offset_of!(ProcEvent, _padding) == 9);
    assert!(offset_of!(ProcEvent, timestamp_ns) == 16);
    assert!(offset_of!(ProcEvent, comm) == 24);
};

/// `struct wide_event` of `bpf/proc.h`. An exec's file name and arguments follow it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct WideEvent {
    /// Process id.
    pub pid: u32,
    /// Process id of the real parent.
    pub ppid: u32,
    /// `enum proc_event_type`.
    pub event_type: u8,
    /// `enum wide_flags`.
    pub flags: u8,
    /// Zero.
    pub _padding: [u8; 6],
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub timestamp_ns: u64,
    /// NUL-padded.
    pub comm: [u8; 16],
    /// Start of the process, `CLOCK_MONOTONIC`, nanoseconds.
    pub start_ns: u64,
    /// Id in the v2 hierarchy, 0 if the kernel has no cgroups.
    pub cgroup_id: u64,
    /// Task id.
    pub tid: u32,
    /// Real user id.
    pub uid: u32,
    /// Fork: the maker's task id. Exit: the wait status. Exec: bytes of the file name.
    pub detail: u32,
    /// Exec: bytes of the arguments.
    pub args_len: u32,
}

// SAFETY: as for ProcEvent: integers and byte arrays that add up to the asserted 72 bytes.
unsafe impl Plain for WideEvent {}

const _: () = assert!(size_of::<WideEvent>() == 72);

const WIDE_THREAD: u8 = 1;
const WIDE_HIDDEN: u8 = 2;
const WIDE_ARGS_CUT: u8 = 4;
const WIDE_ARGS_UNREAD: u8 = 8;

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

const _: () = assert!(size_of::<Maker>() == 8);

/// A decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Something that happened.
    Event(Event),
    /// An event that nobody asked for, sent because a later one's line needs what it tells.
    Hidden(Event),
}

/// A record that is not what `bpf/proc.h` describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Too few or too many bytes, or bytes that aren't aligned to 8.
    Shape {
        /// Bytes that came.
        len: usize,
    },
    /// No event has this number.
    Kind(u8),
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

/// Decodes one record of either mode; they differ in size.
///
/// The wall clock, the cgroup's path and what only earlier events tell is left empty.
///
/// # Errors
/// The record's length, alignment or kind is not one that `bpf/proc.h` describes.
pub fn decode(record: &[u8]) -> Result<Record, WireError> {
    let shape = WireError::Shape { len: record.len() };
    let kind = |number| EventKind::from_number(number).ok_or(WireError::Kind(number));
    match record.len() {
        40 => {
            let raw: &ProcEvent = plain::from_bytes(record).map_err(|_| shape)?;
            Ok(Record::Event(Event {
                kind: kind(raw.event_type)?,
                pid: raw.pid,
                ppid: raw.ppid,
                comm: Comm::new(&raw.comm),
                timestamp_ns: raw.timestamp_ns,
                wide: None,
            }))
        }
        72.. => {
            let raw: &WideEvent = plain::from_bytes(record).map_err(|_| shape)?;
            let event = wide(raw, kind(raw.event_type)?, &record[72..]).ok_or(shape)?;
            let hidden = raw.flags & WIDE_HIDDEN != 0;
            Ok(if hidden { Record::Hidden(event) } else { Record::Event(event) })
        }
        _ => Err(shape),
    }
}

/// None if the record's lengths are not those of its bytes.
fn wide(raw: &WideEvent, kind: EventKind, tail: &[u8]) -> Option<Event> {
    let thread = raw.flags & WIDE_THREAD != 0;
    let detail = match kind {
        EventKind::Fork => Detail::Fork { thread, parent_tid: raw.detail },
        EventKind::Exec => {
            let (filename, rest) = tail.split_at_checked(raw.detail as usize)?;
            let args = rest.get(..raw.args_len as usize)?;
            let truncated = raw.flags & (WIDE_ARGS_CUT | WIDE_ARGS_UNREAD) != 0;
            Detail::Exec {
                filename: filename.strip_suffix(b"\0").unwrap_or(filename).to_vec(),
                args: Args::new(args, truncated),
            }
        }
        EventKind::Exit => Detail::Exit(Ended {
            thread,
            status: ExitStatus::from_wait(raw.detail),
            duration_ns: raw.timestamp_ns.saturating_sub(*plain::from_bytes(tail).ok()?),
            ..Ended::default()
        }),
    };
    Some(Event {
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records lie at addresses that are multiples of 8, as on the ring.
    #[repr(align(8))]
    struct Aligned([u8; 128]);

    fn basic() -> Aligned {
        let mut bytes = [0; 128];
        bytes[..4].copy_from_slice(&4521_u32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&3890_u32.to_ne_bytes());
        bytes[16..24].copy_from_slice(&128_934_567_890_u64.to_ne_bytes());
        bytes[24..28].copy_from_slice(b"bash");
        Aligned(bytes)
    }

    fn wide(kind: EventKind, flags: u8, detail: u32, args_len: u32, tail: &[u8]) -> Aligned {
        let Aligned(mut bytes) = basic();
        bytes[8] = kind as u8;
        bytes[9] = flags;
        bytes[40..48].copy_from_slice(&128_900_000_000_u64.to_ne_bytes());
        bytes[48..56].copy_from_slice(&77_u64.to_ne_bytes());
        bytes[56..60].copy_from_slice(&4522_u32.to_ne_bytes());
        bytes[60..64].copy_from_slice(&1000_u32.to_ne_bytes());
        bytes[64..68].copy_from_slice(&detail.to_ne_bytes());
        bytes[68..72].copy_from_slice(&args_len.to_ne_bytes());
        bytes[72..72 + tail.len()].copy_from_slice(tail);
        Aligned(bytes)
    }

    fn detail(record: &[u8]) -> Detail {
        match decode(record).expect("a good record") {
            Record::Event(event) => event.wide.expect("of the wide mode").detail,
            other => panic!("{other:?}"),
        }
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
        assert_eq!(decode(&basic().0[..40]), Ok(Record::Event(want.clone())));

        let more = Wide {
            time_ns: 0,
            tid: 4522,
            uid: 1000,
            start_ns: 128_900_000_000,
            cgroup_id: 77,
            cgroup: None,
            detail: Detail::Fork { thread: true, parent_tid: 9 },
        };
        let want = Event { wide: Some(Box::new(more)), ..want };
        let record = wide(EventKind::Fork, WIDE_THREAD, 9, 0, b"");
        assert_eq!(decode(&record.0[..72]), Ok(Record::Event(want.clone())));
        let record = wide(EventKind::Fork, WIDE_THREAD | WIDE_HIDDEN, 9, 0, b"");
        assert_eq!(decode(&record.0[..72]), Ok(Record::Hidden(want)));
    }

    #[test]
    fn an_exec_brings_its_name_and_arguments_and_may_have_slack() {
        let record = wide(EventKind::Exec, 0, 8, 6, b"/bin/ls\0ls\0-l\0slack");
        let want =
            Detail::Exec { filename: b"/bin/ls".to_vec(), args: Args::new(b"ls\0-l\0", false) };
        assert_eq!(detail(&record.0[..100]), want);
        let record = wide(EventKind::Exec, WIDE_ARGS_CUT, 2, 2, b"x\0ls");
        let want = Detail::Exec { filename: b"x".to_vec(), args: Args::new(b"ls", true) };
        assert_eq!(detail(&record.0[..80]), want);
    }

    #[test]
    fn an_exit_brings_its_status_and_age() {
        let began = 128_900_000_001_u64.to_ne_bytes();
        let record = wide(EventKind::Exit, 0, 42 << 8, 0, &began);
        let want = Detail::Exit(Ended {
            status: ExitStatus::Code(42),
            duration_ns: 34_567_889,
            ..Ended::default()
        });
        assert_eq!(detail(&record.0[..80]), want);
        assert_eq!(decode(&record.0[..72]), Err(WireError::Shape { len: 72 }));
    }

    #[test]
    fn refuses_every_other_length() {
        for len in (0..40).chain(41..72) {
            assert_eq!(decode(&basic().0[..len]), Err(WireError::Shape { len }));
        }
    }

    #[test]
    fn never_trusts_a_length_inside_a_record() {
        for (name, args) in [(57, 0), (0, 57), (56, 1), (u32::MAX, u32::MAX), (1, u32::MAX)] {
            let record = wide(EventKind::Exec, 0, name, args, b"");
            assert_eq!(decode(&record.0), Err(WireError::Shape { len: 128 }), "{name} {args}");
        }
    }

    #[test]
    fn refuses_a_record_that_is_not_aligned() {
        assert_eq!(decode(&basic().0[1..41]), Err(WireError::Shape { len: 40 }));
        assert_eq!(decode(&basic().0[1..101]), Err(WireError::Shape { len: 100 }));
    }

    #[test]
    fn refuses_every_unknown_kind() {
        let mut record = basic();
        for kind in 3..=255 {
            record.0[8] = kind;
            for len in [40, 72] {
                assert_eq!(decode(&record.0[..len]), Err(WireError::Kind(kind)));
            }
        }
    }

    #[test]
    fn takes_any_comm() {
        let mut record = basic();
        record.0[24..40].fill(0xff);
        match decode(&record.0[..40]).expect("any comm is good") {
            Record::Event(event) => assert_eq!(event.comm.as_bytes(), [0xff; 16]),
            other => panic!("{other:?}"),
        }
    }
}
