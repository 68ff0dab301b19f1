// SPDX-License-Identifier: MIT OR Apache-2.0
//! CPU time and memory, as /proc counts them: of the machine, and of each process so far.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use procfs::process::Stat;
use procfs::{CurrentSI as _, FromRead as _, KernelStats};

use super::running;
use crate::model::event::Comm;

/// CPU time of the whole machine since its boot, in nanoseconds; counted in clock ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// All that wasn't idle, waiting for I/O or taken by a hypervisor: `user`, `nice`, `system`,
    /// `irq` and `softirq` of /proc/stat.
    pub busy_ns: u64,
    /// Of that, in interrupts: `irq` and `softirq`.
    pub interrupts_ns: u64,
    /// What a hypervisor took while something wanted to run: `steal`, no part of the first.
    pub stolen_ns: u64,
}

/// What /proc/stat tells of all CPUs together.
pub fn machine() -> Option<Machine> {
    let cpu = KernelStats::current().ok()?.total;
    let interrupts = cpu.irq.unwrap_or(0) + cpu.softirq.unwrap_or(0);
    let busy = cpu.user + cpu.nice + cpu.system + interrupts;
    let stolen_ns = nanos(cpu.steal.unwrap_or(0));
    Some(Machine { busy_ns: nanos(busy), interrupts_ns: nanos(interrupts), stolen_ns })
}

/// What a process that is alive has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Its process id.
    pub pid: u32,
    /// Its parent's.
    pub ppid: u32,
    /// Its name.
    pub comm: Comm,
    /// CPU time of all its threads, those that ended included, in nanoseconds; cut to a tick.
    pub cpu_ns: u64,
    /// Its resident set.
    pub rss_bytes: u64,
    /// It is one of the kernel's own.
    pub is_kernels: bool,
    /// It has ended, and its parent has not waited for it yet.
    pub is_zombie: bool,
}

/// All processes that this one can see; those that end meanwhile are left out. None inside a PID
/// namespace: their pids there are not those that events have.
pub fn all() -> impl Iterator<Item = Usage> {
    let proc = running::pids_are_the_kernels().then(|| fs::read_dir("/proc"));
    let entries = proc.into_iter().flatten().flatten();
    entries.filter_map(|entry| of(entry.ok()?.file_name().to_str()?.parse().ok()?))
}

/// What a process has used; also of a zombie.
pub fn of(pid: u32) -> Option<Usage> {
    /// `PF_KTHREAD` of include/linux/sched.h
    const KERNEL_THREAD: u32 = 0x0020_0000;
    let stat = Stat::from_file(format!("/proc/{pid}/stat")).ok()?;
    Some(Usage {
        pid,
        ppid: stat.ppid.try_into().ok()?,
        comm: name(pid, &stat.comm),
        cpu_ns: nanos(stat.utime + stat.stime),
        rss_bytes: stat.rss * procfs::page_size(),
        is_kernels: stat.flags & KERNEL_THREAD != 0,
        is_zombie: stat.state == 'Z',
    })
}

/// A process' name, as events have it. `stat` shows backslashes and line breaks escaped, and what
/// isn't UTF-8 is read as U+FFFD; `comm` has the bytes, but costs a file more for each process.
fn name(pid: u32, in_stat: &str) -> Comm {
    if in_stat.contains(['\u{fffd}', '\\']) {
        if let Ok(bytes) = fs::read(format!("/proc/{pid}/comm")) {
            return Comm::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        }
    }
    Comm::new(in_stat.as_bytes())
}

/// The user that a process runs as.
pub fn user(pid: u32) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// The path of its cgroup in the hierarchy of version 2.
pub fn cgroup(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
}

fn nanos(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000_000_000 / procfs::ticks_per_second().max(1))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_this_process_uses_is_counted() {
        let before = (of(std::process::id()).expect("alive"), machine().expect("/proc/stat"));
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(60) {
            std::hint::spin_loop();
        }
        let me = all().find(|process| process.pid == std::process::id()).expect("listed");
        assert!(me.cpu_ns > before.0.cpu_ns && me.rss_bytes > 0);
        assert!(machine().expect("/proc/stat").busy_ns > before.1.busy_ns);
        assert!(!me.is_kernels && !me.is_zombie);
        assert_eq!(user(me.pid), Some(rustix::process::geteuid().as_raw()));
        // Where there is none but the old hierarchies, there is no path.
        assert!(cgroup(me.pid).is_none_or(|path| path.starts_with('/')));
    }

    #[test]
    fn names_may_be_any_bytes() {
        let script = r"printf 'n\377\\\nm' > /proc/$$/comm; echo; read -r line";
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().expect("a shell");
        let said = shell.stdout.take().expect("a pipe");
        BufReader::new(said).read_line(&mut String::new()).expect("its name is written");
        let found = of(shell.id());
        drop(shell.stdin.take());
        shell.wait().expect("it ends");
        assert_eq!(found.expect("alive").comm.as_bytes(), b"n\xff\\\nm");
    }
}
