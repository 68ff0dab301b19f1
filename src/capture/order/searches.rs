// SPDX-License-Identifier: MIT OR Apache-2.0
//! Searches as tasks make them, and what becomes of each.

use super::*;
use crate::kernel::wire::fixtures::{Aligned, Moment};

const EACCES: u16 = libc::EACCES as u16;
const ENOENT: u16 = libc::ENOENT as u16;
const E2BIG: u16 = libc::E2BIG as u16;

fn moment(us: u64, pid: u32, tid: u32) -> Moment {
    Moment { time_ns: us * 1_000, pid, tid, start_ns: 1 }
}

fn fork(us: u64, pid: u32) -> Aligned {
    moment(us, pid, pid).fork()
}

fn failed(us: u64, (pid, tid): (u32, u32), file: &str, errno: u16) -> Aligned {
    moment(us, pid, tid).exec_failed(&format!("{file}\0"), "foo\0-x\0", errno)
}

/// A queue, and all that it gave back.
#[derive(Default)]
struct Told {
    queue: Queue,
    lines: Vec<String>,
}

impl Told {
    /// What a record of the ring leads to.
    fn record(&mut self, record: &Aligned) -> &mut Self {
        let at_once = self.queue.push(&record.0).expect("a record");
        self.lines.extend(at_once.and_then(line));
        self.until(self.queue.newest_ns())
    }

    /// An exec that nobody asked for.
    fn exec(&mut self, us: u64, (pid, caller_tid): (u32, u32), file: &str) -> &mut Self {
        self.record(&moment(us, pid, caller_tid).hidden_exec(&format!("{file}\0"), "foo\0-x\0"))
    }

    fn until(&mut self, now_ns: u64) -> &mut Self {
        let told = std::iter::from_fn(|| self.queue.next(now_ns));
        self.lines.extend(told.filter_map(|turn| line(turn.expect("a record"))));
        self
    }

    /// All lines; nothing may be left of any search.
    fn lines(&mut self) -> Vec<String> {
        self.until(u64::MAX);
        let Queue { records, exits, searches, tries, .. } = &self.queue;
        assert!(records.is_empty() && exits.is_empty(), "{:?}", self.queue);
        assert!(searches.is_empty() && tries.is_empty(), "{:?}", self.queue);
        std::mem::take(&mut self.lines)
    }
}

/// None of what nobody asked for.
fn line(turn: Turn) -> Option<String> {
    let RingRecord { event, hidden, .. } = turn.decoded.event()?;
    let what = match event.detail() {
        Some(Detail::ExecFailed { filename, errno, tried, .. }) => {
            let file = String::from_utf8_lossy(filename.as_deref().unwrap_or(b"?"));
            format!("{file} {} {tried}", errno.name())
        }
        _ => event.kind.name().to_owned(),
    };
    (!hidden).then(|| format!("{} {} {what}", event.timestamp_ns / 1_000, event.pid))
}

#[test]
fn a_search_is_one_event_where_its_last_try_was() {
    let mut told = Told::default();
    told.record(&failed(10, (7, 7), "/a/foo", ENOENT)).record(&fork(11, 9));
    told.record(&failed(12, (7, 7), "/b/foo", EACCES)).record(&failed(
        13,
        (7, 7),
        "/c/foo",
        ENOENT,
    ));
    assert_eq!(told.lines, ["11 9 fork"], "the first try is none of its own");
    assert_eq!(told.lines(), ["11 9 fork", "13 7 /c/foo EACCES 3"]);
    // With any other error execvp ends, and returns that.
    told.record(&failed(10, (7, 7), "/a/foo", EACCES)).record(&failed(11, (7, 7), "/b/foo", E2BIG));
    assert_eq!(told.lines(), ["11 7 /b/foo E2BIG 2"]);
}

#[test]
fn a_search_that_finds_its_file_is_none() {
    let mut told = Told::default();
    told.record(&failed(10, (7, 7), "/a/foo", ENOENT)).record(&failed(
        11,
        (7, 7),
        "/b/foo",
        ENOENT,
    ));
    told.exec(12, (7, 7), "/c/foo").record(&fork(13, 9));
    assert_eq!(told.lines, ["13 9 fork"], "nothing waits any more");
    // Nor is a thread's, which has the process' id by then.
    told.record(&failed(20, (7, 8), "/a/foo", ENOENT)).exec(21, (7, 8), "/b/foo");
    assert_eq!(told.lines(), ["13 9 fork"]);
    // Another file than was searched, another thread, another process.
    told.record(&failed(30, (7, 7), "/a/foo", ENOENT)).exec(31, (7, 7), "/bin/sh");
    told.record(&failed(40, (7, 8), "/a/foo", ENOENT)).exec(41, (7, 7), "/b/foo");
    assert_eq!(told.lines, ["30 7 /a/foo ENOENT 1", "40 7 /a/foo ENOENT 1"]);
    told.record(&failed(50, (7, 7), "/a/foo", ENOENT)).exec(51, (8, 8), "/b/foo");
    assert_eq!(told.lines().len(), 3);
}

#[test]
fn another_name_or_other_arguments_begin_another_search() {
    let mut told = Told::default();
    let other = moment(13, 7, 7).exec_failed("/d/bar\0", "bar\0", ENOENT);
    told.record(&failed(10, (7, 7), "/a/foo", ENOENT)).record(&failed(
        11,
        (7, 7),
        "/b/bar",
        ENOENT,
    ));
    told.record(&failed(12, (7, 7), "/c/bar", ENOENT)).record(&other);
    assert_eq!(told.lines, ["10 7 /a/foo ENOENT 1", "12 7 /c/bar ENOENT 2"]);
    told.lines();
    // A directory that is there twice.
    told.record(&failed(20, (7, 7), "/a/foo", ENOENT)).record(&failed(
        21,
        (7, 7),
        "/a/foo",
        ENOENT,
    ));
    told.exec(22, (7, 7), "/b/foo");
    assert_eq!(told.lines(), [""; 0]);
}

#[test]
fn tasks_search_by_themselves() {
    let mut told = Told::default();
    for (us, file) in [(10, "/a/foo"), (20, "/b/foo")] {
        told.record(&failed(us, (7, 7), file, ENOENT)).record(&failed(
            us + 1,
            (7, 8),
            file,
            ENOENT,
        ));
    }
    assert_eq!(told.lines(), ["20 7 /b/foo ENOENT 2", "21 7 /b/foo ENOENT 2"]);
}

#[test]
fn the_end_of_a_task_ends_its_search() {
    let exit = |us, tid, thread| moment(us, 7, tid).exit(thread);
    let mut told = Told::default();
    told.record(&failed(10, (7, 8), "/a/foo", ENOENT)).record(&exit(11, 9, true));
    assert_eq!(told.queue.due_ns(), Some(10_000 + PATIENCE_NS), "another thread's");
    told.record(&exit(12, 8, true));
    assert_eq!(told.lines, ["10 7 /a/foo ENOENT 1"]);
    told.lines();
    told.record(&failed(20, (7, 8), "/a/foo", ENOENT)).record(&exit(21, 7, false));
    assert_eq!(told.lines, ["20 7 /a/foo ENOENT 1"], "and that of its process");
}

#[test]
fn a_search_waits_for_so_long_and_no_longer() {
    let mut told = Told::default();
    told.record(&failed(10, (7, 7), "/a/foo", ENOENT));
    assert_eq!(told.queue.due_ns(), Some(10_000 + PATIENCE_NS));
    told.record(&failed(90_000, (7, 7), "/b/foo", ENOENT));
    assert_eq!(told.queue.due_ns(), Some(10_000 + PATIENCE_NS), "from the first try on");
    told.until(9_999 + PATIENCE_NS);
    assert!(told.lines.is_empty());
    told.until(10_000 + PATIENCE_NS);
    assert_eq!(told.lines, ["90000 7 /b/foo ENOENT 2"]);
    told.record(&failed(110_000, (7, 7), "/c/foo", ENOENT));
    assert_eq!(told.lines()[1..], ["110000 7 /c/foo ENOENT 1"]);
}
