// SPDX-License-Identifier: MIT OR Apache-2.0
//! The form of argument lists.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

#[cfg(test)]
use super::describe::Key;
use super::form::{Form, Slot};
use super::place::Places;
use super::quick::{Common, Rest};
use super::write;
use crate::model::event::Args;
use crate::text::time::Clock;

/// `args`, and `args_truncated` where there were more.
pub struct Arguments;

#[derive(Default)]
pub struct FoundArguments {
    list: Slot<List>,
    truncated: Slot<bool>,
}

/// NUL-terminated.
struct List(Vec<u8>);

impl<'a> Deserialize<'a> for List {
    fn deserialize<D: serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        struct Strings;
        impl<'a> Visitor<'a> for Strings {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<S: SeqAccess<'a>>(self, mut list: S) -> Result<Vec<u8>, S::Error> {
                let mut bytes = Vec::new();
                while list.next_element_seed(Append(&mut bytes))?.is_some() {}
                Ok(bytes)
            }
        }
        from.deserialize_seq(Strings).map(Self)
    }
}

/// Appends a string and a NUL.
struct Append<'b>(&'b mut Vec<u8>);

impl<'a> DeserializeSeed<'a> for Append<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(0);
        Ok(())
    }
}

impl Form for Arguments {
    type Value = Args;
    type Found<'a> = FoundArguments;

    #[inline]
    fn write(head: &'static str, value: &Args, _: &mut Clock, out: &mut Vec<u8>) {
        out.extend_from_slice(head.as_bytes());
        let mut before = b'[';
        for arg in value.iter() {
            out.push(before);
            write::string(arg, out);
            before = b',';
        }
        out.extend_from_slice(if before == b'[' { b"[]" } else { b"]" });
        if value.truncated {
            out.extend_from_slice(b",\"args_truncated\":true");
        }
    }

    fn offer<'a, M: MapAccess<'a>>(
        name: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error> {
        Ok(found.list.offer(name, key, map)?
            || found.truncated.offer("args_truncated", key, map)?)
    }

    fn finish(found: Self::Found<'_>, _: &mut Places) -> Result<Option<Args>, String> {
        let truncated = found.truncated.take() == Some(true);
        Ok(found.list.take().map(|list| Args::new(&list.0, truncated)))
    }

    fn quick(head: &'static str, rest: &mut Rest<'_>, common: &mut Common) -> Option<Args> {
        rest.skip(head.as_bytes())?;
        rest.skip(b"[")?;
        let list = &mut common.text;
        list.clear();
        if !rest.takes(b"]") {
            loop {
                rest.text(list)?;
                list.push(0);
                if rest.takes(b"]") {
                    break;
                }
                rest.skip(b",")?;
            }
        }
        let truncated = rest.takes(b",\"args_truncated\":true");
        Some(Args::new(list, truncated))
    }

    #[cfg(test)]
    fn keys(name: &'static str, doc: String) -> Vec<Key> {
        use serde_json::json;
        let cut = "`true` where there were more than `--max-args` (of exec_failed: than that, 4 KiB or 128 \
                   arguments), the list would take more than twice \
                   that in JSON, or not all could be read; else missing.";
        let rule = json!({ "anyOf": [
            { "properties": { "args": { "minItems": 1 } } },
            { "required": ["args_truncated"] },
        ]});
        vec![
            Key::new(name, doc, json!({ "type": "array", "items": { "type": "string" } }))
                .with_rule(rule),
            Key::new("args_truncated", cut.to_owned(), json!({ "const": true })).optional(),
        ]
    }
}
