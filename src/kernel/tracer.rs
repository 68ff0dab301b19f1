// SPDX-License-Identifier: MIT OR Apache-2.0
//! A running trace: begin, read, choose, detach. Nothing else touches the skeletons once they are
//! attached.

use std::cell::RefCell;
use std::fmt;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context as _, Result};
use libbpf_rs::{MapCore as _, MapFlags, MapMut, PrintLevel};
use rustix::thread::{CapabilitySet, MembarrierCommand, membarrier};

use crate::kernel::config::{Cgroup, Config, no_cgroup};
use crate::kernel::failed_execs::Hook;
pub use crate::kernel::loaded::Storage;
use crate::kernel::loaded::{Links, Loaded, Shared, either, event_programs, own_call_programs};
use crate::kernel::place;
use crate::kernel::preflight::kernel_before;
use crate::kernel::ring::Ring;
use crate::kernel::wire::{self, Decoded, Maker, WireError};
use crate::model::conditions::Conditions;
use crate::model::event::Lost;
use crate::runtime::report;
use crate::runtime::rights;

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

/// A running trace.
pub struct Tracer<'obj> {
    loaded: Loaded<'obj>,
    shared: Shared<'obj>,
    links: RefCell<Links>,
    /// Bytes of the ring buffer's data.
    buffer_size: u32,
    /// The maps that `--follow` learns from are read and written while the trace runs.
    learns: bool,
}

impl fmt::Debug for Tracer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("attached", &self.links.borrow().events.len()).finish()
    }
}

impl<'obj> Tracer<'obj> {
    /// Loads the BPF programs of a mode and attaches them; [`Self::begin`] starts them.
    ///
    /// # Errors
    /// A [`Failure`](crate::model::failure::Failure) where the kernel or the rights don't allow it.
    pub fn attach(storage: &'obj mut Storage, config: &Config) -> Result<Self> {
        libbpf_rs::set_print(config.verbose.then_some((PrintLevel::Debug, print_libbpf)));
        let cgroup = config.choice.cgroup.as_deref().map(Cgroup::open).transpose()?;
        let (loaded, shared, links) = Loaded::attach(storage, config, cgroup.as_ref())?;
        let links = RefCell::new(links);
        let (buffer_size, learns) = (config.buffer_size, config.choice.follow);
        let tracer = Self { loaded, shared, links, buffer_size, learns };
        tracer.choose(&config.choice, cgroup.as_ref())?;
        Ok(tracer)
    }

    /// Fills the maps that the filters look into.
    fn choose(&self, choice: &Conditions, cgroup: Option<&Cgroup<'_>>) -> Result<()> {
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
        if let Loaded::Wide(skel) = &self.loaded {
            for (name, place) in place::names(choice) {
                skel.maps.place_names.update(&name, &place.to_ne_bytes(), MapFlags::ANY)?;
            }
        }
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
    /// but [`Self::missed`], and those kernels count only what programs at functions miss.
    pub fn rights_to_read(&self) -> CapabilitySet {
        let asks = self.learns || self.failed_execs() == Hook::OwnCalls;
        match asks && kernel_before(5, 19) {
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

    /// What was lost so far because the ring buffer was full. Reads memory, makes no system call.
    pub fn lost(&self) -> Lost {
        let [events @ .., cost] = self.shared.lost.map(|count| count.load(Ordering::Relaxed));
        Lost::new(events, cost)
    }

    /// Records lost so far that weren't to be shown, but that later lines need.
    pub fn lost_unshown(&self) -> u64 {
        self.shared.lost_unshown.load(Ordering::Relaxed)
    }

    /// Times that the kernel did not run a handler because another BPF program (or the same one,
    /// where handlers can be preempted) was running on that CPU: events that may be missing, the
    /// unwanted ones included. Counted by kernels from 6.7 on, those of the wide mode from 6.1 on,
    /// and of programs at functions from 5.12 on.
    pub fn missed(&self) -> u64 {
        let programs: Vec<BorrowedFd<'_>> = match &self.loaded {
            Loaded::Basic(skel) => {
                let progs = &skel.progs;
                vec![
                    progs.handle_fork.as_fd(),
                    progs.handle_exec.as_fd(),
                    progs.handle_exit.as_fd(),
                ]
            }
            Loaded::Wide(skel) => {
                let programs = event_programs(skel).chain(own_call_programs(skel));
                programs.map(|program| program.as_fd()).collect()
            }
        };
        programs.into_iter().map(recursion_misses).sum()
    }

    /// What sees failed execs.
    pub fn failed_execs(&self) -> Hook {
        self.links.borrow().failed_execs
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
    /// readable, and what processes have cost goes on to come until [`Self::detach_rest`].
    pub fn detach(&self) -> Instant {
        self.shared.tracing.store(0, Ordering::Relaxed);
        let ended = Instant::now();
        // For the basic mode the kernel waits here until no handler runs any more; before 6.13 only
        // where nobody else has the tracepoint open.
        self.links.borrow_mut().events.clear();
        if matches!(self.loaded, Loaded::Wide(_)) || kernel_before(6, 13) {
            // Else we do. Where that isn't sure the reader has to heed what is reserved.
            self.await_handlers();
        }
        ended
    }

    /// Waits until all handlers that run now have ended. Kernels with `nohz_full` CPUs refuse
    /// that, and from 7.0 on it doesn't cover a handler that is preempted.
    pub fn await_handlers(&self) {
        let _ = membarrier(MembarrierCommand::Global);
    }

    /// From here on nothing comes any more.
    pub fn detach_rest(&self) {
        if self.is_attached() {
            self.links.borrow_mut().late.clear();
            self.await_handlers();
        }
    }

    /// Whether [`Self::detach_rest`] has something left to detach; if not, no costs come any more.
    pub fn is_attached(&self) -> bool {
        !self.links.borrow().late.is_empty()
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
