// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of the basic mode as tuxscope writes them: these keys, this order, no blanks, no
//! escapes. All others are left to `serde_json`, which takes several times as long for these.

use crate::model::event::{Comm, Event, EventKind};

/// The event, if the line is such a line.
pub fn decode(line: &[u8]) -> Option<Event> {
    let mut rest = Rest(line);
    let (pid, ppid, comm, kind) = rest.head()?;
    rest.skip(b",\"timestamp_ns\":")?;
    let timestamp_ns = rest.number()?;
    let comm = Comm::new(comm);
    (rest.0 == b"}" && kind != EventKind::ExecFailed).then_some(Event {
        kind,
        pid,
        ppid,
        comm,
        timestamp_ns,
        wide: None,
    })
}

/// The kind of event, if the line begins as such a line: those of the wide mode do.
pub fn kind(line: &[u8]) -> Option<EventKind> {
    Rest(line).head().map(|(_, _, _, kind)| kind)
}

/// What is still to be read of a line.
struct Rest<'a>(&'a [u8]);

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

    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Up to 19 digits, which always fit, and no leading zero, which JSON does not allow.
    fn number(&mut self) -> Option<u64> {
        let len = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at(len);
        if !(1..=19).contains(&len) || (len > 1 && digits[0] == b'0') {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    /// Printable ASCII without a backslash, and the quote behind it.
    fn string(&mut self) -> Option<&'a [u8]> {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        let len = self.0.iter().position(|&byte| !plain(byte))?;
        let (string, rest) = self.0.split_at(len);
        self.0 = rest.strip_prefix(b"\"")?;
        Some(string)
    }
}
