// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events folded into the lives of processes, for the views that draw them.
//!
//! Any sequence of events folds: what was lost or happened before the capture stays unknown.

use std::collections::{BTreeMap, HashMap};

use crate::model::event::{Args, Comm, Detail, Event, EventKind, ExitStatus, Wide};
use crate::text;
use crate::text::command;
use crate::text::elapsed::Elapsed;

/// Names a life within a capture. A process that is first heard of later has a larger one.
pub type LifeId = u64;

/// One process, from its birth to its end.
#[derive(Debug)]
pub struct Life {
    /// Its process id.
    pub pid: u32,
    /// When it was forked, or where that was not seen and the wide mode tells: when it began.
    pub born_ns: Option<u64>,
    /// Its fork is in the capture.
    pub fork_seen: bool,
    /// Whose child it is drawn as: who forked it, if known, else who was its parent when it was
    /// first heard of.
    pub parent: Option<LifeId>,
    /// The process id of who forked it.
    pub born_to: Option<u32>,
    /// The process id of who became its parent later.
    pub adopter: Option<u32>,
    /// Its last name.
    pub comm: Option<Comm>,
    /// The programs that it ran, in their order.
    pub execs: Vec<Exec>,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// Threads that it had beside its first one.
    pub threads: u32,
    /// The start time that the wide mode gave, which tells it from others with its pid.
    start_ns: Option<u64>,
    /// Exits in the basic mode: one for each of its threads.
    exits: u32,
}

/// A program that a process ran.
#[derive(Debug)]
pub struct Exec {
    /// When; none where only the end of its run was seen.
    pub at_ns: Option<u64>,
    /// The name that it gave the process.
    pub comm: Comm,
    /// Its file, where known.
    pub filename: Option<Vec<u8>>,
    /// Its arguments, where known.
    pub args: Option<Args>,
}

impl Exec {
    /// What was run, for a terminal: the arguments, else the file, else the name.
    pub fn command_line(&self) -> String {
        let mut out = String::new();
        match (&self.args, &self.filename) {
            (Some(args), _) if !args.is_empty() => command::quote(args, &mut out),
            (_, Some(filename)) => text::escape(filename, &mut out),
            _ => text::escape(self.comm.as_bytes(), &mut out),
        }
        out
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// When; where the end was not seen, when its pid was found to be another process.
    pub at_ns: u64,
    /// Its exit is in the capture.
    pub seen: bool,
    /// What wait(2) gave, where known.
    pub status: Option<ExitStatus>,
    /// How long it lived, where the wide mode tells.
    duration_ns: Option<u64>,
}

impl Life {
    fn new(pid: u32) -> Self {
        Self {
            pid,
            born_ns: None,
            fork_seen: false,
            parent: None,
            born_to: None,
            adopter: None,
            comm: None,
            execs: Vec::new(),
            end: None,
            threads: 0,
            start_ns: None,
            exits: 0,
        }
    }

    /// Its name for a terminal, `?` where none is known.
    pub fn name(&self) -> String {
        let mut out = String::new();
        match self.comm {
            Some(comm) => text::escape(comm.as_bytes(), &mut out),
            None => out.push('?'),
        }
        out
    }

    /// From fork to the first exec, in nanoseconds.
    pub fn fork_to_exec_ns(&self) -> Option<u64> {
        let forked = self.born_ns.filter(|_| self.fork_seen)?;
        Some(self.execs.first()?.at_ns?.saturating_sub(forked))
    }

    /// How long it lived, up to `now_ns` if it still does, in nanoseconds.
    pub fn lived_ns(&self, now_ns: u64) -> Option<u64> {
        let duration = self.end.and_then(|end| end.duration_ns);
        duration.or_else(|| {
            Some(self.end.map_or(now_ns, |end| end.at_ns).saturating_sub(self.born_ns?))
        })
    }

    /// What wait(2) gave, where it ended and that is known.
    pub fn status(&self) -> Option<ExitStatus> {
        self.end?.status
    }

    /// It ended with what is no success.
    pub fn failed(&self) -> bool {
        self.status().is_some_and(ExitStatus::failed)
    }

    /// It ran its parent's program to its end.
    pub fn never_execed(&self) -> bool {
        self.fork_seen && self.execs.is_empty()
    }

    /// Nothing but that it exists is known: it is somebody's parent.
    pub fn is_bystander(&self) -> bool {
        let end_seen = self.end.is_some_and(|end| end.seen);
        self.born_ns.is_none() && self.execs.is_empty() && !end_seen
    }
}

/// What an event meant for whose life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A process was born.
    Born(LifeId),
    /// A process got one more thread.
    ThreadBorn(LifeId),
    /// A process replaced its program.
    Execed(LifeId),
    /// A thread ended, its process goes on.
    ThreadEnded(LifeId),
    /// A process ended.
    Ended(LifeId),
}

/// The lives of a capture.
#[derive(Debug, Default)]
pub struct Lives {
    lives: BTreeMap<LifeId, Life>,
    /// Who had a pid last.
    by_pid: HashMap<u32, LifeId>,
    next: LifeId,
    span: Option<(u64, u64)>,
    began_at_ns: Option<u64>,
}

impl Lives {
    /// Takes one event.
    pub fn event(&mut self, event: &Event) -> Step {
        let now = event.timestamp_ns;
        let (first, last) = self.span.unwrap_or((now, now));
        self.span = Some((first.min(now), last.max(now)));
        let wide = event.wide.as_deref();
        if self.began_at_ns.is_none() {
            self.began_at_ns = wide.map(|wide| wide.time_ns);
        }
        match (event.kind, wide.map(|wide| &wide.detail)) {
            (EventKind::Fork, Some(Detail::Fork { thread: true, .. })) => {
                let (id, life) = self.whose(event);
                life.threads = life.threads.saturating_add(1);
                Step::ThreadBorn(id)
            }
            (EventKind::Fork, _) => Step::Born(self.born(event)),
            (EventKind::Exec, detail) => {
                let (filename, args) = match detail {
                    Some(Detail::Exec { filename, args }) => {
                        (Some(filename.clone()), Some(args.clone()))
                    }
                    _ => (None, None),
                };
                self.parent_now(event, None);
                let (id, life) = self.whose(event);
                life.comm = Some(event.comm);
                life.execs.push(Exec { at_ns: Some(now), comm: event.comm, filename, args });
                // The first thread's exit comes before an exec from another one.
                life.end = None;
                Step::Execed(id)
            }
            (EventKind::Exit, Some(detail)) if detail.is_of_thread() => {
                Step::ThreadEnded(self.whose(event).0)
            }
            (EventKind::Exit, _) => {
                let ended = event.ended();
                let (status, duration_ns) = (ended.map(|e| e.status), ended.map(|e| e.duration_ns));
                self.parent_now(event, ended.and_then(|ended| ended.born_to));
                let (id, life) = self.whose(event);
                // The name of a thread that ends says little of the process.
                if wide.is_some() || life.comm.is_none() {
                    life.comm = Some(event.comm);
                }
                let args = ended.and_then(|ended| ended.args.clone());
                if let Some(args) = args.filter(|_| life.execs.is_empty() && !life.fork_seen) {
                    let comm = event.comm;
                    life.execs.push(Exec { at_ns: None, comm, filename: None, args: Some(args) });
                }
                life.exits = life.exits.saturating_add(1);
                life.end = Some(End { at_ns: now, seen: true, status, duration_ns });
                Step::Ended(id)
            }
        }
    }

    /// A life, unless it was removed.
    pub fn get(&self, id: LifeId) -> Option<&Life> {
        self.lives.get(&id)
    }

    /// Who has this pid, or had it last.
    pub fn with_pid(&self, pid: u32) -> Option<(LifeId, &Life)> {
        let id = *self.by_pid.get(&pid)?;
        Some((id, self.lives.get(&id)?))
    }

    /// Forgets a life.
    pub fn remove(&mut self, id: LifeId) -> Option<Life> {
        self.lives.remove(&id)
    }

    /// All lives, in the order in which they were first heard of.
    pub fn iter(&self) -> impl Iterator<Item = (LifeId, &Life)> {
        self.lives.iter().map(|(&id, life)| (id, life))
    }

    /// First and last time of the events, in nanoseconds.
    pub fn span_ns(&self) -> (u64, u64) {
        self.span.unwrap_or_default()
    }

    /// The wall clock of the first event, where the wide mode tells.
    pub fn began_at_ns(&self) -> Option<u64> {
        self.began_at_ns
    }

    /// `6 processes, 4 execs, 1 failed, 2 without exec, in 12.3 ms`
    pub fn summary(&self) -> String {
        let own = || self.lives.values().filter(|life| !life.is_bystander());
        let (first, last) = self.span_ns();
        let processes = own().count();
        let execs: usize = own().map(|life| life.execs.len()).sum();
        let es = if processes == 1 { "" } else { "es" };
        let s = if execs == 1 { "" } else { "s" };
        let mut out = format!("{processes} process{es}, {execs} exec{s}");
        let counts = [
            (own().filter(|life| life.failed()).count(), "failed"),
            (own().filter(|life| life.never_execed()).count(), "without exec"),
            (own().filter(|life| life.end.is_none()).count(), "still running"),
        ];
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            out += &format!(", {count} {what}");
        }
        out += &format!(", in {}", Elapsed(last.saturating_sub(first)));
        out
    }

    /// The children of each, and those without a parent under `None`.
    pub fn children(&self) -> HashMap<Option<LifeId>, Vec<LifeId>> {
        let mut children: HashMap<_, Vec<_>> = HashMap::new();
        for (id, life) in self.iter() {
            let parent = life.parent.filter(|parent| self.lives.contains_key(parent));
            children.entry(parent).or_default().push(id);
        }
        children
    }

    /// Completes the lives when no more events come: see `settle_threads`; and drops a parent of
    /// which nothing is known but that it had this one child.
    pub fn settle(&mut self) {
        self.settle_threads();
        for (parent, children) in self.children() {
            let nameless = |life: &Life| life.is_bystander() && life.comm.is_none();
            let parent = parent.filter(|_| children.len() == 1);
            if let Some(parent) = parent.filter(|&id| self.get(id).is_some_and(nameless)) {
                self.lives.remove(&parent);
            }
        }
    }

    /// Makes threads of what the basic mode can only tell to be threads at the end: its forks
    /// are of tasks, and every task's exit has the id of the process. As many as a process has
    /// exits beyond its own, of those that it made and that did nothing by themselves.
    fn settle_threads(&mut self) {
        let mut children = self.children();
        let ids: Vec<_> = self.lives.keys().copied().collect();
        for id in ids {
            let mut extra = self
                .lives
                .get(&id)
                .map_or(0, |life| life.exits.saturating_sub(u32::from(life.end.is_some())));
            let mut todo = children.remove(&Some(id)).unwrap_or_default();
            while let Some(child) = (extra > 0).then(|| todo.pop()).flatten() {
                let silent =
                    |life: &Life| life.start_ns.is_none() && life.never_execed() && life.exits == 0;
                if !self.lives.get(&child).is_some_and(silent) {
                    continue;
                }
                self.lives.remove(&child);
                extra -= 1;
                if let Some(life) = self.lives.get_mut(&id) {
                    life.threads = life.threads.saturating_add(1);
                }
                // What a thread made, its process made.
                for grandchild in children.remove(&Some(child)).unwrap_or_default() {
                    if let Some(life) = self.lives.get_mut(&grandchild) {
                        life.parent = Some(id);
                    }
                    todo.push(grandchild);
                }
            }
        }
    }

    fn born(&mut self, event: &Event) -> LifeId {
        let parent = (event.ppid != 0).then(|| {
            let wide = event.wide.is_some();
            match self.with_pid(event.ppid) {
                // In the basic mode a thread's exit looks like its process'.
                Some((id, life)) if life.end.is_none_or(|end| end.seen && !wide) => id,
                _ => {
                    let mut life = Life::new(event.ppid);
                    // A child begins with the name of who made it.
                    life.comm = Some(event.comm);
                    self.insert(life, event.timestamp_ns)
                }
            }
        });
        let life = Life {
            born_ns: Some(event.timestamp_ns),
            fork_seen: true,
            parent,
            born_to: (event.ppid != 0).then_some(event.ppid),
            comm: Some(event.comm),
            start_ns: event.wide.as_ref().map(|wide| wide.start_ns),
            ..Life::new(event.pid)
        };
        self.insert(life, event.timestamp_ns)
    }

    fn insert(&mut self, life: Life, now_ns: u64) -> LifeId {
        let id = self.next;
        self.next += 1;
        let before = self.by_pid.insert(life.pid, id);
        if let Some(before) = before.and_then(|before| self.lives.get_mut(&before)) {
            let unseen = End { at_ns: now_ns, seen: false, status: None, duration_ns: None };
            before.end.get_or_insert(unseen);
        }
        self.lives.insert(id, life);
        id
    }

    /// The life that the event is of, which may have begun unseen.
    fn whose(&mut self, event: &Event) -> (LifeId, &mut Life) {
        // An event of a thread has the thread's start.
        let wide = event.wide.as_deref().filter(|wide| !wide.detail.is_of_thread());
        let start = wide.map(|wide: &Wide| wide.start_ns);
        let known = self.with_pid(event.pid).filter(|(_, life)| match (start, life.start_ns) {
            (Some(start), Some(known)) => start == known,
            (Some(_), None) => life.end.is_none(),
            (None, _) => life.end.is_none_or(|end| end.seen),
        });
        let id = match known {
            Some((id, _)) => id,
            None => self.insert(Life::new(event.pid), event.timestamp_ns),
        };
        let life = self.lives.entry(id).or_insert_with(|| Life::new(event.pid));
        if life.start_ns.is_none() {
            life.start_ns = start;
            life.born_ns = life.born_ns.or(start);
        }
        (id, life)
    }

    /// Notes who is the parent at an exec or exit, where the wide mode tells.
    fn parent_now(&mut self, event: &Event, born_to: Option<u32>) {
        let (id, life) = self.whose(event);
        if event.ppid == 0 {
            return;
        }
        let known = life.born_to;
        let first = *life.born_to.get_or_insert(born_to.unwrap_or(event.ppid));
        if first != event.ppid {
            life.adopter = Some(event.ppid);
        }
        if known.is_some() || life.parent.is_some() {
            return;
        }
        let pid = if self.by_pid.contains_key(&first) { first } else { event.ppid };
        let parent = match self.with_pid(pid) {
            Some((parent, _)) => parent,
            None => self.insert(Life::new(pid), event.timestamp_ns),
        };
        if !self.descends(parent, id) {
            if let Some(life) = self.lives.get_mut(&id) {
                life.parent = Some(parent);
            }
        }
    }

    /// `id` is `ancestor` or below it.
    fn descends(&self, id: LifeId, ancestor: LifeId) -> bool {
        let up = |id: &LifeId| self.lives.get(id)?.parent;
        std::iter::successors(Some(id), up).any(|id| id == ancestor)
    }
}
