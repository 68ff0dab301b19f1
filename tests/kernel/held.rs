// SPDX-License-Identifier: MIT OR Apache-2.0
//! What comes while the command of `tuxscope proc -- COMMAND` is started, but not let go yet.

use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{machine, process, program};

/// System calls of tuxscope's main thread, each the first of its kind while it holds the command:
/// before it knows that this is there; before its handlers of signals are installed; and the line
/// that tells that it traces.
const CALLS: [(&str, i64); 3] = [
    ("pidfd_open", libc::SYS_pidfd_open),
    ("eventfd2", libc::SYS_eventfd2),
    ("write", libc::SYS_write),
];

/// A tuxscope that was stopped at one of these calls by strace(1).
struct Stopped {
    child: Child,
    /// The process that will become the command.
    held: Pid,
    /// What the command would make.
    mark: PathBuf,
    _dir: tempfile::TempDir,
}

impl Stopped {
    fn at((name, number): (&str, i64)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("ran");
        let mut proc = program::command(&["--format", "json", "-o", "/dev/null", "--", "touch"]);
        proc.arg(&mark);
        let mut command = Command::new("strace");
        // Detached and in a process group of its own: it is no parent, and gets no signal.
        command.args(["-DD", "-qq", "-o", "/dev/null", "-e", &format!("trace={name}")]);
        command.args(["-e", &format!("inject={name}:signal=SIGSTOP:when=1")]);
        command.arg(proc.get_program()).args(proc.get_args()).process_group(0);
        let child = process::started(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let call = format!("/proc/{}/syscall", child.id());
        let holds = |pid: &str| {
            fs::read_to_string(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.contains("hold-command"))
        };
        let mut held = None;
        process::eventually(|| {
            let stopped = fs::read_to_string(&call).unwrap_or_default();
            let pids = fs::read_to_string(&children).unwrap_or_default();
            let stopped = stopped.split(' ').next() == Some(&number.to_string());
            held = pids.split_whitespace().find(|pid| stopped && holds(pid)).map(str::to_owned);
            held.is_some()
        });
        let held = held.and_then(|pid| Pid::from_raw(pid.parse().ok()?)).unwrap();
        Self { child, held, mark, _dir: dir }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Lets tuxscope go on. The command must not have run.
    fn end(mut self) -> (ExitStatus, String) {
        let mut ended = None;
        process::eventually(|| {
            // Again, should strace not have stopped it entirely by then.
            let _ = kill_process(self.pid(), Signal::CONT);
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        let held = format!("/proc/{}/stat", self.held.as_raw_nonzero());
        process::eventually(|| {
            let stat = fs::read_to_string(&held).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
        assert!(!self.mark.exists(), "the command ran");
        let said = std::io::read_to_string(self.child.stderr.take().unwrap()).unwrap();
        assert!(!said.contains("gone") && !said.contains("pipe"), "{said}");
        (ended.unwrap(), said)
    }
}

/// As a shell tells it.
fn code(status: ExitStatus) -> Option<i32> {
    status.code().or_else(|| Some(128 + status.signal()?))
}

#[test]
fn a_tuxscope_that_is_killed_leaves_no_command_behind() {
    let Some(_machine) = machine::shared() else { return };
    for call in CALLS {
        let stopped = Stopped::at(call);
        kill_process(stopped.pid(), Signal::KILL).unwrap();
        let (status, _) = stopped.end();
        assert_eq!(code(status), Some(128 + 9), "{call:?}");
    }
}

#[test]
fn a_command_that_is_killed_while_held_is_told() {
    let Some(_machine) = machine::shared() else { return };
    for call in CALLS {
        for signal in [Signal::KILL, Signal::INT] {
            let stopped = Stopped::at(call);
            kill_process(stopped.held, signal).unwrap();
            let (status, said) = stopped.end();
            assert_eq!(code(status), Some(128 + signal.as_raw()), "{call:?} {said}");
            assert!(said.contains("printed"), "{said}");
        }
    }
}

/// A terminal's Ctrl-C reaches the held process as well as tuxscope.
#[test]
fn a_signal_to_both_while_it_is_held_is_the_exit_status() {
    let Some(_machine) = machine::shared() else { return };
    for call in CALLS {
        for signal in [Signal::INT, Signal::TERM] {
            let stopped = Stopped::at(call);
            kill_process_group(stopped.pid(), signal).unwrap();
            let (status, said) = stopped.end();
            assert_eq!(code(status), Some(128 + signal.as_raw()), "{call:?} {said}");
        }
    }
}

/// SIGTERM is passed on, and is no less the end for what has not begun.
#[test]
fn sigterm_to_tuxscope_alone_while_it_holds_the_command_ends_both() {
    let Some(_machine) = machine::shared() else { return };
    for call in CALLS {
        let stopped = Stopped::at(call);
        kill_process(stopped.pid(), Signal::TERM).unwrap();
        let (status, said) = stopped.end();
        assert_eq!(code(status), Some(128 + 15), "{call:?} {said}");
    }
}
