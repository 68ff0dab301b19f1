// SPDX-License-Identifier: MIT OR Apache-2.0
//! An event as a line, and back: the five keys of the basic mode, and those of the list in
//! `model/keys.rs` behind them.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::arguments::Arguments;
use super::form::{
    Count, ErrorName, Flag, Form, Id, Number, Optional, Shared, Slot, Status, Str, Text, Time,
    number,
};
use super::place::{Places, Where};
use super::quick::{Common, Rest};
use super::write;
use crate::model::event::{Comm, Detail, Ended, Event, EventKind, Wide};
use crate::model::keys::event_keys;
use crate::text::time::Clock;

/// Writes events. It keeps what lines have in common.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    clock: Clock,
}

impl Writer {
    /// Appends the line of an event; `wide`: with all that the wide mode tells, if it is of that.
    pub fn event(&mut self, event: &Event, wide: bool, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"pid\":");
        number(event.pid.into(), out);
        out.extend_from_slice(b",\"ppid\":");
        number(event.ppid.into(), out);
        out.extend_from_slice(b",\"comm\":");
        write::string(event.comm.as_bytes(), out);
        out.extend_from_slice(match event.kind {
            EventKind::Fork => b",\"event_type\":\"fork\",\"timestamp_ns\":",
            EventKind::Exec => b",\"event_type\":\"exec\",\"timestamp_ns\":",
            EventKind::Exit => b",\"event_type\":\"exit\",\"timestamp_ns\":",
            EventKind::ExecFailed => b",\"event_type\":\"exec_failed\",\"timestamp_ns\":",
        });
        number(event.timestamp_ns, out);
        if let Some(wide) = event.wide.as_deref().filter(|_| wide) {
            write_wide(wide, &mut self.clock, out);
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Reads the line of an event of this kind.
///
/// # Errors
/// What is wrong with it, or which of the basic mode's keys is missing. Without one of the wide
/// mode's it is an event of the basic mode: what the others say can't be told without it.
pub fn read(kind: EventKind, line: &str, places: &mut Places) -> Result<Event, Error> {
    match kind {
        EventKind::Fork => read_as::<FoundFork<'_>>(kind, line, places),
        EventKind::Exec => read_as::<FoundExec<'_>>(kind, line, places),
        EventKind::Exit => read_as::<FoundEnded<'_>>(kind, line, places),
        EventKind::ExecFailed => {
            let event = read_as::<FoundExecFailed<'_>>(kind, line, places)?;
            // The basic mode has none.
            let lacks = || Error::Meaning("an \"exec_failed\" that lacks a key".to_owned());
            if event.wide.is_some() { Ok(event) } else { Err(lacks()) }
        }
    }
}

/// Why a line is no event.
#[derive(Debug)]
pub enum Error {
    /// It is no JSON, or a value is not of its key's type.
    Json(serde_json::Error),
    /// A value means nothing, or a key is missing.
    Meaning(String),
}

/// What a line told of the keys of one kind of event.
trait Found<'a>: Default {
    fn offer<M: MapAccess<'a>>(&mut self, key: &str, map: &mut M) -> Result<bool, M::Error>;
    fn finish(self, places: &mut Places) -> Result<Option<Detail>, String>;
}

/// Makes the writer and the reader of the list of keys.
macro_rules! lines {
    (
        $(#[$_about_wide:meta])* Wide { $($(#[$_wide_doc:meta])* $wide:ident: $_wide:ty as $wide_form:ty,)* }
        $(#[$_about_fork:meta])* Fork { $($(#[$_fork_doc:meta])* $fork:ident: $_fork:ty as $fork_form:ty,)* }
        $(#[$_about_exec:meta])* Exec { $($(#[$_exec_doc:meta])* $exec:ident: $_exec:ty as $exec_form:ty,)* }
        $(#[$_about_failed:meta])* ExecFailed { $($(#[$_failed_doc:meta])* $failed:ident: $_failed:ty as $failed_form:ty,)* }
        $(#[$_about_end:meta])* Ended { $($(#[$_end_doc:meta])* $end:ident: $_end:ty as $end_form:ty,)* }
    ) => {
        fn write_wide(wide: &Wide, clock: &mut Clock, out: &mut Vec<u8>) {
            $(<$wide_form>::write(head!($wide), &wide.$wide, clock, out);)*
            match &wide.detail {
                Detail::Fork { $($fork,)* } => {
                    $(<$fork_form>::write(head!($fork), $fork, clock, out);)*
                }
                Detail::Exec { $($exec,)* } => {
                    $(<$exec_form>::write(head!($exec), $exec, clock, out);)*
                }
                Detail::ExecFailed { $($failed,)* } => {
                    $(<$failed_form>::write(head!($failed), $failed, clock, out);)*
                }
                Detail::Exit(ended) => {
                    let Ended { $($end,)* } = &**ended;
                    $(<$end_form>::write(head!($end), $end, clock, out);)*
                }
            }
        }

        /// The keys of the wide mode, where they are written as [`write_wide`] does it.
        pub fn quick(kind: EventKind, rest: &mut Rest<'_>, common: &mut Common) -> Option<Wide> {
            $(let $wide = <$wide_form>::quick(head!($wide), rest, common)?;)*
            let detail = match kind {
                EventKind::Fork => Detail::Fork {
                    $($fork: <$fork_form>::quick(head!($fork), rest, common)?,)*
                },
                EventKind::Exec => Detail::Exec {
                    $($exec: <$exec_form>::quick(head!($exec), rest, common)?,)*
                },
                EventKind::ExecFailed => Detail::ExecFailed {
                    $($failed: <$failed_form>::quick(head!($failed), rest, common)?,)*
                },
                EventKind::Exit => Detail::exit(Ended {
                    $($end: <$end_form>::quick(head!($end), rest, common)?,)*
                }),
            };
            Some(Wide { $($wide,)* detail })
        }

        found!(FoundWide { $($wide: $wide_form,)* });

        impl FoundWide<'_> {
            fn finish(
                self,
                detail: Option<Detail>,
                places: &mut Places,
            ) -> Result<Option<Wide>, String> {
                let ($($wide,)*) = ($(<$wide_form>::finish(self.$wide, places)?,)*);
                let (Some(detail), $(Some($wide),)*) = (detail, $($wide,)*) else {
                    return Ok(None);
                };
                Ok(Some(Wide { $($wide,)* detail }))
            }
        }

        found!(FoundFork { $($fork: $fork_form,)* } is Detail::Fork { $($fork,)* });
        found!(FoundExec { $($exec: $exec_form,)* } is Detail::Exec { $($exec,)* });
        found!(FoundExecFailed { $($failed: $failed_form,)* } is Detail::ExecFailed { $($failed,)* });
        found!(FoundEnded { $($end: $end_form,)* } is Detail::exit(Ended { $($end,)* }));
    };
}

macro_rules! head {
    ($name:ident) => {
        concat!(",\"", stringify!($name), "\":")
    };
}

macro_rules! found {
    ($found:ident { $($name:ident: $form:ty,)* }) => {
        #[derive(Default)]
        struct $found<'a> { $($name: <$form as Form>::Found<'a>,)* }

        impl<'a> $found<'a> {
            #[inline]
            fn take<M: MapAccess<'a>>(&mut self, key: &str, map: &mut M) -> Result<bool, M::Error> {
                Ok(false $(|| <$form>::offer(stringify!($name), key, &mut self.$name, map)?)*)
            }
        }
    };
    ($found:ident { $($name:ident: $form:ty,)* } is $($detail:tt)*) => {
        found!($found { $($name: $form,)* });

        impl<'a> Found<'a> for $found<'a> {
            #[inline]
            fn offer<M: MapAccess<'a>>(
                &mut self,
                key: &str,
                map: &mut M,
            ) -> Result<bool, M::Error> {
                self.take(key, map)
            }

            fn finish(self, places: &mut Places) -> Result<Option<Detail>, String> {
                let ($($name,)*) = ($(<$form>::finish(self.$name, places)?,)*);
                let ($(Some($name),)*) = ($($name,)*) else { return Ok(None) };
                Ok(Some($($detail)*))
            }
        }
    };
}

event_keys!(lines);

/// The keys of a line.
#[derive(Default)]
struct Keys<'a, D> {
    pid: Slot<u32>,
    ppid: Slot<u32>,
    comm: Slot<Str<'a>>,
    /// Its value is known.
    event_type: Slot<Str<'a>>,
    timestamp_ns: Slot<u64>,
    wide: FoundWide<'a>,
    detail: D,
}

impl<'a, D: Found<'a>> Visitor<'a> for Keys<'a, D> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<Self, M::Error> {
        while let Some(Str(key)) = map.next_key()? {
            let key = &*key;
            let known = self.pid.offer("pid", key, &mut map)?
                || self.ppid.offer("ppid", key, &mut map)?
                || self.comm.offer("comm", key, &mut map)?
                || self.event_type.offer("event_type", key, &mut map)?
                || self.timestamp_ns.offer("timestamp_ns", key, &mut map)?
                || self.wide.take(key, &mut map)?
                || self.detail.offer(key, &mut map)?;
            if !known {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(self)
    }
}

fn read_as<'a, D: Found<'a>>(
    kind: EventKind,
    line: &'a str,
    places: &mut Places,
) -> Result<Event, Error> {
    let mut json = serde_json::Deserializer::from_str(line);
    let found = json.deserialize_map(Keys::<D>::default()).map_err(Error::Json)?;
    json.end().map_err(Error::Json)?;
    let Keys { pid, ppid, comm, event_type: _, timestamp_ns, wide, detail } = found;
    let event = Event {
        kind,
        pid: needed(pid.take(), "pid")?,
        ppid: needed(ppid.take(), "ppid")?,
        comm: Comm::new(needed(comm.take(), "comm")?.0.as_bytes()),
        timestamp_ns: needed(timestamp_ns.take(), "timestamp_ns")?,
        wide: None,
    };
    let detail = detail.finish(places).map_err(Error::Meaning)?;
    let wide = wide.finish(detail, places).map_err(Error::Meaning)?;
    Ok(Event { wide: wide.map(Box::new), ..event })
}

fn needed<T>(value: Option<T>, key: &str) -> Result<T, Error> {
    value.ok_or_else(|| Error::Meaning(format!("an event without \"{key}\"")))
}
