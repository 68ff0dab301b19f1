// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every way to end is the same: what the ring holds is printed, a closing line, status 0.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{self, BINARY, NEVER, Tuxscope};
use crate::{events, machine, process, worker};

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

/// A reader that has stopped reading holds nothing up but what it should read: what happens
/// meanwhile is lost and counted, and what is not written at the end is, too.
#[test]
fn by_one_signal_where_nobody_reads() {
    let Some(_machine) = machine::alone() else { return };
    for flags in [OFlags::empty(), OFlags::NONBLOCK] {
        for (signal, strict) in [(Signal::TERM, None), (Signal::INT, Some("--strict"))] {
            let (pipe, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
            fcntl_setfl(&writer, flags).unwrap();
            let kept = writer.try_clone().unwrap();
            let mut command = program::command(&["--format", "json", "--buffer-size", "64K"]);
            command.args(strict);
            let mut tuxscope = Tuxscope::spawn_to(command, writer.into());
            tuxscope.await_tracing();
            let storm = worker::storm("thread", 2000, 2); // 300 KB, and a pipe holds 64
            tuxscope.signal(signal);
            let run = tuxscope.end();
            assert_eq!(run.code, Some(if strict.is_some() { 3 } else { 0 }), "{:#?}", run.stderr);
            let closing = run.closing();
            let lost: u64 = closing.lost.iter().sum();
            assert!(lost > 0 && closing.unwritten > 0, "{closing:?}");
            let counted = closing.printed + lost + closing.unwritten;
            assert!(counted >= storm.forks + storm.exits, "{closing:?} of {storm:?}");
            assert_eq!(fcntl_getfl(&kept).unwrap() & OFlags::NONBLOCK, flags, "others' flags");
            drop(kept);
            let text = std::io::read_to_string(std::fs::File::from(pipe)).unwrap();
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            assert_eq!(events::from_json(&text.as_bytes()[..whole]).len() as u64, closing.printed);
        }
    }
}

/// A slow reader gets all of it.
#[test]
fn with_all_that_a_reader_takes_its_time_for() {
    let Some(_machine) = machine::alone() else { return };
    let (mut tuxscope, mut pipe) =
        Tuxscope::start_piped(&["--format", "json", "--buffer-size", "16M"]);
    let storm = worker::storm("thread", 2000, 2);
    tuxscope.signal(Signal::TERM);
    let mut text = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        thread::sleep(Duration::from_millis(50));
        match pipe.read(&mut buffer).unwrap() {
            0 => break,
            n => text.extend(&buffer[..n]),
        }
    }
    tuxscope.await_line("printed");
    let run = tuxscope.end();
    assert_eq!(run.code, Some(0));
    let [forks, _, exits] = events::count(&events::from_json(&text));
    assert!(forks >= storm.forks && exits >= storm.exits, "{forks} forks, {exits} exits");
}

/// The program's own messages wait for nobody.
#[test]
fn by_duration_where_nobody_reads_the_messages() {
    let Some(_machine) = machine::shared() else { return };
    let (_pipe, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    let mut command = program::command(&["--format", "json", "--duration", "0.3"]);
    let mut child = command.stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(process::wait(&mut child).code(), Some(0));
}
