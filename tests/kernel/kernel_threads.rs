// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads that the kernel makes for itself in a process, such as `io_uring`'s workers: they come
//! without a fork, and end as others do.

use std::fs;

use crate::program::{self, Tuxscope};
use crate::tracefs::Instance;
use crate::wide::Capture;
use crate::{events, machine, process, worker};

#[test]
fn the_basic_mode_tells_what_the_kernels_trace_tells() {
    let Some(_machine) = machine::shared() else { return };
    let instance = Instance::start();
    let tuxscope = Tuxscope::start(&["--format", "json"]);
    let life = worker::io_uring();
    let (ours, kernels) = (tuxscope.stop().complete(), instance.stop());
    let Some(life) = life else { return };
    let of = |kind: &str, ids: &[u32], events: &[events::Event]| {
        events.iter().filter(|event| ids.iter().any(|&id| event.is(kind, id))).count()
    };
    // Without this the test would show nothing: they end, and nobody forked them.
    assert_eq!([of("fork", &life.tids, &kernels), of("exit", &life.tids, &kernels)], [0, 4]);
    assert_eq!(of("exit", &[life.pid], &ours), 5);
    assert_eq!(of("fork", &life.tids, &ours), 0);
}

#[test]
fn the_wide_mode_tells_of_none_that_it_saw_no_fork_of() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--wide", "--threads"]);
    let life = worker::io_uring();
    let capture = Capture::complete(&tuxscope.stop());
    let Some(life) = life else { return };
    let of_threads: Vec<_> =
        capture.events.iter().filter(|event| life.tids.contains(&event.tid)).collect();
    assert!(of_threads.iter().all(|event| event.of_process()), "{of_threads:#?}");
    assert_eq!(capture.one("exit", life.pid).wait_status(), 0);
}

/// The last process begins 0.4 s after the command's end; before it, four such threads end.
#[test]
fn waiting_for_all_does_not_count_them() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    let worker = worker::command(&[]).get_program().to_str().unwrap().to_owned();
    let script = format!("setsid sh -c '(sleep 0.4; exec sh -c \"exit 7\") &'; {worker} io-uring");
    for mode in [&["--wide"][..], &[]] {
        let mut command = program::command(&["--format", "json", "--wait", "all", "-o"]);
        command.arg(&path).args(mode).args(["--", "sh", "-c", &script]);
        let output = command.output().expect("starting tuxscope");
        if output.status.code() == Some(77) {
            return; // as the tests above say
        }
        assert!(output.status.success(), "{output:?}");
        let text = fs::read_to_string(&path).unwrap();
        let count = |kind: &str| text.matches(&format!(":\"{kind}\"")).count();
        let threads = if mode.is_empty() { 4 } else { 0 };
        assert_eq!(count("exit"), count("fork") + 1 + threads, "{mode:?}: {text}");
    }
}

/// The leader's `exit_code` holds the stop's code, while a thread ends.
#[test]
fn a_process_that_is_stopped_for_a_tracer_has_not_failed() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--failed"]);
    let life = worker::case("ptrace").remove(0);
    let failure =
        process::output(std::process::Command::new("sh").args(["-c", "(exit 3) & echo $!; wait"]));
    let events = tuxscope.stop().complete();
    assert_eq!(life.wait_status(), 0);
    let of_process: Vec<_> = events.iter().filter(|event| event.pid == life.pid).collect();
    assert!(of_process.is_empty(), "{of_process:#?}");
    let failure = failure.trim().parse().unwrap();
    assert!(events.iter().any(|event| event.is("exit", failure)), "failures are shown");
}
