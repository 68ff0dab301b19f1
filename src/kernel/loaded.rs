// SPDX-License-Identifier: MIT OR Apache-2.0
//! The skeleton of either mode: opened, configured, loaded and attached.

use std::mem::MaybeUninit;
use std::os::fd::IntoRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64};

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, OpenObject, ProgramMut};

use crate::host::cgroup;
use crate::kernel::config::{Cgroup, Config, Mode};
use crate::kernel::failed_execs::Hook;
use crate::kernel::refusal::{no_event, no_hierarchy, refused};
use crate::kernel::skel;
use crate::kernel::{place, preflight};
use crate::model::conditions::Conditions;
use crate::model::event::EventKind;
use crate::model::pid::PID_MAX_LIMIT;
use crate::runtime::report;

/// The loaded object of either mode: the two skeletons are distinct types with like members.
pub enum Loaded<'obj> {
    /// `bpf/proc.bpf.c`.
    Basic(Box<skel::proc::ProcSkel<'obj>>),
    /// `bpf/wide.bpf.c`.
    Wide(Box<skel::wide::WideSkel<'obj>>),
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
pub(super) use either;

/// With `--pid --follow`: processes that may be alive at the start.
const MAX_SEEDS: u32 = 1 << 16;
/// Tasks that are made or end while those are looked for, in a good 100 ms.
const MAX_MAKERS: u32 = 1 << 16;
/// Processes whose exit was told, and whose cost was not yet: those of half a second of a storm, for
/// a zombie has a place here until it is reaped.
const MAX_AWAITED: u32 = 1 << 14;
/// One `struct follow_block` of `bpf/filter.bpf.h` covers this many pids.
const PIDS_A_BLOCK: u32 = 64;
/// Cgroups of which it is remembered what they belong to; others are looked at again.
const MAX_PLACES: u32 = 1 << 14;

/// Opens a skeleton, sets what both modes have in common, and loads it.
macro_rules! load {
    ($builder:expr, $storage:expr, $config:expr, $cgroup:expr, |$open:ident, $rodata:ident| { $($more:tt)* }) => {{
        let config: &Config = $config;
        let choice = &config.choice;
        let mut $open = $builder.open($storage).map_err(|error| refused(&error, "open", config))?;
        $open.maps.events.set_max_entries(config.buffer_size)?;
        let follow = choice.follow || config.adopt;
        let seeds = if choice.follow { MAX_SEEDS } else { choice.pids.len().max(1) as u32 };
        $open.maps.pids.set_max_entries(seeds)?;
        $open.maps.makers.set_max_entries(if choice.follow { MAX_MAKERS } else { 1 })?;
        $open.maps.ppids.set_max_entries(choice.ppids.len().max(1) as u32)?;
        let blocks = if follow { PID_MAX_LIMIT / PIDS_A_BLOCK } else { 1 };
        $open.maps.descendants.set_max_entries(blocks)?;

        let $rodata = $open.maps.rodata_data.as_mut().context("the BPF object has no rodata")?;
        $rodata.wakeup_bytes = u64::from(config.buffer_size / 4);
        let wanted = EventKind::ALL.into_iter().filter(|kind| choice.captures(*kind));
        $rodata.wanted_events = wanted.fold(0, |bits, kind| bits | 1 << kind as u8);
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
        let cgroup: Option<&Cgroup<'_>> = $cgroup;
        $rodata.filter_cgroup = u8::from(cgroup.is_some());
        $rodata.wanted_cgroup = cgroup.map_or(0, |cgroup| cgroup.id);
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

        $open.load().map_err(|error| refused(&error, "load", config))?
    }};
}

/// Memory for the BPF object, which a `Tracer` borrows: for two, since the first may be refused
/// where another one is not.
#[derive(Debug)]
pub struct Storage([MaybeUninit<OpenObject>; 2]);

impl Storage {
    /// As yet unused.
    pub const fn uninit() -> Self {
        Self([const { MaybeUninit::uninit() }; 2])
    }
}

/// What keeps the programs attached.
#[derive(Debug)]
pub struct Links {
    /// Those that tell events.
    pub events: Vec<Link>,
    /// Those that are let go when all is read: of what tells what processes have cost, which comes
    /// late, and of failed execs at their own functions, which the kernel is slow to let go.
    pub late: Vec<Link>,
    /// What sees failed execs.
    pub failed_execs: Hook,
}

/// The variables in .bss that this program and the BPF programs share.
pub struct Shared<'obj> {
    /// A capture is under way.
    pub tracing: &'obj AtomicU32,
    /// What this process forks is followed.
    pub adopting: &'obj AtomicU32,
    /// `Learning`.
    pub learning: &'obj AtomicU32,
    /// Events that found no room, a count for each kind; and what processes have cost.
    pub lost: [&'obj AtomicU64; 5],
    /// Records that weren't asked for themselves, and found none.
    pub lost_unshown: &'obj AtomicU64,
    /// Those that are followed and have not ended.
    pub alive: &'obj AtomicI64,
    /// Of the wide mode: the paths that were sent in an earlier one are sent again.
    pub cgroup_epoch: Option<&'obj AtomicU32>,
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

/// Whether the BPF side doesn't tell every exit.
fn leaves_exits_out(config: &Config) -> bool {
    // No "..": with a new condition this has to be thought of anew.
    let Conditions {
        pids,
        ppids,
        comm,
        uid,
        cgroup,
        unit,
        container,
        failed,
        follow,
        // With these either all exits are told, or none is.
        kinds: _,
        failed_execs: _,
        // User space looks for these.
        pattern: _,
        since_ns: _,
        until_ns: _,
        min_duration_ns: _,
        min_cpu_ns: _,
        host: _,
    } = &config.choice;
    let who = !pids.is_empty() || !ppids.is_empty() || comm.is_some() || uid.is_some();
    let whereabouts = cgroup.is_some() || unit.is_some() || container.is_some();
    who || whereabouts || *failed || *follow || config.adopt
}

impl<'obj> Loaded<'obj> {
    /// Loads the BPF programs of a mode and attaches them.
    ///
    /// # Errors
    /// As for `Tracer::attach`.
    pub fn attach(
        storage: &'obj mut Storage,
        config: &Config,
        cgroup: Option<&Cgroup<'_>>,
    ) -> Result<(Self, Shared<'obj>, Links)> {
        let Storage([first, second]) = storage;
        let Mode::Wide { threads, max_args } = config.mode else {
            return Self::attach_basic(first, config, cgroup);
        };
        preflight::wide_mode()?;
        let wide =
            |storage, hook| Self::attach_wide(storage, config, cgroup, threads, max_args, hook);
        if !config.choice.captures(EventKind::ExecFailed) {
            return wide(first, Hook::None);
        }
        // Some machines and, before 6.4, arm64 refuse that. Any other error comes again.
        wide(first, Hook::OwnCalls).or_else(|error| {
            if config.verbose {
                report::say(format!(
                    "can't attach to the functions behind execve, so every system call is slowed: {error:#}"
                ));
            }
            wide(second, Hook::EveryCall)
        })
    }

    fn attach_basic(
        storage: &'obj mut MaybeUninit<OpenObject>,
        config: &Config,
        cgroup: Option<&Cgroup<'_>>,
    ) -> Result<(Self, Shared<'obj>, Links)> {
        let tracefs = preflight::basic_mode()?;
        let builder = skel::proc::ProcSkelBuilder::default();
        let mut skel = load!(builder, storage, config, cgroup, |open, rodata| {});
        let mut events = Vec::new();
        for (name, program) in [
            ("sched_process_exit", &skel.progs.handle_exit),
            ("sched_process_exec", &skel.progs.handle_exec),
            ("sched_process_fork", &skel.progs.handle_fork),
        ] {
            let event = tracefs.open_sched_event(name).map_err(|error| no_event(name, &error))?;
            // The link owns the descriptor from here on, and closes it.
            let link = program.attach_perf_event(event.into_raw_fd());
            events.push(link.map_err(|error| refused(&error, "attach", config))?);
        }
        let shared = shared!(skel, |bss| None);
        let links = Links { events, late: Vec::new(), failed_execs: Hook::None };
        Ok((Self::Basic(Box::new(skel)), shared, links))
    }

    fn attach_wide(
        storage: &'obj mut MaybeUninit<OpenObject>,
        config: &Config,
        cgroup: Option<&Cgroup<'_>>,
        threads: bool,
        max_args: u32,
        failed_execs: Hook,
    ) -> Result<(Self, Shared<'obj>, Links)> {
        let builder = skel::wide::WideSkelBuilder::default();
        let exits = config.choice.captures(EventKind::Exit);
        let root = cgroup::root_id();
        let wanted_place = place::wanted(&config.choice);
        if wanted_place != 0 && root.is_none() {
            return Err(no_hierarchy().into());
        }
        let mut skel = load!(builder, storage, config, cgroup, |open, rodata| {
            rodata.wanted_place = wanted_place;
            if wanted_place != 0 {
                open.maps.places.set_max_entries(MAX_PLACES)?;
            }
            rodata.show_threads = u8::from(threads);
            rodata.max_args = max_args;
            rodata.keep_lives = u8::from(exits);
            rodata.keep_execs = u8::from(failed_execs != Hook::None);
            let some = leaves_exits_out(config);
            rodata.some_exits = u8::from(some);
            open.maps.awaited.set_max_entries(if some { MAX_AWAITED } else { 1 })?;
            rodata.name_cgroups = u8::from(root.is_some());
            rodata.cgroup_root = root.unwrap_or_default();
            open.progs.wide_deliver.set_autoload(exits);
            failed_execs.choose(&mut open)?;
            let casts = preflight::can_cast();
            for (plain, cast) in [
                (&mut open.progs.wide_exit, &mut open.progs.wide_exit_cast),
                (&mut open.progs.wide_exec, &mut open.progs.wide_exec_cast),
                (&mut open.progs.wide_fork, &mut open.progs.wide_fork_cast),
                (&mut open.progs.wide_free, &mut open.progs.wide_free_cast),
                (&mut open.progs.wide_signal, &mut open.progs.wide_signal_cast),
            ] {
                plain.set_autoload(!casts);
                cast.set_autoload(casts);
            }
            if !exits {
                open.progs.wide_signal.set_autoload(false);
                open.progs.wide_signal_cast.set_autoload(false);
            }
        });
        let attach = |program: &ProgramMut<'_>| {
            program.attach().map_err(|error| refused(&error, "attach", config))
        };
        // Before the exits, so that each of them has its cost.
        let free = [&skel.progs.wide_free, &skel.progs.wide_free_cast];
        let free = free.into_iter().find(|program| exits && program.autoload());
        let late = free.into_iter().chain(own_call_programs(&skel));
        let late = late.map(attach).collect::<Result<_>>()?;
        let progs = &skel.progs;
        let signals = [&progs.wide_signal, &progs.wide_signal_cast, &progs.wide_deliver];
        let signals = signals.into_iter().filter(|program| program.autoload());
        let events = event_programs(&skel).chain(signals);
        let events = events.map(attach).collect::<Result<_>>()?;
        let shared = shared!(skel, |bss| Some(AtomicU32::from_ptr(&raw mut bss.cgroup_epoch)));
        Ok((Self::Wide(Box::new(skel)), shared, Links { events, late, failed_execs }))
    }
}

/// Those that tell of failed execs at their own functions, as far as they were loaded.
pub fn own_call_programs<'a, 'obj>(
    skel: &'a skel::wide::WideSkel<'obj>,
) -> impl Iterator<Item = &'a ProgramMut<'obj>> {
    let progs = &skel.progs;
    let all =
        [&progs.wide_execve, &progs.wide_execveat, &progs.wide_execve_32, &progs.wide_execveat_32];
    all.into_iter().filter(|program| program.autoload())
}

/// The other programs of the wide mode that tell events, as far as they were loaded.
pub fn event_programs<'a, 'obj>(
    skel: &'a skel::wide::WideSkel<'obj>,
) -> impl Iterator<Item = &'a ProgramMut<'obj>> {
    let progs = &skel.progs;
    let all = [
        &progs.wide_exec_failed,
        &progs.wide_exit,
        &progs.wide_exit_cast,
        &progs.wide_exec,
        &progs.wide_exec_cast,
        &progs.wide_fork,
        &progs.wide_fork_cast,
    ];
    all.into_iter().filter(|program| program.autoload())
}
