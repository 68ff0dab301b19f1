// SPDX-License-Identifier: MIT OR Apache-2.0
//! The skeleton's life: open, configure, load, attach, read, detach. Nothing else touches it.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, IntoRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{ErrorKind, Link, MapCore as _, MapFlags, MapMut, OpenObject, PrintLevel};
use rustix::thread::{CapabilitySet, MembarrierCommand, membarrier};

use crate::host::cgroup;
use crate::kernel::preflight;
use crate::kernel::ring::Ring;
use crate::kernel::skel;
use crate::kernel::wire::{self, Decoded, Maker, WireError};
use crate::model::conditions::Conditions;
use crate::model::event::{EventKind, Lost};
use crate::model::failure::{Exit, Failure};
use crate::model::pid::PID_MAX_LIMIT;
use crate::runtime::report;
use crate::runtime::rights;

/// Which set of BPF programs runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `bpf/proc.bpf.c`.
    Basic,
    /// `bpf/wide.bpf.c`.
    Wide {
        /// Tell of threads, too.
        threads: bool,
        /// Bytes of an argument array that are kept.
        max_args: u32,
    },
}

/// How far `--follow` relies on the BPF side: `bpf/filter.bpf.h` has the same values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Learning {
    /// It knows all that are followed.
    Over = 0,
    /// It lets all events pass.
    All = 1,
    /// It lets pass only those that it knows.
    Known = 2,
}

/// What to trace, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The set of programs.
    pub mode: Mode,
    /// The events to keep; all but the pattern is decided in BPF.
    pub choice: Conditions,
    /// Follow what this process forks between [`Tracer::set_adopting`] on and off.
    pub adopt: bool,
    /// Size of the ring buffer in bytes: a power of two, and a multiple of the page size.
    pub buffer_size: u32,
    /// Let libbpf say on standard error what it does.
    pub verbose: bool,
}

/// Memory for the BPF object, which a [`Tracer`] borrows.
pub type Storage = MaybeUninit<OpenObject>;

/// The loaded object of either mode: the two skeletons are distinct types with like members.
enum Loaded<'obj> {
    Basic(skel::proc::ProcSkel<'obj>),
    Wide(skel::wide::WideSkel<'obj>),
}

/// Evaluates the same expression for whichever skeleton is loaded.
macro_rules! either {
    ($loaded:expr, $skel:ident => $value:expr) => {
        match $loaded {
            Loaded::Basic($skel) => $value,
            Loaded::Wide($skel) => $value,
        }
    };
}

/// With `--pid --follow`: processes that may be alive at the start.
const MAX_SEEDS: u32 = 1 << 16;
/// Tasks that are made or end while those are looked for, in a good 100 ms.
const MAX_MAKERS: u32 = 1 << 16;
/// One `struct follow_block` of `bpf/filter.bpf.h` covers this many pids.
const PIDS_A_BLOCK: u32 = 64;

/// Opens a skeleton, sets what both modes have in common, and loads it.
macro_rules! load {
    ($builder:expr, $storage:expr, $config:expr, $cgroup:expr, |$rodata:ident| { $($more:tt)* }) => {{
        let config: &Config = $config;
        let choice = &config.choice;
        let mut open = $builder.open($storage).map_err(|error| refused(&error, "open", config))?;
        open.maps.events.set_max_entries(config.buffer_size)?;
        let follow = choice.follow || config.adopt;
        let seeds = if choice.follow { MAX_SEEDS } else { choice.pids.len().max(1) as u32 };
        open.maps.pids.set_max_entries(seeds)?;
        open.maps.makers.set_max_entries(if choice.follow { MAX_MAKERS } else { 1 })?;
        open.maps.ppids.set_max_entries(choice.ppids.len().max(1) as u32)?;
        let blocks = if follow { PID_MAX_LIMIT / PIDS_A_BLOCK } else { 1 };
        open.maps.descendants.set_max_entries(blocks)?;

        let $rodata = open.maps.rodata_data.as_mut().context("the BPF object has no rodata")?;
        $rodata.wakeup_bytes = u64::from(config.buffer_size / 4);
        $rodata.wanted_events = choice.kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8);
        if choice.kinds.is_empty() {
            $rodata.wanted_events = u8::MAX;
        }
        $rodata.filter_pids = u8::from(!choice.pids.is_empty() && !follow);
        $rodata.filter_ppids = u8::from(!choice.ppids.is_empty());
        $rodata.filter_comm = u8::from(choice.comm.is_some());
        if let Some(comm) = &choice.comm {
            for (to, from) in $rodata.wanted_comm.iter_mut().zip(comm.bytes()) {
                *to = from as i8;
            }
        }
        $rodata.filter_uid = u8::from(choice.uid.is_some());
        $rodata.wanted_uid = choice.uid.unwrap_or_default();
        let cgroup: &Option<Cgroup> = $cgroup;
        $rodata.filter_cgroup = u8::from(cgroup.is_some());
        $rodata.wanted_cgroup = cgroup.as_ref().map_or(0, |cgroup| cgroup.id);
        $rodata.only_failed = u8::from(choice.failed);
        $rodata.follow = u8::from(follow);
        $rodata.learn = u8::from(choice.follow);
        if config.adopt {
            let namespace = std::fs::metadata("/proc/self/ns/pid").context("/proc is needed")?;
            $rodata.own_tgid = std::process::id();
            $rodata.own_pidns_dev = namespace.dev();
            $rodata.own_pidns_ino = namespace.ino();
        }
        $($more)*

        open.load().map_err(|error| refused(&error, "load", config))?
    }};
}

/// The variables in .bss that this program and the BPF programs share.
struct Shared<'obj> {
    tracing: &'obj AtomicU32,
    adopting: &'obj AtomicU32,
    learning: &'obj AtomicU32,
    lost: [&'obj AtomicU64; 3],
    lost_unshown: &'obj AtomicU64,
    alive: &'obj AtomicI64,
    /// Of the wide mode.
    cgroup_epoch: Option<&'obj AtomicU32>,
}

/// Takes them out of a skeleton.
macro_rules! shared {
    ($skel:expr, |$bss:ident| $cgroup_epoch:expr) => {{
        let $bss = $skel.maps.bss_data.take().context("the BPF object has no bss")?;
        let lost = &raw mut $bss.lost;
        // SAFETY: this was the only reference to them; libbpf keeps them mapped, writable and
        // aligned for as long as the skeleton lives; and the BPF programs change them atomically.
        unsafe {
            Shared {
                tracing: AtomicU32::from_ptr(&raw mut $bss.tracing),
                adopting: AtomicU32::from_ptr(&raw mut $bss.adopting),
                learning: AtomicU32::from_ptr(&raw mut $bss.learning),
                lost: std::array::from_fn(|kind| AtomicU64::from_ptr(&raw mut (*lost)[kind])),
                lost_unshown: AtomicU64::from_ptr(&raw mut $bss.lost_unshown),
                alive: AtomicI64::from_ptr(&raw mut $bss.alive),
                cgroup_epoch: $cgroup_epoch,
            }
        }
    }};
}

/// A running trace.
pub struct Tracer<'obj> {
    loaded: Loaded<'obj>,
    shared: Shared<'obj>,
    links: RefCell<Vec<Link>>,
    /// Bytes of the ring buffer's data.
    buffer_size: u32,
    /// The maps that `--follow` learns from are read and written while the trace runs.
    learns: bool,
}

impl fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("attached", &self.links.borrow().len()).finish()
    }
}

impl<'obj> Tracer<'obj> {
    /// Loads the BPF programs of a mode and attaches them; [`Self::begin`] starts them.
    ///
    /// # Errors
    /// A [`Failure`] where the kernel or the rights don't allow it.
    pub fn attach(storage: &'obj mut Storage, config: &Config) -> Result<Self> {
        libbpf_rs::set_print(config.verbose.then_some((PrintLevel::Debug, print_libbpf)));
        let refused = |error: libbpf_rs::Error| refused(&error, "attach", config);
        let cgroup = config.choice.cgroup.as_deref().map(Cgroup::open).transpose()?;
        let (loaded, shared, links) = match config.mode {
            Mode::Basic => {
                let tracefs = preflight::basic_mode()?;
                let builder = skel::proc::ProcSkelBuilder::default();
                let mut skel = load!(builder, storage, config, &cgroup, |rodata| {});
                let mut links = Vec::new();
                for (name, program) in [
                    ("sched_process_exit", &skel.progs.handle_exit),
                    ("sched_process_exec", &skel.progs.handle_exec),
                    ("sched_process_fork", &skel.progs.handle_fork),
                ] {
                    let event =
                        tracefs.open_sched_event(name).map_err(|error| no_event(name, &error))?;
                    // The link owns the descriptor from here on, and closes it.
                    links.push(program.attach_perf_event(event.into_raw_fd()).map_err(refused)?);
                }
                let shared = shared!(skel, |bss| None);
                (Loaded::Basic(skel), shared, links)
            }
            Mode::Wide { threads, max_args } => {
                preflight::wide_mode()?;
                let builder = skel::wide::WideSkelBuilder::default();
                let kinds = &config.choice.kinds;
                let exits = kinds.is_empty() || kinds.contains(&EventKind::Exit);
                let mut skel = load!(builder, storage, config, &cgroup, |rodata| {
                    rodata.show_threads = u8::from(threads);
                    rodata.max_args = max_args;
                    rodata.keep_lives = u8::from(exits);
                    let root = cgroup::root_id();
                    rodata.name_cgroups = u8::from(root.is_some());
                    rodata.cgroup_root = root.unwrap_or_default();
                });
                let progs = &skel.progs;
                let links = [&progs.wide_exit, &progs.wide_exec, &progs.wide_fork]
                    .map(|program| program.attach().map_err(refused));
                let links = links.into_iter().collect::<Result<_>>()?;
                let shared =
                    shared!(skel, |bss| Some(AtomicU32::from_ptr(&raw mut bss.cgroup_epoch)));
                (Loaded::Wide(skel), shared, links)
            }
        };
        let links = RefCell::new(links);
        let (buffer_size, learns) = (config.buffer_size, config.choice.follow);
        let tracer = Self { loaded, shared, links, buffer_size, learns };
        tracer.choose(&config.choice, cgroup.as_ref())?;
        Ok(tracer)
    }

    /// Fills the maps that the filters look into.
    fn choose(&self, choice: &Conditions, cgroup: Option<&Cgroup>) -> Result<()> {
        either!(&self.loaded, skel => {
            for pid in &choice.ppids {
                skel.maps.ppids.update(&pid.to_ne_bytes(), &[1], MapFlags::ANY)?;
            }
            if let Some(cgroup) = cgroup {
                let fd = cgroup.dir.as_raw_fd().to_ne_bytes();
                let updated = skel.maps.cgroups.update(&0_u32.to_ne_bytes(), &fd, MapFlags::ANY);
                updated.map_err(|_| no_cgroup(format!("{} is not a cgroup2 directory", cgroup.path)))?;
            }
        });
        for pid in &choice.pids {
            self.add_pid(*pid)?;
        }
        Ok(())
    }

    /// Adds a process to those that are kept or followed.
    ///
    /// # Errors
    /// More than 65,536 processes are named.
    pub fn add_pid(&self, pid: u32) -> Result<()> {
        either!(&self.loaded, skel => {
            skel.maps.pids.update(&pid.to_ne_bytes(), &[1], MapFlags::ANY)
        })
        .context("too many processes to follow (more than 65,536)")
    }

    /// Who made a task, as far as it was noted while [`Self::set_learning`] was on.
    pub fn maker(&self, task: u32) -> Option<Maker> {
        let value = either!(&self.loaded, skel => {
            skel.maps.makers.lookup(&task.to_ne_bytes(), MapFlags::ANY)
        });
        plain::from_bytes(&value.ok()??).ok().copied()
    }

    /// All tasks whose maker was noted, with it.
    pub fn makers(&self) -> Vec<(u32, Maker)> {
        let keys = either!(&self.loaded, skel => skel.maps.makers.keys());
        let tasks = keys.filter_map(|key| Some(u32::from_ne_bytes(key.try_into().ok()?)));
        tasks.filter_map(|task| Some((task, self.maker(task)?))).collect()
    }

    /// Begins the capture, for all kinds of events at one instant, which is returned: none is
    /// older.
    pub fn begin(&self) -> Instant {
        let began = Instant::now();
        self.shared.tracing.store(1, Ordering::Relaxed);
        began
    }

    /// While set, what this process forks is followed, and all that descends from it.
    pub fn set_adopting(&self, on: bool) {
        self.shared.adopting.store(u32::from(on), Ordering::Relaxed);
    }

    /// Whether any of those that were adopted, or a descendant, is still alive.
    pub fn any_alive(&self) -> bool {
        self.shared.alive.load(Ordering::Relaxed) > 0
    }

    /// What [`Self::add_pid`] and [`Self::maker`] need: up to 5.18 every `bpf(2)` call takes
    /// `CAP_BPF` where `kernel.unprivileged_bpf_disabled` is set, as it is by default; since then
    /// only the making of maps and programs does. A capture that follows nobody makes no such call
    /// but [`Self::missed`], and those kernels don't count what that asks for.
    pub fn rights_to_read(&self) -> CapabilitySet {
        match self.learns && kernel_before(5, 19) {
            true if rights::has(CapabilitySet::BPF) => CapabilitySet::BPF,
            true => CapabilitySet::SYS_ADMIN, // all that a container may have been given
            false => CapabilitySet::empty(),
        }
    }

    /// From here on the path of each cgroup is sent once more, before the next event in it.
    pub fn retell_cgroups(&self) {
        if let Some(epoch) = self.shared.cgroup_epoch {
            epoch.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How far `--follow` relies on the BPF side.
    pub fn set_learning(&self, learning: Learning) {
        self.shared.learning.store(learning as u32, Ordering::Relaxed);
    }

    /// Events lost so far because the ring buffer was full. Reads memory, makes no system call.
    pub fn lost(&self) -> Lost {
        Lost::new(self.shared.lost.map(|count| count.load(Ordering::Relaxed)))
    }

    /// Records lost so far that weren't to be shown, but that later lines need.
    pub fn lost_unshown(&self) -> u64 {
        self.shared.lost_unshown.load(Ordering::Relaxed)
    }

    /// Times that the kernel did not run a handler because another BPF program (or the same one,
    /// where handlers can be preempted) was running on that CPU: events that may be missing, the
    /// unwanted ones included. Counted by kernels from 6.7 on.
    pub fn missed(&self) -> u64 {
        let programs: [BorrowedFd<'_>; 3] = match &self.loaded {
            Loaded::Basic(skel) => {
                let progs = &skel.progs;
                [progs.handle_fork.as_fd(), progs.handle_exec.as_fd(), progs.handle_exit.as_fd()]
            }
            Loaded::Wide(skel) => {
                let progs = &skel.progs;
                [progs.wide_fork.as_fd(), progs.wide_exec.as_fd(), progs.wide_exit.as_fd()]
            }
        };
        programs.into_iter().map(recursion_misses).sum()
    }

    /// Decodes a record of [`Self::ring`].
    ///
    /// # Errors
    /// It is not what the programs of this mode send.
    pub fn decode(&self, record: &[u8]) -> Result<Decoded, WireError> {
        match self.loaded {
            Loaded::Basic(_) => wire::decode_basic(record),
            Loaded::Wide(_) => wire::decode_wide(record),
        }
    }

    /// The ring buffer that records arrive on, in the order in which the events happened.
    ///
    /// # Errors
    /// It can't be mapped.
    pub fn ring(&self) -> Result<Ring<'_>> {
        let events: &MapMut<'_> = either!(&self.loaded, skel => &skel.maps.events);
        Ring::new(events.as_fd(), self.buffer_size as usize).context("can't map the ring buffer")
    }

    /// Ends the tracing, at the instant that is returned; what the ring buffer holds stays
    /// readable.
    pub fn detach(&self) -> Instant {
        self.shared.tracing.store(0, Ordering::Relaxed);
        let ended = Instant::now();
        // For the basic mode the kernel waits here until no handler runs any more; before 6.13 only
        // where nobody else has the tracepoint open.
        self.links.borrow_mut().clear();
        if matches!(self.loaded, Loaded::Wide(_)) || kernel_before(6, 13) {
            // Else we do. Kernels with nohz_full CPUs refuse it, and from 7.0 on it doesn't cover
            // a handler that is preempted: the reader has to heed what is reserved.
            let _ = membarrier(MembarrierCommand::Global);
        }
        ended
    }
}

/// Whether the running kernel is older. Of one that doesn't tell, the worst is assumed.
fn kernel_before(major: u32, minor: u32) -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(x), Some(y)) => (x, y) < (major, minor),
        _ => true,
    }
}

/// 0 where the kernel doesn't count them, or (before 6.0) not for those without rights.
fn recursion_misses(program: BorrowedFd<'_>) -> u64 {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let mut len = size_of_val(&info) as u32;
    // SAFETY: the kernel writes at most `len` bytes, the size of `info`, and reads the pointers
    // in it only where their counts are not 0; an older kernel leaves what it doesn't know at 0.
    let error = unsafe {
        libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut len)
    };
    if error == 0 { info.recursion_misses } else { 0 }
}

fn print_libbpf(_level: PrintLevel, message: String) {
    // It names itself in each line.
    message.lines().for_each(report::say);
}

/// Tells why the kernel refused the BPF object at `step`.
fn refused(error: &libbpf_rs::Error, step: &str, config: &Config) -> anyhow::Error {
    let more = if config.verbose { "" } else { "; -v shows libbpf's messages" };
    match (error.kind(), preflight::lockdown()) {
        // The verifier does not know the helpers that lockdown withholds, and says EINVAL.
        (ErrorKind::PermissionDenied | ErrorKind::InvalidInput, Err(locked)) => locked.into(),
        (ErrorKind::PermissionDenied, _) => Failure::new(
            Exit::Rights,
            format!("the kernel refused to {step} the BPF programs: {error}"),
            format!(
                "run it as root outside of containers; before Linux 5.11 also: ulimit -l unlimited{more}"
            ),
        )
        .into(),
        (ErrorKind::OutOfMemory, _) => anyhow!(
            "no memory for a ring buffer of {} bytes\nuse a smaller --buffer-size",
            config.buffer_size
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel can't {step} the BPF programs: {error}"),
            format!("tuxscope needs Linux 5.8 or newer{more}"),
        )
        .into(),
    }
}

/// The cgroup that `--cgroup` names.
struct Cgroup<'a> {
    path: &'a str,
    dir: File,
    id: u64,
}

impl<'a> Cgroup<'a> {
    fn open(path: &'a str) -> Result<Self> {
        let no = |error| no_cgroup(format!("can't open the cgroup {path}: {error}"));
        let dir = cgroup::open(path).map_err(no)?;
        let id = dir.metadata().map_err(no)?.ino();
        Ok(Self { path, dir, id })
    }
}

/// Tells what `--cgroup` takes.
fn no_cgroup(what: String) -> Failure {
    Failure::new(
        Exit::Usage,
        what,
        "--cgroup takes a directory below the cgroup2 mount (/sys/fs/cgroup or /sys/fs/cgroup/unified)",
    )
}

/// Tells why a tracepoint could not be opened.
fn no_event(name: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Rights,
            format!("no permission to open the tracepoint sched:{name}: {error}"),
            "run it as root (sudo tuxscope ...), in a container with CAP_PERFMON and tracefs",
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel has no tracepoint sched:{name}: {error}"),
            "boot a kernel with CONFIG_FTRACE=y and CONFIG_PERF_EVENTS=y",
        ),
    }
}
