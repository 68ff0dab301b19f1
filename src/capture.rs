// SPDX-License-Identifier: MIT OR Apache-2.0
//! A live capture: moves records from the tracer to a sink and its output until it ends.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, anyhow};
use rustix::time::ClockId;

use crate::enrich::Enricher;
use crate::event::{Event, Lost, Meta, Totals};
use crate::filter::Filter;
use crate::follow::Follow;
use crate::format::Sink;
use crate::launch::Launched;
use crate::output::{Output, WriteFailed};
use crate::progress::Progress;
use crate::report;
use crate::running::now_ns;
use crate::service::Service;
use crate::stop::Stop;
use crate::tracer::{Learning, Tracer};
use crate::wait::{Waiter, Woken};
use crate::wire::{self, Record};

/// The BPF side leaves unsaid what happens within 10 ms after a wakeup: while there may be such
/// events, this is how long the reader waits.
const SOON: Duration = Duration::from_millis(12);
/// How long it waits when all that came since the last wakeup is read: the next event wakes it.
/// Not for ever, for a handler may be held up between its decision and its submission.
const QUIET: Duration = Duration::from_millis(90);
/// Records read before the stop flag and the loss counters are looked at again.
const BATCH: usize = 1024;
/// Bytes that are worth a write in the middle of a batch.
const WRITE_SIZE: usize = 64 * 1024;
/// The least time between two lines about losses.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);

/// When a capture ends by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// After this time.
    pub duration: Option<Duration>,
    /// After this many events.
    pub count: Option<u64>,
}

/// What a capture came to.
#[derive(Debug)]
pub struct Summary {
    /// Printed and lost events, and the time from attached to detached.
    pub totals: Totals,
    /// Times that the kernel skipped a handler: see [`Tracer::missed`].
    pub missed: u64,
    /// The output or the ring buffer failed. A pipe that was closed is no failure.
    pub error: Option<Error>,
}

impl Summary {
    /// Nothing that happened is missing.
    pub fn complete(&self) -> bool {
        self.totals.lost.total() == 0 && self.missed == 0
    }
}

/// `12 events printed, 0 lost in 5.002 s`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { printed, lost, elapsed_ns } = self.totals;
        write!(f, "{printed} events printed, {} lost", lost.total())?;
        if lost.total() > 0 {
            write!(f, " ({lost})")?;
        }
        if self.missed > 0 {
            write!(f, ", up to {} more missed by the kernel", self.missed)?;
        }
        write!(f, " in {:.3} s", Duration::from_nanos(elapsed_ns).as_secs_f64())
    }
}

/// A capture that is about to begin. The tracer is attached, but not tracing yet.
pub struct Capture<'a> {
    /// The source.
    pub tracer: &'a Tracer<'a>,
    /// The format.
    pub sink: &'a mut dyn Sink,
    /// Where the formatted events go.
    pub output: &'a mut Output,
    /// What the sink may tell of the capture.
    pub meta: Meta,
    /// When it ends by itself.
    pub limits: Limits,
    /// For the wide view.
    pub enricher: Option<Enricher>,
    /// The pattern is looked for here, all else is decided in BPF; `--follow` starts from its
    /// pids.
    pub filter: Filter,
    /// Runs while the capture lasts.
    pub command: Option<&'a mut Launched>,
    /// Show on a terminal how many events there are, for a format that says nothing before the end.
    pub show_count: bool,
    /// The command's end is not the capture's, but that of the last of its descendants.
    pub wait_for_all: bool,
}

impl fmt::Debug for Capture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Capture<'_> {
    /// Traces until a limit is reached, the stop flag is set, the command has ended, or the
    /// output takes no more.
    ///
    /// # Errors
    /// The capture could not begin. What ends it later is in the summary.
    pub fn run(self, stop: &Stop, waiter: &Waiter) -> Result<Summary> {
        let Self { tracer, limits, mut command, wait_for_all, .. } = self;
        let mut ring = tracer.ring()?;
        let writer = RefCell::new(Writer {
            sink: self.sink,
            output: self.output,
            limits,
            enricher: self.enricher,
            filter: self.filter,
            follow: None,
            tracer,
            totals: Totals::default(),
            pending: 0,
            end: None,
        });
        waiter.add_ring(ring.fd())?;
        writer.borrow_mut().begin(&self.meta)?;
        let start = Instant::now();
        report::say("tracing fork, exec and exit (Ctrl-C ends it)");
        if let Some(command) = &mut command {
            command.release()?;
        }

        let mut service = Service::ready();
        let deadline = limits.duration.and_then(|duration| start.checked_add(duration));
        let mut losses = LossReporter::default();
        let mut progress = Progress::new();
        let mut command_ended = false;
        let mut read_batch = || -> usize {
            let mut writer = writer.borrow_mut();
            writer.prepare();
            let read = ring.consume(BATCH, |record| writer.record(record));
            writer.flush();
            read.unwrap_or_else(|error| {
                writer.end = Some(End::Error(error.into()));
                0
            })
        };
        let mut patience = SOON;
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let woken = waiter.wait(left.map_or(patience, |left| left.min(patience)));
            patience = if matches!(woken, Ok(Woken::Ring)) { SOON } else { QUIET };
            match woken {
                Ok(Woken::Timer | Woken::Ring) => {}
                Ok(Woken::OutputClosed) => writer.borrow_mut().end = Some(End::Closed),
                Ok(Woken::CommandEnded) => {
                    command_ended = true;
                    stop.heed_interrupt();
                }
                Err(error) => writer.borrow_mut().end = Some(End::Error(error.into())),
            }
            let over = || {
                writer.borrow().end.is_some()
                    || deadline.is_some_and(|deadline| Instant::now() >= deadline)
                    || match &command {
                        None => stop.requested(),
                        Some(_) if wait_for_all => {
                            command_ended && (stop.requested() || !tracer.any_alive())
                        }
                        Some(_) => command_ended,
                    }
            };
            loop {
                let read = read_batch();
                if read > 0 {
                    patience = SOON;
                }
                service.alive();
                if losses.has_news(tracer.lost()) {
                    progress.clear();
                    losses.say(tracer.lost(), &mut writer.borrow_mut());
                }
                if read < BATCH || over() {
                    break;
                }
            }
            writer.borrow_mut().proceed();
            if self.show_count {
                let writer = writer.borrow();
                progress.show(writer.output, || format!("{} events", writer.totals.printed));
            }
            if over() {
                break;
            }
            service.alive();
            if stop.reopen_requested() {
                writer.borrow_mut().reopen();
            }
            if let Some(command) = &mut command {
                command.pass_on(stop);
            }
        }
        let elapsed = start.elapsed();
        progress.clear();
        service.stopping();
        tracer.detach();
        while writer.borrow().end.is_none() && read_batch() == BATCH {}

        let mut writer = writer.into_inner();
        writer.totals.elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        writer.totals.lost = tracer.lost();
        writer.finish();
        let error = match writer.end {
            Some(End::Error(error)) => Some(error),
            Some(End::Count | End::Closed) | None => None,
        };
        Ok(Summary { totals: writer.totals, missed: tracer.missed(), error })
    }
}

/// Why no more records are taken.
enum End {
    /// `--count` events were formatted.
    Count,
    /// The other end of the output pipe is closed.
    Closed,
    /// The output or the ring buffer failed.
    Error(Error),
}

/// Decodes, completes and formats records, and writes the result.
struct Writer<'a> {
    sink: &'a mut dyn Sink,
    output: &'a mut Output,
    limits: Limits,
    enricher: Option<Enricher>,
    filter: Filter,
    follow: Option<Follow>,
    tracer: &'a Tracer<'a>,
    totals: Totals,
    /// Events that are formatted, but not yet written.
    pending: u64,
    end: Option<End>,
}

impl Writer<'_> {
    /// Begins to record events, and learns of the processes that run already: in this order, so
    /// that none is missed in between.
    fn begin(&mut self, meta: &Meta) -> Result<()> {
        let follow = self.filter.follows();
        if follow {
            self.tracer.set_learning(Learning::All);
        }
        self.tracer.set_tracing(true);
        if follow {
            self.follow = Some(Follow::start(self.tracer, self.filter.pids())?);
        }
        if let Some(enricher) = &mut self.enricher {
            enricher.learn_running();
        }
        self.sink.begin(meta, self.output.buffer());
        self.output.keep_head();
        self.flush();
        Ok(())
    }

    /// Before a batch is read.
    fn prepare(&mut self) {
        if let Some(enricher) = &mut self.enricher {
            enricher.sample_clock();
        }
    }

    /// Takes one record; false when no more are wanted.
    fn record(&mut self, record: &[u8]) -> bool {
        if self.end.is_some() {
            return false;
        }
        match wire::decode(record) {
            Ok(Record::Event(mut event)) if self.admits(&event) => {
                self.complete(&mut event);
                if self.filter.matches(&event) {
                    self.print(&event);
                }
            }
            Ok(Record::Hidden(mut event)) if self.admits(&event) => self.complete(&mut event),
            Ok(Record::Event(_) | Record::Hidden(_)) => {}
            Err(error) => {
                let error = anyhow!(error).context("the BPF programs and tuxscope disagree");
                self.end = Some(End::Error(error));
            }
        }
        self.end.is_none()
    }

    fn admits(&mut self, event: &Event) -> bool {
        match self.follow.as_mut().map(|follow| follow.admits(self.tracer, event)) {
            None => true,
            Some(Ok(admitted)) => admitted,
            Some(Err(error)) => {
                self.end = Some(End::Error(error));
                false
            }
        }
    }

    fn complete(&mut self, event: &mut Event) {
        if let Some(enricher) = &mut self.enricher {
            enricher.complete(event);
        }
    }

    fn print(&mut self, event: &Event) {
        self.sink.event(event, self.output.buffer());
        self.pending += 1;
        if self.limits.count.is_some_and(|count| self.totals.printed + self.pending >= count) {
            self.end = Some(End::Count);
        }
        if self.output.buffer().len() >= WRITE_SIZE {
            self.flush();
        }
    }

    /// After all that lay on the ring buffer is read.
    fn proceed(&mut self) {
        if let Some(enricher) = &mut self.enricher {
            enricher.forget_the_dead();
        }
        if let Some(Err(error)) = self.follow.as_mut().map(|follow| follow.proceed(self.tracer)) {
            self.end = Some(End::Error(error));
        }
    }

    /// Appends what comes after the last event, where there is still somebody to read it.
    fn finish(&mut self) {
        if matches!(self.end, None | Some(End::Count)) {
            let complete = self.totals.lost.total() == 0;
            self.sink.end(&self.totals, complete, self.output.buffer());
            self.flush();
        }
    }

    fn flush(&mut self) {
        let written = self.output.flush();
        self.count(written);
    }

    fn reopen(&mut self) {
        self.flush();
        if self.end.is_none() {
            let reopened = self.output.reopen();
            self.count(reopened);
        }
    }

    fn count(&mut self, written: Result<(), WriteFailed>) {
        let mut arrived = self.pending;
        if let Err(WriteFailed { cause, lines_missing }) = written {
            // An event is a line. A header is one, too, but then no event is pending.
            arrived = arrived.saturating_sub(lines_missing);
            self.end = Some(match cause.kind() {
                io::ErrorKind::BrokenPipe => End::Closed,
                _ => End::Error(anyhow!("can't write {}: {cause}", self.output.name())),
            });
        }
        self.totals.printed += arrived;
        self.pending = 0;
    }
}

/// Says when events were lost: at once, then at most once a second.
#[derive(Default)]
struct LossReporter {
    said: Lost,
    last: Option<Instant>,
}

impl LossReporter {
    fn has_news(&self, lost: Lost) -> bool {
        let quiet = self.last.is_some_and(|last| last.elapsed() < LOSS_INTERVAL);
        lost != self.said && !quiet
    }

    fn say(&mut self, lost: Lost, writer: &mut Writer<'_>) {
        self.said = lost;
        self.last = Some(Instant::now());
        report::say(format_args!(
            "{} events lost so far ({lost}): the ring buffer was full; a larger --buffer-size helps",
            lost.total()
        ));
        writer.sink.lost(&lost, now_ns(ClockId::Realtime), writer.output.buffer());
    }
}
