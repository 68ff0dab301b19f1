// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who used the CPU since the last look: the living by /proc, the ended by their exits.

use std::collections::HashMap;
use std::sync::Arc;

use crate::host::usage::Usage;
use crate::host::{cgroup, running, usage};
use crate::model::event::{Args, Comm, Detail, Ended, Event, Wide};
use crate::model::place::Place;
use crate::process::table::Table;

/// Processes that are remembered at most.
const MAX_ALIVE: usize = 1 << 17;
/// Kinds that are told apart between two looks, and places; the others count as nameless.
const MAX_KINDS: usize = 1 << 16;
/// Bytes of arguments that are kept of a process.
const MAX_ARGS: usize = 256;
/// The kernel's thread that makes all its others; `kthreadd_task` of init/main.c.
const KTHREADD: u32 = 2;
/// So many looks in a row at /proc without it, and its end was lost.
const MAX_UNSEEN: u32 = 3;

/// What makes processes alike, whichever way they are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub comm: Comm,
    pub uid: u32,
    /// A number of [`Places`].
    pub place: usize,
}

/// What processes of one kind did and used between two looks.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Are alive now.
    pub running: u64,
    pub started: u64,
    pub ended: u64,
    pub failed: u64,
    /// CPU time of those that are alive, in nanoseconds.
    pub living_ns: u64,
    /// CPU time of those that have ended.
    pub gone_ns: u64,
    /// What the living have resident.
    pub rss_bytes: u64,
    /// The command line of one of them.
    pub example: Option<Args>,
}

impl Kind {
    /// Of whom nothing is known, or who are too many to be told apart.
    fn nameless() -> Self {
        Self { comm: Comm::new(b"?"), uid: u32::MAX, place: 0 }
    }
}

impl Figures {
    /// Adds those of another kind.
    pub fn add(&mut self, other: &Self) {
        if self.example.is_none() || other.cpu_ns() > self.cpu_ns() {
            self.example = other.example.clone().or_else(|| self.example.take());
        }
        self.running += other.running;
        self.started += other.started;
        self.ended += other.ended;
        self.failed += other.failed;
        self.living_ns += other.living_ns;
        self.gone_ns += other.gone_ns;
        self.rss_bytes += other.rss_bytes;
    }

    /// CPU time of all of them.
    pub fn cpu_ns(&self) -> u64 {
        self.living_ns + self.gone_ns
    }
}

/// The places that were seen, by number; 0 is none that is known.
#[derive(Debug)]
pub struct Places {
    list: Vec<Arc<Place>>,
    numbers: HashMap<Box<str>, usize>,
}

impl Places {
    fn new() -> Self {
        Self { list: vec![Arc::default()], numbers: HashMap::new() }
    }

    fn number(&mut self, cgroup: &str, place: impl FnOnce() -> Arc<Place>) -> usize {
        if let Some(&number) = self.numbers.get(cgroup) {
            return number;
        }
        if self.list.len() >= MAX_KINDS {
            return 0;
        }
        self.list.push(place());
        self.numbers.insert(cgroup.into(), self.list.len() - 1);
        self.list.len() - 1
    }

    /// The place with this number.
    pub fn get(&self, number: usize) -> &Place {
        &self.list[number]
    }
}

/// A process that is alive.
#[derive(Clone, Debug)]
pub struct Living {
    pub ppid: u32,
    pub kind: Kind,
    pub args: Option<Args>,
    /// CPU time since the last look, in nanoseconds.
    pub recent_ns: u64,
    rss_bytes: u64,
    /// All that is counted already.
    counted_ns: u64,
    /// Looks at /proc since it was there.
    unseen: u32,
}

impl Living {
    fn new(ppid: u32, kind: Kind, args: Option<Args>) -> Self {
        Self { ppid, kind, args, recent_ns: 0, rss_bytes: 0, counted_ns: 0, unseen: 1 }
    }
}

/// The book of who used what.
#[derive(Debug)]
pub struct Ledger {
    alive: Table<Living>,
    figures: HashMap<Kind, Figures>,
    places: Places,
    /// How many ended since the last look, by their parent and kind.
    gone: HashMap<(u32, Kind), u64>,
    /// CPU time of kernel threads at the last look, by pid.
    kernels: HashMap<u32, u64>,
    /// What those used that have ended since then.
    kernels_ns: u64,
}

/// What was found between two looks.
#[derive(Debug, Default)]
pub struct Found {
    pub figures: HashMap<Kind, Figures>,
    /// As [`Ledger`] has it.
    pub gone: HashMap<(u32, Kind), u64>,
    /// CPU time of kernel threads, in nanoseconds.
    pub kernels_ns: u64,
}

impl Ledger {
    /// Whoever is alive already is counted from now on.
    pub fn new() -> Self {
        let mut new = Self::empty();
        new.look(usage::all());
        new
    }

    /// Knows nobody.
    pub(super) fn empty() -> Self {
        Self {
            alive: Table::new(MAX_ALIVE),
            figures: HashMap::new(),
            places: Places::new(),
            gone: HashMap::new(),
            kernels: HashMap::new(),
            kernels_ns: 0,
        }
    }

    /// The places that kinds name.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Those that are alive, by pid.
    pub fn living(&self) -> impl Iterator<Item = (u32, &Living)> {
        self.alive.iter().map(|(pid, _, living)| (pid, living))
    }

    /// Takes an event of a process; those of threads tell nothing here.
    pub fn event(&mut self, event: &Event) {
        let Some(wide) = event.wide.as_deref().filter(|wide| !wide.detail.is_of_thread()) else {
            return;
        };
        // Who execs is no longer one of the kernel's threads: modprobe, or who takes a core dump.
        if event.ppid == KTHREADD && !self.alive.has(event.pid) {
            match &wide.detail {
                Detail::Exit(ended) => {
                    let before = self.kernels.remove(&event.pid).unwrap_or(0);
                    self.kernels_ns += ended.cpu_ns.unwrap_or(before).saturating_sub(before);
                    return;
                }
                Detail::Fork { .. } => return,
                Detail::Exec { .. } | Detail::ExecFailed { .. } => {}
            }
        }
        let kind = self.kind(event, wide);
        match &wide.detail {
            Detail::Fork { .. } => {
                self.figures(kind).started += 1;
                let args = self.alive.get(event.ppid, 0).and_then(|parent| parent.args.clone());
                let living = Living::new(event.ppid, kind, args);
                self.alive.begin(event.pid, wide.start_ns, living);
            }
            Detail::Exec { args, .. } => {
                let new = || Living::new(event.ppid, kind, None);
                let living = self.alive.meet(event.pid, wide.start_ns, new);
                living.kind = kind;
                living.args = Some(args.cut(MAX_ARGS));
            }
            Detail::ExecFailed { .. } => {}
            Detail::Exit(ended) => self.exit(event, kind, wide.start_ns, ended),
        }
    }

    fn exit(&mut self, event: &Event, kind: Kind, start_ns: u64, ended: &Ended) {
        let known = self.alive.end(event.pid, start_ns);
        let counted_ns = known.as_ref().map_or(0, |living| living.counted_ns);
        // Where nobody has waited for it yet, /proc still tells.
        let told = || running::pids_are_the_kernels().then(|| usage::of(event.pid)).flatten();
        let total_ns = ended.cpu_ns.or_else(|| Some(told()?.cpu_ns));
        if self.gone.len() < MAX_KINDS {
            *self.gone.entry((event.ppid, kind)).or_default() += 1;
        }
        let figures = self.figures(kind);
        figures.ended += 1;
        figures.failed += u64::from(ended.status.failed());
        figures.gone_ns += total_ns.unwrap_or(0).saturating_sub(counted_ns);
        if figures.example.is_none() {
            let args = ended.args.as_ref().map(|args| args.cut(MAX_ARGS));
            figures.example = args.or_else(|| known?.args);
        }
    }

    fn kind(&mut self, event: &Event, wide: &Wide) -> Kind {
        let place = wide.place.as_ref();
        let place = place.map_or(0, |place| self.places.number(&place.cgroup, || place.clone()));
        Kind { comm: event.comm, uid: wide.uid, place }
    }

    fn figures(&mut self, kind: Kind) -> &mut Figures {
        let full = self.figures.len() >= MAX_KINDS && !self.figures.contains_key(&kind);
        self.figures.entry(if full { Kind::nameless() } else { kind }).or_default()
    }

    /// Looks at /proc, and begins anew.
    pub fn look(&mut self, processes: impl Iterator<Item = Usage>) -> Found {
        let mut kernels = HashMap::new();
        let mut kernels_ns = std::mem::take(&mut self.kernels_ns);
        for process in processes {
            if process.is_kernels {
                let before = self.kernels.get(&process.pid).copied().unwrap_or(process.cpu_ns);
                kernels_ns += process.cpu_ns.saturating_sub(before);
                kernels.insert(process.pid, process.cpu_ns);
            } else {
                self.saw(&process);
            }
        }
        self.kernels = kernels;
        self.count();
        let figures = std::mem::take(&mut self.figures);
        let gone = std::mem::take(&mut self.gone);
        Found { figures, gone, kernels_ns }
    }

    /// What /proc tells of a process.
    fn saw(&mut self, process: &Usage) {
        if self.alive.get(process.pid, 0).is_none() {
            // It has ended, which was told, or was lost.
            if process.is_zombie {
                return;
            }
            let uid = usage::user(process.pid).unwrap_or(u32::MAX);
            let path = usage::cgroup(process.pid).unwrap_or_default();
            let place = self.places.number(&path, || Arc::new(cgroup::place(&path)));
            let kind = Kind { comm: process.comm, uid, place };
            let args = running::args(process.pid, MAX_ARGS);
            let counted_ns = process.cpu_ns;
            let living = Living { counted_ns, ..Living::new(process.ppid, kind, args) };
            self.alive.begin(process.pid, 0, living);
        }
        let new = || Living::new(process.ppid, Kind::nameless(), None);
        let living = self.alive.meet(process.pid, 0, new);
        living.recent_ns = process.cpu_ns.saturating_sub(living.counted_ns);
        // It only grows; what is cut to a tick comes with the next one, or the exit.
        living.counted_ns = living.counted_ns.max(process.cpu_ns);
        living.ppid = process.ppid;
        living.rss_bytes = process.rss_bytes;
        living.kind.comm = process.comm;
        living.unseen = 0;
    }

    /// Counts the living, and forgets those that /proc no longer has.
    fn count(&mut self) {
        let mut alive = std::mem::replace(&mut self.alive, Table::new(0));
        let mut lost = Vec::new();
        for (pid, living) in alive.iter_mut() {
            // Who isn't there any more has an exit on its way, which brings the rest.
            if living.unseen == 0 {
                let figures = self.figures(living.kind);
                figures.running += 1;
                figures.living_ns += living.recent_ns;
                figures.rss_bytes += living.rss_bytes;
                if figures.example.is_none() {
                    figures.example.clone_from(&living.args);
                }
            } else if living.unseen > MAX_UNSEEN {
                lost.push(pid);
            }
            living.unseen += 1;
        }
        for pid in lost {
            alive.end(pid, 0);
        }
        self.alive = alive;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;

    /// No process has such a pid.
    const PID: u32 = 5_000_000;

    fn seen(pid: u32, comm: &str, cpu_ms: u64) -> Usage {
        Usage {
            pid,
            ppid: 1,
            comm: Comm::new(comm.as_bytes()),
            cpu_ns: cpu_ms * 1_000_000,
            rss_bytes: 4096,
            is_kernels: false,
            is_zombie: false,
        }
    }

    fn tell(ledger: &mut Ledger, story: &Story) {
        story.events.iter().for_each(|event| ledger.event(event));
    }

    /// What processes of this name came to.
    fn of(found: &Found, comm: &str) -> Figures {
        let mut sum = Figures::default();
        let named = found.figures.iter().filter(|(kind, _)| kind.comm.to_text() == comm);
        named.for_each(|(_, figures)| sum.add(figures));
        sum
    }

    fn ms(ns: u64) -> u64 {
        ns / 1_000_000
    }

    #[test]
    fn a_process_that_no_look_saw_is_counted_by_its_exit() {
        let mut ledger = Ledger::empty();
        let mut story = Story::default();
        story.fork(0, PID, 1).exec(10, PID, 1, &["cc", "a.c"]);
        story.exit(900, PID, 1, 1 << 8).costs(7_000, None);
        tell(&mut ledger, &story);
        let found = ledger.look([].into_iter());
        let cc = of(&found, "cc");
        assert_eq!((cc.ended, cc.failed, cc.running, ms(cc.gone_ns)), (1, 1, 0, 7));
        assert_eq!(cc.example.expect("its exec told").iter().last(), Some(&b"a.c"[..]));
        assert_eq!(of(&found, "bash").started, 1, "that is what it was called then");
        assert_eq!(found.gone.values().sum::<u64>(), 1);
        assert!(ledger.look([].into_iter()).figures.is_empty(), "it is counted once");
    }

    /// Whatever a look has counted, the exit brings the rest.
    #[test]
    fn looks_and_the_exit_add_up() {
        let mut ledger = Ledger::empty();
        let mut story = Story::default();
        story.fork(0, PID, 1).exec(10, PID, 1, &["cc"]);
        tell(&mut ledger, &story);
        let found = ledger.look([seen(PID, "cc", 10)].into_iter());
        assert_eq!((of(&found, "cc").running, ms(of(&found, "cc").living_ns)), (1, 10));
        let found = ledger.look([seen(PID, "cc", 30)].into_iter());
        assert_eq!((ms(of(&found, "cc").living_ns), of(&found, "cc").rss_bytes), (20, 4096));
        let mut end = Story::default();
        end.fork(0, PID, 1).exec(10, PID, 1, &["cc"]).exit(900, PID, 1, 0).costs(35_000, None);
        ledger.event(&end.events[2]);
        let found = ledger.look([].into_iter());
        assert_eq!((ms(of(&found, "cc").gone_ns), of(&found, "cc").running), (5, 0));
    }

    #[test]
    fn what_was_used_before_the_first_look_is_not_of_now() {
        let mut ledger = Ledger::empty();
        let found = ledger.look([seen(PID, "old", 60_000)].into_iter());
        assert_eq!((of(&found, "old").running, of(&found, "old").cpu_ns()), (1, 0));
        let found = ledger.look([seen(PID, "old", 60_020)].into_iter());
        assert_eq!(ms(of(&found, "old").living_ns), 20);
        let zombie = Usage { is_zombie: true, ..seen(PID + 1, "dead", 500) };
        let found = ledger.look([zombie].into_iter());
        assert_eq!(of(&found, "dead").running, 0);
    }

    #[test]
    fn who_is_no_longer_there_is_forgotten_if_no_exit_comes() {
        let mut ledger = Ledger::empty();
        ledger.look([seen(PID, "lost", 0)].into_iter());
        for _ in 0..=MAX_UNSEEN {
            assert_eq!(ledger.living().count(), 1);
            assert_eq!(of(&ledger.look([].into_iter()), "lost").running, 0);
        }
        assert_eq!(ledger.living().count(), 0);
    }

    #[test]
    fn the_kernels_threads_are_apart() {
        let kernels = |cpu_ms| Usage { is_kernels: true, ..seen(PID, "kworker/0:1", cpu_ms) };
        let mut ledger = Ledger::empty();
        assert_eq!(ledger.look([kernels(5_000)].into_iter()).kernels_ns, 0);
        assert_eq!(ms(ledger.look([kernels(5_030)].into_iter()).kernels_ns), 30);
        let mut story = Story::default();
        story.exit(900, PID, KTHREADD, 0).costs(5_040_000, None);
        tell(&mut ledger, &story);
        let found = ledger.look([].into_iter());
        assert_eq!((ms(found.kernels_ns), found.figures.len()), (10, 0));

        let mut story = Story::default();
        story.fork(0, PID, KTHREADD).exec(10, PID, KTHREADD, &["modprobe", "x"]);
        story.exit(900, PID, KTHREADD, 0).costs(7_000, None);
        tell(&mut ledger, &story);
        let found = ledger.look([].into_iter());
        assert_eq!((found.kernels_ns, ms(of(&found, "modprobe").gone_ns)), (0, 7));
    }
}
