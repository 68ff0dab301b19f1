// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exits that wait for what their processes have cost.

use super::*;
use crate::kernel::wire::fixtures::{self, Aligned, Moment};

fn moment(pid: u32, time_ns: u64) -> Moment {
    Moment { time_ns, pid, tid: pid, start_ns: 1 }
}

fn fork(pid: u32, time_ns: u64) -> Aligned {
    moment(pid, time_ns).fork()
}

fn exit(pid: u32, time_ns: u64) -> Aligned {
    moment(pid, time_ns).exit(false)
}

/// A record waits.
fn push(queue: &mut Queue, record: &Aligned) {
    assert_eq!(queue.push(&record.0), Ok(None));
}

fn cost(queue: &mut Queue, tid: u32, start_ns: u64, cpu_ns: u64) {
    push(queue, &fixtures::cost(Task { tid, start_ns }, cpu_ns, 1));
}

fn told(turn: Turn) -> (u32, Option<u64>) {
    let record = turn.decoded.event().expect("an event");
    let cost = turn.cost.and_then(|(task, cost)| {
        assert_eq!(task.tid, record.event.pid);
        Some(cost?.cpu_ns)
    });
    (record.event.pid, cost)
}

/// Pid and CPU time of all whose turn it is.
fn take(queue: &mut Queue, now_ns: u64) -> Vec<(u32, Option<u64>)> {
    std::iter::from_fn(|| queue.next(now_ns)).map(|turn| told(turn.expect("a record"))).collect()
}

#[test]
fn what_comes_after_an_exit_waits_with_it() {
    let mut queue = Queue::default();
    let turn = queue.push(&fork(7, 10).0).expect("a record");
    assert_eq!(turn.map(told), Some((7, None)), "nothing waits");
    push(&mut queue, &exit(7, 20));
    push(&mut queue, &exit(8, 30));
    push(&mut queue, &fork(9, 40));
    assert_eq!(take(&mut queue, 40), []);
    cost(&mut queue, 8, 1, 88);
    assert_eq!(take(&mut queue, 50), []);
    assert_eq!(queue.progress(), (3, 0));
    cost(&mut queue, 7, 1, 77);
    assert_eq!(take(&mut queue, 60), [(7, Some(77)), (8, Some(88)), (9, None)]);
    assert_eq!(queue.progress(), (3, 3));
    assert_eq!(queue.due_ns(), None);
    assert!(queue.exits.is_empty());
}

#[test]
fn an_exit_without_a_cost_goes_when_its_time_is_over() {
    let mut queue = Queue::default();
    push(&mut queue, &exit(7, 20));
    push(&mut queue, &exit(8, 30));
    assert_eq!(queue.due_ns(), Some(20 + PATIENCE_NS));
    assert_eq!(take(&mut queue, 19 + PATIENCE_NS), []);
    assert_eq!(take(&mut queue, 20 + PATIENCE_NS), [(7, None)]);
    let turn =
        queue.push(&fixtures::cost(Task { tid: 7, start_ns: 1 }, 77, 1).0).expect("a record");
    let late = turn.map(|turn| turn.decoded);
    assert!(matches!(late, Some(Decoded::Cost { task: Task { tid: 7, .. }, .. })), "{late:?}");
    cost(&mut queue, 8, 1, 88);
    assert_eq!(take(&mut queue, 30), [(8, Some(88))], "it is where it was");
    assert!(queue.exits.is_empty());
}

#[test]
fn a_pid_that_came_back_is_another_process() {
    let mut queue = Queue::default();
    push(&mut queue, &exit(7, 20));
    push(&mut queue, &Moment { start_ns: 25, ..moment(7, 30) }.exit(false));
    cost(&mut queue, 7, 25, 2);
    cost(&mut queue, 7, 1, 1);
    let of_another = fixtures::cost(Task { tid: 7, start_ns: 99 }, 3, 1);
    assert!(queue.push(&of_another.0).expect("a record").is_some_and(|turn| turn.cost.is_none()));
    assert_eq!(take(&mut queue, 40), [(7, Some(1)), (7, Some(2))]);
}

/// N and 4N records behind one that waits take the same memory.
#[test]
fn so_many_wait_and_no_more() {
    for times in [1, 4] {
        let mut queue = Queue::default();
        push(&mut queue, &exit(7, 20));
        let mut waiting = 0;
        while queue.records.size() <= MAX_WAITING {
            push(&mut queue, &fork(100 + waiting, 30));
            waiting += 1;
        }
        assert_eq!(take(&mut queue, 40).len() as u32, waiting + 1);
        for _ in 0..times {
            push(&mut queue, &exit(7, 20));
            for pid in 0..waiting {
                push(&mut queue, &fork(100 + pid, 30));
                assert!(queue.records.size() <= MAX_WAITING + 1024);
                let _ = take(&mut queue, 40);
            }
        }
    }
}

#[test]
fn a_record_that_none_sends_is_refused() {
    let mut queue = Queue::default();
    assert_eq!(queue.push(&[]), Err(WireError::Shape { len: 0 }));
    // A process' cost, but its exit was a thread's.
    push(&mut queue, &Moment { tid: 8, ..moment(7, 20) }.exit(true));
    let cost = fixtures::cost(Task { tid: 8, start_ns: 1 }, 1, 1);
    assert!(matches!(queue.push(&cost.0), Err(WireError::Shape { .. })));
}
