// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records as the BPF side makes them, for tests.

use plain::Plain;

use super::wide::types::{
    proc_event_type, wide_cost, wide_event, wide_exec, wide_exec_failed, wide_exit, wide_flags,
    wide_fork, wide_header, wide_task_cost,
};
use super::{NO_LOGIN, Task};

/// More than any record of a test needs.
pub const ROOM: usize = 256;

/// Records lie at addresses that are multiples of 8, as on the ring.
#[repr(align(8))]
#[derive(Clone)]
pub struct Aligned(pub [u8; ROOM]);

/// A record, what follows its struct, and zeros.
pub fn aligned(record: &impl Plain, tail: &[u8]) -> Aligned {
    let mut bytes = [0; ROOM];
    // SAFETY: records have no padding that isn't named, so all their bytes are initialised.
    let head = unsafe { plain::as_bytes(record) };
    bytes[..head.len()].copy_from_slice(head);
    bytes[head.len()..head.len() + tail.len()].copy_from_slice(tail);
    Aligned(bytes)
}

/// A task at some time: each of its process' records begins with that.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// `CLOCK_MONOTONIC`
    pub time_ns: u64,
    /// Process id.
    pub pid: u32,
    /// Task id.
    pub tid: u32,
    /// When both began.
    pub start_ns: u64,
}

impl Moment {
    fn event(self, kind: proc_event_type, flags: u32) -> wide_event {
        wide_event {
            header: wide_header { kind, flags: wide_flags(flags) },
            timestamp_ns: self.time_ns,
            start_ns: self.start_ns,
            pid: self.pid,
            ppid: 1,
            tid: self.tid,
            comm: *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            login_uid: NO_LOGIN,
            ..Default::default()
        }
    }

    /// It is born.
    pub fn fork(self) -> Aligned {
        let event = self.event(proc_event_type::PROC_FORK, 0);
        aligned(&wide_fork { event, parent_tid: 1, maker: 1 }, b"")
    }

    /// It ends, or with `thread` one of its threads.
    pub fn exit(self, thread: bool) -> Aligned {
        let flags = if thread { wide_flags::WIDE_THREAD.0 } else { 0 };
        let event = self.event(proc_event_type::PROC_EXIT, flags);
        aligned(&wide_exit { event, began_ns: self.start_ns, ..Default::default() }, b"")
    }

    /// An exec that nobody asked for: called by its `tid`.
    pub fn hidden_exec(self, file: &str, args: &str) -> Aligned {
        let caller_tid = self.tid;
        let event = Self { tid: self.pid, ..self }
            .event(proc_event_type::PROC_EXEC, wide_flags::WIDE_HIDDEN.0);
        let (filename_len, args_len) = (file.len() as u32, args.len() as u32);
        let exec = wide_exec { event, filename_len, args_len, caller_tid, ..Default::default() };
        aligned(&exec, &[file.as_bytes(), args.as_bytes()].concat())
    }

    /// An exec that failed.
    pub fn exec_failed(self, file: &str, args: &str, errno: u16) -> Aligned {
        let event = self.event(proc_event_type::PROC_EXEC_FAILED, 0);
        let (filename_len, args_len) = (file.len() as u32, args.len() as u32);
        let (dirfd, error) = (libc::AT_FDCWD, errno.into());
        let failed = wide_exec_failed { event, dirfd, error, filename_len, args_len };
        aligned(&failed, &[file.as_bytes(), args.as_bytes()].concat())
    }
}

/// What a process has cost.
pub fn cost(Task { tid, start_ns }: Task, cpu_ns: u64, max_rss: u64) -> Aligned {
    let header = wide_header { kind: proc_event_type::PROC_COST, ..Default::default() };
    let task = wide_task_cost { header, tid, start_ns, cpu_ns, ..Default::default() };
    aligned(&wide_cost { task, max_rss, ..Default::default() }, b"")
}
