// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who ended a process: what the sender of a signal knows, and nobody else for a sender.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::cgroups::Cgroup;
use crate::program::Tuxscope;
use crate::wide::{Capture, Event, number};
use crate::{machine, process, worker};

fn capture<T>(args: &[&str], run: impl FnOnce() -> T) -> (Capture, T) {
    let start = [&["--wide", "--format", "json", "--buffer-size", "16M"], args].concat();
    let tuxscope = Tuxscope::start(&start);
    let made = run();
    (Capture::complete(&tuxscope.stop()), made)
}

fn killer(exit: &Event) -> (Option<u32>, Option<&str>, Option<u32>) {
    (exit.killed_by_pid, exit.killed_by.as_deref(), exit.killed_by_uid)
}

#[test]
fn each_death_names_who_sent_the_signal_and_no_bystander() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, (deaths, maker)) = capture(&[], worker::deaths);
    assert!(deaths.len() >= 26, "{deaths:?}");
    for death in &deaths {
        let exit = capture.one("exit", death.pid);
        let number = exit.signal.as_deref().map(number);
        assert_eq!(number, Some(death.signal), "{death:?} {exit:?}");
        assert!(!exit.oom, "{exit:?}");
        assert_eq!(exit.signal_code, death.code, "{death:?} {exit:?}");
        let name = match (death.by, &*death.death) {
            (None, _) => None,
            (Some(_), "hired") => Some("hit \"man\""),
            (Some(_), _) => Some("worker"),
        };
        assert_eq!(killer(exit), (death.by, name, name.map(|_| 0)), "{death:?} {exit:?}");
    }
    // Who dies of no signal has no such key.
    assert_eq!(capture.one("exit", maker).signal_code, None, "{maker}");
}

/// strace sees each signal's siginfo as a handler would.
#[test]
fn codes_and_senders_are_those_that_strace_shows() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let script =
        "sh -c 'kill -TERM $$'; sh -c 'kill -QUIT $$'; sh -c 'sleep 9 & kill -USR1 $!; wait'";
    let (capture, ()) = capture(&["-e", "exit"], || {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=none", "-o"]).arg(&log).args(["sh", "-c", script]);
        process::output(&mut strace);
    });
    let log = fs::read_to_string(&log).unwrap();
    let mut seen = 0;
    for line in log.lines().filter(|line| line.contains("+++ killed by ")) {
        let pid: u32 = line.split_whitespace().next().unwrap().parse().unwrap();
        let exit = capture.one("exit", pid);
        let signal = exit.signal.clone().unwrap();
        let told = log.lines().rfind(|line| {
            line.starts_with(&pid.to_string()) && line.contains(&format!("--- {signal} "))
        });
        let told = told.expect(line);
        let field = |name: &str| {
            let (_, rest) = told.split_once(name).expect(told);
            rest.split([',', '}', ' ']).next().unwrap().to_owned()
        };
        assert_eq!(exit.signal_code, Some(field("si_code=")), "{told}");
        assert_eq!(exit.killed_by_pid, Some(field("si_pid=").parse().unwrap()), "{told}");
        assert_eq!(exit.killed_by_uid, Some(field("si_uid=").parse().unwrap()), "{told}");
        seen += 1;
    }
    assert_eq!(seen, 3, "{log}");
}

/// Hundreds that die at once, each by its own sender's hand.
#[test]
fn a_massacre_forgets_nobody() {
    let Some(_machine) = machine::shared() else { return };
    let script =
        "for i in $(seq 400); do sleep 60 & p=\"$p $!\"; done; kill -TERM $p; wait; echo $$ $p";
    let (capture, output) =
        capture(&["-e", "exit"], || process::output(Command::new("bash").args(["-c", script])));
    let pids: Vec<u32> = output.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let (killer, victims) = pids.split_first().unwrap();
    assert_eq!(victims.len(), 400);
    for victim in victims {
        let exit = capture.one("exit", *victim);
        assert_eq!(exit.killed_by_pid, Some(*killer), "{exit:?}");
        assert_eq!(exit.killed_by.as_deref(), Some("bash"));
    }
}

#[test]
fn the_user_is_the_senders() {
    let Some(_machine) = machine::shared() else { return };
    let (capture, status) = capture(&["-e", "exit"], || {
        let mut victim = Command::new("setpriv")
            .args(["--reuid=4242", "--clear-groups", "sleep", "60"])
            .spawn()
            .expect("setpriv of util-linux");
        let uid = || fs::metadata(format!("/proc/{}", victim.id())).unwrap();
        while std::os::unix::fs::MetadataExt::uid(&uid()) != 4242 {
            std::thread::yield_now();
        }
        let kill = format!("kill -KILL {}", victim.id());
        process::output(Command::new("setpriv").args([
            "--reuid=4242",
            "--clear-groups",
            "sh",
            "-c",
            &kill,
        ]));
        (victim.id(), victim.wait().unwrap())
    });
    assert_eq!(status.1.signal(), Some(libc::SIGKILL));
    let exit = capture.one("exit", status.0);
    assert_eq!((exit.killed_by.as_deref(), exit.killed_by_uid), (Some("sh"), Some(4242)));
}

/// All that are in it, at one write: the writer is who killed them.
#[test]
fn a_cgroup_is_killed_by_who_writes() {
    let Some(_machine) = machine::shared() else { return };
    let cgroup = Cgroup::make("kill");
    let dir = cgroup.0.to_str().unwrap();
    let enter = format!("echo $$ > {dir}/cgroup.procs; exec sleep 60");
    let (capture, (victim, writer)) = capture(&["-e", "exit"], || {
        let mut victim = Command::new("sh").args(["-c", &enter]).spawn().unwrap();
        let procs = cgroup.0.join("cgroup.procs");
        while fs::read_to_string(&procs).unwrap().is_empty() {
            std::thread::yield_now();
        }
        let kill = format!("echo 1 > {dir}/cgroup.kill; echo $$");
        let writer = process::output(Command::new("sh").args(["-c", &kill]));
        victim.wait().unwrap();
        (victim.id(), writer.trim().parse().unwrap())
    });
    let exit = capture.one("exit", victim);
    assert_eq!(exit.signal.as_deref(), Some("SIGKILL"));
    assert_eq!(killer(exit), (Some(writer), Some("sh"), Some(0)), "{exit:?}");
}

/// Where a process of a memory cgroup is chosen, nobody else is named for it.
#[test]
fn the_oom_killer_is_told_from_others() {
    let Some(_machine) = machine::shared() else { return };
    let group = MemoryCgroup::make();
    let enter = format!("echo $$ > {}/cgroup.procs; exec tail /dev/zero", group.0.display());
    let (capture, (pid, status)) = capture(&["-e", "exit"], || {
        let mut hungry = Command::new("sh").args(["-c", &enter]).spawn().unwrap();
        (hungry.id(), hungry.wait().unwrap())
    });
    assert_eq!(status.signal(), Some(libc::SIGKILL), "the limit holds");
    let exit = capture.one("exit", pid);
    assert!(exit.oom, "{exit:?}");
    assert_eq!(exit.signal_code.as_deref(), Some("SI_KERNEL"));
    assert_eq!(killer(exit), (None, None, None), "{exit:?}");
}

/// A memory cgroup of 16 MB, in whichever hierarchy has that controller.
pub struct MemoryCgroup(pub PathBuf);

impl MemoryCgroup {
    pub fn make() -> Self {
        let old = Path::new("/sys/fs/cgroup/memory");
        let (parent, limit) = match old.exists() {
            true => (old, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = parent.join(format!("tuxscope-test-{}-oom{number}", std::process::id()));
        fs::create_dir(&dir).expect("a memory cgroup");
        fs::write(dir.join(limit), "16777216").expect("a limit");
        // With swap it would take longer, if it ended at all.
        let _ = fs::write(dir.join("memory.swap.max"), "0");
        let _ = fs::write(dir.join("memory.memsw.limit_in_bytes"), "16777216");
        Self(dir)
    }
}

impl Drop for MemoryCgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
