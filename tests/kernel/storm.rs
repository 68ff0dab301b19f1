// SPDX-License-Identifier: MIT OR Apache-2.0
//! While a storm goes on that never lets the ring run empty.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::program::{Ended, Tuxscope};
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
