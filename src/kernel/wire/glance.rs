// SPDX-License-Identifier: MIT OR Apache-2.0
//! As much of a record of the wide mode as its place in the order takes, without making an event.

use super::wide::types::{
    proc_event_type, wide_cost, wide_exec, wide_exec_failed, wide_exit, wide_flags, wide_fork,
    wide_header, wide_killed, wide_task_cost,
};
use super::{Task, WireError, has};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// When it was made, `CLOCK_MONOTONIC`; 0 of one that isn't about a task.
    pub timestamp_ns: u64,
    /// Its bytes: the ring gives out more where the length wasn't known at first.
    pub len: usize,
    /// What it waits for, or who waits for it.
    pub what: What,
}

/// What a record waits for, or who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An exit, whose cost is to come.
    Exit {
        /// Whose.
        task: Task,
        /// The most bytes that the record of its cost has.
        room: usize,
    },
    /// What a task has cost.
    Cost(Task),
    /// A failed exec: perhaps a part of a search.
    ExecFailed,
    /// Something that waits for nothing.
    Other,
}

/// Looks at a record.
///
/// # Errors
/// It is too short for its kind, isn't aligned, or no record is of its kind.
pub fn glance(record: &[u8]) -> Result<Glance, WireError> {
    let shape = WireError::Shape { len: record.len() };
    let header: &wide_header = plain::from_bytes(record).map_err(|_| shape)?;
    let (timestamp_ns, len, what) = match header.kind {
        proc_event_type::PROC_EXIT => {
            let raw: &wide_exit = plain::from_bytes(record).map_err(|_| shape)?;
            (raw.event.timestamp_ns, size_of_val(raw), end(raw))
        }
        proc_event_type::WIDE_KILLED => {
            let raw: &wide_killed = plain::from_bytes(record).map_err(|_| shape)?;
            (raw.exit.event.timestamp_ns, size_of_val(raw), end(&raw.exit))
        }
        proc_event_type::PROC_COST => {
            let raw: &wide_cost = plain::from_bytes(record).map_err(|_| shape)?;
            (raw.task.timestamp_ns, size_of_val(raw), cost(&raw.task))
        }
        proc_event_type::WIDE_THREAD_COST => {
            let raw: &wide_task_cost = plain::from_bytes(record).map_err(|_| shape)?;
            (raw.timestamp_ns, size_of_val(raw), cost(raw))
        }
        proc_event_type::PROC_FORK => {
            let raw: &wide_fork = plain::from_bytes(record).map_err(|_| shape)?;
            (raw.event.timestamp_ns, size_of_val(raw), What::Other)
        }
        proc_event_type::PROC_EXEC => {
            let raw: &wide_exec = plain::from_bytes(record).map_err(|_| shape)?;
            let len = with_text(size_of::<wide_exec>(), raw.filename_len, raw.args_len);
            (raw.event.timestamp_ns, len, What::Other)
        }
        proc_event_type::PROC_EXEC_FAILED => {
            let raw: &wide_exec_failed = plain::from_bytes(record).map_err(|_| shape)?;
            let len = with_text(size_of::<wide_exec_failed>(), raw.filename_len, raw.args_len);
            (raw.event.timestamp_ns, len, What::ExecFailed)
        }
        proc_event_type::WIDE_CGROUP => (0, record.len(), What::Other),
        proc_event_type(number) => return Err(WireError::Kind(number)),
    };
    match len <= record.len() {
        true => Ok(Glance { timestamp_ns, len, what }),
        false => Err(shape),
    }
}

fn with_text(head: usize, filename_len: u32, args_len: u32) -> usize {
    head.saturating_add(filename_len as usize).saturating_add(args_len as usize)
}

fn cost(raw: &wide_task_cost) -> What {
    What::Cost(Task { tid: raw.tid, start_ns: raw.start_ns })
}

fn end(raw: &wide_exit) -> What {
    let event = &raw.event;
    let (thread, hidden) =
        (has(&event.header, wide_flags::WIDE_THREAD), has(&event.header, wide_flags::WIDE_HIDDEN));
    // A leader that ends before its threads stays until they have ended, too.
    if hidden || (thread && event.tid == event.pid) {
        return What::Other;
    }
    let start_ns = raw.began_ns;
    match thread {
        true => {
            let task = Task { tid: event.tid, start_ns };
            What::Exit { task, room: size_of::<wide_task_cost>() }
        }
        false => {
            let task = Task { tid: event.pid, start_ns };
            What::Exit { task, room: size_of::<wide_cost>() }
        }
    }
}
