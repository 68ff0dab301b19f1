// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lives told in records, and what their lines then say.

use super::*;
use crate::model::event::{Comm, Ended, Event, EventKind};

/// How long the machine had been suspended when these processes began.
const SUSPENDED_NS: u64 = 100_000_000_000;

/// Of a process that was forked by one whose exec id was 5.
fn record(kind: EventKind, ppid: u32, start_ns: u64, execs: u64, detail: Detail) -> RingRecord {
    let wide = Wide {
        time_ns: 0,
        tid: 7,
        uid: 0,
        start_ns,
        cgroup_id: 0,
        place: None,
        ns_pid: None,
        pidns: None,
        login_uid: None,
        host: None,
        boot_id: None,
        detail,
    };
    let event = Event {
        kind,
        pid: 7,
        ppid,
        comm: Comm::new(b"sh"),
        timestamp_ns: 5_000_000_000,
        wide: Some(Box::new(wide)),
    };
    let image = Image { exec_id: 5 + execs, inherited: execs == 0 };
    let start_boot_ns = start_ns + SUSPENDED_NS;
    RingRecord { event, hidden: false, image, caller_tid: None, start_boot_ns, max_rss_before: 0 }
}

fn fork(ppid: u32, start_ns: u64) -> RingRecord {
    let detail = Detail::Fork { thread: false, parent_tid: ppid, made_by: None };
    record(EventKind::Fork, ppid, start_ns, 0, detail)
}

/// Its `nth` exec, counted from 1.
fn exec(start_ns: u64, nth: u64, args: &[u8]) -> RingRecord {
    let detail = Detail::Exec {
        filename: b"/bin/sh".to_vec(),
        args: Args::new(args, false),
        filename_truncated: None,
    };
    record(EventKind::Exec, 3, start_ns, nth, detail)
}

/// After so many execs.
fn exit(ppid: u32, start_ns: u64, execs: u64) -> RingRecord {
    let detail = Detail::exit(Ended { duration_ns: 1, ..Ended::default() });
    record(EventKind::Exit, ppid, start_ns, execs, detail)
}

fn ended(record: RingRecord) -> Ended {
    match record.event.wide.expect("a wide event").detail {
        Detail::Exit(ended) => *ended,
        other => panic!("{other:?}"),
    }
}

/// What the exit line says after these events.
fn end_of(records: Vec<RingRecord>) -> Ended {
    let mut enricher = Enricher::new(4096);
    let mut last = None;
    for mut record in records {
        enricher.complete(&mut record, false);
        last = Some(record);
    }
    assert!(enricher.alive.is_empty(), "an exit forgets");
    ended(last.expect("an exit"))
}

fn args(bytes: &[u8]) -> Option<Args> {
    Some(Args::new(bytes, false))
}

#[test]
fn an_exit_tells_the_arguments_of_the_last_exec() {
    let end =
        end_of(vec![fork(3, 10), exec(10, 1, b"sh\0-c\0"), exec(10, 2, b"ls\0"), exit(3, 10, 2)]);
    assert_eq!((end.args, end.args_unknown), (args(b"ls\0"), None));
    for unexeced in [vec![fork(3, 10), exit(3, 10, 0)], vec![exit(3, 10, 0)]] {
        let end = end_of(unexeced);
        assert_eq!((end.args, end.args_unknown), (None, None), "there was no exec");
    }
}

/// Whatever was lost: never another exec's arguments.
#[test]
fn an_exit_whose_exec_was_lost_says_so() {
    let lost = [
        vec![fork(3, 10), exec(10, 1, b"sh\0"), exit(3, 10, 2)],
        vec![fork(3, 10), exec(10, 1, b"sh\0"), exec(10, 2, b"ls\0"), exit(3, 10, 3)],
        vec![exec(10, 1, b"sh\0"), exit(3, 10, 2)],
        vec![fork(3, 10), exit(3, 10, 1)],
        vec![exit(3, 10, 1)],
    ];
    for records in lost {
        let end = end_of(records.clone());
        assert_eq!((end.args, end.args_unknown), (None, Some(true)), "{records:?}");
    }
}

/// /proc doesn't number programs: what it told holds as long as no exec can have been missed.
#[test]
fn what_proc_told_holds_until_an_exec_is_lost() {
    let end = |execs, execs_lost| {
        let mut enricher = Enricher::new(4096);
        let known = Known { args: args(b"sh\0"), ..Known::default() };
        enricher.alive.begin(7, 10, known);
        let mut exit = exit(3, 10, execs);
        enricher.complete(&mut exit, execs_lost);
        let end = ended(exit);
        (end.args, end.args_unknown)
    };
    assert_eq!(end(1, false), (args(b"sh\0"), None));
    assert_eq!(end(1, true), (None, Some(true)));
    assert_eq!(end(0, true), (args(b"sh\0"), None), "it never had another program");
}

/// /proc counts the time in which the machine was suspended, and doesn't tell how long that was
/// before a process began.
#[test]
fn what_proc_told_is_found_by_the_time_since_boot() {
    let end = |proc_boot_ns| {
        let mut enricher = Enricher::new(4096);
        let start_boot_ns = Some(proc_boot_ns);
        let known = Known { args: args(b"sh\0"), start_boot_ns, ..Known::default() };
        enricher.alive.begin(7, 0, known);
        let start_ns = 5_009_000_000;
        let mut exit = exit(3, start_ns, 1);
        enricher.complete(&mut exit, false);
        let end = ended(exit);
        (end.args, end.args_unknown)
    };
    let ticks = 5_000_000_000 + SUSPENDED_NS;
    assert_eq!(end(ticks), (args(b"sh\0"), None));
    assert_eq!(end(ticks - 1_000_000_000), (None, Some(true)), "who had the pid before");
}

#[test]
fn the_bytes_of_all_arguments_are_bounded() {
    let mut enricher = Enricher::new(65536);
    let long = vec![b'x'; 65536];
    let mut exec_of = |pid: u32| {
        let mut record = exec(u64::from(pid) * 1_000_000_000, 1, &long);
        record.event.pid = pid;
        enricher.complete(&mut record, false);
        enricher.alive.len()
    };
    let most = (1..2000).map(&mut exec_of).max();
    assert!(most <= Some(MAX_ARGS_BYTES / 65536 + 1), "{most:?}");
    let before = enricher.alive.len();
    // One that execs itself again and again takes no more than its last arguments.
    for nth in 1..2000 {
        let mut record = exec(3_000_000_000_000, nth, &long);
        enricher.complete(&mut record, false);
    }
    // What goes is half of more than half of the bound.
    assert!(enricher.alive.len() >= before.min(MAX_ARGS_BYTES / 4 / 65536));
}

#[test]
fn a_command_begins_when_it_is_let_go() {
    let mut enricher = Enricher::new(4096);
    let before = monotonic_ns();
    enricher.let_go(7, None);
    let after = monotonic_ns();
    let mut complete = |mut record: RingRecord| {
        record.event.timestamp_ns = after + 100;
        enricher.complete(&mut record, false);
        *record.event.wide.expect("wide")
    };
    let start_ns = complete(exec(10, 1, b"ls\0")).start_ns;
    assert!((before..=after).contains(&start_ns), "{before} {start_ns} {after}");
    let ended = complete(exit(3, 10, 1));
    assert_eq!(ended.start_ns, start_ns);
    let Detail::Exit(ended) = ended.detail else { panic!("an exit") };
    assert_eq!(ended.duration_ns, after + 100 - start_ns);
    assert_eq!(ended.args, Some(Args::new(b"ls\0", false)), "it is one process");
    assert_eq!(complete(fork(3, 999)).start_ns, 999, "another one under its id");
}

#[test]
fn an_orphans_exit_tells_who_forked_it() {
    assert_eq!(end_of(vec![fork(3, 10), exit(1, 10, 0)]).born_to, Some(3));
}

#[test]
fn a_pid_that_came_back_is_another_process() {
    let later = 1_000_000_000;
    let end = end_of(vec![fork(3, 10), exec(10, 1, b"ls\0"), exit(1, later, 1)]);
    assert_eq!((end.args, end.born_to), (None, None));
    let end = end_of(vec![fork(3, 10), exec(later, 1, b"ls\0"), exit(1, later, 1)]);
    assert_eq!((end.args, end.born_to), (args(b"ls\0"), None));
}

#[test]
fn what_has_ended_unseen_is_forgotten_at_the_second_look() {
    let mut enricher = Enricher::new(4096);
    let me = std::process::id();
    for pid in (1 << 23..).take(FEW - 1).chain([me]) {
        let mut record = fork(3, 10);
        record.event.pid = pid;
        enricher.complete(&mut record, false);
    }
    enricher.forget_the_dead();
    assert_eq!(enricher.alive.len(), FEW, "an exit may still be on its way");
    enricher.forget_the_dead();
    assert_eq!(enricher.alive.iter().map(|(pid, ..)| pid).collect::<Vec<_>>(), [me]);
}

#[test]
fn an_adjusted_clock_is_followed() {
    let mut enricher = Enricher::new(4096);
    let right = enricher.clock_offset_ns();
    // As if the clock had been set an hour ahead since the last sample.
    enricher.clock_offset_ns = right - 3_600_000_000_000;
    let time_of = |enricher: &mut Enricher| {
        let mut record = fork(3, 10);
        enricher.complete(&mut record, false);
        record.event.wide.expect("wide").time_ns
    };
    let before = time_of(&mut enricher);
    enricher.sample_clock();
    let after = time_of(&mut enricher);
    assert!((after - before).abs_diff(3_600_000_000_000) < 1_000_000_000, "{before} {after}");
}

#[test]
fn the_wall_clock_is_the_timestamp_plus_the_offset() {
    let mut enricher = Enricher::new(4096);
    let mut record = fork(3, 10);
    enricher.complete(&mut record, false);
    let time_ns = record.event.wide.expect("wide").time_ns;
    assert_eq!(time_ns, 5_000_000_000 + enricher.clock_offset_ns());
    let year_2020 = 1_577_836_800_000_000_000;
    assert!(time_ns > year_2020);
}
