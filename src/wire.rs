// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a ring buffer record -> [`Event`]. `bpf/proc.h` describes the record.

use std::fmt;

use plain::Plain;

use crate::event::{Comm, Event, EventKind};

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

/// A record that is not what `bpf/proc.h` describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// Fewer or more bytes than the record has, or bytes that aren't aligned to 8.
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
            Self::Shape { len } => write!(f, "a record of {len} bytes instead of 40"),
            Self::Kind(number) => write!(f, "a record of the unknown kind {number}"),
        }
    }
}

impl std::error::Error for WireError {}

/// Decodes one record of the basic view.
///
/// # Errors
/// The record's length, alignment or kind is not that of `struct proc_event`.
pub fn decode(record: &[u8]) -> Result<Event, WireError> {
    let shape = WireError::Shape { len: record.len() };
    if record.len() != size_of::<ProcEvent>() {
        return Err(shape);
    }
    let raw: &ProcEvent = plain::from_bytes(record).map_err(|_| shape)?;
    let kind = EventKind::from_number(raw.event_type).ok_or(WireError::Kind(raw.event_type))?;
    Ok(Event {
        kind,
        pid: raw.pid,
        ppid: raw.ppid,
        comm: Comm::new(&raw.comm),
        timestamp_ns: raw.timestamp_ns,
        wide: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records lie at addresses that are multiples of 8, as on the ring.
    #[repr(align(8))]
    struct Aligned([u8; 48]);

    fn sample() -> Aligned {
        let mut bytes = [0; 48];
        bytes[..4].copy_from_slice(&4521_u32.to_ne_bytes());
        bytes[4..8].copy_from_slice(&3890_u32.to_ne_bytes());
        bytes[16..24].copy_from_slice(&128_934_567_890_u64.to_ne_bytes());
        bytes[24..28].copy_from_slice(b"bash");
        Aligned(bytes)
    }

    #[test]
    fn decodes_each_field_from_its_place() {
        let event = decode(&sample().0[..40]).expect("a whole record");
        assert_eq!(
            event,
            Event {
                kind: EventKind::Fork,
                pid: 4521,
                ppid: 3890,
                comm: Comm::new(b"bash"),
                timestamp_ns: 128_934_567_890,
                wide: None,
            }
        );
    }

    #[test]
    fn refuses_every_other_length() {
        for len in (0..40).chain(41..=48) {
            assert_eq!(decode(&sample().0[..len]), Err(WireError::Shape { len }));
        }
    }

    #[test]
    fn refuses_a_record_that_is_not_aligned() {
        assert_eq!(decode(&sample().0[1..41]), Err(WireError::Shape { len: 40 }));
    }

    #[test]
    fn refuses_every_unknown_kind() {
        let mut record = sample();
        for kind in 3..=255 {
            record.0[8] = kind;
            assert_eq!(decode(&record.0[..40]), Err(WireError::Kind(kind)));
        }
    }

    #[test]
    fn takes_any_comm() {
        let mut record = sample();
        record.0[24..40].fill(0xff);
        let event = decode(&record.0[..40]).expect("any comm is good");
        assert_eq!(event.comm.as_bytes(), [0xff; 16]);
    }
}
