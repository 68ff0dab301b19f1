// SPDX-License-Identifier: MIT OR Apache-2.0
//! Searches as tasks make them, and what becomes of each.

use super::*;
use crate::kernel::wire::Image;
use crate::model::event::{Comm, Ended, Wide};

const EACCES: u16 = libc::EACCES as u16;
const ENOENT: u16 = libc::ENOENT as u16;
const E2BIG: u16 = libc::E2BIG as u16;

fn event(us: u64, pid: u32, tid: u32, detail: Detail) -> Event {
    let kind = match detail {
        Detail::Fork { .. } => EventKind::Fork,
        Detail::Exec { .. } => EventKind::Exec,
        Detail::ExecFailed { .. } => EventKind::ExecFailed,
        Detail::Exit(_) => EventKind::Exit,
    };
    let wide = Wide {
        time_ns: 0,
        tid,
        uid: 0,
        start_ns: 1,
        cgroup_id: 0,
        place: None,
        ns_pid: None,
        pidns: None,
        login_uid: None,
        detail,
    };
    let (ppid, comm, timestamp_ns) = (1, Comm::new(b"sh"), us * 1_000);
    Event { kind, pid, ppid, comm, timestamp_ns, wide: Some(Box::new(wide)) }
}

fn args(text: &str) -> Args {
    Args::new(&text.replace(' ', "\0").into_bytes(), false)
}

fn fork(us: u64, pid: u32) -> Event {
    event(us, pid, pid, Detail::Fork { thread: false, parent_tid: 1, made_by: None })
}

fn failed(us: u64, (pid, tid): (u32, u32), file: &str, errno: u16) -> Event {
    let (filename, errno) = (Some(file.as_bytes().to_vec()), Errno(errno));
    let (args, tried, filename_truncated) = (args("foo -x "), 1, None);
    let detail = Detail::ExecFailed { filename, args, errno, tried, filename_truncated };
    event(us, pid, tid, detail)
}

/// A queue, and all that it gave back.
#[derive(Default)]
struct Told {
    queue: Queue,
    lines: Vec<String>,
}

impl Told {
    /// What a record of the ring leads to.
    fn record(&mut self, event: Event, caller_tid: Option<u32>, hidden: bool) -> &mut Self {
        let now_ns = event.timestamp_ns;
        let image = Image::default();
        let record = RingRecord {
            event,
            hidden,
            image,
            caller_tid,
            start_boot_ns: 0,
            max_rss_before: 0,
            ended: None,
        };
        self.queue.learn(&record);
        if !hidden {
            self.queue.push(record.event);
        }
        self.until(now_ns)
    }

    fn event(&mut self, event: Event) -> &mut Self {
        self.record(event, None, false)
    }

    /// A hidden exec: nobody asked for it.
    fn exec(&mut self, us: u64, (pid, caller_tid): (u32, u32), file: &str) -> &mut Self {
        let (filename, args, filename_truncated) = (file.into(), args("foo -x "), None);
        let detail = Detail::Exec { filename, args, filename_truncated };
        self.record(event(us, pid, pid, detail), Some(caller_tid), true)
    }

    fn until(&mut self, now_ns: u64) -> &mut Self {
        let told = std::iter::from_fn(|| self.queue.next(now_ns)).map(|event| {
            let what = match event.detail() {
                Some(Detail::ExecFailed { filename, errno, tried, .. }) => {
                    let file = String::from_utf8_lossy(filename.as_deref().unwrap_or(b"?"));
                    format!("{file} {} {tried}", errno.name())
                }
                _ => event.kind.name().to_owned(),
            };
            format!("{} {} {what}", event.timestamp_ns / 1_000, event.pid)
        });
        self.lines.extend(told);
        self
    }

    /// All lines; nothing may be left of any search.
    fn lines(&mut self) -> Vec<String> {
        self.until(u64::MAX);
        assert!(self.queue.is_empty() && self.queue.searches.is_empty(), "{:?}", self.queue);
        std::mem::take(&mut self.lines)
    }
}

#[test]
fn a_search_is_one_event_where_its_last_try_was() {
    let mut told = Told::default();
    told.event(failed(10, (7, 7), "/a/foo", ENOENT)).event(fork(11, 9));
    told.event(failed(12, (7, 7), "/b/foo", EACCES)).event(failed(13, (7, 7), "/c/foo", ENOENT));
    assert_eq!(told.lines, ["11 9 fork"], "the first try is none of its own");
    assert_eq!(told.lines(), ["11 9 fork", "13 7 /c/foo EACCES 3"]);
    // With any other error execvp ends, and returns that.
    told.event(failed(10, (7, 7), "/a/foo", EACCES)).event(failed(11, (7, 7), "/b/foo", E2BIG));
    assert_eq!(told.lines(), ["11 7 /b/foo E2BIG 2"]);
}

#[test]
fn a_search_that_finds_its_file_is_none() {
    let mut told = Told::default();
    told.event(failed(10, (7, 7), "/a/foo", ENOENT)).event(failed(11, (7, 7), "/b/foo", ENOENT));
    told.exec(12, (7, 7), "/c/foo").event(fork(13, 9));
    assert_eq!(told.lines, ["13 9 fork"], "nothing waits any more");
    // Nor is a thread's, which has the process' id by then.
    told.event(failed(20, (7, 8), "/a/foo", ENOENT)).exec(21, (7, 8), "/b/foo");
    assert_eq!(told.lines(), ["13 9 fork"]);
    // Another file than was searched, another thread, another process.
    told.event(failed(30, (7, 7), "/a/foo", ENOENT)).exec(31, (7, 7), "/bin/sh");
    told.event(failed(40, (7, 8), "/a/foo", ENOENT)).exec(41, (7, 7), "/b/foo");
    assert_eq!(told.lines, ["30 7 /a/foo ENOENT 1", "40 7 /a/foo ENOENT 1"]);
    told.event(failed(50, (7, 7), "/a/foo", ENOENT)).exec(51, (8, 8), "/b/foo");
    assert_eq!(told.lines().len(), 3);
}

#[test]
fn another_name_or_other_arguments_begin_another_search() {
    let mut told = Told::default();
    let mut other = failed(13, (7, 7), "/d/bar", ENOENT);
    if let Some(Detail::ExecFailed { args, .. }) = other.wide.as_mut().map(|wide| &mut wide.detail)
    {
        *args = Args::new(b"bar\0", false);
    }
    told.event(failed(10, (7, 7), "/a/foo", ENOENT)).event(failed(11, (7, 7), "/b/bar", ENOENT));
    told.event(failed(12, (7, 7), "/c/bar", ENOENT)).event(other);
    assert_eq!(told.lines, ["10 7 /a/foo ENOENT 1", "12 7 /c/bar ENOENT 2"]);
    told.lines();
    // A directory that is there twice.
    told.event(failed(20, (7, 7), "/a/foo", ENOENT)).event(failed(21, (7, 7), "/a/foo", ENOENT));
    told.exec(22, (7, 7), "/b/foo");
    assert_eq!(told.lines(), [""; 0]);
}

#[test]
fn tasks_search_by_themselves() {
    let mut told = Told::default();
    for (us, file) in [(10, "/a/foo"), (20, "/b/foo")] {
        told.event(failed(us, (7, 7), file, ENOENT)).event(failed(us + 1, (7, 8), file, ENOENT));
    }
    assert_eq!(told.lines(), ["20 7 /b/foo ENOENT 2", "21 7 /b/foo ENOENT 2"]);
}

#[test]
fn the_end_of_a_task_ends_its_search() {
    let exit =
        |us, tid, thread| event(us, 7, tid, Detail::exit(Ended { thread, ..Ended::default() }));
    let mut told = Told::default();
    told.event(failed(10, (7, 8), "/a/foo", ENOENT)).event(exit(11, 9, true));
    assert!(told.lines.is_empty(), "another thread's");
    told.event(exit(12, 8, true));
    assert_eq!(told.lines.len(), 3);
    told.event(failed(20, (7, 8), "/a/foo", ENOENT)).event(exit(21, 7, false));
    assert_eq!(told.lines.len(), 5, "and that of its process");
}

#[test]
fn a_search_waits_for_so_long_and_no_longer() {
    let mut told = Told::default();
    told.event(failed(10, (7, 7), "/a/foo", ENOENT));
    assert_eq!(told.queue.due_ns(), Some(10_000 + PATIENCE_NS));
    told.event(failed(90_000, (7, 7), "/b/foo", ENOENT));
    assert_eq!(told.queue.due_ns(), Some(10_000 + PATIENCE_NS), "from the first try on");
    told.until(9_999 + PATIENCE_NS);
    assert!(told.lines.is_empty());
    told.until(10_000 + PATIENCE_NS);
    assert_eq!(told.lines, ["90000 7 /b/foo ENOENT 2"]);
    told.event(failed(110_000, (7, 7), "/c/foo", ENOENT));
    assert_eq!(told.lines()[1..], ["110000 7 /c/foo ENOENT 1"]);
}

#[test]
fn so_many_wait_and_no_more() {
    let mut told = Told::default();
    told.event(failed(10, (7, 7), "/a/foo", ENOENT));
    for pid in 0..MAX_WAITING as u32 {
        told.event(fork(11, 100 + pid));
    }
    assert_eq!(told.lines.len(), MAX_WAITING + 1);
}
