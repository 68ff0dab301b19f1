// SPDX-License-Identifier: MIT OR Apache-2.0
//! How soon an event is in the pipe, and what it costs to wake the reader. Not by the clock, which a busy machine
//! sets, but by what the reader does: the waits that it begins, and what ends them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::ChildStdout;
use std::thread;
use std::time::Duration;

use crate::events;
use crate::program::Tuxscope;
use crate::strace::{Strace, Turn};
use crate::{machine, worker};

/// Processes with pauses between them, one a round, and what the reader did.
fn rounds(count: u64) -> Vec<Turn> {
    let pid = worker::reserved_pid();
    let (tuxscope, pipe) = Tuxscope::start_piped(&["--format", "json", "--pid", &pid.to_string()]);
    let strace = Strace::attach(&tuxscope);
    let mut pipe = BufReader::new(pipe);
    for round in 0..count {
        thread::sleep(Duration::from_millis(60 + round * 7 % 50));
        worker::same_pid(pid, 1);
        until_exit(&mut pipe, pid);
    }
    tuxscope.stop().success();
    let turns = strace.turns();
    let written: usize = turns.iter().map(|turn| turn.wrote.len()).sum();
    assert_eq!(written as u64, 3 * count, "{turns:?}");
    turns
}

fn until_exit(pipe: &mut BufReader<ChildStdout>, pid: u32) {
    loop {
        let mut line = String::new();
        assert!(pipe.read_line(&mut line).unwrap() > 0, "the pipe was closed");
        if events::from_json(line.as_bytes())[0].is("exit", pid) {
            return;
        }
    }
}

/// An exit follows its fork too closely to wake the reader, and nothing comes behind it: it waits
/// for the reader's timer. Whatever happens, the reader waits once before it writes it, and never
/// for longer than 90 ms.
#[test]
fn an_event_arrives_within_100_ms() {
    let Some(_machine) = machine::alone() else { return };
    let turns = rounds(10);
    assert!(turns.iter().all(|turn| (1..=90).contains(&turn.timeout_ms)), "{turns:?}");
    for (last, turn) in turns.iter().enumerate() {
        for event in &turn.wrote {
            let since = |turn: &&Turn| turn.began_ns > event.timestamp_ns;
            let waits = turns[..=last].iter().filter(since).count();
            assert!(waits <= 1, "{waits} waits before {event:?} was written: {turns:?}");
        }
    }
}

/// An event after a pause wakes the reader: it doesn't wait for its timer of 90 ms. (That may end
/// at the same moment by chance.)
#[test]
fn an_event_after_a_pause_arrives_at_once() {
    let Some(_machine) = machine::alone() else { return };
    let turns = rounds(20);
    let forks = |turn: &&Turn| turn.wrote.iter().any(|event| event.event_type == "fork");
    let (woken, timed_out): (Vec<_>, Vec<_>) = turns.iter().filter(forks).partition(|t| t.woken);
    assert!(woken.len() >= 16, "{timed_out:?} of {turns:?}");
}

/// The wakeups are what a tracer costs the traced: a storm must not get one an event.
#[test]
fn a_storm_wakes_the_reader_seldom() {
    let Some(_machine) = machine::alone() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json"]);
    let status = format!("/proc/{}/status", tuxscope.pid().as_raw_nonzero());
    let sleeps = || -> u64 {
        let text = fs::read_to_string(&status).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = sleeps();
    let storm = worker::storm("thread", 20_000, 1);
    let slept = sleeps() - before;
    tuxscope.stop();
    let events = storm.forks + storm.exits;
    assert!(slept < events / 20, "{slept} wakeups for {events} events");
}

/// Without the fill rule a ring that fills in less than 10 ms overruns a sleeping reader. The other rule
/// lets 10 ms pass from one wakeup to the next, so what is closer is of this rule.
#[test]
fn a_small_ring_is_read_before_it_is_full() {
    let Some(_machine) = machine::alone() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--buffer-size", "4096"]);
    let strace = Strace::attach(&tuxscope);
    let storm = worker::storm("thread", 10_000, 1);
    tuxscope.stop();
    let turns = strace.turns();
    let woken: Vec<_> = turns.iter().filter(|turn| turn.woken && !turn.wrote.is_empty()).collect();
    let close = |pair: &&[&Turn]| {
        let last = pair[1].wrote.iter().map(|event| event.timestamp_ns).max();
        last < Some(pair[0].began_ns + 10_000_000)
    };
    let (close, wakeups) = (woken.windows(2).filter(close).count(), woken.len());
    // A quarter of the ring has 21 records.
    let quarters = (storm.forks + storm.exits) / 21;
    assert!(close as u64 > quarters / 20, "{close} of {wakeups} wakeups, {quarters} quarters");
}
