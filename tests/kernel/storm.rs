// SPDX-License-Identifier: MIT OR Apache-2.0
//! While a storm goes on that never lets the ring run empty.

use std::collections::HashSet;
use std::io::Read as _;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::events::Event;
use crate::program::{Ended, Tuxscope};
use crate::tracefs::Instance;
use crate::worker::Endless;
use crate::{events, machine};

/// Runs in a storm that `end` doesn't wait for.
fn in_a_storm(args: &[&str], end: impl FnOnce(Tuxscope) -> Ended) -> Ended {
    let tuxscope = Tuxscope::start(args);
    let mut storm = Endless::start("thread", 4);
    let run = end(tuxscope);
    assert!(storm.goes_on(), "the storm was over before tuxscope was");
    assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
    run
}

fn sigterm(tuxscope: Tuxscope) -> Ended {
    thread::sleep(Duration::from_millis(500));
    tuxscope.signal(Signal::TERM);
    tuxscope.end()
}

#[test]
fn sigterm_leaves_whole_json_lines() {
    let Some(_machine) = machine::alone() else { return };
    for size in ["4096", "1M"] {
        let run = in_a_storm(&["--format", "json", "--buffer-size", size], sigterm);
        let events = events::from_json(&run.stdout);
        assert!(events.len() > 100, "a storm was printed");
        assert_eq!(run.closing().printed, events.len() as u64);
    }
}

#[test]
fn sigterm_leaves_whole_table_rows() {
    let Some(_machine) = machine::alone() else { return };
    for size in ["4096", "1M"] {
        let run = in_a_storm(&["--buffer-size", size], sigterm);
        let events = events::from_table(&run.stdout);
        assert!(events.len() > 100, "a storm was printed");
        assert_eq!(run.closing().printed, events.len() as u64);
    }
}

/// The output is a pipe that is read slower than the storm writes, so the ring is never empty,
/// and no batch but a full one is ever read.
#[test]
fn sigterm_ends_a_reader_that_lags() {
    let Some(_machine) = machine::alone() else { return };
    let (tuxscope, mut pipe) = Tuxscope::start_piped(&["--format", "json", "--buffer-size", "64K"]);
    let mut storm = Endless::start("thread", 4);
    let slowly = thread::spawn(move || {
        let (mut output, mut buffer) = (Vec::new(), [0; 1 << 16]);
        loop {
            match pipe.read(&mut buffer).expect("reading the pipe") {
                0 => return output,
                n => output.extend_from_slice(&buffer[..n]),
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    thread::sleep(Duration::from_secs(1));
    let run = sigterm(tuxscope);
    assert!(storm.goes_on(), "the storm was over before tuxscope was");
    let events = events::from_json(&slowly.join().expect("the reader"));
    assert_eq!((run.code, run.closing().printed), (Some(0), events.len() as u64));
    assert!(run.closing().lost.iter().sum::<u64>() > 0, "the pipe was not slow: {run:?}");
}

/// Attaching and detaching three handlers takes milliseconds: what a process does meanwhile must
/// not be seen in parts.
#[test]
fn a_capture_begins_and_ends_at_one_instant() {
    let Some(_machine) = machine::alone() else { return };
    let instance = Instance::start();
    let storm = Endless::start("fork", 1);
    let maker = storm.only_child();
    let ours = sigterm(Tuxscope::start(&["--format", "json"])).complete();
    drop(storm);
    let made = |event: &Event| event.event_type == "fork" && event.ppid == maker;
    let children: HashSet<u32> =
        instance.stop().iter().filter(|event| made(event)).map(|event| event.pid).collect();

    // One child after the other: fork, exit, fork, exit. A stranger may have had a child's pid.
    let child_exits = |event: &Event| {
        event.event_type == "exit" && event.comm == "worker" && children.contains(&event.pid)
    };
    let lives: Vec<_> = ours.iter().filter(|event| made(event) || child_exits(event)).collect();
    assert!(lives.len() > 200, "only {} events", lives.len());
    for (i, pair) in lives.windows(2).enumerate() {
        assert_ne!(pair[0].event_type, pair[1].event_type, "{i} of {}: {pair:?}", lives.len());
    }
}

#[test]
fn duration_holds() {
    let Some(_machine) = machine::alone() else { return };
    let run = in_a_storm(&["--format", "json", "--duration", "0.5"], Tuxscope::end);
    let (events, closing) = (events::from_json(&run.stdout), run.closing());
    assert_eq!(closing.printed, events.len() as u64);
    assert!((0.5..30.0).contains(&closing.seconds), "{closing:?}");
}

#[test]
fn count_is_exact() {
    let Some(_machine) = machine::alone() else { return };
    let run = in_a_storm(&["--format", "json", "--count", "5000"], Tuxscope::end);
    assert_eq!(events::from_json(&run.stdout).len(), 5000);
    assert_eq!(run.closing().printed, 5000);
}
