// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processes as the page has them: columns of numbers as JSON, compressed, as base64.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::rc::Rc;

use data_encoding::{BASE64, Encoder};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::failures::Failures;
use super::lanes::Placed;
use crate::model::event::ExitStatus;
use crate::model::signal;
use crate::text;
use crate::view::lives::{Life, LifeId, Lives, Segment};

/// What the page is to tell. `data.js` reads it.
#[derive(Debug)]
pub struct Data<'a> {
    /// The processes.
    pub lives: &'a Lives,
    /// Where each is drawn, parents before their children.
    pub placed: &'a [Placed],
    /// Those whose failure was passed up.
    pub failures: &'a Failures,
    /// What the end waited for.
    pub chain: &'a [Segment],
    /// How many CPUs there were; 0 where that isn't known.
    pub cpus: u32,
    /// How many rows the processes take.
    pub rows: usize,
}

impl Data<'_> {
    /// Appends it, compressed, as base64.
    pub fn encode(&self, page: &mut String) {
        let base64 = BASE64;
        let gzip = GzEncoder::new(Base64(base64.new_encoder(page)), Compression::new(6));
        // A number is written by itself, and each piece that is compressed costs something.
        let mut json = BufWriter::with_capacity(1 << 16, gzip);
        // Writing to a String can't fail, and all keys are strings.
        let written = serde_json::to_writer(&mut json, self);
        debug_assert!(written.is_ok());
        let finished = json.into_inner().map_err(IntoInnerError::into_error);
        let finished = finished.and_then(GzEncoder::finish);
        debug_assert!(finished.is_ok());
    }

    /// Microseconds since the capture began.
    fn us(&self, ns: u64) -> u64 {
        ns.saturating_sub(self.lives.capture_began_ns()) / 1_000
    }

    /// When the capture began: microseconds since 1970, where that is known.
    fn began_at(&self) -> Option<u64> {
        let first_ns = self.lives.span_ns().0 - self.lives.capture_began_ns();
        Some(self.lives.began_at_ns()?.saturating_sub(first_ns) / 1_000)
    }

    /// The chain: process, begin, end.
    fn segments(&self) -> Vec<(usize, u64, u64)> {
        let on_it: HashSet<LifeId> = self.chain.iter().map(|segment| segment.id).collect();
        let placed = self.placed.iter().enumerate();
        let places: HashMap<LifeId, usize> = placed
            .filter(|(_, process)| on_it.contains(&process.id))
            .map(|(i, process)| (process.id, i))
            .collect();
        let told = |segment: &Segment| {
            Some((*places.get(&segment.id)?, self.us(segment.from_ns), self.us(segment.to_ns)))
        };
        self.chain.iter().filter_map(told).collect()
    }
}

/// Lists with a number a process each, and short ones. Each is made while it is written, since there
/// may be a million processes; but which texts are whose is held.
impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let texts = Texts::of(self);
        let lives = || self.placed.iter().filter_map(|process| self.lives.get(process.id));
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("at", &self.began_at())?;
        // How long the capture lasted; all times are in microseconds.
        map.serialize_entry("span", &self.us(self.lives.span_ns().1))?;
        map.serialize_entry("rows", &self.rows)?;
        map.serialize_entry("cpus", &self.cpus)?;
        // When each began, less the begin of the one before.
        let begins = || {
            let mut before = 0;
            self.placed.iter().map(move |process| {
                let begin = self.us(process.span.0) as i64;
                begin - std::mem::replace(&mut before, begin)
            })
        };
        map.serialize_entry("begin", &Column(begins))?;
        let length = |process: &Placed| self.us(process.span.1) - self.us(process.span.0);
        map.serialize_entry("length", &Column(|| self.placed.iter().map(length)))?;
        map.serialize_entry("row", &Column(|| self.placed.iter().map(|process| process.row)))?;
        // How far before it its parent stands; 0 of a root.
        let parents = || {
            let far =
                |(i, process): (usize, &Placed)| process.parent.map_or(0, |parent| i - parent);
            self.placed.iter().enumerate().map(far)
        };
        map.serialize_entry("parent", &Column(parents))?;
        map.serialize_entry("pid", &Column(|| lives().map(|life| life.pid)))?;
        // As places in `texts`: the name, the command line, who and where it was.
        map.serialize_entry("name", &Column(|| texts.each.iter().map(|each| each.name)))?;
        map.serialize_entry("line", &Column(|| texts.each.iter().map(|each| each.line)))?;
        map.serialize_entry("whose", &Column(|| texts.each.iter().map(|each| each.whose)))?;
        // -1: not known. What is resident in KiB.
        let known = |value: Option<u64>| value.map_or(-1, |value| value as i64);
        let us = |ns: u64| ns / 1_000;
        map.serialize_entry("cpu", &Column(|| lives().map(|life| known(life.cpu_ns().map(us)))))?;
        let waits = || lives().map(|life| known(life.cpu_wait_ns().map(us)));
        map.serialize_entry("wait", &Column(waits))?;
        let resident = || lives().map(|life| known(life.max_rss_bytes().map(|bytes| bytes >> 10)));
        map.serialize_entry("rss", &Column(resident))?;
        map.serialize_entry("status", &Column(|| lives().map(status)))?;
        // Processes whose failure was passed up to the root.
        let passed = || (0..self.placed.len()).filter(|&i| self.failures.is_passed_up(i));
        map.serialize_entry("passed", &Column(passed))?;
        // By process: more to say of it, as a place in `texts`.
        map.serialize_entry("notes", &texts.notes)?;
        map.serialize_entry("chain", &self.segments())?;
        let signals: BTreeMap<u8, _> =
            lives().filter_map(signal).map(|number| (number, signal::name(number))).collect();
        map.serialize_entry("signals", &Column(|| &signals))?;
        map.serialize_entry("texts", &Column(|| texts.all.iter().map(|text| &**text)))?;
        map.end()
    }
}

/// A list that is made while it is written.
struct Column<F>(F);

impl<F: Fn() -> I, I: IntoIterator<Item: Serialize>> Serialize for Column<F> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0())
    }
}

/// -1: it still ran. From 256 on: the signal plus 256. 512: it ended, but how isn't known.
fn status(life: &Life) -> i64 {
    match (life.status(), life.end) {
        (Some(ExitStatus::Code(code)), _) => code.into(),
        (Some(ExitStatus::Signal { number, .. }), _) => i64::from(number) + 256,
        (None, Some(_)) => 512,
        (None, None) => -1,
    }
}

/// What it was killed by.
fn signal(life: &Life) -> Option<u8> {
    match life.status()? {
        ExitStatus::Signal { number, .. } => Some(number),
        ExitStatus::Code(_) => None,
    }
}

/// Texts that are stored once each.
#[derive(Default)]
struct Texts {
    places: HashMap<Rc<str>, u32>,
    all: Vec<Rc<str>>,
    each: Vec<Each>,
    notes: Vec<(usize, u32)>,
}

/// The texts of a process.
struct Each {
    name: u32,
    line: u32,
    whose: u32,
}

impl Texts {
    fn of(data: &Data<'_>) -> Self {
        let mut texts = Self::default();
        for (i, process) in data.placed.iter().enumerate() {
            let Some(life) = data.lives.get(process.id) else { continue };
            let [name, line, whose] =
                [life.name(), life.command_line(), whose(life)].map(|text| texts.place(text));
            texts.each.push(Each { name, line, whose });
            if let Some(note) = note(life) {
                let note = texts.place(note);
                texts.notes.push((i, note));
            }
        }
        texts
    }

    fn place(&mut self, text: String) -> u32 {
        if let Some(&place) = self.places.get(text.as_str()) {
            return place;
        }
        let text: Rc<str> = text.into();
        let place = self.all.len() as u32; // the room for lives holds a few million
        self.places.insert(Rc::clone(&text), place);
        self.all.push(text);
        place
    }
}

/// What is written becomes base64.
struct Base64<'a>(Encoder<'a>);

impl Write for Base64<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `user 1000, cron.service, container 0123456789ab`
fn whose(life: &Life) -> String {
    let Some(whose) = life.whose.as_deref() else { return String::new() };
    let mut parts = vec![format!("user {}", whose.uid)];
    if let Some(place) = whose.place.as_deref() {
        let unit = place.user_unit.as_deref().or(place.unit.as_deref());
        let container = place.container.as_deref().map(|id| format!("container {id}"));
        parts.extend(unit.map(str::to_owned).into_iter().chain(container));
    }
    let mut escaped = String::new();
    text::escape(parts.join(", ").as_bytes(), &mut escaped);
    escaped
}

/// What else there is to say: later programs, failed execs, threads, those that are only counted.
fn note(life: &Life) -> Option<String> {
    let mut notes: Vec<String> = life
        .later_execs()
        .map(|exec| format!("then {}", exec.command_line()))
        .chain(life.failed_execs().map(ToString::to_string))
        .chain(life.killed().map(str::to_owned))
        .collect();
    if life.threads() > 0 {
        notes.push(format!("{} more threads", life.threads()));
    }
    if life.folded().count > 0 {
        notes.push(format!("{} more processes, not drawn", life.folded().count));
    }
    (!notes.is_empty()).then(|| notes.join("\n"))
}
