// SPDX-License-Identifier: MIT OR Apache-2.0
//! How soon an event is in the pipe, and what it costs to wake the reader.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::ChildStdout;
use std::thread;
use std::time::{Duration, Instant};

use crate::events::{self, Event};
use crate::program::Tuxscope;
use crate::{machine, worker};

/// Reads lines until `found`, and returns how long after `since` it came.
fn until(
    pipe: &mut BufReader<ChildStdout>,
    since: Instant,
    found: impl Fn(&Event) -> bool,
) -> Duration {
    loop {
        let mut line = String::new();
        assert!(pipe.read_line(&mut line).unwrap() > 0, "the pipe was closed");
        if found(&events::from_json(line.as_bytes())[0]) {
            return since.elapsed();
        }
    }
}

/// The exit follows the fork too closely to wake the reader, and nothing comes behind it: it
/// waits for the reader's timer.
#[test]
fn an_event_arrives_within_100_ms() {
    let Some(_machine) = machine::alone() else { return };
    let pid = worker::reserved_pid();
    let args = ["--format", "json", "--pid", &pid.to_string()];
    let (tuxscope, pipe) = Tuxscope::start_piped(&args);
    let mut pipe = BufReader::new(pipe);
    let mut latencies = Vec::new();
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(20));
        worker::same_pid(pid, 1);
        // The worker has left, so the event has happened.
        latencies.push(until(&mut pipe, Instant::now(), |event| event.is("exit", pid)));
    }
    tuxscope.stop().success();
    latencies.sort_unstable();
    assert!(latencies[4] < Duration::from_millis(100), "{latencies:?}");
    assert!(latencies[9] < Duration::from_secs(2), "{latencies:?}");
}

/// An event after a pause wakes the reader: it doesn't wait for its timer of 90 ms, which alone
/// would be as early only for 2 in 10.
#[test]
fn an_event_after_a_pause_arrives_at_once() {
    let Some(_machine) = machine::alone() else { return };
    let attempt = || {
        let pid = worker::reserved_pid();
        let (tuxscope, pipe) =
            Tuxscope::start_piped(&["--format", "json", "--pid", &pid.to_string()]);
        let mut pipe = BufReader::new(pipe);
        let mut latencies = Vec::new();
        for round in 0..20 {
            thread::sleep(Duration::from_millis(60 + round * 7 % 50));
            let began = Instant::now();
            worker::same_pid(pid, 1);
            latencies.push(until(&mut pipe, began, |event| event.is("fork", pid)));
            until(&mut pipe, began, |event| event.is("exit", pid));
        }
        tuxscope.stop().success();
        latencies.sort_unstable();
        latencies
    };
    let attempts: Vec<_> = (0..3).map(|_| attempt()).collect();
    let prompt = |latencies: &Vec<Duration>| latencies[15] < Duration::from_millis(20);
    assert!(attempts.iter().any(prompt), "{attempts:?}");
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

/// Without the fill rule a ring that fills in less than 10 ms overruns a sleeping reader.
#[test]
fn a_small_ring_is_read_before_it_is_full() {
    let Some(_machine) = machine::alone() else { return };
    let attempt = || {
        let tuxscope = Tuxscope::start(&["--format", "json", "--buffer-size", "16K"]);
        worker::storm("thread", 10_000, 1);
        let closing = tuxscope.stop().closing();
        closing.lost.iter().sum::<u64>() as f64 / closing.printed as f64
    };
    let attempts: Vec<_> = (0..3).map(|_| attempt()).collect();
    assert!(attempts.iter().any(|&share| share < 0.1), "lost per printed: {attempts:?}");
}
