// SPDX-License-Identifier: MIT OR Apache-2.0
//! The records about a capture: each is a struct from which writing, reading, the schema and the
//! table of keys come. They are few, so that serde does it all.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[cfg(test)]
use super::describe::{Describe, Key};
use super::{SCHEMA_VERSION, write};
use crate::model::event::{EventKind, Lost, Meta, Totals};
use crate::model::trace::TraceContext;
use crate::text::time::Rfc3339;

/// Makes a struct of the keys of a record, and at test time a list of them with their comments.
macro_rules! record {
    (
        #[doc = $about:literal]
        $record:ident, $name:literal { $($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)*)])? $key:ident: $type:ty,)* }
    ) => {
        #[doc = $about]
        #[derive(Serialize, Deserialize)]
        pub struct $record { $($(#[doc = $doc])+ $(#[serde($($serde)*)])? $key: $type,)* }

        impl $record {
            /// Its `event_type`.
            pub const NAME: &str = $name;

            /// What it tells.
            #[cfg(test)]
            pub const ABOUT: &str = $about;

            /// The keys.
            #[cfg(test)]
            pub fn keys() -> Vec<Key> {
                vec![$(<$type>::describe(Key::new(
                    stringify!($key),
                    concat!($($doc),+).trim().to_owned(),
                    serde_json::Value::Null,
                )),)*]
            }
        }
    };
}

record! {
    /// The first line: how the capture was made.
    MetaLine, "meta" {
        /// `tuxscope`
        #[serde(default)]
        tool: Tool,
        /// Its version.
        #[serde(default)]
        version: String,
        /// 1; changes when existing keys change their meaning, not when keys are added.
        #[serde(default)]
        schema: Schema,
        /// The release.
        #[serde(default)]
        kernel: String,
        /// The host's name.
        #[serde(default)]
        host: String,
        /// The kernel's id of this boot: timestamps of one boot are comparable.
        #[serde(default)]
        boot_id: String,
        /// The options that chose the events.
        #[serde(default)]
        filters: Vec<String>,
        /// The wall clock minus the clock of `timestamp_ns`, when the capture began.
        #[serde(default)]
        clock_offset_ns: u64,
        /// When the capture began: events were recorded from then on. This key and the next are missing
        /// in captures of older versions.
        #[serde(default, skip_serializing_if = "Seldom::is_none")]
        timestamp_ns: Seldom,
        /// How many CPUs the machine had online when the capture began.
        #[serde(default, skip_serializing_if = "Seldom::is_none")]
        cpus: Seldom,
        /// Of `proc -- COMMAND`: its process id in the PID namespace that tuxscope ran in, where an
        /// event of it has that as `ns_pid`, or as `pid` without such a key.
        #[serde(default, skip_serializing_if = "Seldom::is_none")]
        command_pid: Seldom,
        /// `true` where the arguments of programs were left out (`--no-args`); else missing.
        #[serde(default, skip_serializing_if = "Mark::is_none")]
        no_args: Mark,
        /// Of `proc -- COMMAND`: the id of the trace that `--format otlp` makes of the capture: that of
        /// TRACEPARENT in the environment, or a new one. 32 hexadecimal digits. Missing without COMMAND,
        /// as is the next one.
        #[serde(default, skip_serializing_if = "Digits::is_none")]
        trace_id: Digits,
        /// The id of the command's span in it: 16 hexadecimal digits.
        #[serde(default, skip_serializing_if = "Digits::is_none")]
        span_id: Digits,
        /// The id of the span above that, which TRACEPARENT named; missing where that was not set.
        #[serde(default, skip_serializing_if = "Digits::is_none")]
        parent_span_id: Digits,
    }
}

record! {
    /// Events were lost before this line.
    LostLine, "lost" {
        /// When that was noticed.
        #[serde(default)]
        time: Moment,
        /// `fork`, `exec`, `exit`, and where there are any, `exec_failed`: how many were lost since the
        /// capture began, because the ring buffer was full; `cost`, where there are any: of how many
        /// processes what they have cost.
        lost: Counts,
    }
}

record! {
    /// The last line of a capture that was not cut off.
    SummaryLine, "summary" {
        /// Nothing that was asked for is missing.
        complete: bool,
        /// Events that were printed.
        printed: u64,
        /// `fork`, `exec`, `exit`, and where there are any, `exec_failed`: how many were lost since the
        /// capture began, because the ring buffer was full; `cost`, where there are any: of how many
        /// processes what they have cost.
        lost: Counts,
        /// How long events were recorded: from when all kinds were until recording stopped.
        elapsed_ns: u64,
        /// How often the kernel skipped a handler: at most that many more events are missing. Left
        /// out where it never did.
        #[serde(default, skip_serializing_if = "Seldom::is_none")]
        missed: Seldom,
        /// How many lost events were not to be printed (a filter excluded them) but are needed by
        /// later lines: exits may lack their `args`, and `--match` may have missed some. Lost
        /// notes of parentage, which `--follow` needs while it starts, count here, too. Left out where
        /// there were none.
        #[serde(default, skip_serializing_if = "Seldom::is_none")]
        lost_unshown: Seldom,
    }
}

/// `tuxscope`: written, not read.
#[derive(Default)]
pub struct Tool;

impl Serialize for Tool {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str("tuxscope")
    }
}

impl<'a> Deserialize<'a> for Tool {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

/// The version of the schema: written, not read.
#[derive(Default)]
pub struct Schema;

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u32(SCHEMA_VERSION)
    }
}

impl<'a> Deserialize<'a> for Schema {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

/// A time, or 1970 where there is none.
#[derive(Default)]
pub struct Moment(u64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        Rfc3339(self.0).serialize(out)
    }
}

impl<'a> Deserialize<'a> for Moment {
    fn deserialize<D: Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(Self(0)) };
        super::form::time_ns(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Hexadecimal digits of an id, which is left out where there is none.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digits(String);

impl Digits {
    fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    fn of(id: Option<u64>) -> Self {
        Self(id.map(|id| format!("{id:016x}")).unwrap_or_default())
    }

    fn id(&self) -> Option<u64> {
        u64::from_str_radix(&self.0, 16).ok().filter(|&id| id > 0)
    }
}

/// A count that is left out where it is 0.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seldom(u64);

impl Seldom {
    fn is_none(&self) -> bool {
        self.0 == 0
    }
}

/// True, or left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(bool);

impl Mark {
    fn is_none(&self) -> bool {
        !self.0
    }
}

/// A number for each kind of event.
#[derive(Serialize, Deserialize)]
pub struct Counts {
    fork: u64,
    exec: u64,
    exit: u64,
    #[serde(default, skip_serializing_if = "Seldom::is_none")]
    exec_failed: Seldom,
    #[serde(default, skip_serializing_if = "Seldom::is_none")]
    cost: Seldom,
}

impl From<&Lost> for Counts {
    fn from(lost: &Lost) -> Self {
        let [fork, exec, exit, failed] = EventKind::ALL.map(|kind| lost.of(kind));
        Self { fork, exec, exit, exec_failed: Seldom(failed), cost: Seldom(lost.cost) }
    }
}

impl From<Counts> for Lost {
    fn from(counts: Counts) -> Self {
        let Counts { fork, exec, exit, exec_failed: Seldom(failed), cost: Seldom(cost) } = counts;
        Self::new([fork, exec, exit, failed], cost)
    }
}

/// Appends the first line of a capture.
pub fn write_meta(meta: &Meta, out: &mut Vec<u8>) {
    let Meta {
        version,
        kernel,
        host,
        boot_id,
        filters,
        clock_offset_ns,
        began_ns,
        cpus,
        command_pid,
        no_args,
        trace,
    } = meta.clone();
    let line = MetaLine {
        tool: Tool,
        version,
        schema: Schema,
        kernel,
        host,
        boot_id,
        filters,
        clock_offset_ns,
        timestamp_ns: Seldom(began_ns),
        cpus: Seldom(cpus.into()),
        command_pid: Seldom(command_pid.into()),
        no_args: Mark(no_args),
        trace_id: Digits(trace.map(|trace| format!("{:032x}", trace.trace_id)).unwrap_or_default()),
        span_id: Digits::of(trace.map(|trace| trace.span_id)),
        parent_span_id: Digits::of(trace.and_then(|trace| trace.parent_span_id)),
    };
    write_line(MetaLine::NAME, &line, out);
}

/// Appends word of losses that were noticed at `time_ns`, counted since the capture began.
pub fn write_lost(lost: &Lost, time_ns: u64, out: &mut Vec<u8>) {
    write_line(LostLine::NAME, &LostLine { time: Moment(time_ns), lost: lost.into() }, out);
}

/// Appends the last line of a capture.
pub fn write_summary(totals: &Totals, out: &mut Vec<u8>) {
    let Totals { printed, lost, lost_unshown, missed, elapsed_ns, .. } = totals;
    let line = SummaryLine {
        complete: totals.complete(),
        printed: *printed,
        lost: lost.into(),
        elapsed_ns: *elapsed_ns,
        missed: Seldom(*missed),
        lost_unshown: Seldom(*lost_unshown),
    };
    write_line(SummaryLine::NAME, &line, out);
}

/// A line, `event_type` first.
#[derive(Serialize)]
struct Tagged<'a, T> {
    event_type: &'static str,
    #[serde(flatten)]
    keys: &'a T,
}

fn write_line(event_type: &'static str, keys: &impl Serialize, out: &mut Vec<u8>) {
    write::write(&Tagged { event_type, keys }, out);
    out.push(b'\n');
}

impl From<MetaLine> for Meta {
    fn from(line: MetaLine) -> Self {
        let MetaLine {
            tool: _,
            version,
            schema: _,
            kernel,
            host,
            boot_id,
            filters,
            clock_offset_ns,
            timestamp_ns: Seldom(began_ns),
            cpus: Seldom(cpus),
            command_pid: Seldom(command_pid),
            no_args: Mark(no_args),
            trace_id,
            span_id,
            parent_span_id,
        } = line;
        let trace_id = u128::from_str_radix(&trace_id.0, 16).ok().filter(|&id| id > 0);
        let trace = trace_id.zip(span_id.id()).map(|(trace_id, span_id)| TraceContext {
            trace_id,
            span_id,
            parent_span_id: parent_span_id.id(),
        });
        let [cpus, command_pid] = [cpus, command_pid].map(|n| u32::try_from(n).unwrap_or(0));
        Self {
            version,
            kernel,
            host,
            boot_id,
            filters,
            clock_offset_ns,
            began_ns,
            cpus,
            command_pid,
            no_args,
            trace,
        }
    }
}

impl LostLine {
    /// When it was noticed, and what was lost.
    pub fn into_parts(self) -> (u64, Lost) {
        (self.time.0, self.lost.into())
    }
}

impl From<SummaryLine> for Totals {
    fn from(line: SummaryLine) -> Self {
        let SummaryLine {
            complete,
            printed,
            lost,
            elapsed_ns,
            missed: Seldom(missed),
            lost_unshown: Seldom(lost_unshown),
        } = line;
        let lost = lost.into();
        let mut totals =
            Self { printed, lost, lost_unshown, missed, elapsed_ns, ..Self::default() };
        totals.cut_off = totals.complete() && !complete;
        totals
    }
}

#[cfg(test)]
mod tests;
