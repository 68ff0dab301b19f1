// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events in their order, while some wait for what is to come.
//!
//! An exit waits for what its process has cost: the kernel knows that only when the process is
//! reaped and its leader freed, some 10 to 30 ms after the exit. A failed exec waits for its task's
//! next step: a search along PATH fails in each directory up to the one that has the file, if any
//! has, and is one event, or none. What happened later waits behind them, so that lines keep their
//! order; but not for ever, because a zombie may never be reaped, a task may do nothing more for a
//! while, and a record may be lost.

//!
//! What waits are the records, not the events: an event is made when it is its turn, so all that
//! depends on earlier ones sees them in their order.

use foldhash::HashMap;

use crate::kernel::wire::{Decoded, RingRecord, Task, What, WireError, decode_wide, glance};
use crate::model::cost::Cost;
use crate::model::errno::Errno;
use crate::model::event::{Args, Detail, Event};

mod backlog;

use backlog::Backlog;

/// How long an event waits, on the clock of events.
const PATIENCE_NS: u64 = 100_000_000;
/// Bytes of records that wait at most: above that, the first goes as it is. That is as many as
/// half a million threads a second make in 20 ms.
const MAX_WAITING: usize = 3 << 20;

/// Records of the wide mode that wait.
#[derive(Debug, Default)]
pub struct Queue {
    records: Backlog<Until>,
    /// The places of the exits that wait.
    exits: HashMap<Task, u64>,
    /// Who is searching, perhaps, and the place of the last try's record.
    searches: HashMap<Caller, u64>,
    /// What is known of searches, by the place of the last try's record.
    tries: HashMap<u64, Search>,
    /// When the last event happened that came.
    newest_ns: u64,
}

/// A task, uniquely within a boot: an id may come back, but not within the same process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Caller {
    pid: u32,
    start_ns: u64,
    tid: u32,
}

/// What a record waits for, but that those before it go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Nothing,
    /// The record of its cost.
    Cost,
    /// Nothing any more: that lies behind it.
    CostTold,
    /// The task's next step.
    Step,
    /// It has become part of a later one, or of nothing.
    Gone,
}

/// What is known of a search besides its last try.
#[derive(Clone, Copy, Debug)]
struct Search {
    caller: Caller,
    began_ns: u64,
    /// In some directory there was a file that may not be executed.
    denied: bool,
    /// How many files were tried.
    tried: u32,
}

/// A record whose turn it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Turn {
    /// What it tells.
    pub decoded: Decoded,
    /// Of an exit: whose it is, and what that has cost, where that is known.
    pub cost: Option<(Task, Option<Cost>)>,
}

impl Queue {
    /// Adds a record. Returns what it tells, if that waits for nothing.
    ///
    /// # Errors
    /// It is none of the wide mode.
    pub fn push(&mut self, record: &[u8]) -> Result<Option<Turn>, WireError> {
        let seen = glance(record)?;
        let record = &record[..seen.len];
        if let What::Cost(task) = seen.what {
            return self.cost(task, record);
        }
        self.newest_ns = self.newest_ns.max(seen.timestamp_ns);
        if !self.searches.is_empty() {
            if let Decoded::Event(record) = decode_wide(record)? {
                self.learn(&record);
            }
        }
        match seen.what {
            What::Exit { task, room } => {
                let place = self.records.push(record, room, Until::Cost);
                self.exits.insert(task, place);
            }
            What::ExecFailed => self.push_failed(record)?,
            _ if self.records.is_empty() => {
                return Ok(Some(Turn { decoded: decode_wide(record)?, cost: None }));
            }
            _ => _ = self.records.push(record, 0, Until::Nothing),
        }
        Ok(None)
    }

    /// What a task has cost. If its exit has left by now, or was not wanted, it goes at once.
    fn cost(&mut self, task: Task, record: &[u8]) -> Result<Option<Turn>, WireError> {
        let Some(place) = self.exits.remove(&task) else {
            return Ok(Some(Turn { decoded: decode_wide(record)?, cost: None }));
        };
        let fits = self.records.fill(place, record);
        if let Some(until) = self.records.kept(place) {
            *until = Until::CostTold;
        }
        fits.map(|()| None).ok_or(WireError::Shape { len: record.len() })
    }

    /// Adds a failed exec: if its task still tries the same as before, the two are one search.
    fn push_failed(&mut self, record: &[u8]) -> Result<(), WireError> {
        let search = match decode_wide(record)? {
            Decoded::Event(RingRecord { event, .. }) => self.search_of(&event),
            _ => None,
        };
        let until = if search.is_some() { Until::Step } else { Until::Nothing };
        let place = self.records.push(record, 0, until);
        if let Some(search) = search {
            self.searches.insert(search.caller, place);
            self.tries.insert(place, search);
        }
        Ok(())
    }

    /// Takes what a record tells of searches, its own event not included: that may be one that
    /// nobody wants to see.
    fn learn(&mut self, record: &RingRecord) {
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
        let Self { records, searches, .. } = self;
        searches.retain(|caller, place| {
            let failed = failed_at(records, *place);
            let Some(keep) = keeps(caller, failed.as_ref().and_then(filename)) else { return true };
            if let Some(until) = records.kept(*place) {
                *until = if keep { Until::Nothing } else { Until::Gone };
            }
            false
        });
    }

    /// The search that a failed exec is part of: it takes the place of the one before it, if the
    /// task still tries the same.
    fn search_of(&mut self, event: &Event) -> Option<Search> {
        let (began_ns, pid) = (event.timestamp_ns, event.pid);
        let wide = event.wide.as_deref()?;
        let caller = Caller { pid, start_ns: wide.start_ns, tid: wide.tid };
        let Detail::ExecFailed { filename, args, errno, .. } = &wide.detail else { return None };
        let denied = *errno == Errno::EACCES;
        let new = Search { caller, began_ns, denied, tried: 1 };
        let Some(place) = self.searches.remove(&caller) else { return Some(new) };
        let failed = failed_at(&self.records, place);
        let goes_on = failed.is_some_and(|before| is_search(&before, filename.as_deref(), args));
        if let Some(until) = self.records.kept(place) {
            *until = if goes_on { Until::Gone } else { Until::Nothing };
        }
        match self.tries.get(&place).filter(|_| goes_on) {
            None => Some(new),
            Some(&before) => {
                let tried = before.tried.saturating_add(1);
                Some(Search { denied: before.denied || denied, tried, ..before })
            }
        }
    }

    /// Takes the next record whose turn it is, when all has been read that happened up to
    /// `now_ns` (`CLOCK_MONOTONIC`).
    pub fn next(&mut self, now_ns: u64) -> Option<Result<Turn, WireError>> {
        loop {
            let (place, &until) = self.records.first()?;
            if matches!(until, Until::Cost | Until::Step)
                && self.records.size() <= MAX_WAITING
                && now_ns < self.due_ns()?
            {
                return None;
            }
            let turn = self.turn(place, until);
            self.records.pop();
            if let Some(search) = self.tries.remove(&place).filter(|_| until == Until::Step) {
                self.searches.remove(&search.caller);
            }
            if let Some(turn) = turn {
                return Some(turn);
            }
        }
    }

    fn turn(&mut self, place: u64, until: Until) -> Option<Result<Turn, WireError>> {
        if until == Until::Gone {
            return None;
        }
        let (record, room) = self.records.at(place)?;
        let mut unpaid = None;
        if until == Until::Cost {
            if let Ok(What::Exit { task, .. }) = glance(record).map(|seen| seen.what) {
                self.exits.remove(&task);
                unpaid = Some((task, None));
            }
        }
        let cost = (until == Until::CostTold).then(|| decode_wide(room));
        let turn = decode_wide(record).and_then(|mut decoded| {
            if let (Some(search), Decoded::Event(record)) = (self.tries.get(&place), &mut decoded) {
                search.complete(&mut record.event);
            }
            let cost = match cost.transpose()? {
                Some(Decoded::Cost { task, cost }) => Some((task, Some(cost))),
                _ => unpaid,
            };
            Ok(Turn { decoded, cost })
        });
        Some(turn)
    }

    /// No record waits.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// When the first record goes whatever comes until then; none where none waits.
    pub fn due_ns(&self) -> Option<u64> {
        let (place, until) = self.records.first()?;
        let since_ns = match until {
            Until::Step => self.tries.get(&place)?.began_ns,
            Until::Cost => glance(self.records.at(place)?.0).ok()?.timestamp_ns,
            Until::Nothing | Until::CostTold | Until::Gone => return Some(0),
        };
        Some(since_ns.saturating_add(PATIENCE_NS))
    }

    /// When the last event happened that came, `CLOCK_MONOTONIC`.
    pub fn newest_ns(&self) -> u64 {
        self.newest_ns
    }

    /// How many records have come to wait so far, and how many of them have had their turn.
    pub fn progress(&self) -> (u64, u64) {
        (self.records.end(), self.records.left())
    }
}

impl Search {
    /// Tells the last try of those before it.
    fn complete(&self, event: &mut Event) {
        let detail = event.wide.as_deref_mut().map(|wide| &mut wide.detail);
        if let Some(Detail::ExecFailed { errno, tried, .. }) = detail {
            *tried = self.tried;
            if self.denied && errno.is_of_one_directory() {
                *errno = Errno::EACCES;
            }
        }
    }
}

impl Caller {
    fn process(&self) -> (u32, u64) {
        (self.pid, self.start_ns)
    }
}

/// The failed exec at this place.
fn failed_at(records: &Backlog<Until>, place: u64) -> Option<Event> {
    let (record, _) = records.at(place)?;
    Some(decode_wide(record).ok()?.event()?.event)
}

fn filename(event: &Event) -> Option<&[u8]> {
    match event.detail()? {
        Detail::ExecFailed { filename, .. } => filename.as_deref(),
        _ => None,
    }
}

/// Whether the search that failed so goes on with this file.
fn is_search(before: &Event, file: Option<&[u8]>, with: &Args) -> bool {
    let (Some(Detail::ExecFailed { args, .. }), Some(failed), Some(file)) =
        (before.detail(), filename(before), file)
    else {
        return false;
    };
    base_name(failed) == base_name(file) && args.agrees_with(with)
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}

#[cfg(test)]
mod searches;
#[cfg(test)]
mod tests;
