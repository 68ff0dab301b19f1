// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events folded into the lives of processes, for the views that draw them.
//!
//! Any sequence of events folds: what was lost or happened before the capture stays unknown.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::sync::Arc;

use crate::host::running::Running;
use crate::model::event::{Args, Comm, Detail, Event, EventKind, Meta, Totals, Wide};
use crate::model::pid::PID_MAX_LIMIT;
use crate::process::command::Command;
use crate::process::table::Table;
use crate::text::elapsed::Elapsed;
use crate::text::killed;
use crate::text::quantity::{counted, plural};

mod chain;
mod exec;
mod fold;
mod life;
mod maybe;
mod parents;
mod pool;
mod settle;
#[cfg(test)]
mod tests;

pub use chain::Segment;
use exec::Program;
pub use exec::{Exec, FailedExecs};
use fold::Tally;
use life::Rare;
pub use life::{End, Folded, Life, LifeId, Whose};
use pool::Pool;
pub use settle::Children;

/// What the lives of one view may take in memory, in bytes: more than a million processes that run
/// no program of their own, half as many of a build.
const ROOM: usize = 256 << 20;
/// What those may take that a view needs only while they live, in a capture without an end.
const ROOM_FOR_THE_LIVING: usize = 16 << 20;
/// Bytes of arguments that a picture has a use for.
const PICTURE_ARGS: usize = 1_000;
/// Programs that are larger are hardly ever alike.
const MAX_SHARED: usize = 512;

/// What an event meant for whose life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A process was born.
    Born(LifeId),
    /// A process got one more thread.
    ThreadBorn(LifeId),
    /// A process replaced its program.
    Execed(LifeId),
    /// A process could not replace its program.
    ExecFailed(LifeId),
    /// A thread ended, its process goes on.
    ThreadEnded(LifeId),
    /// A process ended.
    Ended(LifeId),
}

impl Step {
    /// The process.
    fn whose(&self) -> LifeId {
        match *self {
            Self::Born(id) | Self::ThreadBorn(id) | Self::Execed(id) => id,
            Self::ExecFailed(id) | Self::ThreadEnded(id) | Self::Ended(id) => id,
        }
    }
}

/// By user and cgroup.
type SharedWhose = HashMap<(u32, Box<str>), Arc<Whose>>;

/// The lives of a capture.
#[derive(Debug)]
pub struct Lives {
    lives: BTreeMap<LifeId, Box<Life>>,
    /// Who had a pid last: unlike elsewhere also those that have ended, as children, threads and
    /// adopters may still be told of. They go when the lives do, and so are bounded by `room`.
    by_pid: Table<LifeId>,
    /// The names of those that ran before, and that no event was of yet.
    before: Table<Arc<Comm>>,
    last_id: u32,
    names: Pool<Comm>,
    programs: Pool<Program>,
    /// Who they were and where, for a view that tells.
    whose: Option<SharedWhose>,
    /// What the lives take, and what they may.
    bytes: usize,
    room: usize,
    max_args: usize,
    /// All that are no longer kept, and those of them that had no parent.
    folded: Tally,
    folded_roots: Folded,
    /// The command that was run, and its life, once that is known.
    command: (Command, Option<LifeId>),
    /// When the capture began, where it tells.
    began_ns: u64,
    span: Option<(u64, u64)>,
    began_at_ns: Option<u64>,
    first_ns: u64,
    /// Steps that looks for a root took.
    #[cfg(test)]
    steps: u64,
}

/// Whole command lines are kept.
impl Default for Lives {
    fn default() -> Self {
        Self::new(ROOM, usize::MAX)
    }
}

impl Lives {
    fn new(room: usize, max_args: usize) -> Self {
        Self {
            lives: BTreeMap::new(),
            // So many that nobody is forgotten, but in a capture that was made up.
            by_pid: Table::new(PID_MAX_LIMIT as usize),
            before: Table::new(PID_MAX_LIMIT as usize),
            last_id: 0,
            names: Pool::default(),
            programs: Pool::default(),
            whose: None,
            bytes: 0,
            room,
            max_args,
            folded: Tally::default(),
            folded_roots: Folded::default(),
            command: (Command::default(), None),
            began_ns: 0,
            span: None,
            began_at_ns: None,
            first_ns: 0,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// For a picture of all of them. Long command lines are cut.
    pub fn for_picture() -> Self {
        Self::new(ROOM, PICTURE_ARGS)
    }

    /// The same, which tells of each who it was and where.
    pub fn with_whose() -> Self {
        Self { whose: Some(HashMap::new()), ..Self::for_picture() }
    }

    /// For a view that needs them while they live.
    pub fn for_the_living() -> Self {
        Self::new(ROOM_FOR_THE_LIVING, usize::MAX)
    }

    #[cfg(test)]
    pub(super) fn within(room: usize) -> Self {
        Self::new(room, usize::MAX)
    }

    /// Takes what the capture tells of itself.
    pub fn begin(&mut self, meta: &Meta) {
        self.began_ns = meta.began_ns;
        self.command = (Command::of(meta), None);
    }

    /// Takes the name of a process that ran before the capture.
    pub fn runs_already(&mut self, process: &Running) {
        let comm = self.names.share(process.comm);
        self.before.begin(process.pid, process.start_ns, comm);
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) -> Step {
        let step = self.step(event);
        if self.command.0.takes(event) {
            self.command.1 = Some(step.whose());
        }
        if let Some(wide) = event.wide.as_deref().filter(|wide| !wide.detail.is_of_thread()) {
            self.was_at(step.whose(), wide);
        }
        step
    }

    /// Takes the cost of an exit that was told without it.
    pub fn cost(&mut self, exit: &Event) {
        let (Some(wide), Some(ended)) = (exit.wide.as_deref(), exit.ended()) else { return };
        let id = self.by_pid.get(exit.pid, wide.start_ns);
        let life = id.and_then(|id| self.lives.get_mut(id));
        if let Some(end) = life.and_then(|life| life.end.as_mut()) {
            end.costs(ended);
        }
    }

    /// Notes who a process was, and where.
    fn was_at(&mut self, id: LifeId, wide: &Wide) {
        /// So many are shared; beyond that they are learned anew.
        const MAX_WHOSE: usize = 4096;
        let (Some(known), Some(life)) = (&mut self.whose, self.lives.get_mut(&id)) else { return };
        let cgroup = wide.place.as_deref().map(|place| &*place.cgroup);
        let is_same = |whose: &Arc<Whose>| {
            let at = whose.place.as_deref().map(|place| &*place.cgroup);
            whose.uid == wide.uid && at == cgroup
        };
        if life.whose.as_ref().is_some_and(is_same) {
            return;
        }
        if known.len() >= MAX_WHOSE {
            known.clear();
        }
        let key = (wide.uid, cgroup.unwrap_or_default().into());
        let new = || Arc::new(Whose { uid: wide.uid, place: wide.place.clone() });
        life.whose = Some(known.entry(key).or_insert_with(new).clone());
    }

    fn step(&mut self, event: &Event) -> Step {
        if self.bytes > self.room {
            self.fold();
        }
        let now = event.timestamp_ns;
        let (first, last) = self.span.unwrap_or((now, now));
        self.span = Some((first.min(now), last.max(now)));
        let wide = event.wide.as_deref();
        if self.began_at_ns.is_none() {
            self.began_at_ns = wide.map(|wide| wide.time_ns);
            self.first_ns = now;
        }
        match (event.kind, wide.map(|wide| &wide.detail)) {
            (EventKind::Fork, Some(Detail::Fork { thread: true, .. })) => {
                let (id, _) = self.whose(event);
                if let Some(rare) = self.rare(id) {
                    rare.threads = rare.threads.saturating_add(1);
                }
                Step::ThreadBorn(id)
            }
            (EventKind::Fork, _) => Step::Born(self.born(event)),
            (EventKind::Exec, detail) => {
                let (filename, args) = match detail {
                    Some(Detail::Exec { filename, args, .. }) => {
                        (Some(filename.as_slice().into()), Some(args.cut(self.max_args)))
                    }
                    _ => (None, None),
                };
                // What it ran before that fills no time where the capture begins with its exec.
                let start_ns = wide.map_or(0, |wide| wide.start_ns);
                let mut began_before = now > first && start_ns < first;
                self.parent_now(event, None);
                let began_ns = self.began_ns;
                let (id, life) = self.whose(event);
                // Or /proc told what it was.
                began_before |= life.comm.is_some() && (1..began_ns).contains(&start_ns);
                // The first thread's exit comes before an exec from another one.
                life.end = None;
                let ran_before = began_before && !life.fork_seen;
                self.execed(id, event.comm, Some(now), (filename, args), ran_before);
                Step::Execed(id)
            }
            (EventKind::ExecFailed, detail) => {
                self.parent_now(event, None);
                let failed = detail.and_then(|detail| match detail {
                    Detail::ExecFailed { filename, args, errno, .. } => {
                        let file = filename.as_deref().or_else(|| args.iter().next());
                        Some((file.unwrap_or(b"?"), *errno))
                    }
                    _ => None,
                });
                let (id, _) = self.whose(event);
                let failed = failed.and_then(|(file, errno)| Some((file, errno, self.rare(id)?)));
                if let Some((file, errno, rare)) = failed {
                    let (new, old) = rare.push_failed(&file[..file.len().min(PICTURE_ARGS)], errno);
                    self.bytes = self.bytes + new - old;
                }
                Step::ExecFailed(id)
            }
            (EventKind::Exit, Some(detail)) if detail.is_of_thread() => {
                Step::ThreadEnded(self.whose(event).0)
            }
            (EventKind::Exit, _) => {
                let ended = event.ended();
                self.parent_now(event, ended.and_then(|ended| ended.born_to));
                let comm = self.names.share(event.comm);
                let (id, life) = self.whose(event);
                // The name of a thread that ends says little of the process.
                if wide.is_some() || life.comm.is_none() {
                    life.comm = Some(comm);
                }
                life.exits = life.exits.saturating_add(1);
                let mut end = End::at(now, true);
                if let Some(ended) = ended {
                    end.ended(ended);
                }
                life.end = Some(end);
                let told =
                    ended.filter(|ended| ended.signal_code.is_some() && life.killed().is_none());
                let unseen = life.exec_count() == 0 && !life.fork_seen;
                if let Some((ended, rare)) = told.and_then(|ended| Some((ended, self.rare(id)?))) {
                    let mut text = String::new();
                    killed::by(event.pid, ended, &mut text);
                    self.bytes += rare.killed_by(text);
                }
                if let Some(args) = ended.and_then(|ended| ended.args.as_ref()).filter(|_| unseen) {
                    let args = Some(args.cut(self.max_args));
                    self.execed(id, event.comm, None, (None, args), false);
                }
                Step::Ended(id)
            }
        }
    }

    /// A life, unless it was removed.
    pub fn get(&self, id: LifeId) -> Option<&Life> {
        self.lives.get(&id).map(Box::as_ref)
    }

    /// Who has this pid, or had it last.
    pub fn with_pid(&self, pid: u32) -> Option<(LifeId, &Life)> {
        let id = *self.by_pid.get(pid, 0)?;
        Some((id, self.get(id)?))
    }

    /// The last name of who has this pid and this start, 0 for any.
    pub fn name_of(&self, pid: u32, start_ns: u64) -> Option<Comm> {
        let known = self.by_pid.get(pid, start_ns).and_then(|id| self.get(*id)?.comm());
        known.or_else(|| self.before.get(pid, start_ns).map(|comm| **comm))
    }

    /// What few have, of this life, to be changed.
    fn rare(&mut self, id: LifeId) -> Option<&mut Rare> {
        Some(self.lives.get_mut(&id)?.rare(&mut self.bytes))
    }

    /// Forgets a life.
    pub fn remove(&mut self, id: LifeId) -> Option<Life> {
        let life = *self.lives.remove(&id)?;
        self.bytes -= life.bytes();
        if self.by_pid.get(life.pid, 0) == Some(&id) {
            self.by_pid.end(life.pid, 0);
        }
        Some(life)
    }

    /// All lives, in the order in which they were first heard of.
    pub fn iter(&self) -> impl Iterator<Item = (LifeId, &Life)> {
        self.lives.iter().map(|(&id, life)| (id, life.as_ref()))
    }

    /// Takes that no more events come. The span becomes the capture's where that is known: of one
    /// that isn't whole, it isn't known where in it the events lie.
    pub fn end(&mut self, totals: &Totals) {
        let (first, last) = self.span.unwrap_or((self.began_ns, self.began_ns));
        if self.began_ns != 0 && self.began_ns <= first && !totals.cut_off {
            let over = self.began_ns.saturating_add(totals.elapsed_ns);
            self.span = Some((self.began_ns, last.max(over)));
        }
        self.settle();
    }

    /// When the capture began, or its first event where that isn't known.
    pub fn capture_began_ns(&self) -> u64 {
        let (first, _) = self.span_ns();
        if self.began_ns == 0 { first } else { first.min(self.began_ns) }
    }

    /// The time of the first event, which [`Self::began_at_ns`] is of.
    pub fn first_event_ns(&self) -> u64 {
        self.first_ns
    }

    /// First and last time of the events, and at the end of the capture, in nanoseconds.
    pub fn span_ns(&self) -> (u64, u64) {
        self.span.unwrap_or_default()
    }

    /// The wall clock of the first event, where the wide mode tells.
    pub fn began_at_ns(&self) -> Option<u64> {
        self.began_at_ns
    }

    /// `6 processes, 4 execs, 1 failed, 2 without exec, in 12.3 ms`
    pub fn summary(&self) -> String {
        let mut all = self.folded;
        self.lives.values().for_each(|life| all.add(life));
        let (first, last) = self.span_ns();
        let mut out = [counted(all.processes, "process"), counted(all.execs, "exec")].join(", ");
        let failed_execs = plural(all.failed_execs as u64, "failed exec");
        let counts = [
            (all.failed, "failed"),
            (all.failed_execs, &failed_execs),
            (all.never_execed, "without exec"),
            (all.running, "still running"),
        ];
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            out += &format!(", {count} {what}");
        }
        out += &format!(", in {}", Elapsed(last.saturating_sub(first)));
        out
    }

    /// Those that are no longer kept and had no parent.
    pub fn folded_roots(&self) -> Folded {
        self.folded_roots
    }

    /// How many are no longer kept.
    pub fn folded(&self) -> usize {
        self.folded.processes
    }

    fn born(&mut self, event: &Event) -> LifeId {
        let parent = (event.ppid != 0).then(|| {
            let wide = event.wide.is_some();
            match self.with_pid(event.ppid) {
                // In the basic mode a thread's exit looks like its process'.
                Some((id, life)) if life.end.is_none_or(|end| end.seen && !wide) => id,
                _ => self.insert(Life::new(event.ppid), 0, event.timestamp_ns),
            }
        });
        let comm = self.names.share(event.comm);
        if let Some(parent) = parent.and_then(|parent| self.lives.get_mut(&parent)) {
            // A child begins with the name of who made it.
            parent.comm.get_or_insert_with(|| Arc::clone(&comm));
        }
        let mut life = Life::born(event.pid, event.timestamp_ns);
        (life.parent, life.above) = (parent, parent);
        life.made_by(event.ppid);
        life.comm = Some(comm);
        let start_ns = event.wide.as_ref().map_or(0, |wide| wide.start_ns);
        self.insert(life, start_ns, event.timestamp_ns)
    }

    /// Adds one that began at `start_ns`, 0 where that isn't known.
    fn insert(&mut self, mut life: Life, start_ns: u64, now_ns: u64) -> LifeId {
        let id = self.next_id();
        if let Some(comm) = self.before.end(life.pid, start_ns) {
            life.comm.get_or_insert(comm);
        }
        let before = self.by_pid.begin(life.pid, start_ns, id);
        if let Some(before) = before.and_then(|before| self.lives.get_mut(&before)) {
            before.end.get_or_insert(End::at(now_ns, false));
        }
        if start_ns != 0 {
            life.began_at(start_ns);
        }
        self.bytes += life.bytes();
        self.lives.insert(id, Box::new(life));
        id
    }

    /// A view of those that live may see more than four billion: then ids of those that have gone
    /// come back, and their order says nothing any more.
    fn next_id(&mut self) -> LifeId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            match NonZero::new(self.last_id) {
                Some(id) if !self.lives.contains_key(&id) => return id,
                _ => {}
            }
        }
    }

    /// The life that the event is of, which may have begun unseen.
    fn whose(&mut self, event: &Event) -> (LifeId, &mut Life) {
        // An event of a thread has the thread's start.
        let wide = event.wide.as_deref().filter(|wide| !wide.detail.is_of_thread());
        let start_ns = wide.map_or(0, |wide| wide.start_ns);
        let known = self.by_pid.get(event.pid, start_ns).copied();
        let known = known.filter(|id| {
            let Some(life) = self.get(*id) else { return false };
            match (start_ns, life.start_known) {
                (0, _) => life.end.is_none_or(|end| end.seen),
                (_, false) => life.end.is_none(),
                (_, true) => true,
            }
        });
        let id = match known {
            Some(id) => *self.by_pid.meet(event.pid, start_ns, || id),
            None => self.insert(Life::new(event.pid), start_ns, event.timestamp_ns),
        };
        // In the wide mode those of threads tell the process' name, too; an exec tells the next one.
        let tells = event.wide.is_some() && event.kind != EventKind::Exec;
        let comm = tells.then(|| self.names.share(event.comm));
        let life = self.lives.entry(id).or_insert_with(|| Box::new(Life::new(event.pid)));
        if life.comm.is_none() {
            life.comm = comm;
        }
        if start_ns != 0 && !life.start_known {
            life.began_at(start_ns);
        }
        (id, life)
    }

    /// Notes what a process runs from now on.
    fn execed(
        &mut self,
        id: LifeId,
        comm: Comm,
        at_ns: Option<u64>,
        (filename, args): (Option<Box<[u8]>>, Option<Args>),
        ran_before: bool,
    ) {
        let comm = self.names.share(comm);
        let program = Program { comm: Arc::clone(&comm), filename, args };
        let program = match program.bytes() {
            0..=MAX_SHARED => self.programs.share(program),
            _ => Arc::new(program),
        };
        let Some(life) = self.lives.get_mut(&id) else { return };
        life.push_exec(Exec::new(at_ns, program), ran_before, &mut self.bytes);
        life.comm = Some(comm);
    }
}
