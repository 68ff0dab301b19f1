// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processes as the page has them: columns of numbers as JSON, compressed, as base64.

use std::collections::HashMap;
use std::io::Write as _;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::failures::Failures;
use super::lanes::Placed;
use crate::model::event::ExitStatus;
use crate::model::signal;
use crate::text;
use crate::view::lives::{Life, Lives, Segment};

/// A column an attribute, a number a process; times in microseconds. `page.js` decodes it.
#[derive(Debug, Default, Serialize)]
struct Columns {
    /// When the capture began: microseconds since 1970, where that is known.
    at: Option<u64>,
    /// How long it lasted.
    span: u64,
    rows: usize,
    cpus: u32,
    /// When each began, less the begin of the one before.
    begin: Vec<i64>,
    length: Vec<u64>,
    row: Vec<usize>,
    /// How far before it its parent stands; 0 of a root.
    parent: Vec<usize>,
    pid: Vec<u32>,
    /// The name and the command line, as places in `texts`.
    name: Vec<usize>,
    line: Vec<usize>,
    /// Who and where it was, likewise.
    whose: Vec<usize>,
    /// -1: not known.
    cpu: Vec<i64>,
    wait: Vec<i64>,
    /// In KiB; -1: not known.
    rss: Vec<i64>,
    /// -1: it still ran. From 256 on: the signal plus 256. 512: it ended, but how isn't known.
    status: Vec<i64>,
    /// Processes whose failure was passed up to the root.
    passed: Vec<usize>,
    /// By process: more to say of it, as a place in `texts`.
    notes: Vec<(usize, usize)>,
    /// The chain: process, begin, end.
    chain: Vec<(usize, u64, u64)>,
    signals: Vec<(u8, String)>,
    texts: Vec<String>,
}

/// Texts that are stored once each.
#[derive(Default)]
struct Texts {
    places: HashMap<String, usize>,
    all: Vec<String>,
}

impl Texts {
    fn place(&mut self, text: String) -> usize {
        if let Some(&place) = self.places.get(&text) {
            return place;
        }
        self.all.push(text.clone());
        self.places.insert(text, self.all.len() - 1);
        self.all.len() - 1
    }
}

/// What a capture tells besides its processes.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// How many CPUs there were; 0 where that isn't known.
    pub cpus: u32,
    /// How many rows the processes take.
    pub rows: usize,
}

/// The text of the data block.
pub fn encode(
    lives: &Lives,
    placed: &[Placed],
    failures: &Failures,
    chain: &[Segment],
    about: About,
) -> String {
    let began_ns = lives.capture_began_ns();
    let (first_ns, last_ns) = lives.span_ns();
    let us = |ns: u64| ns.saturating_sub(began_ns) / 1_000;
    let at = lives.began_at_ns().map(|at| at.saturating_sub(first_ns - began_ns) / 1_000);
    let mut columns =
        Columns { at, span: us(last_ns), rows: about.rows, cpus: about.cpus, ..Columns::default() };
    let mut texts = Texts::default();
    let mut signals = HashMap::new();
    let mut places = HashMap::new();
    let mut before = 0;
    for (i, process) in placed.iter().enumerate() {
        let Some(life) = lives.get(process.id) else { continue };
        places.insert(process.id, i);
        let begin = us(process.span.0);
        columns.begin.push(begin as i64 - before);
        before = begin as i64;
        columns.length.push(us(process.span.1) - begin);
        columns.row.push(process.row);
        columns.parent.push(process.parent.map_or(0, |parent| i - parent));
        columns.pid.push(life.pid);
        columns.name.push(texts.place(life.name()));
        columns.line.push(texts.place(life.command_line()));
        columns.whose.push(texts.place(whose(life)));
        let known = |value: Option<u64>| value.map_or(-1, |value| value as i64);
        columns.cpu.push(known(life.cpu_ns().map(|ns| ns / 1_000)));
        columns.wait.push(known(life.cpu_wait_ns().map(|ns| ns / 1_000)));
        columns.rss.push(known(life.max_rss_bytes().map(|bytes| bytes >> 10)));
        columns.status.push(match (life.status(), life.end) {
            (Some(ExitStatus::Code(code)), _) => i64::from(code),
            (Some(ExitStatus::Signal { number, .. }), _) => {
                signals.insert(number, signal::name(number).into_owned());
                i64::from(number) + 256
            }
            (None, Some(_)) => 512,
            (None, None) => -1,
        });
        if failures.is_passed_up(i) {
            columns.passed.push(i);
        }
        if let Some(note) = note(life) {
            columns.notes.push((i, texts.place(note)));
        }
    }
    let segments = chain.iter().filter_map(|segment| {
        Some((*places.get(&segment.id)?, us(segment.from_ns), us(segment.to_ns)))
    });
    columns.chain = segments.collect();
    columns.signals = signals.into_iter().collect();
    columns.signals.sort_unstable();
    columns.texts = texts.all;
    let json = serde_json::to_vec(&columns).unwrap_or_default();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    // Writing to a Vec can't fail.
    let _ = gzip.write_all(&json);
    BASE64.encode(&gzip.finish().unwrap_or_default())
}

/// What else there is to say: later programs, failed execs, threads, those that are only counted.
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
