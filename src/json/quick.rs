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
    #[inline]
    pub fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Up to 19 digits, which always fit, and no leading zero, which JSON does not allow.
    #[inline]
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
    #[inline]
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
    #[inline]
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let len = memchr2(b'"', b'\\', self.0)?;
        let (string, rest) = self.0.split_at(len);
        self.0 = rest.strip_prefix(b"\"")?;
        string.iter().all(|byte| matches!(byte, b' '..=b'~')).then_some(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cgroup;
    use crate::json::Writer;
    use crate::json::place;
    use crate::model::event::{Args, Detail};
    use crate::view::fixtures::Story;

    fn line(event: &Event) -> Vec<u8> {
        let mut line = Vec::new();
        Writer::default().event(event, true, &mut line);
        line.pop();
        line
    }

    /// As serde reads it.
    fn slow(line: &[u8]) -> Event {
        let text = std::str::from_utf8(line).expect("UTF-8");
        event::read(kind(line).expect("an event"), text, &mut Places::default()).expect("an event")
    }

    /// An event of each kind, and each with all that it may tell.
    fn whole() -> Vec<Event> {
        let mut story = Story::default();
        story.fork(0, 7, 1).exec(1, 7, 1, &["sh", "-c", "a\"b\\c\nd\te\rf\u{8}g\u{c}h"]);
        story.exec_failed(2, 7, 1, &["no"]).exit(3, 7, 1, 9).costs(5, Some(6));
        for event in &mut story.events {
            let wide = event.wide.as_deref_mut().expect("of the wide mode");
            (wide.ns_pid, wide.pidns, wide.login_uid) = (Some(2), Some(4_026_531_836), Some(1000));
            (wide.host, wide.boot_id) = (Some("builder".into()), Some("b00t".into()));
            match &mut wide.detail {
                Detail::Fork { made_by, .. } => *made_by = Some(6),
                Detail::Exec { filename_truncated, .. }
                | Detail::ExecFailed { filename_truncated, .. } => *filename_truncated = Some(true),
                Detail::Exit(ended) => {
                    ended.args = Some(Args::new(b"sh\0", true));
                    ended.born_to = Some(8);
                    ended.signal_code = Some(b"SI_USER".to_vec());
                    (ended.killed_by_pid, ended.killed_by_uid) = (Some(9), Some(0));
                    (ended.killed_by, ended.oom) = (Some(b"systemd".to_vec()), Some(true));
                    (ended.max_rss_bytes, ended.minor_faults) = (Some(4096), Some(10));
                    (ended.major_faults, ended.voluntary_switches) = (Some(0), Some(11));
                    (ended.involuntary_switches, ended.read_bytes) = (Some(12), Some(512));
                    ended.write_bytes = Some(1024);
                }
            }
        }
        story.events
    }

    #[test]
    fn whatever_a_line_may_tell_is_read_quickly_and_as_serde_does() {
        let id = "0123456789abcdef".repeat(4);
        let places = [
            None,
            Some("/".to_owned()),
            Some("/system.slice/cron.service".to_owned()),
            Some("/user.slice/user-7.slice/user@7.service/app.slice/a.service".to_owned()),
            Some(format!("/system.slice/docker-{id}.scope")),
            Some(format!("/kubepods/burstable/pod01234567-89ab-cdef-0123-456789abcdef/{id}")),
        ];
        let mut common = Common::default();
        for path in &places {
            let place = path.as_deref().map(|path| Arc::new(cgroup::place(path)));
            for mut event in whole() {
                event.wide.as_deref_mut().expect("of the wide mode").place.clone_from(&place);
                let line = line(&event);
                let text = String::from_utf8_lossy(&line);
                assert_eq!(slow(&line), event, "{text}");
                assert_eq!(decode(&line, &mut common).as_ref(), Some(&event), "{text}");
                let cgroup = text.split_once("\"cgroup\":").expect("a cgroup").1;
                let told = cgroup.split_once(",\"ns_pid\"").expect("the next key").0;
                let len = place.as_deref().map_or(",\"cgroup\":null".len(), place::len);
                assert_eq!(len, told.len() + ",\"cgroup\":".len());
            }
        }
    }

    #[test]
    fn what_lines_have_in_common_is_kept_once() {
        let mut common = Common::default();
        let mut events = whole();
        for (n, event) in events.iter_mut().enumerate() {
            let wide = event.wide.as_deref_mut().expect("of the wide mode");
            // Told by a key of its own, and by the path alone.
            let place = cgroup::place(["/a/cron.service", "/a/cron.service", "/", "/"][n]);
            wide.place = Some(Arc::new(place));
        }
        let read = events.iter().map(|event| decode(&line(event), &mut common).expect("quickly"));
        let wides: Vec<_> = read.map(|event| event.wide.expect("of the wide mode")).collect();
        let place = |n: usize| wides[n].place.as_ref().expect("a place");
        assert!(Arc::ptr_eq(place(0), place(1)) && Arc::ptr_eq(place(2), place(3)));
        for wide in &wides[1..] {
            let same = |one: &Option<Arc<str>>, other: &Option<Arc<str>>| {
                Arc::ptr_eq(one.as_ref().expect("told"), other.as_ref().expect("told"))
            };
            assert!(same(&wide.host, &wides[0].host) && same(&wide.boot_id, &wides[0].boot_id));
        }
    }

    #[test]
    fn numbers_are_those_of_json() {
        let number = |text: &str| Rest(text.as_bytes()).number();
        assert_eq!([number("0,"), number("12}")], [Some(0), Some(12)]);
        assert_eq!(number("9999999999999999999,"), Some(9_999_999_999_999_999_999));
        for text in ["", ",", "-1,", "007,", "00,", "18446744073709551616,", "12"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn the_basic_mode_has_no_failed_execs() {
        let line = |kind: &str| {
            format!(r#"{{"pid":7,"ppid":1,"comm":"sh","event_type":"{kind}","timestamp_ns":5}}"#)
        };
        let read = |kind| decode(line(kind).as_bytes(), &mut Common::default());
        assert!(read("exec").is_some_and(|event| event.wide.is_none()));
        assert_eq!(read("exec_failed"), None);
    }
}
