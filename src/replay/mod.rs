// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: moves the records of a capture from a file to a sink and its output.

use std::fmt::Display;
use std::io;

use anyhow::{Error, Result, anyhow};

use crate::json::read::{Decoder, Record};
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::output::progress::Progress;
use crate::output::{Output, WRITE_SIZE, WriteFailed};
use crate::process::filter::Filter;
use crate::runtime::report;
use crate::runtime::stop::Stop;
use crate::view::Sink;

mod input;
mod lines;

pub use input::Input;
pub use lines::{Line, Lines, MAX_LINE};

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
    /// The file or the output failed. A pipe that was closed is no failure.
    pub error: Option<Error>,
}

/// Replays a capture to its end. The sink is made when it is known whether the capture is of
/// the wide mode.
///
/// # Errors
/// A filter needs what the capture does not tell.
pub fn run(
    input: Input,
    filter: Filter,
    make_sink: &mut dyn FnMut(bool) -> Box<dyn Sink>,
    output: &mut Output,
    stop: &Stop,
) -> Result<Outcome> {
    let name = input.name().to_owned();
    // The program that writes into our standard input gets a terminal's Ctrl-C, too, and the
    // last that it has to say is worth waiting for.
    let ends_itself = input.progress().is_none();
    let mut lines = Lines::new(input);
    let mut decoder = Decoder::default();
    let mut replay = Replay::new(name, filter, make_sink, output, stop);
    let mut progress = Progress::new();

    while !replay.over && (ends_itself || !stop.requested()) {
        if !lines.ready() {
            replay.flush();
            if let Some(done) = lines.input().progress() {
                progress.show(replay.output, || format!("{:3.0} % read", done * 100.0));
            }
        }
        let number = lines.number() + 1;
        let line = match lines.next_line() {
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
                let what = format!("can't read {} on: {error}", replay.name);
                replay.error = Some(anyhow!(what));
                break;
            }
        };
        let result = match line {
            Line::Whole(text) | Line::Last(text) if text.trim_ascii().is_empty() => continue,
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

/// Formats records and writes the result.
struct Replay<'a> {
    name: String,
    filter: Filter,
    make_sink: &'a mut dyn FnMut(bool) -> Box<dyn Sink>,
    output: &'a mut Output,
    stop: &'a Stop,
    sink: Option<Box<dyn Sink>>,
    /// The whole file was read.
    ended: bool,
    /// The output takes no more.
    over: bool,
    error: Option<Error>,
    printed: u64,
    records: u64,
    unreadable: u64,
    losses_said: u64,
    capture: Capture,
    /// Of captures that were joined to this one in front of it.
    earlier: Totals,
}

/// What is known of the capture.
#[derive(Default)]
struct Capture {
    /// It is of a kind that ends with a summary.
    meta: Option<Meta>,
    summary: Option<Totals>,
    lost: Lost,
    /// The earliest and the latest time of an event.
    span: Option<(u64, u64)>,
}

impl Capture {
    fn saw(&mut self, timestamp_ns: u64) {
        let (first, last) = self.span.unwrap_or((timestamp_ns, timestamp_ns));
        self.span = Some((first.min(timestamp_ns), last.max(timestamp_ns)));
    }

    /// What it came to, but for the events that were printed. The basic mode's captures have no
    /// mark at their end.
    fn totals(&self) -> Totals {
        let span_ns = self.span.map_or(0, |(first, last)| last - first);
        let unmarked = Totals {
            elapsed_ns: span_ns,
            cut_off: self.meta.is_some(),
            lost: self.lost,
            ..Totals::default()
        };
        self.summary.unwrap_or(unmarked)
    }
}

impl<'a> Replay<'a> {
    fn new(
        name: String,
        filter: Filter,
        make_sink: &'a mut dyn FnMut(bool) -> Box<dyn Sink>,
        output: &'a mut Output,
        stop: &'a Stop,
    ) -> Self {
        Self {
            name,
            filter,
            make_sink,
            output,
            stop,
            sink: None,
            ended: false,
            over: false,
            error: None,
            printed: 0,
            records: 0,
            unreadable: 0,
            losses_said: 0,
            capture: Capture::default(),
            earlier: Totals::default(),
        }
    }

    fn record(&mut self, number: u64, record: Record) -> Result<()> {
        self.records += 1;
        match record {
            Record::Event(event) => self.event(&event)?,
            Record::Meta(meta) => self.meta(number, meta)?,
            Record::Lost { time_ns, lost } => {
                self.capture.lost = lost;
                self.losses_said += 1;
                if self.losses_said <= MAX_SAID {
                    let total = lost.total();
                    self.say_at(number, format_args!("{total} events lost up to here ({lost})"));
                }
                self.begin(true, Meta::default())?;
                if let Some(sink) = &mut self.sink {
                    sink.lost(&lost, time_ns, self.output.buffer());
                }
            }
            Record::Summary(totals) => {
                self.capture.lost = totals.lost;
                self.capture.summary = Some(totals);
            }
            Record::Unknown => {}
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.capture.saw(event.timestamp_ns);
        if !self.filter.keeps(event)? {
            return Ok(());
        }
        self.begin(event.wide.is_some(), Meta::default())?;
        if let Some(sink) = &mut self.sink {
            sink.event(event, self.output.buffer());
            self.printed += 1;
        }
        if self.output.buffer().len() >= WRITE_SIZE {
            self.flush();
        }
        Ok(())
    }

    fn meta(&mut self, number: u64, meta: Meta) -> Result<()> {
        // Each file of a capture that was rotated begins with the same one; its summary ends it.
        if self.capture.meta.as_ref() == Some(&meta) && self.capture.summary.is_none() {
            return Ok(());
        }
        if self.capture.meta.is_some() {
            self.say_at(number, "another capture begins here; both are shown as one");
            let capture = std::mem::take(&mut self.capture);
            self.earlier = self.earlier.plus(&capture.totals());
        }
        self.capture.meta = Some(meta.clone());
        self.begin(true, meta)
    }

    fn begin(&mut self, wide: bool, mut meta: Meta) -> Result<()> {
        if self.sink.is_none() {
            self.output.begin()?;
            meta.filters.extend(self.filter.words());
            let sink = self.sink.insert((self.make_sink)(wide));
            sink.begin(&meta, self.output.buffer());
        }
        Ok(())
    }

    fn unreadable(&mut self, number: u64, reason: &str) {
        self.unreadable += 1;
        if self.unreadable <= MAX_SAID {
            let cut = reason.char_indices().nth(MAX_REASON).map_or(reason.len(), |(at, _)| at);
            self.say_at(number, &reason[..cut]);
        }
    }

    fn say_at(&self, number: u64, what: impl Display) {
        report::say(format_args!("{}:{number}: {what}", self.name));
    }

    fn end(mut self) -> Result<Outcome> {
        let mut totals = self.earlier.plus(&self.capture.totals());
        totals.printed = self.printed;
        totals.cut_off |= !self.ended;
        // What can't be replayed at all is no cause to empty a file.
        let nothing = self.records == 0 && (self.unreadable > 0 || self.error.is_some());
        if !nothing {
            self.begin(false, Meta::default())?;
        }
        if let Some(sink) = &mut self.sink {
            sink.end(&totals, self.output.buffer());
        }
        self.flush();

        let name = &self.name;
        if let Some(more) = self.unreadable.checked_sub(MAX_SAID).filter(|&more| more > 0) {
            report::say(format_args!("{name}: {more} more lines could not be read"));
        }
        if self.ended && totals.cut_off {
            let why = match self.capture.summary {
                Some(summary) if summary.cut_off => "its summary says so",
                Some(_) => "an earlier one that is joined to it is not",
                None => "it has no summary at its end",
            };
            report::say(format_args!("{name}: the capture is not complete: {why}"));
        }
        let Totals { lost, missed, .. } = totals;
        if lost.total() > 0 {
            let total = lost.total();
            report::say(format_args!("{name}: the capture lost {total} events ({lost})"));
        }
        if missed > 0 {
            report::say(format_args!("{name}: up to {missed} more were missed by the kernel"));
        }
        let no_capture = || anyhow!("{name}: not one line of it is of a capture");
        let error = self.error.or_else(|| nothing.then(no_capture));
        Ok(Outcome { complete: totals.complete(), unreadable: self.unreadable, error })
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
        if let (Some(sink), Some(columns)) = (&mut self.sink, self.output.columns()) {
            sink.resize(columns, self.output.buffer());
        }
    }
}
