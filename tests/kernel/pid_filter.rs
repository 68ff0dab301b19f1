// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--pid`: events whose pid is in the list, and no others.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use crate::events::{self, Event};
use crate::program::{NEVER, Tuxscope};
use crate::{machine, process, worker};

/// A shell that waits for a line, runs a child, and then another program in its own place.
struct Shell(Child);

impl Shell {
    fn start() -> Self {
        let script = "read line; ls /tmp >/dev/null; exec sleep 0";
        Self(Command::new("bash").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    fn finish(mut self) {
        self.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
        assert!(process::wait(&mut self.0).success());
    }
}

fn story(events: &[Event]) -> Vec<(&str, u32, &str)> {
    events.iter().map(|event| (&*event.event_type, event.pid, &*event.comm)).collect()
}

#[test]
fn a_running_shell_is_shown_without_its_children() {
    let Some(_machine) = machine::shared() else { return };
    let (shell, other) = (Shell::start(), Shell::start());
    let pid = shell.pid();
    let tuxscope = Tuxscope::start(&["--format", "json", "--pid", &pid.to_string()]);
    shell.finish();
    other.finish();
    let events = tuxscope.stop().complete();
    assert_eq!(story(&events), [("exec", pid, "sleep"), ("exit", pid, "sleep")]);
}

#[test]
fn several_pids() {
    let Some(_machine) = machine::shared() else { return };
    let shells: Vec<_> = (0..3).map(|_| Shell::start()).collect();
    let pids: Vec<_> = shells.iter().map(Shell::pid).collect();
    let list = format!("{},{NEVER}", pids[0]);
    let args = ["--format", "json", "-p", &list, "--pid", &pids[2].to_string()];
    let tuxscope = Tuxscope::start(&args);
    shells.into_iter().for_each(Shell::finish);
    let events = tuxscope.stop().complete();
    let wanted = |pid| [("exec", pid, "sleep"), ("exit", pid, "sleep")];
    assert_eq!(story(&events), [wanted(pids[0]), wanted(pids[2])].concat());
}

#[test]
fn for_fork_the_pid_is_the_child() {
    let Some(_machine) = machine::alone() else { return };
    let pid = worker::reserved_pid();
    let tuxscope = Tuxscope::start(&["--format", "json", "--pid", &pid.to_string()]);
    let made = worker::same_pid(pid, 2);
    let events = tuxscope.stop().complete();
    let story: Vec<_> = events.iter().map(|e| (&*e.event_type, e.pid, e.ppid)).collect();
    let life = [("fork", pid, made.pid), ("exec", pid, 0), ("exit", pid, 0)];
    assert_eq!(story, [life, life].concat());
}

#[test]
fn a_pid_that_never_appears() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json", "--pid", NEVER]);
    worker::storm("fork", 20, 1);
    let events = tuxscope.stop().complete();
    assert_eq!(events::count(&events), [0; 3]);
}
