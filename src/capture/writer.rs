// SPDX-License-Identifier: MIT OR Apache-2.0
//! A record's way from the ring buffer to the output.

use std::io;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use rustix::time::ClockId;

use crate::capture::bounds::Bounds;
use crate::capture::enrich::Enricher;
use crate::capture::follow::Follow;
use crate::capture::nanos;
use crate::capture::order::{Queue, Turn};
use crate::capture::owed::{Owed, Unpaid};
use crate::capture::status::Status;
use crate::expect::Judge;
use crate::host::clock::{monotonic_ns, now_ns};
use crate::host::running;
use crate::kernel::ring::Ring;
use crate::kernel::tracer::{Learning, Tracer};
use crate::kernel::wire::{Decoded, RingRecord, Task, WireError};
use crate::metrics::{Health, Metrics};
use crate::model::cost::Cost;
use crate::model::event::{Detail, Event, EventKind, Meta, Totals};
use crate::output::{Output, WRITE_SIZE, WriteFailed};
use crate::process::filter::Filter;
use crate::view::Sink;

/// Why no more records are taken.
enum End {
    /// `--count` events were formatted, or the sink has had enough.
    Enough,
    /// The other end of the output pipe is closed.
    Closed,
    /// The output or the ring buffer failed.
    Error(Error),
}

/// Decodes, completes and formats records, and writes the result.
pub struct Writer<'a> {
    pub tracer: &'a Tracer<'a>,
    pub sink: &'a mut dyn Sink,
    pub output: &'a mut Output,
    pub enricher: Option<Enricher>,
    pub filter: Filter,
    pub bounds: Bounds,
    /// `--count`
    pub max_count: Option<u64>,
    /// Takes all events, whatever is shown of them.
    pub judge: Option<&'a mut Judge>,
    /// Counts the events that are shown.
    pub metrics: Option<&'a mut Metrics>,
    pub state: State,
}

/// How far a writer has come.
#[derive(Default)]
pub struct State {
    follow: Option<Follow>,
    /// Records whose turn it isn't yet.
    queue: Queue,
    /// Exits that went without their cost.
    owed: Owed,
    /// How many records had come to wait when it was last looked who is gone.
    looked_at: u64,
    totals: Totals,
    status: Status,
    /// Events that are formatted, but not yet written.
    pending: u64,
    /// Of losses the output was not told yet, because it was blocked.
    losses_untold: bool,
    end: Option<End>,
}

impl Writer<'_> {
    /// Begins to record events, and learns of the processes that run already: in this order, so
    /// that none is missed in between. Where a command is run, only what it starts is shown, and of
    /// the others nothing need be known. Returns when the first event may have been.
    pub fn begin(&mut self, mut meta: Meta, runs_command: bool) -> Result<Instant> {
        let follow = self.filter.follows();
        if follow {
            self.tracer.set_learning(Learning::All);
        }
        let began = self.tracer.begin();
        meta.began_ns = monotonic_ns().saturating_sub(nanos(began.elapsed()));
        if follow {
            self.state.follow = Some(Follow::start(self.tracer, self.filter.pids())?);
        }
        let mut running = Vec::new();
        if let Some(enricher) = &mut self.enricher {
            // Who may be a parent of what a command starts: those that adopt orphans.
            running = if runs_command { running::ancestors() } else { running::all() };
            enricher.learn(&running);
        }
        self.sink.begin(&meta, self.output.buffer());
        if let Some(judge) = &mut self.judge {
            judge.begin(&meta, false);
        }
        running.iter().for_each(|process| self.sink.runs_already(process));
        self.output.keep_head();
        self.output.uncounted();
        self.flush();
        Ok(began)
    }

    /// Some rule asks who lives on after the command.
    pub fn counts_leftovers(&self) -> bool {
        self.judge.as_ref().is_some_and(|judge| judge.counts_leftovers())
    }

    /// The command of this process id is let go now; `cost`: of holding it, where that is known.
    pub fn let_go(&mut self, command: u32, cost: Option<Cost>) {
        if let Some(enricher) = &mut self.enricher {
            enricher.let_go(command, cost);
        }
    }

    /// Reads up to `limit` records from the ring and writes them. Returns how many there were.
    pub fn read(&mut self, ring: &mut Ring<'_>, limit: usize) -> usize {
        if let Some(enricher) = &mut self.enricher {
            enricher.sample_clock();
        }
        self.follow_terminal();
        let before = monotonic_ns();
        let read = ring.consume(limit, |record| self.record(record));
        let read = read.unwrap_or_else(|error| {
            self.end_failed(error.into());
            0
        });
        // A reader that lags behind has only read what happened up to then.
        self.release(if read < limit { before } else { self.state.queue.newest_ns() });
        if read < limit && self.state.queue.is_empty() && self.state.end.is_none() {
            self.sink.tick(before, self.output.buffer());
        }
        self.flush();
        read
    }

    /// Prints all events whose turn it is.
    fn release(&mut self, now_ns: u64) {
        while self.state.end.is_none() && !self.is_blocked() {
            match self.state.queue.next(now_ns) {
                None => break,
                Some(Ok(turn)) => self.turn(turn),
                Some(Err(error)) => self.heed(Err(error)),
            }
        }
    }

    /// Prints what waits, for nothing comes any more.
    pub fn release_all(&mut self) {
        self.release(u64::MAX);
        self.flush();
    }

    /// Lets the sink look at what isn't an event.
    pub fn look(&mut self) {
        if self.is_blocked() || self.has_ended() {
            return;
        }
        if self.sink.look(self.output.buffer()).is_break() {
            self.state.end = Some(End::Enough);
        }
        self.output.uncounted();
        self.flush();
    }

    /// How long until an event that waits has to go.
    pub fn due(&self) -> Option<Duration> {
        let due_ns = self.state.queue.due_ns().filter(|_| !self.is_blocked())?;
        Some(Duration::from_nanos(due_ns.saturating_sub(monotonic_ns())))
    }

    /// Whether events wait for their turn.
    pub fn awaits(&self) -> bool {
        !self.state.queue.is_empty()
    }

    /// No more can or need be written.
    pub fn has_ended(&self) -> bool {
        self.state.end.is_some()
    }

    /// The output is blocked: no more is read until it isn't.
    pub fn is_blocked(&self) -> bool {
        self.output.is_blocked()
    }

    /// Bytes that the output has yet to take.
    pub fn left(&mut self) -> usize {
        self.output.buffer().len()
    }

    /// The output has room again, or nobody reads it any more.
    pub fn output_woke(&mut self) {
        if self.is_blocked() {
            self.flush();
            if self.state.losses_untold {
                self.lost();
            }
        } else {
            self.state.end = Some(End::Closed);
        }
    }

    /// Drops what the output can't take, and counts instead of printing from now on.
    pub fn give_up(&mut self) {
        self.output.give_up();
        self.flush();
    }

    /// What the capture depends on has failed.
    pub fn end_failed(&mut self, error: Error) {
        self.state.end = Some(End::Error(error));
    }

    /// What has happened so far, in one line.
    pub fn status(&self) -> String {
        self.state.status.line(&self.tracer.lost())
    }

    /// Passes on word of losses, when the output isn't blocked.
    pub fn lost(&mut self) {
        self.state.losses_untold = self.is_blocked();
        if !self.state.losses_untold {
            let now = now_ns(ClockId::Realtime);
            self.sink.lost(&self.tracer.lost(), now, self.output.buffer());
            self.output.uncounted();
            self.flush();
        }
    }

    /// Takes one record; false when no more are wanted.
    fn record(&mut self, record: &[u8]) -> bool {
        if self.state.end.is_none() {
            let taken = self.take(record);
            self.heed(taken);
        }
        self.state.end.is_none() && !self.is_blocked()
    }

    /// Ends where the BPF programs have sent what they never should.
    fn heed(&mut self, taken: Result<(), WireError>) {
        if let Err(error) = taken {
            let error = anyhow!(error).context("the BPF programs and tuxscope disagree");
            self.state.end = Some(End::Error(error));
        }
    }

    fn take(&mut self, record: &[u8]) -> Result<(), WireError> {
        // Now, not at its turn: who else is followed depends on it.
        if self.state.follow.as_ref().is_some_and(Follow::is_learning) {
            if let Decoded::Event(record) = self.tracer.decode(record)? {
                if !self.admits(&record.event) {
                    return Ok(());
                }
            }
        }
        if self.enricher.is_none() {
            let decoded = self.tracer.decode(record)?;
            self.turn(Turn { decoded, cost: None });
        } else if let Some(turn) = self.state.queue.push(record)? {
            self.turn(turn);
        }
        Ok(())
    }

    /// Completes what a record tells, and prints it if it is wanted.
    fn turn(&mut self, Turn { decoded, cost }: Turn) {
        match decoded {
            Decoded::Event(mut record) => {
                let inherited_rss = self.complete(&mut record);
                let mut unpaid = None;
                match cost {
                    Some((task, Some(cost))) => {
                        self.tell_cost(&mut record.event, task, cost, inherited_rss);
                    }
                    Some((task, None)) => unpaid = Some(task),
                    None => {}
                }
                if record.hidden {
                    return;
                }
                let shown = self.filter.matches(&record.event);
                if let Some(task) = unpaid {
                    self.state.owed.keep(task, &record.event, inherited_rss, shown);
                }
                if let Some(judge) = &mut self.judge {
                    judge.event(&record.event);
                }
                if shown {
                    if let Some(metrics) = &mut self.metrics {
                        metrics.event(&record.event);
                    }
                    self.print(record.event);
                }
            }
            Decoded::Cgroup { id, path } => {
                if self.enricher.as_mut().is_some_and(|enricher| enricher.cgroup_is(id, path)) {
                    self.tracer.retell_cgroups();
                }
            }
            // The queue adds it to its exit, but where that has gone.
            Decoded::Cost { task, cost } => self.cost_of_before(task, cost),
        }
    }

    /// Tells those that sum what a process has cost whose exit was told without it.
    fn cost_of_before(&mut self, task: Task, cost: Cost) {
        let Some(unpaid) = self.state.owed.take(task) else { return };
        let Unpaid { mut exit, inherited_rss, shown } = unpaid;
        self.tell_cost(&mut exit, task, cost, inherited_rss);
        if let Some(judge) = &mut self.judge {
            judge.cost(&exit);
        }
        if shown {
            if let Some(metrics) = &mut self.metrics {
                metrics.cost(&exit);
            }
            self.sink.cost(&exit);
        }
    }

    fn tell_cost(&self, event: &mut Event, task: Task, cost: Cost, inherited_rss: Option<u64>) {
        let cost = self.enricher.as_ref().and_then(|known| known.own_cost(task, cost));
        let detail = event.wide.as_deref_mut().map(|wide| &mut wide.detail);
        if let (Some(Detail::Exit(ended)), Some(cost)) = (detail, cost) {
            cost.complete(ended, inherited_rss);
        }
    }

    fn admits(&mut self, event: &Event) -> bool {
        match self.state.follow.as_mut().map(|follow| follow.admits(self.tracer, event)) {
            None => true,
            Some(Ok(admitted)) => admitted,
            Some(Err(error)) => {
                self.state.end = Some(End::Error(error));
                false
            }
        }
    }

    /// Returns the highest resident set that an exit's process inherited, where that is known.
    fn complete(&mut self, record: &mut RingRecord) -> Option<u64> {
        let enricher = self.enricher.as_mut()?;
        // Counted before this record was sent, if it is of the same process.
        let execs_lost =
            self.tracer.lost().of(EventKind::Exec) > 0 || self.tracer.lost_unshown() > 0;
        enricher.complete(record, execs_lost)
    }

    fn print(&mut self, mut event: Event) {
        self.bounds.fit(&mut event);
        self.state.status.event(&event);
        self.sink.event(&event, self.output.buffer());
        self.state.pending += 1;
        if self
            .max_count
            .is_some_and(|count| self.state.totals.printed + self.state.pending >= count)
        {
            self.state.end = Some(End::Enough);
        }
        if self.output.buffer().len() >= WRITE_SIZE {
            self.flush();
        }
    }

    /// After each look at the ring buffer; `drained` where all that lay on it is read.
    pub fn proceed(&mut self, ring: &Ring<'_>, drained: bool) {
        let (came, left) = self.state.queue.progress();
        if let Some(enricher) =
            self.enricher.as_mut().filter(|_| drained && left >= self.state.looked_at)
        {
            enricher.forget_the_dead();
            self.state.looked_at = came;
        }
        if let Some(Err(error)) =
            self.state.follow.as_mut().map(|follow| follow.proceed(self.tracer, ring))
        {
            self.state.end = Some(End::Error(error));
        }
    }

    /// Writes the metrics, if there are any and it is time, or `at_the_end`.
    pub fn tell_metrics(&mut self, ring: &Ring<'_>, at_the_end: bool) {
        let tracer = self.tracer;
        let health = || Health {
            lost: tracer.lost(),
            missed: tracer.missed(),
            buffer_used: ring.written().saturating_sub(ring.read()),
            buffer_size: ring.size() as u64,
        };
        match &mut self.metrics {
            Some(metrics) if at_the_end => metrics.write(&health()),
            Some(metrics) => metrics.tick(health),
            None => {}
        }
    }

    /// Appends what comes after the last event, where there is still somebody to read it.
    pub fn finish(&mut self, elapsed_ns: u64) {
        self.state.totals.elapsed_ns = elapsed_ns;
        self.state.totals.lost = self.tracer.lost();
        self.state.totals.lost_unshown = self.tracer.lost_unshown();
        self.state.totals.missed = self.tracer.missed();
        if matches!(self.state.end, None | Some(End::Enough)) {
            let totals = self.state.totals;
            self.follow_terminal();
            self.sink.end(&totals, self.output.buffer());
            self.output.uncounted();
            self.flush();
        }
    }

    /// What the capture came to, and what failed.
    pub fn outcome(self) -> (Totals, Option<Error>) {
        let mut totals = self.state.totals;
        totals.cut_off |= self.output.is_given_up();
        match self.state.end {
            Some(End::Error(error)) => (totals, Some(error)),
            Some(End::Enough | End::Closed) | None => (totals, None),
        }
    }

    fn follow_terminal(&mut self) {
        if let Some(columns) = self.output.columns() {
            self.sink.resize(columns, self.output.buffer());
        }
    }

    fn flush(&mut self) {
        let written = self.output.flush();
        self.count(written);
    }

    /// Goes on in a new file of the same name.
    pub fn reopen(&mut self) {
        let reopened = self.output.reopen();
        self.count(reopened);
    }

    fn count(&mut self, written: Result<(), WriteFailed>) {
        if self.is_blocked() {
            return;
        }
        let mut arrived = std::mem::take(&mut self.state.pending);
        if let Err(WriteFailed { cause, lines_missing }) = written {
            // An event is a line.
            arrived = arrived.saturating_sub(lines_missing);
            if self.output.is_given_up() {
                self.state.totals.unwritten += lines_missing;
            } else {
                self.state.end = Some(match cause.kind() {
                    io::ErrorKind::BrokenPipe => End::Closed,
                    _ => End::Error(anyhow!("can't write {}: {cause}", self.output.name())),
                });
            }
        }
        self.state.totals.printed += arrived;
    }
}
