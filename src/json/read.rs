// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line of a capture -> what it tells. The inverse of [`crate::view::Json`].

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::quick;
use crate::model::event::{
    Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Lost, Meta, Totals, Wide,
};
use crate::model::signal;
use crate::text::time::Rfc3339;

/// What a line of a capture tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Something happened to a process.
    Event(Event),
    /// How the capture came about.
    Meta(Meta),
    /// Events that were lost up to here, since the capture began.
    Lost {
        /// When that was noticed, in nanoseconds since 1970-01-01 UTC.
        time_ns: u64,
        /// How many.
        lost: Lost,
    },
    /// What the capture came to.
    Summary(Totals),
    /// A record of a kind that a later version may have added.
    Unknown,
}

/// Reads lines. It keeps what they have in common.
#[derive(Debug, Default)]
pub struct Decoder {
    cgroup: Option<Arc<str>>,
}

/// A string without escapes stays where it is. (Serde would copy an `Option<Cow<str>>`.)
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
}

/// The keys of all events: whether those that one needs are there is seen afterwards.
#[derive(Deserialize)]
struct EventLine<'a> {
    pid: Option<u32>,
    ppid: Option<u32>,
    #[serde(borrow)]
    comm: Option<Text<'a>>,
    event_type: Text<'a>,
    timestamp_ns: Option<u64>,
    time: Option<Text<'a>>,
    tid: Option<u32>,
    uid: Option<u32>,
    start_ns: Option<u64>,
    cgroup_id: Option<u64>,
    cgroup: Option<Text<'a>>,
    thread: Option<bool>,
    parent_tid: Option<u32>,
    filename: Option<Text<'a>>,
    exit_code: Option<u8>,
    signal: Option<Text<'a>>,
    core_dumped: Option<bool>,
    duration_ns: Option<u64>,
    args: Option<Vec<Text<'a>>>,
    args_truncated: Option<bool>,
    born_to: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MetaLine {
    version: String,
    kernel: String,
    host: String,
    boot_id: String,
    filters: Vec<String>,
    clock_offset_ns: u64,
}

#[derive(Deserialize)]
struct LostLine<'a> {
    #[serde(borrow)]
    time: Option<Text<'a>>,
    lost: LostCounts,
}

#[derive(Deserialize)]
struct SummaryLine {
    complete: bool,
    printed: u64,
    lost: LostCounts,
    #[serde(default)]
    missed: u64,
    elapsed_ns: u64,
}

#[derive(Deserialize)]
struct LostCounts {
    fork: u64,
    exec: u64,
    exit: u64,
}

impl From<LostCounts> for Lost {
    fn from(counts: LostCounts) -> Self {
        Self::new([counts.fork, counts.exec, counts.exit])
    }
}

impl Decoder {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn decode(&mut self, line: &[u8]) -> Result<Record, String> {
        if let Some(event) = quick::decode(line) {
            return Ok(Record::Event(event));
        }
        let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
        self.decode_any(text)
    }

    fn decode_any(&mut self, text: &str) -> Result<Record, String> {
        // Serde would take an array for the values of the keys, in their order.
        if !text.trim_ascii_start().starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        match serde_json::from_str::<EventLine<'_>>(text) {
            Ok(keys) => match kind(&keys.event_type.0) {
                Some(kind) => self.event(kind, &keys).map(Record::Event),
                None => about_capture(&keys.event_type.0, text),
            },
            // A record that isn't an event may mean something else by these keys.
            Err(error) => match serde_json::from_str::<Kind<'_>>(text) {
                Ok(Kind { event_type }) if kind(&event_type).is_none() => {
                    about_capture(&event_type, text)
                }
                Ok(_) | Err(_) => Err(because(&error)),
            },
        }
    }

    fn event(&mut self, kind: EventKind, keys: &EventLine<'_>) -> Result<Event, String> {
        Ok(Event {
            kind,
            pid: needed(keys.pid, "pid")?,
            ppid: needed(keys.ppid, "ppid")?,
            comm: Comm::new(needed(keys.comm.as_ref(), "comm")?.0.as_bytes()),
            timestamp_ns: needed(keys.timestamp_ns, "timestamp_ns")?,
            wide: self.wide(kind, keys)?.map(Box::new),
        })
    }

    /// What the wide mode adds; none where any of its keys is missing, since what the others
    /// say can't be told without it.
    fn wide(&mut self, kind: EventKind, keys: &EventLine<'_>) -> Result<Option<Wide>, String> {
        let (Some(time), Some(tid), Some(uid), Some(start_ns), Some(cgroup_id)) =
            (&keys.time, keys.tid, keys.uid, keys.start_ns, keys.cgroup_id)
        else {
            return Ok(None);
        };
        let Some(detail) = detail(kind, keys)? else { return Ok(None) };
        let time_ns = time_ns(&time.0)?;
        let cgroup = keys.cgroup.as_ref().map(|path| self.cgroup(&path.0));
        Ok(Some(Wide { time_ns, tid, uid, start_ns, cgroup_id, cgroup, detail }))
    }

    /// Most events have the cgroup of the one before.
    fn cgroup(&mut self, path: &str) -> Arc<str> {
        match &self.cgroup {
            Some(last) if **last == *path => last.clone(),
            _ => self.cgroup.insert(path.into()).clone(),
        }
    }
}

fn kind(name: &str) -> Option<EventKind> {
    EventKind::ALL.into_iter().find(|kind| kind.name() == name)
}

fn needed<T>(value: Option<T>, key: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("an event without \"{key}\""))
}

fn time_ns(text: &str) -> Result<u64, String> {
    Rfc3339::parse(text)
        .map(|time| time.0)
        .ok_or_else(|| "\"time\" is no time in UTC between 1970 and 2554".to_owned())
}

fn detail(kind: EventKind, keys: &EventLine<'_>) -> Result<Option<Detail>, String> {
    let args = keys.args.as_deref().map(|list| args(list, keys.args_truncated == Some(true)));
    Ok(match kind {
        EventKind::Fork => match (keys.thread, keys.parent_tid) {
            (Some(thread), Some(parent_tid)) => Some(Detail::Fork { thread, parent_tid }),
            _ => None,
        },
        EventKind::Exec => match (&keys.filename, args) {
            (Some(filename), Some(args)) => {
                Some(Detail::Exec { filename: filename.0.as_bytes().to_vec(), args })
            }
            _ => None,
        },
        EventKind::Exit => match (keys.thread, status(keys)?, keys.duration_ns) {
            (Some(thread), Some(status), Some(duration_ns)) => {
                let born_to = keys.born_to;
                Some(Detail::Exit(Ended { thread, status, duration_ns, args, born_to }))
            }
            _ => None,
        },
    })
}

fn status(keys: &EventLine<'_>) -> Result<Option<ExitStatus>, String> {
    let Some(name) = &keys.signal else { return Ok(keys.exit_code.map(ExitStatus::Code)) };
    let number = signal::number(&name.0).ok_or("\"signal\" names no signal")?;
    Ok(Some(ExitStatus::Signal { number, core_dumped: keys.core_dumped == Some(true) }))
}

fn args(list: &[Text<'_>], truncated: bool) -> Args {
    let mut bytes = Vec::with_capacity(list.iter().map(|arg| arg.0.len() + 1).sum());
    for arg in list {
        bytes.extend_from_slice(arg.0.as_bytes());
        bytes.push(0);
    }
    Args::new(&bytes, truncated)
}

fn about_capture(event_type: &str, text: &str) -> Result<Record, String> {
    let because = |error| because(&error);
    Ok(match event_type {
        "meta" => {
            let meta: MetaLine = serde_json::from_str(text).map_err(because)?;
            let MetaLine { version, kernel, host, boot_id, filters, clock_offset_ns } = meta;
            Record::Meta(Meta { version, kernel, host, boot_id, filters, clock_offset_ns })
        }
        "lost" => {
            let LostLine { time, lost } = serde_json::from_str(text).map_err(because)?;
            let time_ns = time.map_or(Ok(0), |time| time_ns(&time.0))?;
            Record::Lost { time_ns, lost: lost.into() }
        }
        "summary" => {
            let summary: SummaryLine = serde_json::from_str(text).map_err(because)?;
            let SummaryLine { complete, printed, lost, missed, elapsed_ns } = summary;
            let mut totals =
                Totals { printed, lost: lost.into(), missed, elapsed_ns, cut_off: false };
            totals.cut_off = totals.complete() && !complete;
            Record::Summary(totals)
        }
        _ => Record::Unknown,
    })
}

/// Serde's reason, without its line number, which is always 1.
fn because(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (what, _) = text.rsplit_once(" at line ").unwrap_or((&text, ""));
    match error.classify() {
        serde_json::error::Category::Data => what.to_owned(),
        _ => format!("not JSON: {what} at column {}", error.column()),
    }
}
