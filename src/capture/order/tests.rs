// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exits that wait for what their processes have cost.

use super::*;
use crate::model::cost::ProcessCost;
use crate::model::event::{Comm, Ended, EventKind, Wide};

fn event(pid: u32, timestamp_ns: u64, detail: Detail) -> Event {
    let kind = match detail {
        Detail::Exit(_) => EventKind::Exit,
        _ => EventKind::Fork,
    };
    let wide = Wide {
        time_ns: 0,
        tid: pid,
        uid: 0,
        start_ns: 1,
        cgroup_id: 0,
        place: None,
        ns_pid: None,
        pidns: None,
        login_uid: None,
        detail,
    };
    let (ppid, comm, wide) = (1, Comm::new(b"sh"), Some(Box::new(wide)));
    Event { kind, pid, ppid, comm, timestamp_ns, wide }
}

fn fork(pid: u32, timestamp_ns: u64) -> Event {
    event(pid, timestamp_ns, Detail::Fork { thread: false, parent_tid: 1, made_by: None })
}

fn exit(pid: u32, timestamp_ns: u64) -> Event {
    event(pid, timestamp_ns, Detail::exit(Ended::default()))
}

fn cost(queue: &mut Queue, tid: u32, start_ns: u64, cpu_ns: u64) {
    let process = ProcessCost { max_rss_bytes: 4096, ..ProcessCost::default() };
    let cost = Cost { cpu_ns, process: Some(process), ..Cost::default() };
    queue.cost(Task { tid, start_ns }, Some(&cost));
}

const fn task(tid: u32) -> Task {
    Task { tid, start_ns: 1 }
}

/// Pid, CPU time and resident set of all whose turn it is.
fn take(queue: &mut Queue, now_ns: u64) -> Vec<(u32, Option<u64>, Option<u64>)> {
    let of = |event: Event| {
        let ended = event.ended().cloned().unwrap_or_default();
        (event.pid, ended.cpu_ns, ended.max_rss_bytes)
    };
    std::iter::from_fn(|| queue.next(now_ns)).map(of).collect()
}

#[test]
fn what_comes_after_an_exit_waits_with_it() {
    let mut queue = Queue::default();
    queue.push(fork(7, 10));
    queue.push_exit(exit(7, 20), task(7), Some(0));
    queue.push_exit(exit(8, 30), task(8), Some(4096));
    queue.push(fork(9, 40));
    assert_eq!(take(&mut queue, 40), [(7, None, None)]);
    cost(&mut queue, 8, 1, 88);
    assert_eq!(take(&mut queue, 50), []);
    cost(&mut queue, 7, 1, 77);
    let rest = [(7, Some(77), Some(4096)), (8, Some(88), None), (9, None, None)];
    assert_eq!(take(&mut queue, 60), rest, "a resident set may be inherited");
    assert_eq!(queue.due_ns(), None);
    assert!(queue.exits.is_empty());
}

#[test]
fn an_exit_without_a_cost_goes_when_its_time_is_over() {
    let mut queue = Queue::default();
    queue.push_exit(exit(7, 20), task(7), None);
    queue.push_exit(exit(8, 30), task(8), None);
    assert_eq!(queue.due_ns(), Some(20 + PATIENCE_NS));
    assert_eq!(take(&mut queue, 19 + PATIENCE_NS), []);
    assert_eq!(take(&mut queue, 20 + PATIENCE_NS), [(7, None, None)]);
    cost(&mut queue, 7, 1, 77);
    cost(&mut queue, 8, 1, 88);
    assert_eq!(take(&mut queue, 30), [(8, Some(88), None)], "it is where it was");
    assert!(queue.exits.is_empty());
}

#[test]
fn a_pid_that_came_back_is_another_process() {
    let mut queue = Queue::default();
    queue.push_exit(exit(7, 20), task(7), None);
    queue.push_exit(exit(7, 30), Task { tid: 7, start_ns: 25 }, None);
    cost(&mut queue, 7, 25, 2);
    cost(&mut queue, 7, 1, 1);
    cost(&mut queue, 7, 99, 3);
    assert_eq!(take(&mut queue, 40), [(7, Some(1), None), (7, Some(2), None)]);
}

#[test]
fn so_many_wait_and_no_more() {
    let mut queue = Queue::default();
    queue.push_exit(exit(7, 20), task(7), None);
    for pid in 0..MAX_WAITING as u32 {
        queue.push(fork(100 + pid, 30));
    }
    assert_eq!(take(&mut queue, 40).len(), MAX_WAITING + 1);
    queue.push_exit(exit(7, 20), task(7), None);
    assert_eq!(take(&mut queue, 40), []);
}
