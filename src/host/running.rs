// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processes that ran before the trace began, as /proc tells of them.

use std::fs::{self, File};
use std::io::Read as _;
use std::iter;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use procfs::FromRead as _;
use procfs::process::{Process, Stat};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use rustix::time::ClockId;

use crate::host::clock::{boottime_ns, monotonic_ns, now_ns};
use crate::model::cost::{Cost, ProcessCost};
use crate::model::event::{Args, Comm};

/// How often, a millisecond apart, it is looked whether a process sleeps.
const MAX_LOOKS: u32 = 20;

/// A process that is there already.
#[derive(Clone, Debug)]
pub struct Running {
    /// Its process id.
    pub pid: u32,
    /// Its parent's.
    pub ppid: u32,
    /// When it began, the kernel's `CLOCK_BOOTTIME`, in nanoseconds, cut to a clock tick (10 ms).
    pub start_boot_ns: u64,
    /// The same on `CLOCK_MONOTONIC`: too early by the time that the machine was suspended since,
    /// which isn't known.
    pub start_ns: u64,
    /// Its name.
    pub comm: Comm,
}

/// All processes that this one can see. Those that end meanwhile are left out. None inside a PID
/// namespace: their pids there are not those that events have.
pub fn all() -> Vec<Running> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    if !pids_are_the_kernels() {
        return Vec::new();
    }
    let suspended = suspended_ns();
    // Not procfs' all_processes: it makes three times as many system calls, for each of thousands.
    entries
        .filter_map(|entry| one(entry.ok()?.file_name().to_str()?.parse().ok()?, suspended))
        .collect()
}

/// The parent of this process, its parent and so on. None inside a PID namespace.
pub fn ancestors() -> Vec<Running> {
    if !pids_are_the_kernels() {
        return Vec::new();
    }
    let suspended = suspended_ns();
    let me = one(std::process::id(), suspended);
    let parent = |process: &Running| one(process.ppid, suspended);
    iter::successors(me.as_ref().and_then(parent), parent).collect()
}

fn one(pid: u32, suspended_ns: u64) -> Option<Running> {
    let stat = Stat::from_file(format!("/proc/{pid}/stat")).ok()?;
    let tick_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
    let start_boot_ns = boottime_ns(stat.starttime * tick_ns);
    Some(Running {
        pid,
        ppid: stat.ppid.try_into().ok()?,
        start_boot_ns,
        start_ns: start_boot_ns.saturating_sub(suspended_ns),
        comm: Comm::new(stat.comm.as_bytes()),
    })
}

/// How long the machine was suspended since it was booted, which `CLOCK_MONOTONIC` doesn't count.
fn suspended_ns() -> u64 {
    boottime_ns(now_ns(ClockId::Boottime)).saturating_sub(monotonic_ns())
}

/// Whether a process has ended and been waited for, where [`pids_are_the_kernels`].
pub fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Not by /proc, which may hide it.
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Whether /proc shows it.
pub fn is_visible(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Whether /proc is mounted with `hidepid`: it then shows others' processes only to those who may
/// trace them.
pub fn are_hidden() -> bool {
    let mounts = Process::myself().and_then(|me| me.mountinfo());
    mounts.is_ok_and(|mounts| {
        let mut proc = mounts.into_iter().filter(|mount| mount.mount_point == Path::new("/proc"));
        proc.next_back().is_some_and(|mount| mount.super_options.contains_key("hidepid"))
    })
}

/// Whether /proc counts pids as the kernel does, and not as a PID namespace of its own.
pub fn pids_are_the_kernels() -> bool {
    /// `PROC_PID_INIT_INO` of include/uapi/linux/nsfs.h
    const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
    fs::metadata("/proc/self/ns/pid").is_ok_and(|meta| meta.ino() == INITIAL_PID_NAMESPACE)
}

/// The arguments of a process now; `None` for a kernel thread, or when it is gone.
pub fn args(pid: u32, max: usize) -> Option<Args> {
    let cmdline = File::open(format!("/proc/{pid}/cmdline")).ok()?;
    let mut bytes = Vec::with_capacity(256);
    cmdline.take(max as u64 + 1).read_to_end(&mut bytes).ok()?;
    let truncated = bytes.len() > max;
    bytes.truncate(max);
    (!bytes.is_empty()).then(|| Args::new(&bytes, truncated))
}

/// What a process with one thread that sleeps has cost so far; none where /proc doesn't tell.
pub fn cost_of_sleeper(pid: u32) -> Option<Cost> {
    /// How the kernel counts: `ru_inblock` of getrusage(2).
    const BLOCK: u64 = 512;
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    // What runs is only counted up to the last tick. It is on its way to sleep.
    let stat = (0..MAX_LOOKS).find_map(|look| {
        sleep(Duration::from_millis(u64::from(look > 0)));
        process.stat().ok().filter(|stat| stat.state == 'S')
    })?;
    let schedstat = process.schedstat().ok().filter(|schedstat| schedstat.pcount > 0)?;
    let status = process.status().ok()?;
    let io = process.io().ok();
    Some(Cost {
        cpu_ns: schedstat.sum_exec_runtime,
        cpu_wait_ns: Some(schedstat.run_delay),
        process: Some(ProcessCost {
            max_rss_bytes: 0,
            minor_faults: stat.minflt,
            major_faults: stat.majflt,
            voluntary_switches: status.voluntary_ctxt_switches?,
            involuntary_switches: status.nonvoluntary_ctxt_switches?,
            blocks: io.map(|io| (io.read_bytes / BLOCK * BLOCK, io.write_bytes / BLOCK * BLOCK)),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_process_and_its_parent() {
        let me = std::process::id();
        let found = all().into_iter().find(|process| process.pid == me).expect("listed");
        assert_eq!(found.ppid, std::os::unix::process::parent_id());
        let now = monotonic_ns();
        assert!(found.start_ns <= now + 20_000_000 && found.start_ns > 0);
        assert!(found.start_boot_ns <= boottime_ns(now_ns(ClockId::Boottime)));
        assert!(found.start_boot_ns >= found.start_ns);
        let name = fs::read("/proc/self/comm").expect("it is this process'");
        assert_eq!(found.comm.as_bytes(), name.trim_ascii_end());
        let up: Vec<_> = ancestors().iter().map(|process| process.pid).collect();
        assert_eq!(up.first(), Some(&found.ppid));
        assert_eq!(up.last(), Some(&1));
    }

    #[test]
    fn reads_arguments_up_to_a_limit() {
        let me = std::process::id();
        let all = args(me, 4096).expect("a test has arguments");
        assert!(!all.truncated && all.iter().next().is_some());
        let cut = args(me, 3).expect("a test has arguments");
        assert!(cut.truncated);
        assert_eq!(cut.iter().next().map(<[u8]>::len), Some(3));
    }
}
