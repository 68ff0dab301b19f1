// SPDX-License-Identifier: MIT OR Apache-2.0
//! One process of a capture, small: a capture may have a million of them.

use std::num::NonZero;
use std::sync::Arc;

use super::exec::{Exec, FailedExecs, LaterExecs};
use super::maybe::Maybe;
use crate::model::errno::Errno;
use crate::model::event::{Comm, Ended, ExitStatus};
use crate::model::place::Place;
use crate::text;

/// Names a life within a capture. A process that is first heard of later has a larger one, up to
/// four billion of them.
pub type LifeId = NonZero<u32>;

/// Execs of one process that are kept: the first one, and the last ones.
const MAX_EXECS: usize = 100;
/// What a life takes in memory at least, in bytes: itself, its place in the maps of lives and of
/// pids, and what the allocator adds.
const LIFE_BYTES: usize = size_of::<Life>() + 64;
/// The same of what few have.
const RARE_BYTES: usize = size_of::<Rare>() + 16;

/// One process, from its birth to its end.
#[derive(Debug)]
pub struct Life {
    /// Its process id.
    pub pid: u32,
    born_to: Option<NonZero<u32>>,
    /// Whose child it is drawn as: who forked it, if known, else who was its parent when it was
    /// first heard of.
    pub parent: Option<LifeId>,
    /// An ancestor: see `Lives::root`.
    pub(super) above: Option<LifeId>,
    /// Exits in the basic mode: one for each of its threads.
    pub(super) exits: u32,
    /// Its fork is in the capture.
    pub fork_seen: bool,
    /// The wide mode told when it began, which tells it from others with its pid.
    pub(super) start_known: bool,
    born_ns: Maybe,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// Who it was and where, as its last event told; only of [`Lives::with_whose`](super::Lives::with_whose).
    pub whose: Option<Arc<Whose>>,
    /// Its last name.
    pub(super) comm: Option<Arc<Comm>>,
    first_exec: Option<Exec>,
    rare: Option<Box<Rare>>,
}

// A capture may have a million of them, and glibc gives 128 bytes for these.
const _: () = assert!(size_of::<Life>() <= 120 || size_of::<usize>() != 8);

/// What few processes have.
#[derive(Debug, Default)]
pub struct Rare {
    /// The process id of who became its parent later.
    pub adopter: Option<u32>,
    /// Threads that it had beside its first one.
    pub threads: u32,
    /// Those below it that are no longer kept.
    pub folded: Folded,
    /// It ran something else before its first exec, under this name.
    ran_before: Option<Option<Arc<Comm>>>,
    later_execs: Option<Box<LaterExecs>>,
    failed_execs: Option<Box<FailedExecs>>,
    /// How the signal came about that ended it, in words.
    killed: Option<Box<str>>,
}

/// Processes that are no longer kept, for want of room, or not drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// All of them.
    pub count: u32,
    /// Those that failed.
    pub failed: u32,
}

impl Folded {
    /// Takes more of them in.
    pub fn add(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.failed = self.failed.saturating_add(more.failed);
    }
}

/// A user, and a place; many processes share one.
#[derive(Debug)]
pub struct Whose {
    /// Real user id.
    pub uid: u32,
    /// The cgroup and what it names, where that is known.
    pub place: Option<Arc<Place>>,
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
    duration_ns: Maybe,
    /// What it has cost, where the wide mode tells.
    cpu_ns: Maybe,
    cpu_wait_ns: Maybe,
    max_rss_bytes: Maybe,
}

impl End {
    /// It ended then. Nothing else is known.
    pub(super) fn at(at_ns: u64, seen: bool) -> Self {
        Self {
            at_ns,
            seen,
            status: None,
            duration_ns: Maybe::NONE,
            cpu_ns: Maybe::NONE,
            cpu_wait_ns: Maybe::NONE,
            max_rss_bytes: Maybe::NONE,
        }
    }

    /// Takes what the wide mode tells.
    pub(super) fn ended(&mut self, ended: &Ended) {
        self.status = Some(ended.status);
        self.duration_ns = Some(ended.duration_ns).into();
        self.costs(ended);
    }

    /// Takes what the process has cost.
    pub(super) fn costs(&mut self, ended: &Ended) {
        self.cpu_ns = ended.cpu_ns.into();
        self.cpu_wait_ns = ended.cpu_wait_ns.into();
        self.max_rss_bytes = ended.max_rss_bytes.into();
    }
}

impl Rare {
    /// Takes one more program, and gives up the one that there is no more room for.
    fn push_exec(&mut self, exec: Exec) -> Option<Exec> {
        let later = self.later_execs.get_or_insert_default();
        later.kept.push_back(exec);
        if later.kept.len() < MAX_EXECS {
            return None;
        }
        later.left_out += 1;
        later.kept.pop_front()
    }

    /// Takes one that failed. Returns the bytes that are kept for it, and those that were.
    pub(super) fn push_failed(&mut self, file: &[u8], errno: Errno) -> (usize, usize) {
        let before = self.failed_execs.take();
        let count = before.as_ref().map_or(0, |before| before.count).saturating_add(1);
        let new = FailedExecs::new(count, file, errno);
        let bytes = (new.bytes(), before.map_or(0, |before| before.bytes()));
        self.failed_execs = Some(Box::new(new));
        bytes
    }

    /// Notes how the signal came about that ended it. Returns the bytes that takes.
    pub(super) fn killed_by(&mut self, text: String) -> usize {
        let text = self.killed.insert(text.into());
        text.len()
    }

    /// What it takes in memory, about, but for programs.
    fn bytes(&self) -> usize {
        let failed = self.failed_execs.as_ref().map_or(0, |failed| failed.bytes());
        RARE_BYTES + failed + self.killed.as_ref().map_or(0, |killed| killed.len())
    }
}

impl Life {
    pub(super) fn new(pid: u32) -> Self {
        Self {
            pid,
            born_to: None,
            parent: None,
            above: None,
            exits: 0,
            fork_seen: false,
            start_known: false,
            born_ns: Maybe::NONE,
            end: None,
            whose: None,
            comm: None,
            first_exec: None,
            rare: None,
        }
    }

    /// One whose fork was seen.
    pub(super) fn born(pid: u32, at_ns: u64) -> Self {
        Self { born_ns: Some(at_ns).into(), fork_seen: true, ..Self::new(pid) }
    }

    /// When it was forked, or where that was not seen and the wide mode tells: when it began.
    pub fn born_ns(&self) -> Option<u64> {
        self.born_ns.get()
    }

    /// Learns when it began, from the wide mode.
    pub(super) fn began_at(&mut self, start_ns: u64) {
        self.start_known = true;
        self.born_ns = self.born_ns().or(Some(start_ns)).into();
    }

    /// The process id of who forked it.
    pub fn born_to(&self) -> Option<u32> {
        self.born_to.map(NonZero::get)
    }

    /// Learns who forked it, 0 where that isn't known.
    pub(super) fn made_by(&mut self, pid: u32) {
        self.born_to = NonZero::new(pid);
    }

    /// The process id of who became its parent later.
    pub fn adopter(&self) -> Option<u32> {
        self.rare.as_ref()?.adopter
    }

    /// Threads that it had beside its first one.
    pub fn threads(&self) -> u32 {
        self.rare.as_ref().map_or(0, |rare| rare.threads)
    }

    /// Those below it that are no longer kept.
    pub fn folded(&self) -> Folded {
        self.rare.as_ref().map_or(Folded::default(), |rare| rare.folded)
    }

    /// What few have, to be changed. Where there is none yet, what it takes is added to `bytes`.
    pub(super) fn rare(&mut self, bytes: &mut usize) -> &mut Rare {
        if self.rare.is_none() {
            *bytes += RARE_BYTES;
        }
        self.rare.get_or_insert_default()
    }

    /// Its last name.
    pub fn comm(&self) -> Option<Comm> {
        self.comm.as_deref().copied()
    }

    /// Its last name for a terminal, `?` where none is known.
    pub fn name(&self) -> String {
        name(self.comm())
    }

    /// It began before the capture and ran something else before its first exec: the name that it
    /// had, if any event told.
    pub fn ran_before(&self) -> Option<Option<Comm>> {
        Some(self.rare.as_ref()?.ran_before.as_ref()?.as_deref().copied())
    }

    /// What it ran first, for a terminal: a program that it ran later says nothing of that.
    pub fn command_line(&self) -> String {
        match (self.ran_before(), &self.first_exec) {
            (Some(comm), _) => name(comm),
            (None, Some(exec)) => exec.command_line(),
            (None, None) => self.name(),
        }
    }

    /// The programs that it ran, in their order, but for those that are left out behind the first
    /// one.
    pub fn execs(&self) -> impl Iterator<Item = &Exec> {
        let later = self.later().map(|later| later.kept.iter());
        self.first_exec.iter().chain(later.into_iter().flatten())
    }

    fn later(&self) -> Option<&LaterExecs> {
        self.rare.as_ref()?.later_execs.as_deref()
    }

    /// Those that it ran after what [`Self::command_line`] tells.
    pub fn later_execs(&self) -> impl Iterator<Item = &Exec> {
        self.execs().skip(usize::from(self.ran_before().is_none()))
    }

    /// Programs that are left out behind the first one, there being too many.
    pub fn execs_left_out(&self) -> usize {
        self.later().map_or(0, |later| later.left_out)
    }

    /// How many programs it ran.
    pub fn exec_count(&self) -> usize {
        let later = self.later().map_or(0, |later| later.kept.len());
        usize::from(self.first_exec.is_some()) + later + self.execs_left_out()
    }

    /// Takes one more. What is kept for it is added to `bytes`.
    pub(super) fn push_exec(&mut self, exec: Exec, ran_before: bool, bytes: &mut usize) {
        *bytes += exec.bytes();
        if self.first_exec.is_some() {
            let left_out = self.rare(bytes).push_exec(exec);
            *bytes -= left_out.map_or(0, |left_out| left_out.bytes());
            return;
        }
        if ran_before {
            let comm = self.comm.clone();
            self.rare(bytes).ran_before = Some(comm);
        }
        self.first_exec = Some(exec);
    }

    /// How the signal came about that ended it, where that is known: `killed by SIGKILL, which 7 (sh)
    /// sent`, for a terminal.
    pub fn killed(&self) -> Option<&str> {
        self.rare.as_ref()?.killed.as_deref()
    }

    /// What it could not run, if it tried.
    pub fn failed_execs(&self) -> Option<&FailedExecs> {
        self.rare.as_ref()?.failed_execs.as_deref()
    }

    /// From fork to the first exec, in nanoseconds.
    pub fn fork_to_exec_ns(&self) -> Option<u64> {
        let forked = self.born_ns().filter(|_| self.fork_seen)?;
        Some(self.first_exec.as_ref()?.at_ns()?.saturating_sub(forked))
    }

    /// How long it lived, up to `now_ns` if it still does, in nanoseconds.
    pub fn lived_ns(&self, now_ns: u64) -> Option<u64> {
        let duration = self.end.and_then(|end| end.duration_ns.get());
        duration.or_else(|| {
            Some(self.end.map_or(now_ns, |end| end.at_ns).saturating_sub(self.born_ns()?))
        })
    }

    /// What wait(2) gave, where it ended and that is known.
    pub fn status(&self) -> Option<ExitStatus> {
        self.end?.status
    }

    /// The CPU time that it used, where it ended and that is known.
    pub fn cpu_ns(&self) -> Option<u64> {
        self.end?.cpu_ns.get()
    }

    /// How long it was ready to run and had no CPU, where it ended and that is known.
    pub fn cpu_wait_ns(&self) -> Option<u64> {
        self.end?.cpu_wait_ns.get()
    }

    /// Its highest resident set, where it ended and that is known.
    pub fn max_rss_bytes(&self) -> Option<u64> {
        self.end?.max_rss_bytes.get()
    }

    /// It ended with what is no success.
    pub fn failed(&self) -> bool {
        self.status().is_some_and(ExitStatus::failed)
    }

    /// It ran its parent's program to its end.
    pub fn never_execed(&self) -> bool {
        self.fork_seen && self.first_exec.is_none()
    }

    /// Nothing but that it exists is known: it is somebody's parent.
    pub fn is_bystander(&self) -> bool {
        let end_seen = self.end.is_some_and(|end| end.seen);
        let idle = self.first_exec.is_none() && self.failed_execs().is_none();
        self.born_ns().is_none() && idle && !end_seen
    }

    /// What it takes in memory, about; what it shares is counted as its own.
    pub(super) fn bytes(&self) -> usize {
        let rare = self.rare.as_ref().map_or(0, |rare| rare.bytes());
        LIFE_BYTES + self.execs().map(Exec::bytes).sum::<usize>() + rare
    }
}

fn name(comm: Option<Comm>) -> String {
    let mut out = String::new();
    match comm {
        Some(comm) => text::escape(comm.as_bytes(), &mut out),
        None => out.push('?'),
    }
    out
}
