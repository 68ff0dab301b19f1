// SPDX-License-Identifier: MIT OR Apache-2.0
//! A shell that runs a program: what happens, in its order, with the right ids and times.

use std::process::Command;

use rustix::time::{ClockId, clock_gettime};

use crate::events::{Event, from_json, from_table};
use crate::{machine, process, program::Tuxscope};

/// `&` makes the shell fork in any case, and tells the pid; `wait` puts its end last.
const SCRIPT: &str = "ls /tmp >/dev/null & echo $$ $!; wait";

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn shell_runs_ls(format: &str, read: fn(&[u8]) -> Vec<Event>) {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", format]);
    let began = now_ns();
    let pids = process::output(Command::new("bash").args(["-c", SCRIPT]));
    let ended = now_ns();
    let run = tuxscope.stop();
    run.success();

    let me = rustix::thread::gettid().as_raw_nonzero().get() as u32;
    let (shell, ls) = pids.trim().split_once(' ').expect("two pids");
    let (shell, ls) = (shell.parse().expect("a pid"), ls.parse().expect("a pid"));
    let mut events = read(&run.stdout);
    events.retain(|event| event.pid == shell || event.pid == ls);
    let story: Vec<_> = events.iter().map(|e| (&*e.event_type, e.pid, e.ppid)).collect();
    assert_eq!(
        story,
        [
            ("fork", shell, me),
            ("exec", shell, 0),
            ("fork", ls, shell),
            ("exec", ls, 0),
            ("exit", ls, 0),
            ("exit", shell, 0),
        ]
    );
    // The first fork's comm is that of the thread which runs this test.
    let comms: Vec<_> = events[1..].iter().map(|event| &*event.comm).collect();
    assert_eq!(comms, ["bash", "bash", "ls", "ls", "bash"]);
    if format == "json" {
        let times: Vec<_> = events.iter().map(|event| event.timestamp_ns).collect();
        assert!(times.is_sorted(), "{times:?}");
        assert!(began <= times[0] && times[5] <= ended, "{began} {times:?} {ended}");
    }
}

#[test]
fn shell_runs_ls_as_json() {
    shell_runs_ls("json", from_json);
}

#[test]
fn shell_runs_ls_as_table() {
    shell_runs_ls("table", from_table);
}
