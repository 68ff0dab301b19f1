// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a ring buffer record -> [`Event`]. `bpf/proc.h` describes the records.
//!
//! The basic mode's is mirrored here, because its layout is a promise. Those of the wide mode are
//! the types that the skeleton makes of the header: there is nothing to keep alike.

use std::fmt;

use plain::Plain;

use crate::kernel::skel::{proc, wide};
use crate::model::cost::{Cost, ProcessCost};
use crate::model::errno::Errno;
use crate::model::event::{Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Wide};
use crate::model::signal_code;
use crate::text::quantity::counted;
use wide::types::{
    killer_flags, proc_event_type, wide_cgroup, wide_cost, wide_event, wide_exec, wide_exec_failed,
    wide_exit, wide_flags, wide_fork, wide_header, wide_killed, wide_task_cost,
};

#[cfg(test)]
pub mod fixtures;
mod glance;

pub use glance::{Glance, What, glance};

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

plain!(
    wide_header,
    wide_event,
    wide_fork,
    wide_exec,
    wide_exec_failed,
    wide_exit,
    wide_killed,
    wide_cgroup,
    wide_cost,
    wide_task_cost
);

/// A decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// What tells of an event.
    Event(RingRecord),
    /// What completes an earlier exit.
    Cost {
        /// Whose.
        task: Task,
        /// What it has cost.
        cost: Cost,
    },
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
            Self::Cost { .. } | Self::Cgroup { .. } => None,
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
    /// An exec: the task that called it. It has the process' id now, whatever it had before.
    pub caller_tid: Option<u32>,
    /// Of an exit of the wide mode: when the process began, `CLOCK_BOOTTIME`; else 0.
    pub start_boot_ns: u64,
    /// An exec: what the programs before it, and their memory, came to at most.
    pub max_rss_before: u64,
}

/// A task, uniquely within a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// Its id; a process' is that of its leader.
    pub tid: u32,
    /// When it began, as the kernel has it.
    pub start_ns: u64,
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
            Self::Shape { len } => {
                write!(f, "a record of {} has the wrong shape", counted(*len as u64, "byte"))
            }
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
    let kind = kind.filter(|kind| EventKind::USUAL.contains(kind));
    let event = Event {
        kind: kind.ok_or(WireError::Kind(raw.event_type.into()))?,
        pid: raw.pid,
        ppid: raw.ppid,
        comm: Comm::new(&raw.comm),
        timestamp_ns: raw.timestamp_ns,
        wide: None,
    };
    Ok(Decoded::Event(RingRecord {
        event,
        hidden: false,
        image: Image::default(),
        caller_tid: None,
        start_boot_ns: 0,
        max_rss_before: 0,
    }))
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
        proc_event_type::PROC_EXEC_FAILED => exec_failed(record),
        proc_event_type::PROC_EXIT => plain::from_bytes(record).ok().map(exit),
        proc_event_type::WIDE_KILLED => plain::from_bytes(record).ok().map(killed),
        proc_event_type::PROC_COST => {
            return plain::from_bytes(record).map(cost).map_err(|_| shape);
        }
        proc_event_type::WIDE_THREAD_COST => {
            let raw = plain::from_bytes(record).map_err(|_| shape)?;
            return Ok(task_cost(raw, None));
        }
        proc_event_type::WIDE_CGROUP => return cgroup(record).ok_or(shape),
        proc_event_type(number) => return Err(WireError::Kind(number)),
    };
    decoded.map(Decoded::Event).ok_or(shape)
}

/// `AUDIT_UID_UNSET` of include/uapi/linux/audit.h: `NO_LOGIN` of `bpf/proc.h`.
const NO_LOGIN: u32 = u32::MAX;

fn has(header: &wide_header, flag: wide_flags) -> bool {
    header.flags.0 & flag.0 != 0
}

fn fork(raw: &wide_fork) -> RingRecord {
    let thread = has(&raw.event.header, wide_flags::WIDE_THREAD);
    let made_by = (!thread && raw.maker != raw.event.ppid).then_some(raw.maker);
    let detail = Detail::Fork { thread, parent_tid: raw.parent_tid, made_by };
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
        filename_truncated: None,
    };
    let record = event(&raw.event, EventKind::Exec, detail);
    let (caller_tid, max_rss_before) = (Some(raw.caller_tid), bytes(raw.max_rss));
    Some(RingRecord { caller_tid, max_rss_before, ..record })
}

/// None if its lengths are not those of its bytes.
fn exec_failed(record: &[u8]) -> Option<RingRecord> {
    let raw: &wide_exec_failed = plain::from_bytes(record).ok()?;
    let header = &raw.event.header;
    let (name, rest) =
        record[size_of::<wide_exec_failed>()..].split_at_checked(raw.filename_len as usize)?;
    let args = rest.get(..raw.args_len as usize)?;
    let truncated =
        has(header, wide_flags::WIDE_ARGS_CUT) || has(header, wide_flags::WIDE_ARGS_UNREAD);
    let name = name.strip_suffix(b"\0");
    let detail = Detail::ExecFailed {
        filename: name.map(|name| name_below(raw.dirfd, name)),
        args: Args::new(args, truncated),
        errno: Errno(u16::try_from(raw.error).ok()?),
        tried: 1,
        filename_truncated: None,
    };
    Some(event(&raw.event, EventKind::ExecFailed, detail))
}

/// What the kernel calls a file that is executed: `alloc_bprm` of fs/exec.c.
fn name_below(dirfd: i32, name: &[u8]) -> Vec<u8> {
    if dirfd == libc::AT_FDCWD || name.first() == Some(&b'/') {
        return name.to_vec();
    }
    let mut whole = format!("/dev/fd/{dirfd}").into_bytes();
    if !name.is_empty() {
        whole.push(b'/');
        whole.extend_from_slice(name);
    }
    whole
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

/// Of so many pages.
fn bytes(pages: u64) -> u64 {
    pages.saturating_mul(rustix::param::page_size() as u64)
}

fn exit(raw: &wide_exit) -> RingRecord {
    let record = event(&raw.event, EventKind::Exit, Detail::exit(ended(raw)));
    RingRecord { start_boot_ns: raw.start_boot_ns, ..record }
}

fn ended(raw: &wide_exit) -> Ended {
    let header = &raw.event.header;
    Ended {
        thread: has(header, wide_flags::WIDE_THREAD),
        status: ExitStatus::from_wait(raw.status),
        duration_ns: raw.event.timestamp_ns.saturating_sub(raw.began_ns),
        max_rss_bytes: has(header, wide_flags::WIDE_RSS_KNOWN).then(|| bytes(raw.max_rss)),
        ..Ended::default()
    }
}

fn killed(raw: &wide_killed) -> RingRecord {
    let killer = &raw.killer;
    let is = |flag: killer_flags| killer.flags.0 & flag.0 != 0;
    let mut record = exit(&raw.exit);
    let detail = record.event.wide.as_deref_mut().map(|wide| &mut wide.detail);
    let Some(Detail::Exit(ended)) = detail else { return record };
    if let (ExitStatus::Signal { number, .. }, true) =
        (ended.status, is(killer_flags::KILLER_KNOWN))
    {
        ended.signal_code = Some(signal_code::name(number, killer.code).into_owned().into_bytes());
    }
    if is(killer_flags::KILLER_NAMED) {
        ended.killed_by_pid = Some(killer.pid);
        ended.killed_by = Some(Comm::new(&killer.comm).as_bytes().to_vec());
        ended.killed_by_uid = Some(killer.uid);
    }
    ended.oom = is(killer_flags::KILLER_OOM).then_some(true);
    record
}

fn cost(raw: &wide_cost) -> Decoded {
    /// What `ru_inblock` counts: `include/linux/task_io_accounting_ops.h`.
    const BLOCK: u64 = 512;
    let blocks = (raw.read_blocks.saturating_mul(BLOCK), raw.written_blocks.saturating_mul(BLOCK));
    let whole = ProcessCost {
        max_rss_bytes: bytes(raw.max_rss),
        minor_faults: raw.minor_faults,
        major_faults: raw.major_faults,
        voluntary_switches: raw.voluntary_switches,
        involuntary_switches: raw.involuntary_switches,
        blocks: has(&raw.task.header, wide_flags::WIDE_BLOCKS_KNOWN).then_some(blocks),
    };
    task_cost(&raw.task, Some(whole))
}

fn task_cost(raw: &wide_task_cost, process: Option<ProcessCost>) -> Decoded {
    let cpu_wait_ns = has(&raw.header, wide_flags::WIDE_WAIT_KNOWN).then_some(raw.cpu_wait_ns);
    let cost = Cost { cpu_ns: raw.cpu_ns, cpu_wait_ns, process };
    Decoded::Cost { task: Task { tid: raw.tid, start_ns: raw.start_ns }, cost }
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
            place: None,
            ns_pid: Some(raw.ns_pid).filter(|&pid| pid != 0),
            pidns: Some(raw.pidns).filter(|&inode| inode != 0),
            login_uid: Some(raw.login_uid).filter(|&uid| uid != NO_LOGIN),
            host: None,
            boot_id: None,
            detail,
        })),
    };
    let image = Image { exec_id: raw.exec_id, inherited };
    RingRecord { event, hidden, image, caller_tid: None, start_boot_ns: 0, max_rss_before: 0 }
}

#[cfg(test)]
mod tests;
