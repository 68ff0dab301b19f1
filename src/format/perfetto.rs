// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chrome's trace-event JSON, which ui.perfetto.dev and `chrome://tracing` open: each process is a
//! track, its programs are slices, and arrows lead from parents to children.
//!
//! Times are those of the events, `CLOCK_MONOTONIC`, in microseconds, so that a trace goes together
//! with others of the same clock. A pid that comes back gets a track of its own, with a number
//! above all pids; its name tells the pid.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Write as _;

use serde::Serialize;

use super::Sink;
use super::lives::{Exec, Life, LifeId, Lives, Step};
use crate::event::{Event, ExitStatus, Lost, Meta, Totals};
use crate::signal;

/// `PID_MAX_LIMIT` of include/linux/threads.h: no pid is larger.
const PID_MAX_LIMIT: u64 = 1 << 22;

/// The sink of `--format perfetto`. A process is written when it ends; only in the basic view,
/// which tells threads from processes at the end alone, all of them wait for it.
#[derive(Debug, Default)]
pub struct Perfetto {
    lives: Lives,
    tracks: HashMap<LifeId, Track>,
    /// Pids that have a track.
    used: HashSet<u32>,
    /// Pids that came back.
    reused: u64,
    meta: Meta,
    lost: u64,
    /// Something was written to the list of events.
    begun: bool,
}

/// Where a process is drawn.
#[derive(Clone, Copy, Debug)]
struct Track {
    /// The number in place of the pid.
    number: u64,
    /// That of its parent.
    parent: Option<u64>,
}

impl Sink for Perfetto {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        self.meta = meta.clone();
        out.extend_from_slice(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self.lives.event(event) {
            Step::Born(id) | Step::ThreadBorn(id) | Step::Execed(id) | Step::ThreadEnded(id) => {
                self.track(id);
            }
            Step::Ended(id) => {
                self.track(id);
                if self.lives.get(id).is_some_and(|life| life.status().is_some()) {
                    self.process(id, out);
                    self.lives.remove(id);
                    self.tracks.remove(&id);
                }
            }
        }
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = self.lost.max(lost.total());
    }

    fn end(&mut self, totals: &Totals, complete: bool, out: &mut Vec<u8>) {
        self.lives.settle();
        let ids: Vec<_> = self.lives.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.track(id);
            self.process(id, out);
        }
        let about = About {
            tool: "tuxscope",
            version: &self.meta.version,
            host: &self.meta.host,
            kernel: &self.meta.kernel,
            boot_id: &self.meta.boot_id,
            clock: "CLOCK_MONOTONIC",
            lost_events: self.lost.max(totals.lost.total()),
            complete,
        };
        out.extend_from_slice(b"\n],\"otherData\":");
        json(&about, out);
        out.extend_from_slice(b"}\n");
    }
}

#[derive(Serialize)]
struct About<'a> {
    tool: &'a str,
    version: &'a str,
    host: &'a str,
    kernel: &'a str,
    boot_id: &'a str,
    clock: &'a str,
    lost_events: u64,
    complete: bool,
}

/// What a click on a slice shows.
#[derive(Default, Serialize)]
struct Details {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted_by: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_dumped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_threads: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// Nanoseconds as the format's microseconds, to the last digit: a double would lose some.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// A stretch of a process' life.
struct Slice<'a> {
    name: String,
    category: &'static str,
    from_ns: u64,
    exec: Option<&'a Exec>,
}

impl Perfetto {
    /// The track of a process, a new one at its first event. Its parent gets one before it.
    fn track(&mut self, id: LifeId) -> Option<Track> {
        if let Some(track) = self.tracks.get(&id) {
            return Some(*track);
        }
        let life = self.lives.get(id)?;
        let parent = life.parent.and_then(|parent| Some((parent, self.lives.get(parent)?.pid)));
        let pid = life.pid;
        let parent = parent.map(|(parent, pid)| match self.tracks.get(&parent) {
            Some(track) => track.number,
            None => {
                // Nothing but a child is known of it so far, so neither is its parent.
                let number = self.number(pid);
                self.tracks.insert(parent, Track { number, parent: None });
                number
            }
        });
        let track = Track { number: self.number(pid), parent };
        self.tracks.insert(id, track);
        Some(track)
    }

    fn number(&mut self, pid: u32) -> u64 {
        if self.used.insert(pid) {
            return u64::from(pid);
        }
        self.reused += 1;
        PID_MAX_LIMIT + self.reused
    }

    /// Writes all that is drawn of a process.
    fn process(&mut self, id: LifeId, out: &mut Vec<u8>) {
        let Some(track) = self.track(id) else { return };
        let parent = self.lives.get(id).and_then(|life| life.parent);
        let parent = parent.and_then(|parent| self.tracks.get(&parent));
        let parent = parent.map(|track| track.number).or(track.parent);
        let begun = std::mem::replace(&mut self.begun, true);
        let Some(life) = self.lives.get(id) else { return };

        let mut writer = Writer { out, number: track.number, begun };
        let comm = text(life.comm.map(|comm| comm.to_text().into_owned()));
        let name = match u64::from(life.pid) == track.number {
            true => comm.clone(),
            false => format!("{comm} (pid {})", life.pid),
        };
        writer.metadata("process_name", "name", &name);
        writer.metadata("thread_name", "name", &comm);
        writer.metadata("process_sort_index", "sort_index", &id);

        let (first, last) = self.lives.span_ns();
        let born = life.born_ns.unwrap_or(first).max(first);
        let ended = life.end.map_or(last, |end| end.at_ns).max(born);
        let slices = slices(life, &comm, born, ended);
        for (i, slice) in slices.iter().enumerate() {
            let next = slices.get(i + 1);
            let until = next.map_or(ended, |next| next.from_ns);
            let details = details(life, slice, next.is_none());
            let failed = next.is_none() && life.failed();
            writer.slice(slice, until, failed, &details);
        }
        if let Some(parent) = parent.filter(|_| life.fork_seen) {
            writer.flow("s", parent, id, born);
            writer.flow("f", track.number, id, born);
        }
    }
}

/// From its birth to its first exec, and from each exec to the next or to its end.
fn slices<'a>(life: &'a Life, comm: &str, born: u64, ended: u64) -> Vec<Slice<'a>> {
    let mut slices = Vec::new();
    if life.execs.first().and_then(|exec| exec.at_ns).is_some() || life.execs.is_empty() {
        let (name, category) = match (life.fork_seen, life.execs.is_empty()) {
            (true, false) => ("fork to exec".to_owned(), "fork"),
            (true, true) => (format!("{comm} (no exec)"), "fork"),
            (false, _) => (format!("{comm} (began before)"), "before"),
        };
        slices.push(Slice { name, category, from_ns: born, exec: None });
    }
    let mut from_ns = born;
    for exec in &life.execs {
        from_ns = exec.at_ns.unwrap_or(born).clamp(from_ns, ended);
        let name = text(Some(exec.comm.to_text().into_owned()));
        slices.push(Slice { name, category: "exec", from_ns, exec: Some(exec) });
    }
    slices
}

fn details(life: &Life, slice: &Slice<'_>, last: bool) -> Details {
    let mut details = Details {
        pid: life.pid,
        parent: life.born_to,
        filename: slice
            .exec
            .and_then(|exec| exec.filename.as_deref())
            .map(|filename| String::from_utf8_lossy(filename).into_owned()),
        command: slice.exec.filter(|exec| exec.args.is_some()).map(Exec::command_line),
        ..Details::default()
    };
    if last {
        details.adopted_by = life.adopter;
        details.more_threads = Some(life.threads).filter(|&threads| threads > 0);
        match life.status() {
            Some(ExitStatus::Code(code)) => details.exit_code = Some(code),
            Some(ExitStatus::Signal { number, core_dumped }) => {
                details.signal = Some(signal::name(number).into_owned());
                details.core_dumped = Some(core_dumped);
            }
            None => {}
        }
        details.note = match life.end {
            None => Some("still running at the end of the capture"),
            Some(end) if !end.seen => Some("its end was not seen"),
            Some(_) => None,
        };
    }
    details
}

/// A viewer shows nothing for a name that is empty.
fn text(name: Option<String>) -> String {
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}

/// Writes the events of one track.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    number: u64,
    begun: bool,
}

impl Writer<'_> {
    /// What each event begins with; the caller goes on behind the track's number.
    fn begin(&mut self, phase: &str, number: u64, name: &str) {
        let comma = if std::mem::replace(&mut self.begun, true) { "," } else { "" };
        // Writing to a Vec can't fail.
        let _ = write!(
            self.out,
            "{comma}\n{{\"ph\":\"{phase}\",\"pid\":{number},\"tid\":{number},\"name\":"
        );
        json(name, self.out);
    }

    fn metadata(&mut self, name: &str, key: &str, value: &(impl Serialize + ?Sized)) {
        self.begin("M", self.number, name);
        let _ = write!(self.out, ",\"args\":{{\"{key}\":");
        json(value, self.out);
        self.out.extend_from_slice(b"}}");
    }

    fn slice(&mut self, slice: &Slice<'_>, until_ns: u64, failed: bool, details: &Details) {
        self.begin("X", self.number, &slice.name);
        let (from, length) = (slice.from_ns, until_ns.saturating_sub(slice.from_ns));
        let _ = write!(
            self.out,
            ",\"cat\":\"{}\",\"ts\":{},\"dur\":{}",
            slice.category,
            Micros(from),
            Micros(length)
        );
        if failed {
            self.out.extend_from_slice(b",\"cname\":\"terrible\"");
        }
        self.out.extend_from_slice(b",\"args\":");
        json(details, self.out);
        self.out.push(b'}');
    }

    /// One end of an arrow.
    fn flow(&mut self, phase: &str, number: u64, id: LifeId, at_ns: u64) {
        self.begin(phase, number, "fork");
        let bind = if phase == "f" { ",\"bp\":\"e\"" } else { "" };
        let _ = write!(self.out, ",\"cat\":\"fork\",\"id\":{id},\"ts\":{}{bind}}}", Micros(at_ns));
    }
}

fn json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    // Neither these values (string keys, no maps) nor a Vec gives serde_json a cause to fail.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}
