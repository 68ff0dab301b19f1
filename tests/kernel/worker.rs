// SPDX-License-Identifier: MIT OR Apache-2.0
//! The worker: a C program that makes processes and tells the truth about them.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;

use crate::process;

/// A process that the worker made, as its parent saw it.
#[derive(Debug, Deserialize)]
pub struct Life {
    pub case: String,
    pub pid: u32,
    pub ppid: u32,
    /// How many programs it ran.
    pub execs: usize,
    exit_code: i32,
    signal: u32,
    core: u32,
    /// Its first parent, if another one waited for it.
    pub born_to: Option<u32>,
    /// Its id as it saw it itself, in the PID namespace that was made for it.
    pub ns_pid: Option<u32>,
    /// That namespace's inode.
    pub pidns: Option<u32>,
    /// Its threads but the first.
    #[serde(default)]
    pub tids: Vec<u32>,
    /// What wait4 told of it.
    pub used: Used,
    /// What /proc told when it had ended: CPU time, and how long it waited for that.
    pub cpu_ns: Option<u64>,
    pub wait_ns: Option<u64>,
    /// The highest resident set of its last program, as that saw it.
    pub image_kb: Option<u64>,
}

/// A rusage.
#[derive(Debug, Deserialize)]
pub struct Used {
    pub cpu_us: u64,
    pub max_rss_kb: u64,
    pub minor_faults: u64,
    pub major_faults: u64,
    pub voluntary_switches: u64,
    pub involuntary_switches: u64,
    pub blocks_in: u64,
    pub blocks_out: u64,
}

/// What a process tells of itself before it ends.
#[derive(Debug, Deserialize)]
pub struct Usage {
    pub pid: u32,
    pub cpu_us: u64,
    pub minor_faults: u64,
}

impl Life {
    /// What waitpid gave.
    pub fn wait_status(&self) -> u32 {
        if self.signal == 0 { (self.exit_code as u32) << 8 } else { self.signal | self.core << 7 }
    }
}

/// A process that died of a signal, as the one knew that saw to it.
#[derive(Debug, Deserialize)]
pub struct Death {
    pub death: String,
    pub pid: u32,
    pub signal: u8,
    /// `si_code` by name; None where nobody can know.
    pub code: Option<String>,
    /// The sender; None where nobody sent it, or nobody can know.
    pub by: Option<u32>,
}

/// An exec that failed, as its caller knows it.
#[derive(Debug, Deserialize)]
pub struct FailedExec {
    pub failed: String,
    pub pid: u32,
    pub tid: u32,
    /// None where nobody can know.
    pub filename: Option<String>,
    /// errno; None where the caller has not survived to see it.
    pub errno: Option<i32>,
    pub tried: u32,
}

/// How a storm of ends went.
#[derive(Debug, Deserialize)]
pub struct Tally {
    /// Of the worker that ran it.
    pub pid: u32,
    /// Status words of wait(2), and how often waitpid gave them.
    pub statuses: Vec<(u32, u64)>,
}

/// What a storm came to, its worker processes included.
#[derive(Debug, Deserialize)]
pub struct Storm {
    /// Of the worker that ran it.
    pub pid: u32,
    pub forks: u64,
    pub execs: u64,
    pub exits: u64,
    /// CPU time of all together.
    #[serde(default)]
    pub cpu_us: u64,
}

/// The worker with these arguments.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(args);
    command
}

/// Runs one of the worker's cases.
pub fn case(name: &str) -> Vec<Life> {
    lines(&process::output(&mut command(&["case", name])))
}

/// Makes processes that die of signals. The second is the pid of what made them.
pub fn deaths() -> (Vec<Death>, u32) {
    let child = command(&["deaths"]).stdout(Stdio::piped()).spawn().expect("starting the worker");
    let maker = child.id();
    let output = child.wait_with_output().expect("waiting for the worker");
    assert!(output.status.success(), "{output:?}");
    (lines(std::str::from_utf8(&output.stdout).unwrap()), maker)
}

/// Children that use much of one thing, and a file in a directory.
pub fn costs(dir: &Path) -> Vec<Life> {
    lines(&process::output(command(&["costs"]).arg(dir)))
}

/// A child that ends when nobody waits for it.
pub fn unreaped() -> Usage {
    one(&process::output(&mut command(&["unreaped"])))
}

/// Makes execs that fail, of files in this directory.
pub fn failed_execs(dir: &str) -> Vec<FailedExec> {
    lines(&process::output(&mut command(&["failed-execs", dir])))
}

/// Makes a child that is born in a cgroup, given by its directory.
pub fn into_cgroup(dir: &str) -> Life {
    one(&process::output(&mut command(&["into-cgroup", dir])))
}

/// Makes a child for which the kernel makes threads; None, and loudly so, where it has no `io_uring`.
pub fn io_uring() -> Option<Life> {
    let output = command(&["io-uring"]).output().expect("starting the worker");
    if output.status.code() == Some(77) {
        // Not eprintln!, which the test runner would hide.
        let _ = std::io::stderr().write_all(b"\nSKIPPED in part: this kernel gives no io_uring\n");
        return None;
    }
    assert!(output.status.success(), "{output:?}");
    Some(one(std::str::from_utf8(&output.stdout).unwrap()))
}

/// Runs a storm to its end.
pub fn storm(kind: &str, count: u64, workers: u64) -> Storm {
    let (count, workers) = (count.to_string(), workers.to_string());
    one(&process::output(&mut command(&["storm", kind, &count, &workers])))
}

/// Makes processes that end in every way there is.
pub fn tally(count: u64, workers: u64) -> Tally {
    let (count, workers) = (count.to_string(), workers.to_string());
    one(&process::output(&mut command(&["tally", &count, &workers])))
}

/// Makes `count` processes that fork, exec and exit under the one pid that is given.
pub fn same_pid(pid: u32, count: u64) -> Storm {
    let (pid, count) = (pid.to_string(), count.to_string());
    one(&process::output(&mut command(&["same-pid", &pid, &count])))
}

/// A pid that nothing has and that the kernel gives to nothing by itself.
pub fn reserved_pid() -> u32 {
    let free = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
    (2..300).rev().find(free).expect("a free pid below 300")
}

/// A storm that goes on until it is dropped.
pub struct Endless(Child);

impl Endless {
    /// Starts the storm.
    pub fn start(kind: &str, workers: u64) -> Self {
        let mut command = command(&["storm", kind, "100000000", &workers.to_string()]);
        // Its own group, to end its children with it.
        Self(command.stdout(Stdio::null()).process_group(0).spawn().expect("starting a storm"))
    }

    /// The process that makes the others, of a storm with one worker.
    pub fn only_child(&self) -> u32 {
        let path = format!("/proc/{0}/task/{0}/children", self.0.id());
        let child = || fs::read_to_string(&path).expect(&path).trim().parse().ok();
        std::iter::repeat_with(child).flatten().next().expect("an endless iterator")
    }

    /// Whether it still rages.
    pub fn goes_on(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

fn lines<T: for<'a> Deserialize<'a>>(text: &str) -> Vec<T> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn one<T: for<'a> Deserialize<'a>>(text: &str) -> T {
    serde_json::from_str(text).expect(text)
}

/// Where it is, compiled when first used in this test run.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worker/worker.c");
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (made, path) = (dir.join(format!("worker.{}", std::process::id())), dir.join("worker"));
        let status = Command::new("clang")
            .args(["-O2", "-static", "-pthread", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&made, &source])
            .status()
            .expect("clang, which the build needs too");
        assert!(status.success(), "clang could not build {}: {status}", source.display());
        // Another test run may have it open: replaced in one step, never written to.
        fs::rename(&made, &path).expect("renaming the worker");
        path
    })
}
