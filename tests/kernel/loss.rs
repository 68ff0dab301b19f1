// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events printed + events lost = events that happened.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::events::{self, ByKind, Closing, Event};
use crate::program::{Ended, Tuxscope};
use crate::tracefs::Instance;
use crate::wide::Capture;
use crate::{machine, worker};

fn sum(a: ByKind, b: ByKind) -> ByKind {
    std::array::from_fn(|kind| a[kind] + b[kind])
}

/// The loss is on standard error while it happens, at most once a second; the closing line
/// agrees with the lines in the output. Returns what happened: printed and lost.
fn accounted(run: &Ended) -> (Vec<Event>, Closing, ByKind) {
    let events = events::from_json(&run.stdout);
    let closing = run.closing();
    assert_eq!(closing.printed, events.len() as u64);
    let said = run.stderr.iter().filter(|line| line.contains("events lost so far")).count();
    assert!(said >= 1, "{:#?}", run.stderr);
    assert!(said as f64 <= closing.seconds + 1.0, "{:#?}", run.stderr);
    let happened = sum(events::count(&events), closing.lost);
    (events, closing, happened)
}

/// The smallest ring (85 records), a reader that is held back again and again, and events of one pid, which
/// nothing else on the machine adds to.
fn held_back_on_the_smallest_ring(more: &[&str]) -> Ended {
    let pid = worker::reserved_pid();
    let text = pid.to_string();
    let args = ["--format", "json", "--pid", &text, "--buffer-size", "4096"];
    let mut tuxscope = Tuxscope::start(&[&args, more].concat());
    let mut made = [0; 3];
    let mut storm = |count| {
        let storm = worker::same_pid(pid, count);
        made = sum(made, [storm.forks, storm.execs, storm.exits]);
    };
    storm(20);
    tuxscope.signal(Signal::STOP);
    storm(300);
    tuxscope.signal(Signal::CONT);
    tuxscope.await_line("events lost so far");
    for _ in 0..8 {
        tuxscope.signal(Signal::STOP);
        storm(50);
        tuxscope.signal(Signal::CONT);
        thread::sleep(Duration::from_millis(80));
    }
    let run = tuxscope.stop();

    let (events, closing, happened) = accounted(&run);
    assert_eq!(happened, made, "printed + lost = made");
    assert!(events.iter().all(|event| event.pid == pid));
    // While it is held back no more than the ring holds can be kept.
    assert!(closing.lost.iter().sum::<u64>() >= 3 * 300 - 85, "{closing:?}");
    run
}

#[test]
fn each_lost_event_is_counted_by_its_kind() {
    let Some(_machine) = machine::alone() else { return };
    assert_eq!(held_back_on_the_smallest_ring(&[]).code, Some(0));
}

#[test]
fn strict_makes_it_an_exit_status() {
    let Some(_machine) = machine::alone() else { return };
    assert_eq!(held_back_on_the_smallest_ring(&["--strict"]).code, Some(3));
}

/// One that execs while nobody reads the ring, and ends when its record is lost: its exit doesn't
/// tell the arguments that it had before. The storm leaves the ring no room; nothing of it is asked
/// for, so that only unshown events are lost.
#[test]
fn an_exit_never_tells_arguments_of_an_exec_before_one_that_was_lost() {
    let Some(_machine) = machine::alone() else { return };
    for more in [&["-e", "exit"][..], &["--failed", "--match", "second"]] {
        let args = ["--wide", "--format", "json", "--buffer-size", "4096", "--strict"];
        let tuxscope = Tuxscope::start(&[&args, more].concat());
        let mut shell = Command::new("sh");
        shell.args(["-c", "read x; exec sh -c 'read y; exit 7' second", "first"]);
        let mut shell = shell.stdin(Stdio::piped()).spawn().expect("a shell");
        let mut stdin = shell.stdin.take().expect("a pipe");
        // It has been read.
        thread::sleep(Duration::from_millis(300));
        tuxscope.signal(Signal::STOP);
        worker::storm("vfork-exec", 100, 1);
        stdin.write_all(b"x\n").expect("a reader");
        let cmdline = format!("/proc/{}/cmdline", shell.id());
        while !fs::read_to_string(&cmdline).expect("alive").ends_with("second\0") {
            thread::sleep(Duration::from_millis(1));
        }
        tuxscope.signal(Signal::CONT);
        thread::sleep(Duration::from_millis(300));
        stdin.write_all(b"y\n").expect("a reader");
        assert_eq!(shell.wait().expect("its end").code(), Some(7));
        thread::sleep(Duration::from_millis(200));
        let run = tuxscope.stop();

        assert_eq!(run.code, Some(3), "--strict: {:#?}", run.stderr);
        let capture = Capture::parse(&run.stdout);
        let summary = capture.summary.as_ref().expect("a summary");
        assert_eq!(summary["complete"], false);
        assert!(summary["lost_unshown"].as_u64().is_some_and(|lost| lost > 0), "{summary}");
        if more[0] == "-e" {
            let exit = capture.one("exit", shell.id());
            assert_eq!((&exit.args, exit.args_unknown), (&None, true), "{exit:?}");
        }
    }
}

#[test]
fn strict_is_content_when_nothing_is_lost() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--strict"]);
    worker::storm("fork", 50, 1);
    tuxscope.stop().complete();
}

/// All CPUs lose at once, all processes of the machine included: the kernel's own trace gives
/// the bounds.
#[test]
fn losses_of_many_writers_add_up() {
    let Some(_machine) = machine::alone() else { return };
    let instance = Instance::start();
    let tuxscope = Tuxscope::start(&["--format", "json", "--buffer-size", "4096"]);
    let began = clock();
    tuxscope.signal(Signal::STOP);
    worker::storm("thread", 10_000, 4);
    tuxscope.signal(Signal::CONT);
    worker::storm("vfork-exec", 500, 4);
    let ended = clock();
    let run = tuxscope.stop();
    let kernels = instance.stop();

    let (_, _, happened) = accounted(&run);
    let at_most = events::count(&kernels);
    let surely = |event: &&Event| (began..ended).contains(&event.timestamp_ns);
    let at_least = events::count(kernels.iter().filter(surely));
    for kind in 0..3 {
        assert!(
            (at_least[kind]..=at_most[kind]).contains(&happened[kind]),
            "{at_least:?} <= {happened:?} <= {at_most:?}"
        );
    }
}

/// The clock of the kernel's trace, which cuts to microseconds: the next whole one.
fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000 + 1) * 1000
}

/// A reader that is kept from its CPU is no luck here: it reads nothing at all while the storm of 16
/// workers lasts, whose records take nine tenths of the default ring (4 MiB, 48 bytes a record) or,
/// in the wide mode with its longer ones, two thirds. So none is lost whenever it runs.
#[test]
fn the_default_ring_takes_a_storm_while_its_reader_is_held_up() {
    let Some(_machine) = machine::alone() else { return };
    let modes = [
        (&["--format", "json"][..], 40_000),
        (&["--format", "json", "--wide", "--threads"], 9_000),
    ];
    for (mode, threads) in modes {
        let tuxscope = Tuxscope::start(mode);
        tuxscope.signal(Signal::STOP);
        let storm = worker::storm("thread", threads, 16);
        tuxscope.signal(Signal::CONT);
        let run = tuxscope.stop();
        assert_eq!(run.code, Some(0));
        assert_eq!(run.closing().lost, [0; 3], "{mode:?}");
        let count = |kind: &str| {
            let kind = format!("\"event_type\":\"{kind}\"");
            String::from_utf8_lossy(&run.stdout).matches(&kind).count() as u64
        };
        let (forks, exits) = (count("fork"), count("exit"));
        assert!(forks >= storm.forks && exits >= storm.exits, "{forks} forks, {exits} exits");
        assert!(storm.forks >= threads);
    }
}
