// SPDX-License-Identifier: MIT OR Apache-2.0
//! The forms that values have in a line: how each is written, read and described.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Error as _, MapAccess};

#[cfg(test)]
use super::describe::Key;
use super::place::Places;
use super::quick::{Common, Rest};
use super::write;
use crate::model::errno::Errno;
use crate::model::event::ExitStatus;
use crate::model::signal;
use crate::text::time::{Clock, Rfc3339};

/// A form of values of the model.
pub trait Form {
    /// The model's type.
    type Value;
    /// What a line that is being read has told of it.
    type Found<'a>: Default;

    /// Appends the value. `head` is `,"name":`, which a form with keys of its own leaves aside.
    fn write(head: &'static str, value: &Self::Value, clock: &mut Clock, out: &mut Vec<u8>);

    /// Takes the value of `key`, if that is the key `name` or another one of this form.
    ///
    /// # Errors
    /// It isn't of this form, or there twice.
    fn offer<'a, M: MapAccess<'a>>(
        name: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error>;

    /// The value; none where its key wasn't there.
    ///
    /// # Errors
    /// What was found means nothing.
    fn finish(found: Self::Found<'_>, places: &mut Places) -> Result<Option<Self::Value>, String>;

    /// Takes the value where it is written as [`write`](Form::write) does it; none where it isn't.
    fn quick(head: &'static str, rest: &mut Rest<'_>, common: &mut Common) -> Option<Self::Value>;

    /// The keys.
    #[cfg(test)]
    fn keys(name: &'static str, doc: String) -> Vec<Key>;
}

/// A string without escapes stays where it is. (Serde would copy an `Option<Cow<str>>`.)
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Str<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The value of one key.
pub struct Slot<T> {
    seen: bool,
    value: Option<T>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { seen: false, value: None }
    }
}

impl<T> Slot<T> {
    /// Takes the value of `key`, if that is `name`.
    ///
    /// # Errors
    /// It is of another type, or there twice.
    #[inline]
    pub fn offer<'a, M: MapAccess<'a>>(
        &mut self,
        name: &'static str,
        key: &str,
        map: &mut M,
    ) -> Result<bool, M::Error>
    where
        T: Deserialize<'a>,
    {
        if key != name {
            return Ok(false);
        }
        if std::mem::replace(&mut self.seen, true) {
            return Err(M::Error::duplicate_field(name));
        }
        self.value = map.next_value()?;
        Ok(true)
    }

    /// What it holds.
    pub fn take(self) -> Option<T> {
        self.value
    }
}

/// A form of one key whose value serde reads.
macro_rules! plain {
    ($(#[$about:meta])* $form:ident: $value:ty, $life:lifetime $read:ty, $write:expr, $take:expr, $quick:expr, $schema:expr) => {
        $(#[$about])*
        pub struct $form;

        impl Form for $form {
            type Value = $value;
            type Found<$life> = Slot<$read>;

            #[inline]
            fn write(head: &'static str, value: &$value, _: &mut Clock, out: &mut Vec<u8>) {
                let write: fn(&$value, &mut Vec<u8>) = $write;
                out.extend_from_slice(head.as_bytes());
                write(value, out);
            }

            #[inline]
            fn offer<$life, M: MapAccess<$life>>(
                name: &'static str,
                key: &str,
                found: &mut Self::Found<$life>,
                map: &mut M,
            ) -> Result<bool, M::Error> {
                found.offer(name, key, map)
            }

            #[inline]
            fn finish<$life>(
                found: Self::Found<$life>,
                _: &mut Places,
            ) -> Result<Option<$value>, String> {
                let take: fn($read) -> $value = $take;
                Ok(found.take().map(take))
            }

            #[inline]
            fn quick(
                head: &'static str,
                rest: &mut Rest<'_>,
                common: &mut Common,
            ) -> Option<$value> {
                let quick: fn(&mut Rest<'_>, &mut Common) -> Option<$value> = $quick;
                rest.skip(head.as_bytes())?;
                quick(rest, common)
            }

            #[cfg(test)]
            fn keys(name: &'static str, doc: String) -> Vec<Key> {
                vec![Key::new(name, doc, $schema)]
            }
        }
    };
}

plain!(
    /// The id of a process or task.
    Id: u32, 'a u32, |id, out| number(u64::from(*id), out), |id| id,
    |rest, _| rest.number()?.try_into().ok(),
    serde_json::json!({ "$ref": "#/$defs/id" })
);
plain!(
    /// A number of 32 bits.
    Number: u32, 'a u32, |value, out| number(u64::from(*value), out), |value| value,
    |rest, _| rest.number()?.try_into().ok(),
    serde_json::json!({ "$ref": "#/$defs/u32" })
);
plain!(
    /// A number that counts: of nanoseconds, of bytes, ...
    Count: u64, 'a u64, |count, out| number(*count, out), |count| count, |rest, _| rest.number(),
    serde_json::json!({ "$ref": "#/$defs/count" })
);
plain!(
    /// Yes or no.
    Flag: bool, 'a bool,
    |flag, out| out.extend_from_slice(if *flag { b"true" } else { b"false" }), |flag| flag,
    |rest, _| rest.flag(),
    serde_json::json!({ "type": "boolean" })
);
plain!(
    /// Bytes that somebody chose.
    Text: Vec<u8>, 'a Str<'a>, |bytes, out| write::string(bytes, out),
    |text| text.0.into_owned().into_bytes(),
    |rest, _| {
        let mut text = Vec::new();
        rest.text(&mut text).map(|()| text)
    },
    serde_json::json!({ "type": "string" })
);

plain!(
    /// Text that many lines have in common.
    Shared: Arc<str>, 'a Str<'a>, |text, out| write::string(text.as_bytes(), out),
    |text| text.0.as_ref().into(), |rest, common| Some(common.name(rest.quoted()?)),
    serde_json::json!({ "type": "string" })
);

/// Appends a number.
#[inline]
pub fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An error by its name.
pub struct ErrorName;

impl Form for ErrorName {
    type Value = Errno;
    type Found<'a> = Slot<Str<'a>>;

    #[inline]
    fn write(head: &'static str, value: &Errno, _: &mut Clock, out: &mut Vec<u8>) {
        out.extend_from_slice(head.as_bytes());
        write::string(value.name().as_bytes(), out);
    }

    fn offer<'a, M: MapAccess<'a>>(
        name: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error> {
        found.offer(name, key, map)
    }

    fn finish(found: Self::Found<'_>, _: &mut Places) -> Result<Option<Errno>, String> {
        let Some(name) = found.take() else { return Ok(None) };
        Errno::from_name(&name.0).map(Some).ok_or_else(|| "\"errno\" names no error".to_owned())
    }

    fn quick(head: &'static str, rest: &mut Rest<'_>, _: &mut Common) -> Option<Errno> {
        rest.skip(head.as_bytes())?;
        Errno::from_name(rest.quoted()?)
    }

    #[cfg(test)]
    fn keys(name: &'static str, doc: String) -> Vec<Key> {
        let schema = serde_json::json!({ "type": "string", "pattern": "^E[A-Z0-9]+$" });
        vec![Key::new(name, doc, schema)]
    }
}

/// Wall clock, as `time`.
pub struct Time;

impl Form for Time {
    type Value = u64;
    type Found<'a> = Slot<Str<'a>>;

    #[inline]
    fn write(_: &'static str, value: &u64, clock: &mut Clock, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"time\":\"");
        clock.write(Rfc3339(*value), out);
        out.push(b'"');
    }

    fn offer<'a, M: MapAccess<'a>>(
        _: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error> {
        found.offer("time", key, map)
    }

    fn finish(found: Self::Found<'_>, _: &mut Places) -> Result<Option<u64>, String> {
        found.take().map(|time| time_ns(&time.0)).transpose()
    }

    #[inline]
    fn quick(_: &'static str, rest: &mut Rest<'_>, common: &mut Common) -> Option<u64> {
        rest.skip(b",\"time\":\"")?;
        common.time_ns(rest.string()?)
    }

    #[cfg(test)]
    fn keys(_: &'static str, doc: String) -> Vec<Key> {
        vec![Key::new("time", doc, serde_json::json!({ "$ref": "#/$defs/time" }))]
    }
}

/// Reads a time.
///
/// # Errors
/// It is none.
pub fn time_ns(text: &str) -> Result<u64, String> {
    Rfc3339::parse(text)
        .map(|time| time.0)
        .ok_or_else(|| "\"time\" is not a UTC time between 1970 and 2554".to_owned())
}

/// How a process ended: `exit_code`, or `signal` and `core_dumped`.
pub struct Status;

#[derive(Default)]
pub struct FoundStatus<'a> {
    exit_code: Slot<u8>,
    signal: Slot<Str<'a>>,
    core_dumped: Slot<bool>,
}

impl Form for Status {
    type Value = ExitStatus;
    type Found<'a> = FoundStatus<'a>;

    #[inline]
    fn write(_: &'static str, value: &ExitStatus, _: &mut Clock, out: &mut Vec<u8>) {
        match *value {
            ExitStatus::Code(code) => {
                out.extend_from_slice(b",\"exit_code\":");
                number(code.into(), out);
            }
            ExitStatus::Signal { number, core_dumped } => {
                out.extend_from_slice(b",\"signal\":");
                write::string(signal::name(number).as_bytes(), out);
                out.extend_from_slice(b",\"core_dumped\":");
                out.extend_from_slice(if core_dumped { b"true" } else { b"false" });
            }
        }
    }

    fn offer<'a, M: MapAccess<'a>>(
        _: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error> {
        Ok(found.exit_code.offer("exit_code", key, map)?
            || found.signal.offer("signal", key, map)?
            || found.core_dumped.offer("core_dumped", key, map)?)
    }

    fn finish(found: Self::Found<'_>, _: &mut Places) -> Result<Option<ExitStatus>, String> {
        let Some(name) = found.signal.take() else {
            return Ok(found.exit_code.take().map(ExitStatus::Code));
        };
        let number = signal::number(&name.0).ok_or("\"signal\" is not the name of a signal")?;
        let core_dumped = found.core_dumped.take() == Some(true);
        Ok(Some(ExitStatus::Signal { number, core_dumped }))
    }

    #[inline]
    fn quick(_: &'static str, rest: &mut Rest<'_>, _: &mut Common) -> Option<ExitStatus> {
        if rest.takes(b",\"exit_code\":") {
            return Some(ExitStatus::Code(rest.number()?.try_into().ok()?));
        }
        rest.skip(b",\"signal\":")?;
        let number = signal::number(rest.quoted()?)?;
        rest.skip(b",\"core_dumped\":")?;
        Some(ExitStatus::Signal { number, core_dumped: rest.flag()? })
    }

    #[cfg(test)]
    fn keys(_: &'static str, _: String) -> Vec<Key> {
        use serde_json::json;
        let key = |name, doc: &str, schema| Key::new(name, doc.to_owned(), schema).optional();
        vec![
            key(
                "exit_code",
                "0 to 255: what exit(2) was given, as wait(2) tells it; or else:",
                json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
            )
            .with_rule(json!({ "oneOf": [
                { "required": ["exit_code"],
                  "not": { "anyOf": [{ "required": ["signal"] }, { "required": ["core_dumped"] }] } },
                { "required": ["signal", "core_dumped"] },
            ]})),
            key(
                "signal",
                "The name of the signal that ended it: `SIGSEGV`, `SIGRTMIN+3`.",
                json!({ "type": "string", "pattern": "^SIG[A-Z0-9+]+$" }),
            ),
            key("core_dumped", "With `signal`: a core was dumped.", json!({ "type": "boolean" })),
        ]
    }
}

/// A form whose keys are missing where there is no value.
pub struct Optional<F>(PhantomData<F>);

impl<F: Form> Form for Optional<F> {
    type Value = Option<F::Value>;
    type Found<'a> = F::Found<'a>;

    #[inline]
    fn write(head: &'static str, value: &Self::Value, clock: &mut Clock, out: &mut Vec<u8>) {
        if let Some(value) = value {
            F::write(head, value, clock, out);
        }
    }

    #[inline]
    fn offer<'a, M: MapAccess<'a>>(
        name: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error> {
        F::offer(name, key, found, map)
    }

    fn finish(found: Self::Found<'_>, places: &mut Places) -> Result<Option<Self::Value>, String> {
        F::finish(found, places).map(Some)
    }

    /// All forms that are optional begin with the key that they are named by.
    #[inline]
    fn quick(head: &'static str, rest: &mut Rest<'_>, common: &mut Common) -> Option<Self::Value> {
        match rest.0.starts_with(head.as_bytes()) {
            true => F::quick(head, rest, common).map(Some),
            false => Some(None),
        }
    }

    #[cfg(test)]
    fn keys(name: &'static str, doc: String) -> Vec<Key> {
        F::keys(name, doc).into_iter().map(Key::optional).collect()
    }
}
