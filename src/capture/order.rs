// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events in their order, while some wait for what is to come.
//!
//! An exit waits for what its process has cost: the kernel knows that only when the process is
//! reaped and its leader freed, some 10 to 30 ms after the exit. A failed exec waits for its task's
//! next step: a search along PATH fails in each directory up to the one that has the file, if any
//! has, and is one event, or none. What happened later waits behind them, so that lines keep their
//! order; but not for ever, because a zombie may never be reaped, a task may do nothing more for a
//! while, and a record may be lost.

use std::collections::VecDeque;

use foldhash::HashMap;

use crate::kernel::wire::{RingRecord, Task};
use crate::model::cost::Cost;
use crate::model::errno::Errno;
use crate::model::event::{Args, Detail, Event, EventKind};

/// How long an event waits, on the clock of events.
const PATIENCE_NS: u64 = 100_000_000;
/// How many events wait at most, some 8 MB: above that, the first goes as it is. That is as
/// many as half a million a second make in 33 ms.
const MAX_WAITING: usize = 1 << 14;

/// Events that wait.
#[derive(Debug, Default)]
pub struct Queue {
    events: VecDeque<Waiting>,
    /// How many have left: the place of the first one.
    left: u64,
    /// The places of the exits that wait.
    exits: HashMap<Task, u64>,
    /// Who is searching, perhaps, and the place of the last try's event.
    searches: HashMap<Caller, u64>,
}

/// A task, uniquely within a boot: an id may come back, but not within the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Caller {
    pid: u32,
    start_ns: u64,
    tid: u32,
}

#[derive(Debug)]
struct Waiting {
    /// None: it has become part of a later one, or of nothing.
    event: Option<Event>,
    until: Until,
}

/// What an event waits for, but that those before it go.
#[derive(Clone, Copy, Debug)]
enum Until {
    Nothing,
    Cost {
        task: Task,
        inherited_rss_bytes: Option<u64>,
    },
    /// The task's next step.
    Step(Search),
}

/// What is known of a search besides its last try.
#[derive(Clone, Copy, Debug)]
struct Search {
    caller: Caller,
    began_ns: u64,
    /// In some directory there was a file that may not be executed.
    denied: bool,
}

impl Queue {
    /// Adds an event that waits for nothing but its turn; or a failed exec, which may become one
    /// with those before it.
    pub fn push(&mut self, mut event: Event) {
        let until = match event.kind {
            EventKind::ExecFailed => self.search_of(&mut event).map_or(Until::Nothing, Until::Step),
            _ => Until::Nothing,
        };
        if let Until::Step(search) = until {
            self.searches.insert(search.caller, self.next_place());
        }
        self.events.push_back(Waiting { event: Some(event), until });
    }

    /// Adds the exit of a task; for the highest resident set that it inherited see
    /// [`Cost::complete`].
    pub fn push_exit(&mut self, event: Event, task: Task, inherited_rss_bytes: Option<u64>) {
        self.exits.insert(task, self.next_place());
        let until = Until::Cost { task, inherited_rss_bytes };
        self.events.push_back(Waiting { event: Some(event), until });
    }

    fn next_place(&self) -> u64 {
        self.left + self.events.len() as u64
    }

    /// What a task has cost. Its exit may have left by now, or was not wanted.
    pub fn cost(&mut self, task: Task, cost: Option<&Cost>) {
        let Some(place) = self.exits.remove(&task) else { return };
        let Some(Waiting { event, until }) = at(&mut self.events, self.left, place) else { return };
        let Until::Cost { inherited_rss_bytes, .. } = *until else { return };
        let detail = event.as_mut().and_then(|event| event.wide.as_deref_mut());
        let detail = detail.map(|wide| &mut wide.detail);
        if let (Some(Detail::Exit(ended)), Some(cost)) = (detail, cost) {
            cost.complete(ended, inherited_rss_bytes);
        }
        *until = Until::Nothing;
    }

    /// Takes what a record tells of searches, its own event not included: that may be one that
    /// nobody wants to see.
    pub fn learn(&mut self, record: &RingRecord) {
        if self.searches.is_empty() {
            return;
        }
        let event = &record.event;
        let Some(wide) = event.wide.as_deref() else { return };
        let (of_process, tid) = ((event.pid, wide.start_ns), wide.tid);
        match &wide.detail {
            Detail::Exec { filename, .. } => {
                // All other threads are gone then.
                self.settle(|caller, failed| {
                    let found = record.caller_tid == Some(caller.tid)
                        && failed.is_some_and(|failed| base_name(failed) == base_name(filename));
                    (caller.process() == of_process).then_some(!found)
                });
            }
            Detail::Exit(ended) => self.settle(|caller, _| {
                let of_it = caller.process() == of_process && (!ended.thread || caller.tid == tid);
                of_it.then_some(true)
            }),
            _ => {}
        }
    }

    /// Ends searches: `keeps` has none for those that go on, and for the others whether their
    /// event stays.
    fn settle(&mut self, keeps: impl Fn(&Caller, Option<&[u8]>) -> Option<bool>) {
        let Self { events, left, searches, .. } = self;
        searches.retain(|caller, place| {
            let Some(tried) = at(events, *left, *place) else { return false };
            let failed = tried.event.as_ref().and_then(filename);
            let Some(keep) = keeps(caller, failed) else { return true };
            tried.until = Until::Nothing;
            if !keep {
                tried.event = None;
            }
            false
        });
    }

    /// The search that a failed exec is part of: it takes the place of the one before it, if the
    /// task still tries the same.
    fn search_of(&mut self, event: &mut Event) -> Option<Search> {
        let (began_ns, pid) = (event.timestamp_ns, event.pid);
        let wide = event.wide.as_deref_mut()?;
        let caller = Caller { pid, start_ns: wide.start_ns, tid: wide.tid };
        let Detail::ExecFailed { filename, args, errno, tried, .. } = &mut wide.detail else {
            return None;
        };
        let new = Search { caller, began_ns, denied: *errno == Errno::EACCES };
        let before = self.searches.remove(&caller);
        let before = before.and_then(|place| at(&mut self.events, self.left, place));
        let Some(before) = before else { return Some(new) };
        let Until::Step(search) = std::mem::replace(&mut before.until, Until::Nothing) else {
            return Some(new);
        };
        let tries =
            before.event.as_ref().and_then(|tried| tries(tried, filename.as_deref()?, args));
        let Some(tries) = tries else { return Some(new) };
        before.event = None;
        *tried = tries.saturating_add(1);
        let denied = search.denied || new.denied;
        if denied && errno.is_of_one_directory() {
            *errno = Errno::EACCES;
        }
        Some(Search { denied, ..search })
    }

    /// Takes the next event whose turn it is, when all has been read that happened up to `now_ns`
    /// (`CLOCK_MONOTONIC`).
    pub fn next(&mut self, now_ns: u64) -> Option<Event> {
        loop {
            let first = self.events.front()?;
            let waits = now_ns < first.due_ns() && self.events.len() <= MAX_WAITING;
            match first.until {
                Until::Cost { .. } | Until::Step(_) if waits => return None,
                Until::Cost { task, .. } => _ = self.exits.remove(&task),
                Until::Step(search) => _ = self.searches.remove(&search.caller),
                Until::Nothing => {}
            }
            self.left += 1;
            if let Some(event) = self.events.pop_front()?.event {
                return Some(event);
            }
        }
    }

    /// No event waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// When the first event goes whatever comes until then; none where none waits.
    pub fn due_ns(&self) -> Option<u64> {
        Some(self.events.front()?.due_ns())
    }
}

impl Waiting {
    fn due_ns(&self) -> u64 {
        let since_ns = match (self.until, &self.event) {
            (Until::Step(search), _) => search.began_ns,
            (_, Some(event)) => event.timestamp_ns,
            (_, None) => return 0,
        };
        since_ns.saturating_add(PATIENCE_NS)
    }
}

impl Caller {
    fn process(&self) -> (u32, u64) {
        (self.pid, self.start_ns)
    }
}

fn at(events: &mut VecDeque<Waiting>, left: u64, place: u64) -> Option<&mut Waiting> {
    events.get_mut(usize::try_from(place.checked_sub(left)?).ok()?)
}

fn filename(event: &Event) -> Option<&[u8]> {
    match event.detail()? {
        Detail::ExecFailed { filename, .. } => filename.as_deref(),
        _ => None,
    }
}

/// How many files were tried so far, if that search goes on with this one.
fn tries(event: &Event, file: &[u8], with: &Args) -> Option<u32> {
    let Detail::ExecFailed { filename, args, tried, .. } = event.detail()? else { return None };
    let same = base_name(filename.as_deref()?) == base_name(file) && args.agrees_with(with);
    same.then_some(*tried)
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod searches;
#[cfg(test)]
mod tests;
