// SPDX-License-Identifier: MIT OR Apache-2.0
//! A live capture: moves records from the tracer to a sink and its output until it ends.

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow};

use crate::capture::bounds::Bounds;
use crate::capture::enrich::Enricher;
use crate::capture::launch::Launched;
use crate::capture::linger::Linger;
use crate::capture::wait::{Waiter, Woken};
use crate::expect::Judge;
use crate::kernel::failed_execs::Hook;
use crate::kernel::tracer::Tracer;
use crate::metrics::Metrics;
use crate::model::event::{Meta, Totals};
use crate::output::Output;
use crate::output::progress::Progress;
use crate::process::filter::Filter;
use crate::runtime::report;
use crate::runtime::stop::Stop;
use crate::text::quantity::counted;
use crate::view::Sink;

mod attend;
pub mod bounds;
pub mod enrich;
mod follow;
pub mod launch;
mod linger;
mod losses;
mod order;
mod owed;
mod status;
pub mod wait;
mod writer;

pub use attend::READER;

use attend::Attend;
use losses::Losses;
use writer::{State, Writer};

/// The BPF side leaves unsaid what happens within 10 ms after a wakeup: while there may be such
/// events, this is how long the reader waits.
const SOON: Duration = Duration::from_millis(12);
/// How long it waits when all that came since the last wakeup is read: the next event wakes it.
/// Not for ever, for a handler may be held up between its decision and its submission.
const QUIET: Duration = Duration::from_millis(90);
/// Records read before the stop flag and the loss counters are looked at again.
const BATCH: usize = 1024;
/// Batches read before all else that may be due is looked at, where there is no end of them.
const MAX_BATCHES: usize = 16;
/// How long the last records may be reserved, but not written, once no more are: far longer than
/// a handler is ever held up.
const STUCK: Duration = Duration::from_millis(500);

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
    /// Printed and lost events, and the time in which they were recorded.
    pub totals: Totals,
    /// The output or the ring buffer failed. A pipe that was closed is no failure.
    pub error: Option<Error>,
    shows_events: bool,
}

/// `12 events printed, 0 lost in 5.002 s`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { printed, lost, lost_unshown, missed, unwritten, elapsed_ns, .. } = self.totals;
        let what = if self.shows_events { "printed" } else { "seen" };
        write!(f, "{} {what}, {} lost", counted(printed, "event"), lost.total())?;
        if !lost.is_none() {
            write!(f, " ({lost})")?;
        }
        if lost_unshown > 0 {
            write!(f, ", {} lost", counted(lost_unshown, "unshown event"))?;
        }
        if missed > 0 {
            write!(f, ", up to {missed} more missed by the kernel")?;
        }
        if unwritten > 0 {
            write!(f, ", {unwritten} not written because nobody read the output")?;
        }
        write!(f, " in {:.3} s", Duration::from_nanos(elapsed_ns).as_secs_f64())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
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
    /// For the wide mode.
    pub enricher: Option<Enricher>,
    /// What of names and arguments goes into lines.
    pub bounds: Bounds,
    /// The pattern is looked for here, all else is decided in BPF; `--follow` starts from its
    /// pids.
    pub filter: Filter,
    /// Runs while the capture lasts.
    pub command: Option<&'a mut Launched>,
    /// Show on a terminal what has happened so far, for a view that says nothing before the end.
    pub show_status: bool,
    /// The command's end is not the capture's, but that of the last of its descendants.
    pub wait_for_all: bool,
    /// Takes all events, whatever is shown of them.
    pub judge: Option<&'a mut Judge>,
    /// Counts all events, whatever is shown of them.
    pub metrics: Option<&'a mut Metrics>,
    /// The view shows something of each event.
    pub shows_events: bool,
    /// The view has the whole screen: nothing is said while it lasts.
    pub full_screen: bool,
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
        let mut writer = Writer {
            tracer,
            sink: self.sink,
            output: self.output,
            enricher: self.enricher,
            filter: self.filter,
            bounds: self.bounds,
            max_count: limits.count,
            judge: self.judge,
            metrics: self.metrics,
            state: State::default(),
        };
        waiter.add_ring(ring.fd())?;
        // The look at what runs already is a part of the capture: events are recorded by then.
        let command_pid = command.as_ref().map_or(0, |command| command.pid());
        let meta = Meta { command_pid, ..self.meta };
        let began = writer.begin(meta, command.is_some())?;
        if !self.full_screen {
            report::say(match tracer.failed_execs() {
                Hook::None => "tracing fork, exec and exit (Ctrl-C ends it)",
                Hook::OwnCalls => "tracing fork, exec, exit and failed execs (Ctrl-C ends it)",
                Hook::EveryCall => {
                    "tracing fork, exec, exit and failed execs, which slows each system call of \
                     this machine by some 100 ns (Ctrl-C ends it)"
                }
            });
        }
        if let Some(command) = &mut command {
            writer.let_go(command.pid(), command.cost());
            command.pass_on(stop);
            command.release()?;
        }

        let runs_command = command.is_some();
        // Where nothing is shown, who reads standard error reads messages: the capture goes on without.
        let written = (self.shows_events || self.full_screen).then_some(&*writer.output);
        let mut others =
            Attend::new(waiter, stop, command, written).context("can't wait for events")?;
        let deadline = limits.duration.and_then(|duration| began.checked_add(duration));
        let mut losses = Losses::default();
        let mut progress = Progress::new();
        let linger = Linger::new(writer.counts_leftovers());
        let over = |writer: &Writer<'_>, command_ended: bool| {
            let ended = match (runs_command, wait_for_all) {
                (false, _) => stop.requested(),
                (true, true) => command_ended && (stop.requested() || !tracer.any_alive()),
                (true, false) => command_ended && (!tracer.any_alive() || linger.is_over()),
            };
            ended
                || writer.has_ended()
                || deadline.is_some_and(|deadline| Instant::now() >= deadline)
        };
        let mut patience = SOON;
        loop {
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let due = [left, writer.due()].into_iter().flatten().fold(patience, Duration::min);
            let woken = others.wait(due, &mut writer);
            patience = if matches!(woken, Ok(Woken::Ring)) { SOON } else { QUIET };
            if let Err(error) = woken {
                writer.end_failed(error.into());
            }
            writer.look();
            let mut drained = false;
            for _ in 0..MAX_BATCHES {
                // What comes while the output is blocked waits on the ring, and is counted as
                // lost when that is full.
                let read = if writer.is_blocked() { 0 } else { writer.read(&mut ring, BATCH) };
                if read > 0 {
                    patience = SOON;
                }
                others.look();
                if let Some(news) = losses.news(tracer.lost()) {
                    progress.clear();
                    if !self.full_screen {
                        report::say(news);
                    }
                    writer.lost();
                }
                drained = read < BATCH && !writer.is_blocked();
                if drained || writer.is_blocked() || over(&writer, others.command_ended) {
                    break;
                }
            }
            if !drained && !writer.is_blocked() {
                patience = Duration::ZERO;
            }
            writer.proceed(&ring, drained);
            writer.tell_metrics(&ring, false);
            if self.show_status {
                progress.show(writer.output, || Some(writer.status()));
            }
            if over(&writer, others.command_ended) {
                break;
            }
            if !writer.is_blocked() && stop.reopen_requested() {
                writer.reopen();
                if let Err(error) = others.watch_anew(writer.output) {
                    writer.end_failed(error.into());
                }
            }
        }
        progress.clear();
        others.service.stopping();
        let elapsed = tracer.detach().duration_since(began);
        let mut last_read = Instant::now();
        // What has ended by then may still tell what it has cost.
        while !writer.has_ended() && (!ring.is_drained() || tracer.is_attached()) {
            others.settle(&mut writer);
            others.look();
            if writer.read(&mut ring, BATCH) > 0 {
                last_read = Instant::now();
                continue;
            }
            if ring.is_drained() && !writer.awaits() {
                tracer.detach_rest();
            } else if !ring.is_drained() && last_read.elapsed() > STUCK {
                writer
                    .end_failed(anyhow!("the kernel never finished a record: the end is missing"));
            }
            sleep(Duration::from_millis(1));
        }
        others.settle(&mut writer);
        while !writer.has_ended() && writer.awaits() {
            writer.release_all();
            others.settle(&mut writer);
        }

        writer.tell_metrics(&ring, true);
        writer.finish(nanos(elapsed));
        others.settle(&mut writer);
        let (totals, error) = writer.outcome();
        Ok(Summary { totals, error, shows_events: self.shows_events })
    }
}
