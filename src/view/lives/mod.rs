// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events folded into the lives of processes, for the views that draw them.
//!
//! Any sequence of events folds: what was lost or happened before the capture stays unknown.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::sync::Arc;

use crate::model::event::{Args, Comm, Detail, Event, EventKind, Wide};
use crate::text::elapsed::Elapsed;
use crate::text::quantity::counted;

mod fold;
mod life;
mod pool;
mod settle;

use fold::Tally;
use life::Program;
pub use life::{End, Exec, Folded, Life, LifeId};
use pool::Pool;
pub use settle::Children;

/// What the lives of one view may take in memory, in bytes: some 800,000 processes of a storm,
/// half as many of a build.
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
    /// A thread ended, its process goes on.
    ThreadEnded(LifeId),
    /// A process ended.
    Ended(LifeId),
}

/// The lives of a capture.
#[derive(Debug)]
pub struct Lives {
    lives: BTreeMap<LifeId, Box<Life>>,
    /// Who had a pid last.
    by_pid: HashMap<u32, LifeId>,
    last_id: u64,
    names: Pool<Comm>,
    programs: Pool<Program>,
    /// What the lives take, and what they may.
    bytes: usize,
    room: usize,
    max_args: usize,
    /// All that are no longer kept, and those of them that had no parent.
    folded: Tally,
    folded_roots: Folded,
    span: Option<(u64, u64)>,
    began_at_ns: Option<u64>,
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
            by_pid: HashMap::new(),
            last_id: 0,
            names: Pool::default(),
            programs: Pool::default(),
            bytes: 0,
            room,
            max_args,
            folded: Tally::default(),
            folded_roots: Folded::default(),
            span: None,
            began_at_ns: None,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// For a picture of all of them. Long command lines are cut.
    pub fn for_picture() -> Self {
        Self::new(ROOM, PICTURE_ARGS)
    }

    /// For a view that needs them while they live.
    pub fn for_the_living() -> Self {
        Self::new(ROOM_FOR_THE_LIVING, usize::MAX)
    }

    #[cfg(test)]
    pub(super) fn within(room: usize) -> Self {
        Self::new(room, usize::MAX)
    }

    /// Takes one event.
    pub fn event(&mut self, event: &Event) -> Step {
        if self.bytes > self.room {
            self.fold();
        }
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
                        (Some(filename.as_slice().into()), Some(args.cut(self.max_args)))
                    }
                    _ => (None, None),
                };
                // What it ran before that fills no time where the capture begins with its exec.
                let began_before = now > first;
                self.parent_now(event, None);
                let (id, life) = self.whose(event);
                // The first thread's exit comes before an exec from another one.
                life.end = None;
                let ran_before = began_before && !life.fork_seen;
                self.execed(id, event.comm, Some(now), (filename, args), ran_before);
                Step::Execed(id)
            }
            (EventKind::Exit, Some(detail)) if detail.is_of_thread() => {
                Step::ThreadEnded(self.whose(event).0)
            }
            (EventKind::Exit, _) => {
                let ended = event.ended();
                let (status, duration_ns) = (ended.map(|e| e.status), ended.map(|e| e.duration_ns));
                self.parent_now(event, ended.and_then(|ended| ended.born_to));
                let comm = self.names.share(event.comm);
                let (id, life) = self.whose(event);
                // The name of a thread that ends says little of the process.
                if wide.is_some() || life.comm.is_none() {
                    life.comm = Some(comm);
                }
                life.exits = life.exits.saturating_add(1);
                life.end = Some(End { at_ns: now, seen: true, status, duration_ns });
                let unseen = life.exec_count() == 0 && !life.fork_seen;
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
        let id = *self.by_pid.get(&pid)?;
        Some((id, self.get(id)?))
    }

    /// Forgets a life.
    pub fn remove(&mut self, id: LifeId) -> Option<Life> {
        let life = *self.lives.remove(&id)?;
        self.bytes -= life.bytes();
        if self.by_pid.get(&life.pid) == Some(&id) {
            self.by_pid.remove(&life.pid);
        }
        Some(life)
    }

    /// All lives, in the order in which they were first heard of.
    pub fn iter(&self) -> impl Iterator<Item = (LifeId, &Life)> {
        self.lives.iter().map(|(&id, life)| (id, life.as_ref()))
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
        let mut all = self.folded;
        self.lives.values().for_each(|life| all.add(life));
        let (first, last) = self.span_ns();
        let mut out = [counted(all.processes, "process"), counted(all.execs, "exec")].join(", ");
        let counts = [
            (all.failed, "failed"),
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
                _ => {
                    let mut life = Life::new(event.ppid);
                    // A child begins with the name of who made it.
                    life.comm = Some(self.names.share(event.comm));
                    self.insert(life, event.timestamp_ns)
                }
            }
        });
        let mut life = Life::new(event.pid);
        life.born_ns = Some(event.timestamp_ns);
        life.fork_seen = true;
        (life.parent, life.above) = (parent, parent);
        life.born_to = (event.ppid != 0).then_some(event.ppid);
        life.comm = Some(self.names.share(event.comm));
        life.start_ns = event.wide.as_ref().map(|wide| wide.start_ns);
        self.insert(life, event.timestamp_ns)
    }

    fn insert(&mut self, life: Life, now_ns: u64) -> LifeId {
        self.last_id = self.last_id.saturating_add(1);
        let id = NonZero::new(self.last_id).unwrap_or(LifeId::MIN);
        let before = self.by_pid.insert(life.pid, id);
        if let Some(before) = before.and_then(|before| self.lives.get_mut(&before)) {
            let unseen = End { at_ns: now_ns, seen: false, status: None, duration_ns: None };
            before.end.get_or_insert(unseen);
        }
        self.bytes += life.bytes();
        self.lives.insert(id, Box::new(life));
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
        let life = self.lives.entry(id).or_insert_with(|| Box::new(Life::new(event.pid)));
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
        // It was nobody's child so far: below itself it is where all above the parent ends in it.
        if self.root(parent) != id {
            if let Some(life) = self.lives.get_mut(&id) {
                (life.parent, life.above) = (Some(parent), Some(parent));
            }
        }
    }

    /// The ancestor of all its ancestors that are known. Each look halves the way for the next one:
    /// `above` leads from ancestor to ancestor.
    fn root(&mut self, mut id: LifeId) -> LifeId {
        let above = |lives: &Self, id| lives.get(id).and_then(|life| life.above);
        while let Some(up) = above(self, id) {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            let Some(further) = above(self, up) else { return up };
            if let Some(life) = self.lives.get_mut(&id) {
                life.above = Some(further);
            }
            id = further;
        }
        id
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
        let exec = Exec::new(at_ns, program);
        self.bytes += exec.bytes();
        if let Some(left_out) = life.push_exec(exec, ran_before) {
            self.bytes -= left_out.bytes();
        }
        life.comm = Some(comm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{Random, Story, basic, pipeline};

    fn lives(mut lives: Lives, events: &[Event]) -> Lives {
        events.iter().for_each(|event| _ = lives.event(event));
        lives
    }

    /// In steps, for so many links.
    fn cost(links: &[(u32, u32)]) -> u64 {
        let mut story = Story::default();
        for (us, (pid, ppid)) in links.iter().enumerate() {
            story.exec(us as u64, *pid, *ppid, &["true"]);
        }
        let lives = lives(Lives::for_picture(), &story.events);
        assert_eq!(lives.lives.len(), links.len() + 1, "one chain");
        assert_eq!(lives.children().of(None).len(), 1, "with one root");
        lives.steps
    }

    #[test]
    fn chains_without_forks_take_steps_as_many_as_there_are_links() {
        type Links = fn(u32) -> Vec<(u32, u32)>;
        let shapes: [Links; 3] = [
            |n| (1..=n).map(|i| (i + 1, i)).collect(),
            |n| (1..=n).rev().map(|i| (i + 1, i)).collect(),
            // Pairs first, and then each pair below the one before it.
            |n| {
                let pairs = (1..=n).filter(|i| i % 2 == 1).map(|i| (i + 1, i));
                pairs.chain((1..=n).filter(|i| i % 2 == 0).map(|i| (i + 1, i))).collect()
            },
        ];
        for (i, shape) in shapes.iter().enumerate() {
            for n in [1_000, 2_000, 4_000] {
                let steps = cost(&shape(n));
                assert!(steps <= 4 * u64::from(n), "shape {i}: {steps} steps for {n} links");
            }
        }
    }

    #[test]
    fn nobody_descends_from_themselves() {
        let mut story = Story::default();
        story.exec(0, 1, 2, &["a"]).exec(1, 2, 3, &["b"]).exec(2, 3, 1, &["c"]);
        let lives = lives(Lives::for_picture(), &story.events);
        let children = lives.children();
        assert_eq!(children.of(None).count(), 1);
        assert_eq!(children.of(children.of(None).next()).count(), 1);
    }

    #[test]
    fn a_process_that_execs_on_and_on_is_as_large_as_one_that_did_so_a_hundred_times() {
        let after = |n: u64| {
            let mut story = Story::default();
            story.fork(0, 10, 9);
            (1..=n).for_each(|us| _ = story.exec(us, 10, 9, &["sh", &"x".repeat(1_000)]));
            let lives = lives(Lives::for_the_living(), &story.events);
            let (_, life) = lives.with_pid(10).expect("it lives");
            assert_eq!(life.exec_count() as u64, n);
            assert_eq!(life.execs().count() + life.execs_left_out(), life.exec_count());
            lives.bytes
        };
        let [a, b, c] = [200, 400, 800].map(after);
        assert!(a == b && b == c, "{a}, {b}, {c} bytes");
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_folded_is_counted() {
        const ROOM: usize = 64 << 10;
        let counts = [1_000, 2_000, 4_000].map(|n| {
            let mut story = Story::default();
            story.exec(0, 9, 1, &["make"]);
            for i in 0..n {
                let (us, pid) = (u64::from(i) * 10, 10 + i);
                story.fork(us, pid, 9).exec(us + 1, pid, 9, &["cc", &i.to_string()]);
                story.exit(us + 2 + u64::from(i % 7), pid, 9, u32::from(i % 10 == 0) << 8);
            }
            let all = lives(Lives::for_picture(), &story.events);
            let few = lives(Lives::new(ROOM, 1_000), &story.events);
            assert!(few.bytes <= ROOM + 1_000, "{} bytes", few.bytes);
            assert_eq!(few.summary(), all.summary());
            let (_, make) = few.with_pid(9).expect("it goes on");
            assert_eq!(make.folded.count as usize, few.folded());
            assert_eq!(make.folded.count as usize + few.lives.len(), n as usize + 2);
            // Those that lived longest are left: 8 us, of 2 to 8.
            let lived = |life: &Life| life.lived_ns(0) == Some(8_000) || life.pid < 10;
            let newest = few.iter().filter(|(_, life)| !lived(life)).count();
            assert!(newest <= 200, "{newest} short ones are left");
            few.lives.len()
        });
        assert!(counts.iter().all(|&count| count < 300), "{counts:?}");
    }

    #[test]
    fn processes_that_never_end_are_bounded_as_well() {
        const ROOM: usize = 64 << 10;
        let mut story = Story::default();
        (0..5_000).for_each(|i| _ = story.exec(u64::from(i), 10 + i, 9, &["sleep"]));
        let lives = lives(Lives::new(ROOM, 1_000), &story.events);
        assert!(lives.bytes <= ROOM + 1_000 && lives.by_pid.len() == lives.lives.len());
        assert!(lives.with_pid(10).is_none() && lives.with_pid(5_009).is_some());
    }

    #[test]
    fn the_bytes_are_those_of_all_that_is_kept() {
        for seed in 1..100 {
            let room = if seed % 2 == 0 { 4 << 10 } else { 1 << 20 };
            let mut lives = lives(Lives::new(room, 20), &Random(seed).capture());
            lives.settle();
            let bytes: usize = lives.lives.values().map(|life| life.bytes()).sum();
            assert_eq!(lives.bytes, bytes, "seed {seed}");
        }
    }

    #[test]
    fn an_exec_says_nothing_of_what_ran_before() {
        let mut story = Story::default();
        story.events = pipeline();
        story.exec(5_000, 77, 1, &["new"]).fork(6_000, 79, 78).exec(7_000, 78, 1, &["other"]);
        let lives = lives(Lives::for_picture(), &story.events);
        let line = |pid| lives.with_pid(pid).map(|(_, life)| life.command_line());
        assert_eq!(line(77).as_deref(), Some("?"));
        assert_eq!(line(78).as_deref(), Some("bash"), "as its child was called");
        assert_eq!(line(4523).as_deref(), Some("grep root"), "its fork was seen");
        // A command's first event is its exec: nothing was drawn of it before.
        let first = basic(EventKind::Exec, 0, 5, 0, "make");
        let mut lives = Lives::for_picture();
        lives.event(&first);
        assert_eq!(lives.with_pid(5).map(|(_, life)| life.command_line()), Some("make".into()));
    }
}
