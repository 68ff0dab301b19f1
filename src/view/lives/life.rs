// SPDX-License-Identifier: MIT OR Apache-2.0
//! One process of a capture, small: a capture may have a million of them.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use crate::model::errno::Errno;
use crate::model::event::{Args, Comm, Ended, ExitStatus};
use crate::model::place::Place;
use crate::text;
use crate::text::command;

/// Names a life within a capture. A process that is first heard of later has a larger one.
pub type LifeId = NonZero<u64>;

/// Execs of one process that are kept: the first one, and the last ones.
const MAX_EXECS: usize = 100;
/// What a life takes in memory besides its programs, in bytes: itself, its place in the maps of
/// lives and of pids, and what the allocator adds.
const LIFE_BYTES: usize = size_of::<Life>() + 96;
/// The same of an exec, with a program of its own.
const EXEC_BYTES: usize = size_of::<Exec>() + size_of::<Program>() + 80;

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
    /// How it ended, if it did.
    pub end: Option<End>,
    /// Threads that it had beside its first one.
    pub threads: u32,
    /// Those below it that are no longer kept.
    pub folded: Folded,
    /// Who it was and where, as its last event told; only of [`Lives::with_whose`](super::Lives::with_whose).
    pub whose: Option<Arc<Whose>>,
    /// Its last name.
    pub(super) comm: Option<Arc<Comm>>,
    /// It ran something else before its first exec, under this name.
    ran_before: Option<Option<Arc<Comm>>>,
    first_exec: Option<Exec>,
    later_execs: Option<Box<LaterExecs>>,
    failed_execs: Option<Box<FailedExecs>>,
    /// How the signal came about that ended it, in words.
    killed: Option<Box<str>>,
    /// The wide mode told when it began, which tells it from others with its pid.
    pub(super) start_known: bool,
    /// Exits in the basic mode: one for each of its threads.
    pub(super) exits: u32,
    /// An ancestor: see `Lives::root`.
    pub(super) above: Option<LifeId>,
}

/// Few processes have any.
#[derive(Debug, Default)]
struct LaterExecs {
    kept: VecDeque<Exec>,
    left_out: usize,
}

/// Programs that a process could not run.
#[derive(Debug)]
pub struct FailedExecs {
    /// How often it tried.
    pub count: u32,
    /// The file of the last try, or what there is in its place.
    file: Box<[u8]>,
    errno: Errno,
}

impl FailedExecs {
    /// The last one: `/usr/bin/no: ENOENT`
    pub fn last(&self) -> String {
        let mut last = String::new();
        text::escape(&self.file, &mut last);
        last + ": " + &self.errno.name()
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.file.len() + 32
    }
}

/// `failed exec of /usr/bin/no: ENOENT`, for a terminal
impl fmt::Display for FailedExecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "failed exec of {}", self.last()),
            count => write!(f, "{count} failed execs, the last one of {}", self.last()),
        }
    }
}

/// A program that a process ran.
#[derive(Debug)]
pub struct Exec {
    /// When; none where only the end of its run was seen.
    pub at_ns: Option<u64>,
    program: Arc<Program>,
}

/// What was run. Execs that are alike share one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Program {
    /// The name that it gave the process.
    pub comm: Arc<Comm>,
    /// Its file, where known.
    pub filename: Option<Box<[u8]>>,
    /// Its arguments, where known.
    pub args: Option<Args>,
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

impl Program {
    /// What its texts take in memory.
    pub fn bytes(&self) -> usize {
        self.filename.as_ref().map_or(0, |filename| filename.len())
            + self.args.as_ref().map_or(0, Args::len)
    }
}

impl Exec {
    pub(super) fn new(at_ns: Option<u64>, program: Arc<Program>) -> Self {
        Self { at_ns, program }
    }

    /// The name that it gave the process.
    pub fn comm(&self) -> Comm {
        *self.program.comm
    }

    /// Its file, where known.
    pub fn filename(&self) -> Option<&[u8]> {
        self.program.filename.as_deref()
    }

    /// Its arguments, where known.
    pub fn args(&self) -> Option<&Args> {
        self.program.args.as_ref()
    }

    /// What was run, for a terminal: the arguments, else the file, else the name.
    pub fn command_line(&self) -> String {
        let mut out = String::new();
        match (self.args(), self.filename()) {
            (Some(args), _) if !args.is_empty() => command::quote(args, &mut out),
            (_, Some(filename)) => text::escape(filename, &mut out),
            _ => text::escape(self.comm().as_bytes(), &mut out),
        }
        out
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        EXEC_BYTES + self.program.bytes()
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
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    /// When; where the end was not seen, when its pid was found to be another process.
    pub at_ns: u64,
    /// Its exit is in the capture.
    pub seen: bool,
    /// What wait(2) gave, where known.
    pub status: Option<ExitStatus>,
    /// How long it lived, where the wide mode tells.
    pub(super) duration_ns: Option<u64>,
    /// What it has cost, where the wide mode tells; none is ever 0.
    pub(super) cpu_ns: Option<NonZero<u64>>,
    pub(super) max_rss_bytes: Option<NonZero<u64>>,
    /// How long it had no CPU though it was ready, and 1 more.
    pub(super) cpu_wait_ns: Option<NonZero<u64>>,
}

impl End {
    /// Takes what the process has cost.
    pub(super) fn costs(&mut self, ended: &Ended) {
        self.cpu_ns = ended.cpu_ns.and_then(NonZero::new);
        self.cpu_wait_ns = ended.cpu_wait_ns.and_then(|ns| NonZero::new(ns.saturating_add(1)));
        self.max_rss_bytes = ended.max_rss_bytes.and_then(NonZero::new);
    }
}

impl Life {
    pub(super) fn new(pid: u32) -> Self {
        Self {
            pid,
            born_ns: None,
            fork_seen: false,
            parent: None,
            born_to: None,
            adopter: None,
            end: None,
            threads: 0,
            folded: Folded::default(),
            whose: None,
            comm: None,
            ran_before: None,
            first_exec: None,
            later_execs: None,
            failed_execs: None,
            killed: None,
            start_known: false,
            exits: 0,
            above: None,
        }
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
        Some(self.ran_before.as_ref()?.as_deref().copied())
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
        let later = self.later_execs.as_deref().map(|later| later.kept.iter());
        self.first_exec.iter().chain(later.into_iter().flatten())
    }

    /// Those that it ran after what [`Self::command_line`] tells.
    pub fn later_execs(&self) -> impl Iterator<Item = &Exec> {
        self.execs().skip(usize::from(self.ran_before.is_none()))
    }

    /// Programs that are left out behind the first one, there being too many.
    pub fn execs_left_out(&self) -> usize {
        self.later_execs.as_ref().map_or(0, |later| later.left_out)
    }

    /// How many programs it ran.
    pub fn exec_count(&self) -> usize {
        let later = self.later_execs.as_ref().map_or(0, |later| later.kept.len());
        usize::from(self.first_exec.is_some()) + later + self.execs_left_out()
    }

    /// Takes one more, and gives up the one that there is no more room for.
    pub(super) fn push_exec(&mut self, exec: Exec, ran_before: bool) -> Option<Exec> {
        if self.first_exec.is_none() {
            self.ran_before = ran_before.then(|| self.comm.clone());
            self.first_exec = Some(exec);
            return None;
        }
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
        let new = FailedExecs { count, file: file.into(), errno };
        let bytes = (new.bytes(), before.map_or(0, |before| before.bytes()));
        self.failed_execs = Some(Box::new(new));
        bytes
    }

    /// Notes how the signal came about that ended it. Returns the bytes that takes.
    pub(super) fn killed_by(&mut self, text: String) -> usize {
        let text = self.killed.insert(text.into());
        text.len()
    }

    /// How the signal came about that ended it, where that is known: `killed by SIGKILL, which 7 (sh)
    /// sent`, for a terminal.
    pub fn killed(&self) -> Option<&str> {
        self.killed.as_deref()
    }

    /// What it could not run, if it tried.
    pub fn failed_execs(&self) -> Option<&FailedExecs> {
        self.failed_execs.as_deref()
    }

    /// From fork to the first exec, in nanoseconds.
    pub fn fork_to_exec_ns(&self) -> Option<u64> {
        let forked = self.born_ns.filter(|_| self.fork_seen)?;
        Some(self.first_exec.as_ref()?.at_ns?.saturating_sub(forked))
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

    /// The CPU time that it used, where it ended and that is known.
    pub fn cpu_ns(&self) -> Option<u64> {
        Some(self.end?.cpu_ns?.get())
    }

    /// How long it was ready to run and had no CPU, where it ended and that is known.
    pub fn cpu_wait_ns(&self) -> Option<u64> {
        Some(self.end?.cpu_wait_ns?.get() - 1)
    }

    /// Its highest resident set, where it ended and that is known.
    pub fn max_rss_bytes(&self) -> Option<u64> {
        Some(self.end?.max_rss_bytes?.get())
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
        let idle = self.first_exec.is_none() && self.failed_execs.is_none();
        self.born_ns.is_none() && idle && !end_seen
    }

    /// What it takes in memory, about; what it shares is counted as its own.
    pub(super) fn bytes(&self) -> usize {
        let failed = self.failed_execs().map_or(0, FailedExecs::bytes);
        let killed = self.killed().map_or(0, str::len);
        LIFE_BYTES + self.execs().map(Exec::bytes).sum::<usize>() + failed + killed
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
