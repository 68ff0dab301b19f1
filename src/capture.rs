// SPDX-License-Identifier: MIT OR Apache-2.0
//! A live capture: moves records from the tracer to a sink and its output until it ends.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, anyhow};
use rustix::event::{Timespec, epoll};

use crate::event::{Lost, Meta};
use crate::format::Sink;
use crate::output::{Output, WriteFailed};
use crate::report;
use crate::stop::Stop;
use crate::tracer::Tracer;
use crate::wire;

/// How long an event may lie on the ring unread: the BPF side does not wake the reader for each.
const POLL: Duration = Duration::from_millis(50);
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
    /// Events whose lines are in the output.
    pub printed: u64,
    /// Events that the ring buffer had no room for.
    pub lost: Lost,
    /// From attached to detached.
    pub elapsed: Duration,
    /// The output or the ring buffer failed. A pipe that was closed is no failure.
    pub error: Option<Error>,
}

/// `12 events printed, 0 lost in 5.002 s`
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (printed, lost) = (self.printed, self.lost.total());
        write!(f, "{printed} events printed, {lost} lost")?;
        if lost > 0 {
            write!(f, " ({})", self.lost)?;
        }
        write!(f, " in {:.3} s", self.elapsed.as_secs_f64())
    }
}

/// Traces until a limit is reached, the stop flag is set, or the output takes no more.
///
/// # Errors
/// The capture could not begin. What ends it later is in the summary.
pub fn run(
    tracer: &Tracer<'_>,
    meta: &Meta,
    sink: &mut dyn Sink,
    output: &mut Output,
    limits: Limits,
    stop: &Stop,
) -> Result<Summary> {
    let began = Instant::now();
    let deadline = limits.duration.and_then(|duration| began.checked_add(duration));
    let mut losses = LossReporter::default();

    let mut writer = Writer { sink, output, limits, printed: 0, pending: 0, end: None };
    writer.begin(meta);
    let writer = RefCell::new(writer);
    let records = tracer.records(|record| writer.borrow_mut().record(record))?;
    let waiter = {
        let writer = writer.borrow();
        Waiter::new(records.fd(), writer.output.pipe()).context("can't wait for events")?
    };
    report::say("tracing fork, exec and exit (Ctrl-C ends it)");

    let over = || {
        stop.requested()
            || writer.borrow().end.is_some()
            || deadline.is_some_and(|deadline| Instant::now() >= deadline)
    };
    let read_batch = || -> bool {
        let more = match records.consume(BATCH) {
            Ok(n) => n == BATCH,
            Err(error) => {
                writer.borrow_mut().end = Some(End::Error(error.into()));
                false
            }
        };
        writer.borrow_mut().flush();
        more
    };

    while !over() {
        let left = deadline.map_or(POLL, |end| end.saturating_duration_since(Instant::now()));
        match waiter.wait(left.min(POLL)) {
            Ok(Woken::Timer | Woken::Ring) => {}
            Ok(Woken::PipeClosed) => writer.borrow_mut().end = Some(End::Closed),
            Err(error) => writer.borrow_mut().end = Some(End::Error(error.into())),
        }
        while read_batch() && !over() {
            losses.say(tracer.lost());
        }
        losses.say(tracer.lost());
    }
    let elapsed = began.elapsed();
    tracer.detach();
    while writer.borrow().end.is_none() && read_batch() {}

    drop(records);
    let writer = writer.into_inner();
    let error = match writer.end {
        Some(End::Error(error)) => Some(error),
        Some(End::Count | End::Closed) | None => None,
    };
    Ok(Summary { printed: writer.printed, lost: tracer.lost(), elapsed, error })
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

/// Formats records and writes the result.
struct Writer<'a> {
    sink: &'a mut dyn Sink,
    output: &'a mut Output,
    limits: Limits,
    printed: u64,
    /// Formatted, not yet written.
    pending: u64,
    end: Option<End>,
}

impl Writer<'_> {
    fn begin(&mut self, meta: &Meta) {
        self.sink.begin(meta, self.output.buffer());
        self.flush();
    }

    /// Takes one record; false when no more are wanted.
    fn record(&mut self, record: &[u8]) -> bool {
        if self.end.is_some() {
            return false;
        }
        match wire::decode(record) {
            Ok(event) => self.sink.event(&event, self.output.buffer()),
            Err(error) => {
                let error = anyhow!(error).context("the BPF programs and tuxscope disagree");
                self.end = Some(End::Error(error));
                return false;
            }
        }
        self.pending += 1;
        if self.limits.count.is_some_and(|count| self.printed + self.pending >= count) {
            self.end = Some(End::Count);
        }
        if self.output.buffer().len() >= WRITE_SIZE {
            self.flush();
        }
        self.end.is_none()
    }

    fn flush(&mut self) {
        let mut arrived = self.pending;
        if let Err(WriteFailed { cause, lines_missing }) = self.output.flush() {
            // Each event is one line; a header, too, but with it no event is pending.
            arrived = arrived.saturating_sub(lines_missing);
            self.end = Some(match cause.kind() {
                io::ErrorKind::BrokenPipe => End::Closed,
                _ => {
                    let what = format!("can't write {}: {cause}", self.output.name());
                    End::Error(anyhow!(what))
                }
            });
        }
        self.printed += arrived;
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
    fn say(&mut self, lost: Lost) {
        let quiet = self.last.is_some_and(|last| last.elapsed() < LOSS_INTERVAL);
        if lost == self.said || quiet {
            return;
        }
        self.said = lost;
        self.last = Some(Instant::now());
        report::say(format_args!(
            "{} events lost so far ({lost}): the ring buffer was full; a larger --buffer-size helps",
            lost.total()
        ));
    }
}

/// What ended a wait.
enum Woken {
    Timer,
    Ring,
    PipeClosed,
}

/// Waits for the ring buffer, and for the output pipe to be closed.
struct Waiter(OwnedFd);

impl Waiter {
    fn new(ring: BorrowedFd<'_>, pipe: Option<BorrowedFd<'_>>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // Edge-triggered: a level-triggered wait returns at once while any record lies on the
        // ring, and would undo the throttling of the wakeups.
        let edge = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, ring, epoll::EventData::new_u64(0), edge)?;
        if let Some(pipe) = pipe {
            // EPOLLERR comes unasked, when the last reader has gone.
            epoll::add(&epoll, pipe, epoll::EventData::new_u64(1), epoll::EventFlags::empty())?;
        }
        Ok(Self(epoll))
    }

    fn wait(&self, timeout: Duration) -> io::Result<Woken> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 2];
        match epoll::wait(self.0.as_fd(), &mut events, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(Woken::Timer),
            Ok(n) if events[..n].iter().any(|event| event.data.u64() == 1) => Ok(Woken::PipeClosed),
            Ok(_) => Ok(Woken::Ring),
            Err(error) => Err(error.into()),
        }
    }
}
