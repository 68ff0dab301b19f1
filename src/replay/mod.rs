// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: moves the records of a capture from a file to a sink and its output.

use std::fmt::Display;
use std::io;

use anyhow::{Error, Result, anyhow};

use crate::expect::Judge;
use crate::json::read::{Decoder, Record};
use crate::model::event::{Event, Meta, Totals};
use crate::output::progress::Progress;
use crate::output::{Output, WRITE_SIZE, WriteFailed};
use crate::process::filter::Filter;
use crate::runtime::report;
use crate::runtime::stop::Stop;
use crate::text::quantity::counted;
use crate::view::Sink;
use capture::Capture;

mod capture;
mod gzip;
mod input;
mod lines;

pub use input::Input;
pub use lines::{Line, Lines, MAX_LINE};

/// A byte order mark: some editors begin a file with one.
const BOM: &[u8] = "\u{feff}".as_bytes();
/// Messages of one kind that are printed before the rest is only counted.
const MAX_SAID: u64 = 10;
/// Characters of a message about a line: some quote what they found.
const MAX_REASON: usize = 200;

/// What a replay came to.
#[derive(Debug)]
pub struct Outcome {
    /// The capture lost nothing, was ended, and was replayed to its end, as far as can be told:
    /// the basic mode's has no mark there.
    pub complete: bool,
    /// Lines that were skipped because they could not be read.
    pub unreadable: u64,
    /// There was nothing to read.
    pub empty: bool,
    /// The file or the output failed. A pipe that was closed is no failure.
    pub error: Option<Error>,
    /// What the capture came to.
    pub totals: Totals,
}

/// Replays a capture to its end, or until the stop is requested. Of the sinks, the first is for a
/// capture of the basic mode, the other for one of the wide mode. The judge takes all events, whatever
/// the filter.
///
/// # Errors
/// A filter needs what the capture does not tell.
pub fn run(
    input: Input,
    filter: Filter,
    sinks: [Box<dyn Sink>; 2],
    judge: Option<&mut Judge>,
    output: &mut Output,
    stop: &Stop,
) -> Result<Outcome> {
    let name = input.name().to_owned();
    let mut lines = Lines::new(input.bytes(stop));
    let mut decoder = Decoder::default();
    let mut replay = Replay::new(name, filter, sinks, output, stop);
    replay.judge = judge;
    let mut progress = Progress::new();

    while !replay.over && !stop.requested() {
        if !lines.ready() {
            replay.flush();
            if let Some(done) = lines.input().progress() {
                progress.show(replay.output, || format!("{:3.0} % read", done * 100.0));
            }
        }
        let number = lines.number() + 1;
        let line = match lines.next_line() {
            // What ended then is our reading.
            _ if stop.requested() => break,
            Ok(Some(line)) => line,
            Ok(None) => {
                replay.ended = true;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                progress.clear();
                replay.unreadable(number, "the compressed data is cut off here");
                break;
            }
            Err(error) => {
                progress.clear();
                let what = format!("can't read the rest of {}: {error}", replay.name);
                replay.error = Some(anyhow!(what));
                break;
            }
        };
        let line = match line {
            Line::Whole(text) if number == 1 => Line::Whole(text.strip_prefix(BOM).unwrap_or(text)),
            line => line,
        };
        if let Line::Whole(text) | Line::Last(text) = &line {
            if text.trim_ascii().is_empty() {
                continue;
            }
            replay.first.get_or_insert_with(|| Kind::of(text));
        }
        let result = match line {
            Line::Whole(text) => decoder.decode(text),
            Line::Last(text) => decoder.decode(text).map_err(|_| "cut off here".to_owned()),
            Line::TooLong => Err(format!("longer than {} MiB", MAX_LINE >> 20)),
        };
        match result {
            Ok(record) => {
                if !matches!(record, Record::Event(_)) {
                    progress.clear();
                }
                replay.record(number, record)?;
            }
            Err(reason) => {
                progress.clear();
                replay.unreadable(number, &reason);
            }
        }
    }
    progress.clear();
    replay.end()
}

/// What the first line of a file that is no capture may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Table,
    Binary,
    Text,
}

impl Kind {
    fn of(line: &[u8]) -> Self {
        match std::str::from_utf8(line) {
            Ok(text) if text.contains('\0') => Self::Binary,
            Ok(text) if ["PID", "PPID"].iter().all(|name| text.contains(name)) => Self::Table,
            Ok(_) => Self::Text,
            Err(_) => Self::Binary,
        }
    }
}

/// Formats records and writes the result.
struct Replay<'a> {
    name: String,
    filter: Filter,
    /// For the basic mode and for the wide one.
    sinks: [Box<dyn Sink>; 2],
    /// Which of them.
    sink: Option<usize>,
    output: &'a mut Output,
    stop: &'a Stop,
    judge: Option<&'a mut Judge>,
    /// The whole file was read.
    ended: bool,
    /// The output takes no more.
    over: bool,
    error: Option<Error>,
    printed: u64,
    records: u64,
    unreadable: u64,
    /// What the first line looks like.
    first: Option<Kind>,
    /// What is wrong with lines before the first record: a file without any is no capture at all.
    unsaid: Vec<(u64, String)>,
    losses_said: u64,
    capture: Capture,
}

impl<'a> Replay<'a> {
    fn new(
        name: String,
        filter: Filter,
        sinks: [Box<dyn Sink>; 2],
        output: &'a mut Output,
        stop: &'a Stop,
    ) -> Self {
        Self {
            name,
            filter,
            stop,
            sinks,
            sink: None,
            output,
            judge: None,
            ended: false,
            over: false,
            error: None,
            printed: 0,
            records: 0,
            unreadable: 0,
            first: None,
            unsaid: Vec::new(),
            losses_said: 0,
            capture: Capture::default(),
        }
    }

    fn record(&mut self, number: u64, record: Record) -> Result<()> {
        self.records += 1;
        for (number, reason) in std::mem::take(&mut self.unsaid) {
            self.say_at(number, reason);
        }
        match record {
            Record::Event(event) => self.event(&event)?,
            Record::Meta(meta) => self.meta(number, meta)?,
            Record::Lost { time_ns, lost } => {
                self.capture.lost(lost);
                self.losses_said += 1;
                if self.losses_said <= MAX_SAID {
                    let total = counted(lost.total(), "event");
                    self.say_at(number, format_args!("{total} lost up to here ({lost})"));
                }
                self.begin(true, Meta::default())?;
                if let Some(sink) = self.sink {
                    self.sinks[sink].lost(&lost, time_ns, self.output.buffer());
                }
            }
            Record::Summary(totals) => self.capture.end(totals),
            Record::Unknown => {}
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.capture.saw(event.timestamp_ns);
        if let Some(judge) = &mut self.judge {
            judge.event(event);
        }
        if !self.filter.keeps(event)? {
            return Ok(());
        }
        self.begin(event.wide.is_some(), Meta::default())?;
        if let Some(sink) = self.sink {
            self.sinks[sink].event(event, self.output.buffer());
            self.printed += 1;
        }
        if self.output.buffer().len() >= WRITE_SIZE {
            self.flush();
        }
        Ok(())
    }

    fn meta(&mut self, number: u64, meta: Meta) -> Result<()> {
        let another = self.capture.begin(&meta);
        if let Some(judge) = &mut self.judge {
            judge.begin(&meta, another);
        }
        if another {
            self.say_at(number, "another capture begins here; both are shown as one");
        }
        if meta.no_args && self.filter.matches_args() {
            self.say_at(number, "the capture has no arguments: --match looks at names alone");
        }
        self.begin(true, meta)
    }

    fn begin(&mut self, wide: bool, mut meta: Meta) -> Result<()> {
        if self.sink.is_none() {
            self.output.begin()?;
            meta.filters.extend(self.filter.words());
            let sink = *self.sink.insert(usize::from(wide));
            self.sinks[sink].begin(&meta, self.output.buffer());
        }
        Ok(())
    }

    fn unreadable(&mut self, number: u64, reason: &str) {
        self.unreadable += 1;
        if self.unreadable <= MAX_SAID {
            let cut = reason.char_indices().nth(MAX_REASON).map_or(reason.len(), |(at, _)| at);
            match self.records {
                0 => self.unsaid.push((number, reason[..cut].to_owned())),
                _ => self.say_at(number, &reason[..cut]),
            }
        }
    }

    fn say_at(&self, number: u64, what: impl Display) {
        report::say(format_args!("{}:{number}: {what}", self.name));
    }

    fn end(mut self) -> Result<Outcome> {
        let mut totals = self.capture.totals();
        totals.printed = self.printed;
        totals.cut_off |= !self.ended;
        // What can't be replayed at all is no cause to empty a file.
        let nothing = self.records == 0 && (self.unreadable > 0 || self.error.is_some());
        if !nothing {
            self.begin(false, Meta::default())?;
        }
        if let Some(sink) = self.sink {
            self.sinks[sink].end(&totals, self.output.buffer());
        }
        self.flush();

        let name = &self.name;
        let empty = self.ended && self.first.is_none() && self.unreadable == 0;
        if empty {
            report::say(format_args!("{name} is empty: no event was captured"));
        }
        let more = self.unreadable.saturating_sub(MAX_SAID);
        if more > 0 && !nothing {
            let more = counted(more, "more line");
            report::say(format_args!("{name}: {more} could not be read"));
        }
        if self.ended && totals.cut_off {
            let why = self.capture.why_incomplete();
            report::say(format_args!("{name}: the capture is not complete: {why}"));
        }
        let Totals { lost, missed, .. } = totals;
        if !lost.is_none() {
            let total = counted(lost.total(), "event");
            report::say(format_args!("{name}: the capture lost {total} ({lost})"));
        }
        if missed > 0 {
            let missed = counted(missed, "more event");
            report::say(format_args!("{name}: the kernel missed up to {missed}"));
        }
        let error = self.error.take().or_else(|| nothing.then(|| self.no_capture()));
        let (complete, unreadable) = (totals.complete(), self.unreadable);
        Ok(Outcome { complete, unreadable, empty, error, totals })
    }

    /// No line could be read.
    fn no_capture(&self) -> Error {
        let name = &self.name;
        let what = match (self.first, self.unsaid.first()) {
            (Some(Kind::Table), _) => "a table, which can't be replayed".to_owned(),
            (Some(Kind::Binary), _) => "binary data, not a capture".to_owned(),
            (_, Some((line, reason))) => format!("not a capture (line {line}: {reason})"),
            _ => "not a capture".to_owned(),
        };
        anyhow!("{name} is {what}: capture with --format json")
    }

    fn flush(&mut self) {
        if let Err(WriteFailed { cause, .. }) =
            self.output.settle(|output| self.stop.await_room(output, None))
        {
            self.over = true;
            if cause.kind() != io::ErrorKind::BrokenPipe {
                let what = format!("can't write {}: {cause}", self.output.name());
                self.error = Some(anyhow!(what));
            }
        }
        if let (Some(sink), Some(columns)) = (self.sink, self.output.columns()) {
            self.sinks[sink].resize(columns, self.output.buffer());
        }
    }
}
