// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long a capture lasted: from the first instant that it can tell of to the last.

use std::process::{Command, Stdio};

use crate::program::Tuxscope;
use crate::wide::Capture;
use crate::{machine, process, worker};

/// Some thousand processes run, so that the look at them takes a while, in which others begin and
/// end all the time.
#[test]
fn no_two_events_are_further_apart_than_the_capture_lasted() {
    let Some(_machine) = machine::alone() else { return };
    let mut held = worker::command(&["hold", "1500"]);
    let mut held = held.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let me = std::process::id().to_string();
    let below = || {
        let children =
            process::output(Command::new("sh").args(["-c", "ls /proc | grep -c '^[0-9]'"]));
        children.trim().parse::<usize>().unwrap()
    };
    process::eventually(|| below() > 3000);
    let mut storm = worker::Endless::start("fork", 1);
    for options in [&["--wide"][..], &["--wide", "--follow", "--pid", &me]] {
        let mut all = vec!["--format", "json", "--duration", "0.2", "--buffer-size", "64M"];
        all.extend(options);
        let run = Tuxscope::start(&all).end();
        let capture = Capture::complete(&run);
        assert!(storm.goes_on());
        let times = || capture.events.iter().map(|event| event.timestamp_ns);
        let span = times().max().unwrap() - times().min().unwrap();
        let summary = capture.summary.as_ref().unwrap();
        let elapsed = summary["elapsed_ns"].as_u64().unwrap();
        let began = capture.meta["timestamp_ns"].as_u64().unwrap();
        let within = times().all(|at| (began..=began + elapsed).contains(&at));
        assert!(within, "{options:?}: events before {began} ns or {elapsed} ns later");
        assert!(span <= elapsed, "{options:?}: {span} ns of events in {elapsed} ns");
    }
    drop(storm);
    drop(held.stdin.take());
    process::wait(&mut held);
}
