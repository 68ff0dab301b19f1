// SPDX-License-Identifier: MIT OR Apache-2.0
//! One capture: its files, one after the other, line by line.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::files::{self, Set};
use super::input::{Bytes, Input};
use super::lines::{Line, Lines, MAX_LINE};
use super::seek::{self, Skipped};
use crate::json::read::{self, Decoder, Record};
use crate::model::event::Meta;
use crate::runtime::stop::Stop;

/// A byte order mark: some editors begin a file with one.
const BOM: &[u8] = "\u{feff}".as_bytes();
/// What is read at a time to see when a file begins, and of so many lines.
const PEEK_SIZE: usize = 16 << 10;
const MAX_PEEKED: usize = 100;
/// All events are wanted.
pub const ALWAYS: Range<u64> = 0..u64::MAX;

/// What a capture comes with next.
#[derive(Debug)]
pub enum Item {
    /// A file of it begins.
    Begins(Rc<str>),
    /// A line that tells something.
    Record(Record),
    /// A line that can't be read, and why.
    Unreadable(String),
    /// A file ends here.
    Ends {
        /// The first line that isn't empty.
        first: Option<Kind>,
        /// What failed, and where.
        error: Option<(Place, io::Error)>,
        /// It was read to its end.
        whole: bool,
    },
}

/// What the first line of a file that is no capture may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A table of ours.
    Table,
    /// No text.
    Binary,
    /// Some text.
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

/// A line of a file, for messages: `FILE:12`.
#[derive(Clone, Debug)]
pub struct Place {
    name: Rc<str>,
    number: u64,
    skipped: Option<Rc<Skipped>>,
}

impl Place {
    /// The line's number in the file, from 1.
    pub fn number(&self) -> u64 {
        self.skipped.as_ref().map_or(0, |skipped| skipped.lines()) + self.number
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.number())
    }
}

/// The files of one capture at work.
pub struct Stream {
    files: VecDeque<Input>,
    open: Option<Open>,
    /// Events at other times aren't wanted: nanoseconds since 1970.
    wanted: Range<u64>,
    /// Goes on with what is written to this file.
    tail: Option<PathBuf>,
    stop: Stop,
    /// What is read at a time.
    size: usize,
    /// Of the files, and of those that were read, in bytes.
    sizes: Option<u64>,
    done: u64,
    skipped: bool,
    left: bool,
}

/// The file that is read.
struct Open {
    name: Rc<str>,
    input: Input,
    lines: Lines<Bytes>,
    /// It keeps what lines have in common.
    decoder: Decoder,
    first: Option<Kind>,
    skipped: Option<Rc<Skipped>>,
    /// That the lines name, as long as it is one.
    host: Host,
    /// What the capture says of itself.
    meta: Option<Box<Meta>>,
}

/// Which host's lines a file has.
#[derive(PartialEq, Eq)]
enum Host {
    Unknown,
    One(Vec<u8>),
    Several,
}

impl Host {
    fn see(&mut self, line: &[u8]) {
        let Some(named) = read::event_host(line) else { return };
        match self {
            Self::Unknown => *self = Self::One(named.to_vec()),
            Self::One(known) if known != named => *self = Self::Several,
            _ => {}
        }
    }
}

impl Stream {
    /// The capture of these files, of which `size` bytes are read at a time.
    pub fn new(set: Set, wanted: Range<u64>, tail: bool, size: usize, stop: &Stop) -> Self {
        let sizes = set.files.iter().map(Input::size).sum();
        Self {
            files: set.files.into(),
            open: None,
            wanted,
            tail: tail.then_some(set.path),
            stop: stop.clone(),
            size,
            sizes: Option::filter(sizes, |_| !tail),
            done: 0,
            skipped: false,
            left: false,
        }
    }

    /// When it began, and when its first event was, as far as its first lines tell: what isn't a regular file
    /// isn't asked.
    pub fn begins(&self) -> [Option<u64>; 2] {
        let first = self.files.front().and_then(|first| self.first_of(first));
        let (meta, first_ns) = first.unwrap_or_default();
        let began = meta.filter(|meta| meta.began_ns > 0);
        [began.map(|meta| meta.clock_offset_ns.wrapping_add(meta.began_ns)), first_ns]
    }

    /// What a file's first lines tell of its capture, and when its first event was.
    fn first_of(&self, input: &Input) -> Option<(Option<Meta>, Option<u64>)> {
        input.size()?;
        let mut lines = Lines::with_capacity(PEEK_SIZE, input.bytes(None, &self.stop));
        let (mut decoder, mut meta) = (Decoder::default(), None);
        let found = (0..MAX_PEEKED).find_map(|at| match lines.next_line() {
            Ok(Some(Line::Whole(line))) => match decoder.decode(line).ok()? {
                Record::Meta(said) if at == 0 => {
                    meta = Some(*said);
                    None
                }
                record => time_ns(&record),
            },
            _ => None,
        });
        // The descriptor's offset is the one that the capture is read by.
        input.go_to(0).ok()?;
        Some((meta, found))
    }

    /// Whether a file goes on with this capture, from a time like this on: the lines of one lie in order,
    /// which those of several that somebody joined need not do.
    fn goes_on(&self, next: &Input, meta: &Meta, from: impl Fn(u64) -> bool) -> bool {
        match self.first_of(next) {
            Some((Some(said), Some(first_ns))) => said == *meta && from(first_ns),
            _ => false,
        }
    }

    /// Drops files behind which, still before the time that is wanted, their capture goes on in another.
    fn skip_early_files(&mut self) {
        let Some(first) = self.files.front().filter(|_| self.wanted.start > 0) else { return };
        let Some((Some(meta), _)) = self.first_of(first) else { return };
        let is_early = |first_ns: u64| first_ns.saturating_add(seek::MARGIN_NS) < self.wanted.start;
        let next = self.files.iter().skip(1);
        let early = next.take_while(|next| self.goes_on(next, &meta, is_early)).count();
        for input in self.files.drain(..early) {
            self.done += input.size().unwrap_or(0);
            self.skipped = true;
        }
    }

    /// Drops the next files of the capture of which all that is wanted was read.
    fn leave(&mut self) {
        self.left = true;
        let Some(meta) = self.open.as_ref().and_then(|open| open.meta.as_deref()) else { return };
        let late = self.files.iter().take_while(|next| self.goes_on(next, meta, |_| true)).count();
        for input in self.files.drain(..late) {
            self.done += input.size().unwrap_or(0);
        }
    }

    /// Whether the next item can be had without waiting for input.
    pub fn ready(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.lines.ready())
    }

    /// How many bytes were read, and of how many, where that is known.
    pub fn progress(&self) -> (u64, Option<u64>) {
        let open = self.open.as_ref().map_or(0, |open| open.lines.input().done());
        (self.done + open, self.sizes)
    }

    /// Whether events that are too early were passed over.
    pub fn has_skipped(&self) -> bool {
        self.skipped
    }

    /// Whether it was left before its end, since what follows is too late.
    pub fn was_left(&self) -> bool {
        self.left
    }

    /// Where the last item stands.
    pub fn place(&self) -> Option<Place> {
        let Open { name, lines, skipped, .. } = self.open.as_ref()?;
        Some(Place { name: name.clone(), number: lines.number(), skipped: skipped.clone() })
    }

    /// The next item; none at the end.
    pub fn next(&mut self) -> Option<Item> {
        loop {
            let Some(open) = &mut self.open else { return self.begin() };
            let number = open.lines.number() + 1;
            let line = match open.lines.next_line() {
                // What ended then is our reading.
                _ if self.stop.requested() => return self.end(None, false),
                Ok(Some(line)) => line,
                Ok(None) => return self.end(None, true),
                // Behind what is wanted nothing matters.
                Err(_) if self.left => return self.end(None, true),
                Err(error) => return self.end(Some(error), false),
            };
            let line = match line {
                Line::Whole(text) if number == 1 => {
                    Line::Whole(text.strip_prefix(BOM).unwrap_or(text))
                }
                line => line,
            };
            if let Line::Whole(text) | Line::Last(text) = &line {
                if text.trim_ascii().is_empty() {
                    continue;
                }
                open.first.get_or_insert_with(|| Kind::of(text));
            }
            if let (Line::Whole(text), true) = (&line, self.wanted != ALWAYS) {
                open.host.see(text);
                // Another's lines may be of any time.
                self.left &= open.host != Host::Several;
                match read::event_time_ns(text) {
                    Some(ns) if ns < self.wanted.start => {
                        self.skipped = true;
                        continue;
                    }
                    Some(ns)
                        if ns > self.wanted.end.saturating_add(seek::MARGIN_NS)
                            && open.host != Host::Several =>
                    {
                        // Another capture may be joined to it, but not to one that is just made.
                        if self.tail.take().is_some() || open.input.size().is_none() {
                            self.left = true;
                            self.files.clear();
                            return self.end(None, true);
                        }
                        if !self.left {
                            self.leave();
                        }
                        continue;
                    }
                    _ => {}
                }
            }
            let result = match line {
                Line::Whole(text) => open.decoder.decode(text),
                Line::Last(text) => {
                    open.decoder.decode(text).map_err(|_| "cut off here".to_owned())
                }
                Line::TooLong => Err(format!("longer than {} MiB", MAX_LINE >> 20)),
            };
            if let Ok(Record::Meta(meta)) = &result {
                self.left &= open.meta.as_ref() == Some(meta);
                open.meta = Some(meta.clone());
            }
            // Losses and damage behind what is wanted are none of it.
            if self.left && !matches!(result, Ok(Record::Event(_) | Record::Meta(_))) {
                continue;
            }
            // Its first line says how the capture was made: it is read in any case.
            if self.wanted.start > 0 && number == 1 && open.skipped.is_none() {
                if let Some(skipped) = seek::to_time(&open.input, self.wanted.start) {
                    let tail = self.tail.as_deref().filter(|_| self.files.is_empty());
                    if open.input.go_to(skipped.to).is_ok() {
                        let bytes = open.input.bytes(tail, &self.stop);
                        open.lines = Lines::with_capacity(self.size, bytes);
                        self.done += skipped.to;
                        open.skipped = Some(Rc::new(skipped));
                        self.skipped = true;
                    }
                }
            }
            return Some(result.map_or_else(Item::Unreadable, Item::Record));
        }
    }

    fn begin(&mut self) -> Option<Item> {
        self.skip_early_files();
        let input = self.files.pop_front()?;
        let tail = self.tail.as_deref().filter(|_| self.files.is_empty());
        let name: Rc<str> = Rc::from(input.name());
        let lines = Lines::with_capacity(self.size, input.bytes(tail, &self.stop));
        let (begins, decoder) = (Item::Begins(Rc::clone(&name)), Decoder::default());
        self.open = Some(Open {
            name,
            input,
            lines,
            decoder,
            first: None,
            skipped: None,
            host: Host::Unknown,
            meta: None,
        });
        Some(begins)
    }

    fn end(&mut self, error: Option<io::Error>, whole: bool) -> Option<Item> {
        let mut error = self.place().zip(error);
        let place = self.place();
        let Open { input, lines, first, .. } = self.open.take()?;
        self.done += lines.input().done();
        // What failed would fail again.
        let goes_on = whole && self.files.is_empty() && !self.stop.requested();
        let tail = self.tail.as_deref().filter(|_| goes_on);
        if let Some(path) = tail {
            match files::after(&input, path) {
                Ok(newer) => self.files.extend(newer),
                Err(gone) => {
                    let gone = io::Error::other(format!("{gone:#}"));
                    error = error.or_else(|| place.zip(Some(gone)));
                }
            }
        }
        Some(Item::Ends { first, error, whole })
    }
}

/// When it happened, if it tells that, in nanoseconds since 1970.
pub fn time_ns(record: &Record) -> Option<u64> {
    match record {
        Record::Event(event) => event.wide.as_deref().map(|wide| wide.time_ns),
        Record::Lost { time_ns, .. } => Some(*time_ns),
        Record::Meta(_) | Record::Summary(_) | Record::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_one_host_until_it_names_another() {
        let line = |host: &str| format!("{{\"pid\":7,\"host\":\"{host}\"}}").into_bytes();
        let mut host = Host::Unknown;
        host.see(b"{\"pid\":7}");
        assert!(host == Host::Unknown);
        for _ in 0..2 {
            host.see(&line("one"));
            assert!(host == Host::One(b"one".to_vec()));
        }
        host.see(&line("other"));
        host.see(&line("one"));
        assert!(host == Host::Several);
    }
}
