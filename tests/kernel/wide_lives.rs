// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wide mode: one fork, one exec per image and one exit a process, whatever threads do.

use std::collections::HashMap;

use crate::program::Tuxscope;
use crate::wide::{Capture, Event, exits};
use crate::worker::Life;
use crate::{machine, worker};

fn capture(args: &[&str], run: impl FnOnce() -> Vec<Life>) -> (Capture, Vec<Life>) {
    let tuxscope =
        Tuxscope::start(&[&["--wide", "--format", "json", "--buffer-size", "16M"], args].concat());
    let lives = run();
    (Capture::complete(&tuxscope.stop()), lives)
}

/// Every case of the worker, against what its waitpid said.
#[test]
fn each_life_is_told_as_its_parent_saw_it() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, lives) = capture(&[], || worker::case("all"));
    assert!(lives.len() > 70, "{} lives", lives.len());
    for life in &lives {
        let events = capture.of(life.pid);
        let kinds: Vec<_> = events.iter().map(|event| &*event.event_type).collect();
        let mut wanted = vec!["fork"];
        wanted.resize(1 + life.execs, "exec");
        wanted.push("exit");
        assert_eq!(kinds, wanted, "{life:?}");

        let [first, .., last] = &events[..] else { unreachable!() };
        // The daemon's fork has another parent than its end.
        assert_eq!(first.ppid, life.born_to.unwrap_or(life.ppid), "{life:?}");
        assert_eq!((last.ppid, last.born_to), (life.ppid, life.born_to), "{life:?}");
        let status = last.wait_status();
        assert_eq!(status, life.wait_status(), "{life:?} {last:?}");
        assert!(events.iter().all(|event| event.start_ns == first.start_ns), "{events:?}");
        assert_eq!(last.duration_ns, Some(last.timestamp_ns - first.start_ns));
        assert!(events.is_sorted_by_key(|event| event.timestamp_ns));
        if life.ns_pid.is_some() {
            let told = events.iter().map(|event| (event.ns_pid, event.pidns));
            assert!(told.clone().all(|told| told == (life.ns_pid, life.pidns)), "{events:?}");
        }
    }
    let cores = lives.iter().filter(|life| life.case == "core").count();
    assert_eq!(cores, 1);
}

#[test]
fn a_maker_that_does_not_become_the_parent_is_named() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, lives) = capture(&[], || worker::case("clone-parent"));
    let [maker, made] = &lives[..] else { panic!("two lives: {lives:?}") };
    let fork = capture.one("fork", made.pid);
    assert_eq!((fork.ppid, fork.parent_tid), (made.ppid, Some(maker.pid)));
    assert_eq!(fork.made_by, Some(maker.pid));
    let fork = capture.one("fork", maker.pid);
    assert_eq!((fork.parent_tid, fork.made_by), (Some(maker.ppid), None));
    // The task's id alone would not lead to its process.
    let (capture, lives) = self::capture(&[], || worker::case("clone-parent-thread"));
    let [maker, made] = &lives[..] else { panic!("two lives: {lives:?}") };
    let fork = capture.one("fork", made.pid);
    assert_ne!(fork.parent_tid, Some(maker.pid));
    assert_eq!((fork.ppid, fork.made_by), (made.ppid, Some(maker.pid)));
}

/// The process keeps its id; the task that execs had another until then.
#[test]
fn exec_from_a_thread_is_one_process() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, lives) = capture(&["--threads"], || worker::case("exec-from-thread"));
    let pid = lives[0].pid;
    let story: Vec<_> = capture
        .of(pid)
        .iter()
        .map(|event| (&*event.event_type, event.thread, event.tid == pid))
        .collect();
    assert_eq!(
        story,
        [
            ("fork", Some(false), true),
            ("fork", Some(true), false),
            ("exit", Some(true), true), // of the leader, which makes room
            ("exec", None, true),
            ("exit", Some(false), true),
        ]
    );
}

fn tids(events: &[&Event], kind: &str) -> Vec<u32> {
    let of_threads = |event: &&&Event| event.event_type == kind && event.thread == Some(true);
    let mut tids: Vec<_> = events.iter().filter(of_threads).map(|event| event.tid).collect();
    tids.sort_unstable();
    tids
}

#[test]
fn threads_are_told_only_when_asked_for_and_marked() {
    let Some(_machine) = machine::shared() else { return };
    let (without, lives) = capture(&[], || worker::case("threads"));
    assert_eq!(without.of(lives[0].pid).len(), 2);
    assert!(without.events.iter().all(Event::of_process));

    let (with, lives) = capture(&["--threads"], || worker::case("threads"));
    let life = &lives[0];
    let mut wanted = life.tids.clone();
    wanted.sort_unstable();
    let events = with.of(life.pid);
    assert_eq!(tids(&events, "fork"), wanted);
    assert_eq!(tids(&events, "exit"), wanted);
    assert_eq!(events.len(), 2 + 2 * 3, "{events:#?}");
    let process = with.one("fork", life.pid);
    for event in events.iter().filter(|event| event.thread == Some(true)) {
        assert_eq!((event.ppid, event.pid), (life.ppid, life.pid));
        assert_eq!(event.start_ns, process.start_ns, "the process' start");
        let age = event.timestamp_ns - event.start_ns;
        assert!(event.duration_ns.is_none_or(|own| own < age), "a thread's own duration");
        assert!(event.event_type == "exit" || event.parent_tid == Some(life.pid));
    }
}

/// The leader's own end is a thread's, as long as another thread lives.
#[test]
fn a_leader_that_goes_first_does_not_end_the_process() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, lives) = capture(&["--threads"], || worker::case("leader-first"));
    let pid = lives[0].pid;
    let exits: Vec<_> = capture
        .of(pid)
        .iter()
        .filter(|event| event.event_type == "exit")
        .map(|event| (event.thread, event.tid == pid, event.exit_code))
        .collect();
    assert_eq!(exits, [(Some(true), true, Some(0)), (Some(false), false, Some(6))]);
}

/// Thousands of processes whose threads leave at the same instant, race with `exit_group`, are
/// killed meanwhile, or exec; pids come round again.
#[test]
fn a_storm_of_ends_is_what_waitpid_counted() {
    let Some(_machine) = machine::alone() else { return };
    const COUNT: u64 = 30_000;
    let args = ["--wide", "--format", "json", "--buffer-size", "64M"];
    let tuxscope = Tuxscope::start(&args);
    let tally = worker::tally(COUNT, 4);
    let capture = Capture::complete(&tuxscope.stop());

    let mut wanted: HashMap<u32, u64> = tally.statuses.iter().copied().collect();
    assert_eq!(wanted.values().sum::<u64>(), COUNT);
    *wanted.entry(0).or_default() += 1 + 4; // the worker itself, and its own workers
    let family = capture.family(tally.pid);
    let exits = exits(&family);
    let mut seen: HashMap<u32, u64> = HashMap::new();
    for exit in exits.values() {
        *seen.entry(exit.wait_status()).or_default() += 1;
    }
    assert_eq!(seen, wanted);
    let forks = family.iter().filter(|event| event.event_type == "fork");
    assert_eq!(forks.count() as u64, COUNT + 5);
    // Two of the eight ways exec, and the worker was itself one.
    let execs = family.iter().filter(|event| event.event_type == "exec");
    assert_eq!(execs.count() as u64, COUNT / 8 * 2 + 1);
}

#[test]
fn a_storm_of_threads_is_one_exit_each() {
    let Some(_machine) = machine::alone() else { return };
    let args = ["--wide", "--threads", "--format", "json", "--buffer-size", "64M"];
    let tuxscope = Tuxscope::start(&args);
    let storm = worker::storm("thread", 30_000, 4);
    let capture = Capture::complete(&tuxscope.stop());
    let family = capture.family(storm.pid);
    let count = |kind: &str, thread: bool| {
        let of = |event: &&&Event| event.event_type == kind && event.thread == Some(thread);
        family.iter().filter(of).count() as u64
    };
    assert_eq!([count("fork", true), count("exit", true)], [30_000; 2]);
    assert_eq!([count("fork", false), count("exit", false)], [4 + 1; 2]);
    assert_eq!(exits(&family).len(), 5);
}
