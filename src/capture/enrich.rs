// SPDX-License-Identifier: MIT OR Apache-2.0
//! Completes events of the wide mode: the wall clock, the cgroup's path, and what only a
//! process' earlier events tell.

use std::sync::Arc;

use rustix::time::ClockId;

use crate::capture::bounds;
use crate::host::cgroup::{self, Cgroups};
use crate::host::clock::{monotonic_ns, now_ns};
use crate::host::running::{self, Running};
use crate::kernel::wire::{Image, RingRecord, Task};
use crate::model::cost::Cost;
use crate::model::event::{Args, Detail, Meta, Wide};
use crate::process::table::Table;

/// Below this many processes, none is looked through.
const FEW: usize = 4096;
/// Processes that are remembered at most, and bytes of their arguments: where /proc can't tell who
/// has ended (in a PID namespace), and against those who keep many alive with long ones. An exit
/// whose process was forgotten says that its arguments aren't known.
const MAX_ALIVE: usize = 1 << 17;
const MAX_ARGS_BYTES: usize = 32 << 20;

/// What is remembered of a process that is alive.
#[derive(Debug, Default)]
struct Known {
    /// The program whose arguments these are; none where /proc told, which has no such number.
    exec_id: Option<u64>,
    /// None where it is the one that the process was forked with.
    args: Option<Args>,
    born_to: Option<u32>,
    /// While /proc alone has told of it: when it began, as [`running::Running`] has it.
    start_boot_ns: Option<u64>,
    /// The most that the programs before this one had resident, where it is known.
    max_rss_before: Option<u64>,
}

impl Known {
    /// Whether it is the process that began then, as the kernel has it. A pid comes back where the
    /// forks of others are not told.
    fn began_at(&self, start_boot_ns: u64) -> bool {
        /// A clock tick, and as much again.
        const TOLERANCE_NS: u64 = 20_000_000;
        self.start_boot_ns.is_none_or(|start| start.abs_diff(start_boot_ns) <= TOLERANCE_NS)
    }

    /// The arguments of the program that a process ran at its end; the error is that they aren't
    /// known. `execs_lost`: the word of some exec was lost until then.
    fn at_the_end(self, image: Image, execs_lost: bool) -> Result<Option<Args>, ()> {
        match self.exec_id {
            Some(id) if id == image.exec_id => Ok(self.args),
            // Whoever ran another program than the one that /proc knew would have told.
            None if image.inherited || (self.args.is_some() && !execs_lost) => Ok(self.args),
            _ if image.inherited => Ok(None),
            _ => Err(()),
        }
    }

    /// What a process inherits of its highest resident set, where that is known.
    fn inherited_rss(&self, image: Image) -> Option<u64> {
        match self.exec_id {
            Some(id) if id == image.exec_id => self.max_rss_before,
            // The figure begins with the fork.
            _ => image.inherited.then_some(0),
        }
    }
}

/// The command that is run. Its life begins when it is let go, not with the process that was made
/// to hold it.
#[derive(Debug)]
struct Command {
    pid: u32,
    began_ns: u64,
    /// As the kernel has it, once an event has told.
    start_ns: Option<u64>,
    /// What was used to hold it.
    cost: Option<Cost>,
}

impl Command {
    fn complete(&mut self, timestamp_ns: u64, wide: &mut Wide) {
        if *self.start_ns.get_or_insert(wide.start_ns) != wide.start_ns {
            return; // its id has come back
        }
        wide.start_ns = self.began_ns;
        if let Detail::Exit(ended) = &mut wide.detail {
            // A thread's is its own.
            if !ended.thread {
                ended.duration_ns = timestamp_ns.saturating_sub(self.began_ns);
            }
        }
    }
}

/// Follows the lives of processes. It remembers those that are alive.
#[derive(Debug)]
pub struct Enricher {
    alive: Table<Known>,
    /// Bytes of arguments that came since it was last looked how many there are.
    args_bytes: usize,
    /// Processes that /proc no longer had at the last look: their exits, if they are to
    /// come, lay on the ring buffer by then.
    gone: Vec<(u32, u64, Option<u64>)>,
    /// So many are worth a look.
    look_at: usize,
    command: Option<Command>,
    cgroups: Cgroups,
    clock_offset_ns: u64,
    /// What each event is to tell of where it was: the host's name, and the boot's id.
    origin: Option<(Arc<str>, Arc<str>)>,
    max_args: usize,
    /// Who is gone can be told.
    knows_pids: bool,
}

impl Enricher {
    /// `max_args`: bytes of arguments that are kept.
    pub fn new(max_args: usize) -> Self {
        let mut new = Self {
            alive: Table::new(MAX_ALIVE),
            args_bytes: 0,
            gone: Vec::new(),
            look_at: FEW,
            command: None,
            cgroups: Cgroups::default(),
            clock_offset_ns: 0,
            origin: None,
            max_args,
            knows_pids: running::pids_are_the_kernels(),
        };
        new.sample_clock();
        new
    }

    /// From here on each event tells its host and its boot.
    pub fn name_host(&mut self, meta: &Meta) {
        self.origin = Some((meta.host.as_str().into(), meta.boot_id.as_str().into()));
    }

    /// Learns the arguments of processes that run already. After the BPF programs are
    /// attached, so that no exec falls in between: what the ring buffer holds is newer.
    pub fn learn(&mut self, running: &[Running]) {
        for process in running {
            let args = running::args(process.pid, self.max_args);
            self.heard(args.as_ref());
            let start_boot_ns = Some(process.start_boot_ns);
            let known = Known { args, start_boot_ns, ..Known::default() };
            self.alive.begin(process.pid, 0, known);
        }
    }

    /// The command of this process id is let go now; `cost`: of holding it, where that is known.
    pub fn let_go(&mut self, pid: u32, cost: Option<Cost>) {
        if self.knows_pids {
            let began_ns = monotonic_ns();
            self.command = Some(Command { pid, began_ns, start_ns: None, cost });
        }
    }

    /// Follows adjustments of the wall clock; to be called before each batch of events.
    pub fn sample_clock(&mut self) {
        let monotonic = monotonic_ns();
        self.clock_offset_ns = now_ns(ClockId::Realtime).saturating_sub(monotonic);
    }

    /// Forgets processes whose end was not told: a filter may keep the exit and not the fork, or
    /// the exit was lost. To be called when all that lay on the ring buffer is read, and all that
    /// waited at the last call has been completed.
    pub fn forget_the_dead(&mut self) {
        for (pid, start_ns, start_boot_ns) in self.gone.drain(..) {
            let known = self.alive.get(pid, start_ns);
            if known.is_some_and(|known| known.start_boot_ns == start_boot_ns) {
                self.alive.end(pid, start_ns);
            }
        }
        if self.knows_pids && self.alive.len() >= self.look_at {
            let dead = self.alive.iter().filter(|(pid, ..)| running::is_gone(*pid));
            self.gone =
                dead.map(|(pid, start_ns, known)| (pid, start_ns, known.start_boot_ns)).collect();
            // Twice as many, so that the looks cost little however many are alive.
            self.look_at = FEW.max(2 * (self.alive.len() - self.gone.len()));
        }
    }

    /// Bounds the bytes of all arguments.
    fn heard(&mut self, args: Option<&Args>) {
        self.args_bytes += args.map_or(0, Args::len);
        if self.args_bytes > MAX_ARGS_BYTES {
            let held = |alive: &Table<Known>| -> usize {
                alive.iter().filter_map(|(_, _, known)| Some(known.args.as_ref()?.len())).sum()
            };
            self.args_bytes = held(&self.alive);
            // Half of the bound may come before it is looked again.
            while self.args_bytes > MAX_ARGS_BYTES / 2 {
                self.alive.forget_older_half();
                self.args_bytes = held(&self.alive);
            }
        }
    }

    /// `time - timestamp_ns` in nanoseconds, as last sampled.
    pub fn clock_offset_ns(&self) -> u64 {
        self.clock_offset_ns
    }

    /// What a task has cost by itself: the command without what was used to hold it. None where
    /// that can't be told.
    pub fn own_cost(&self, task: Task, cost: Cost) -> Option<Cost> {
        let is_it =
            |command: &&Command| command.pid == task.tid && command.start_ns == Some(task.start_ns);
        match self.command.as_ref().filter(is_it) {
            Some(command) => command.cost.map(|before| cost.since(&before)),
            None => Some(cost),
        }
    }

    /// Learns where a cgroup lies, unless that is too long for lines. Returns true when others have been forgotten for it: then the
    /// paths of those that are still there must be told again.
    pub fn cgroup_is(&mut self, id: u64, path: Option<String>) -> bool {
        let place = path.map(|path| cgroup::place(&path)).filter(bounds::is_short);
        self.cgroups.learn(id, place)
    }

    /// Completes an event of the wide mode; one of the basic mode has nothing to complete.
    /// `execs_lost`: the record of some exec was lost, at the latest now. Returns the highest
    /// resident set that an exit's process inherited, where that is known.
    pub fn complete(&mut self, record: &mut RingRecord, execs_lost: bool) -> Option<u64> {
        let (pid, ppid, image) = (record.event.pid, record.event.ppid, record.image);
        let timestamp_ns = record.event.timestamp_ns;
        let wide = record.event.wide.as_deref_mut()?;
        // As the kernel has it.
        let start_ns = wide.start_ns;
        if let Some(command) = self.command.as_mut().filter(|command| command.pid == pid) {
            command.complete(timestamp_ns, wide);
        }
        wide.time_ns = timestamp_ns.saturating_add(self.clock_offset_ns);
        wide.place = self.cgroups.place(wide.cgroup_id);
        (wide.host, wide.boot_id) = self.origin.clone().unzip();
        match &mut wide.detail {
            detail if detail.is_of_thread() => None,
            Detail::Fork { .. } => {
                let exec_id = Some(image.exec_id);
                let (born_to, max_rss_before) = (Some(ppid), Some(0));
                let known = Known { exec_id, born_to, max_rss_before, ..Known::default() };
                self.alive.begin(pid, start_ns, known);
                None
            }
            Detail::Exec { args, .. } => {
                self.heard(Some(args));
                let known = self.alive.meet(pid, start_ns, Known::default);
                known.exec_id = Some(image.exec_id);
                known.args = Some(args.clone());
                known.start_boot_ns = None;
                known.max_rss_before = Some(record.max_rss_before);
                None
            }
            Detail::ExecFailed { .. } => None,
            Detail::Exit(ended) => {
                let known = self.alive.end(pid, start_ns);
                let known = known.filter(|known| known.began_at(record.start_boot_ns));
                let known = known.unwrap_or_default();
                ended.born_to = known.born_to.filter(|&maker| maker != ppid);
                let inherited_rss = known.inherited_rss(image);
                match known.at_the_end(image, execs_lost) {
                    Ok(args) => ended.args = args,
                    Err(()) => ended.args_unknown = Some(true),
                }
                inherited_rss
            }
        }
    }
}

#[cfg(test)]
mod tests;
