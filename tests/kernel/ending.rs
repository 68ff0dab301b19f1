// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every way to end is the same: what the ring holds is printed, a closing line, status 0.

use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;

use crate::program::{self, BINARY, NEVER, Tuxscope};
use crate::{events, machine, worker};

/// The signal comes right behind the last event, most of which still lie on the ring.
fn ends_by(signal: Signal) {
    let Some(_machine) = machine::shared() else { return };
    for _ in 0..5 {
        let tuxscope = Tuxscope::start(&["--format", "json"]);
        let life = worker::case("fork").remove(0);
        tuxscope.signal(signal);
        let events = tuxscope.end().complete();
        assert!(events.iter().any(|event| event.is("fork", life.pid)));
        assert!(events.iter().any(|event| event.is("exit", life.pid)));
        assert!(events.iter().any(|event| event.is("exit", life.ppid)), "the worker's own exit");
    }
}

#[test]
fn by_sigint() {
    ends_by(Signal::INT);
}

#[test]
fn by_sigterm() {
    ends_by(Signal::TERM);
}

#[test]
fn by_sighup() {
    ends_by(Signal::HUP);
}

/// SIGHUP as nohup(1) sets it, SIGINT as a script's shell does for what it runs in the background.
#[test]
fn a_hangup_that_was_ignored_stays_so_and_an_interrupt_ends_it() {
    let Some(_machine) = machine::shared() else { return };
    let mut command = Command::new("sh");
    let script = format!("trap '' HUP INT; exec {BINARY} proc --format json");
    let mut tuxscope = Tuxscope::spawn({
        command.args(["-c", &script]);
        command
    });
    tuxscope.await_tracing();
    tuxscope.signal(Signal::HUP);
    thread::sleep(Duration::from_millis(300));
    let life = worker::case("fork").remove(0);
    tuxscope.signal(Signal::INT);
    assert!(tuxscope.end().complete().iter().any(|event| event.is("fork", life.pid)));
}

#[test]
fn by_duration() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--duration", "1.5"]);
    let life = worker::case("fork").remove(0);
    let run = tuxscope.end();
    assert!(run.complete().iter().any(|event| event.is("exit", life.pid)));
    let seconds = run.closing().seconds;
    assert!((1.5..30.0).contains(&seconds), "{seconds}");
}

#[test]
fn by_duration_without_any_event() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--duration", "0.7", "--pid", NEVER]);
    let run = tuxscope.end();
    assert!(run.complete().is_empty());
    let seconds = run.closing().seconds;
    assert!((0.7..30.0).contains(&seconds), "{seconds}");
}

#[test]
fn by_count() {
    let Some(_machine) = machine::shared() else { return };
    for (format, count) in [("json", 1), ("json", 37), ("table", 5)] {
        let tuxscope = Tuxscope::start(&["--format", format, "--count", &count.to_string()]);
        worker::storm("fork", 40, 1);
        let run = tuxscope.end();
        run.success();
        let events = match format {
            "json" => events::from_json(&run.stdout),
            _ => events::from_table(&run.stdout),
        };
        assert_eq!((events.len(), run.closing().printed), (count, count as u64));
    }
}

/// 15,000 events lie on the ring when the end is asked for; a batch has 1,024.
#[test]
fn with_all_that_the_ring_holds() {
    let Some(_machine) = machine::alone() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--buffer-size", "4M"]);
    tuxscope.signal(Signal::STOP);
    let storm = worker::storm("thread", 7500, 1);
    tuxscope.signal(Signal::TERM);
    tuxscope.signal(Signal::CONT);
    let events = tuxscope.end().complete();
    let [forks, _, exits] = events::count(&events);
    assert!(forks >= storm.forks && exits >= storm.exits, "{forks} forks, {exits} exits");
    assert!(events.iter().any(|event| event.is("exit", storm.pid)));
}

/// A reader that has stopped reading blocks the write, and with it the ordinary end.
#[test]
fn by_a_second_signal_when_a_write_blocks() {
    let Some(_machine) = machine::alone() else { return };
    for flags in [OFlags::empty(), OFlags::NONBLOCK] {
        let (pipe, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfl(&writer, flags).unwrap();
        let command = program::command(&["--format", "json"]);
        let mut tuxscope = Tuxscope::spawn_to(command, writer.into());
        tuxscope.await_tracing();
        worker::storm("thread", 2000, 2); // 300 KB, and a pipe holds 64
        tuxscope.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(1500));
        tuxscope.signal(Signal::TERM);
        assert_eq!(tuxscope.end().code, Some(130), "{flags:?}");
        drop(pipe);
    }
}
