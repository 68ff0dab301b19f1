// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines as tuxscope writes them: these keys, this order, no blanks, ASCII, and no escapes but the usual
//! ones. All others are left to `serde_json`, which takes several times as long for these.

use std::sync::Arc;

use memchr::memchr2;

use super::event;
use super::place::Places;
use crate::model::event::{Comm, Event, EventKind};
use crate::text::time::Rfc3339;

/// What lines have in common with those before.
#[derive(Debug, Default)]
pub struct Common {
    /// Where processes run.
    pub places: Places,
    /// Names that most lines share, and which of them gives way next.
    names: [Option<Arc<str>>; 2],
    older: usize,
    /// A time up to its second, and what that is in nanoseconds since 1970.
    second: (Vec<u8>, u64),
    /// For what has escapes.
    pub text: Vec<u8>,
}

impl Common {
    /// The same text, kept once.
    pub fn name(&mut self, text: &str) -> Arc<str> {
        let known = self.names.iter().flatten().find(|name| ***name == *text);
        known.cloned().unwrap_or_else(|| {
            self.older = 1 - self.older;
            self.names[self.older].insert(text.into()).clone()
        })
    }

    /// Nanoseconds since 1970, of a time as it is written: `2026-11-22T15:04:05.123456789Z`.
    pub fn time_ns(&mut self, text: &[u8]) -> Option<u64> {
        let (second, rest) = text.split_at_checked(19)?;
        let fraction =
            rest.strip_prefix(b".")?.strip_suffix(b"Z").filter(|digits| digits.len() == 9)?;
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        if self.second.0 != second {
            let whole = [second, b".000000000Z"].concat();
            let ns = Rfc3339::parse(std::str::from_utf8(&whole).ok()?)?.0;
            self.second = (second.to_vec(), ns);
        }
        self.second.1.checked_add(folded(fraction))
    }
}

fn folded(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// The event, if the line is such a line.
pub fn decode(line: &[u8], common: &mut Common) -> Option<Event> {
    let mut rest = Rest(line);
    let (pid, ppid, comm, kind) = rest.head()?;
    rest.skip(b",\"timestamp_ns\":")?;
    let timestamp_ns = rest.number()?;
    let comm = Comm::new(comm);
    let wide = match rest.0 {
        b"}" if kind != EventKind::ExecFailed => None,
        _ => Some(Box::new(event::quick(kind, &mut rest, common)?)),
    };
    (rest.0 == b"}").then_some(Event { kind, pid, ppid, comm, timestamp_ns, wide })
}

/// The kind of event, if the line begins as such a line: those of the wide mode do.
pub fn kind(line: &[u8]) -> Option<EventKind> {
    Rest(line).head().map(|(_, _, _, kind)| kind)
}

/// What is still to be read of a line.
pub struct Rest<'a>(pub &'a [u8]);

impl<'a> Rest<'a> {
    /// The first four keys.
    fn head(&mut self) -> Option<(u32, u32, &'a [u8], EventKind)> {
        self.skip(b"{\"pid\":")?;
        let pid = self.number()?.try_into().ok()?;
        self.skip(b",\"ppid\":")?;
        let ppid = self.number()?.try_into().ok()?;
        self.skip(b",\"comm\":\"")?;
        let comm = self.string()?;
        self.skip(b",\"event_type\":\"")?;
        let name = self.string()?;
        let kind = EventKind::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)?;
        Some((pid, ppid, comm, kind))
    }

    /// Takes this text.
    pub fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Up to 19 digits, which always fit, and no leading zero, which JSON does not allow.
    pub fn number(&mut self) -> Option<u64> {
        let len = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at(len);
        if !(1..=19).contains(&len) || (len > 1 && digits[0] == b'0') {
            return None;
        }
        self.0 = rest;
        Some(folded(digits))
    }

    /// Takes this text, if it comes next.
    pub fn takes(&mut self, text: &[u8]) -> bool {
        self.skip(text).is_some()
    }

    /// Yes or no.
    pub fn flag(&mut self) -> Option<bool> {
        let yes = self.takes(b"true");
        (yes || self.takes(b"false")).then_some(yes)
    }

    /// A string with the quotes around it: appended, escapes of one character resolved.
    pub fn text(&mut self, out: &mut Vec<u8>) -> Option<()> {
        self.skip(b"\"")?;
        loop {
            let len = memchr2(b'"', b'\\', self.0)?;
            let (part, rest) = self.0.split_at(len);
            if !part.iter().all(|byte| matches!(byte, b' '..=b'~')) {
                return None;
            }
            out.extend_from_slice(part);
            self.0 = &rest[1..];
            if rest[0] == b'"' {
                return Some(());
            }
            let (&escaped, rest) = self.0.split_first()?;
            out.push(match escaped {
                b'"' | b'\\' | b'/' => escaped,
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'b' => 8,
                b'f' => 12,
                _ => return None,
            });
            self.0 = rest;
        }
    }

    /// A string without escapes, with the quotes around it.
    pub fn quoted(&mut self) -> Option<&'a str> {
        self.skip(b"\"")?;
        std::str::from_utf8(self.string()?).ok()
    }

    /// Printable ASCII without a backslash, and the quote behind it.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let len = memchr2(b'"', b'\\', self.0)?;
        let (string, rest) = self.0.split_at(len);
        self.0 = rest.strip_prefix(b"\"")?;
        string.iter().all(|byte| matches!(byte, b' '..=b'~')).then_some(string)
    }
}
