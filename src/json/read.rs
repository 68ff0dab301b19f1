// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line of a capture -> what it tells.

use memchr::{memchr, memmem};
use serde::Deserialize;

use super::about::{LostLine, MetaLine, SummaryLine};
use super::event::{self, Error};
use super::form::Str;
use super::quick::{self, Common};
use crate::model::event::{Event, EventKind, Lost, Meta, Totals};
use crate::text::time::Rfc3339;

/// What a line of a capture tells. It is moved often: what is rare and large is boxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Something happened to a process.
    Event(Event),
    /// How the capture came about.
    Meta(Box<Meta>),
    /// Events that were lost up to here, since the capture began.
    Lost {
        /// When that was noticed, in nanoseconds since 1970-01-01 UTC.
        time_ns: u64,
        /// How many.
        lost: Box<Lost>,
    },
    /// What the capture came to.
    Summary(Box<Totals>),
    /// A record of a kind that a later version may have added.
    Unknown,
}

/// Reads lines. It keeps what they have in common.
#[derive(Debug, Default)]
pub struct Decoder {
    common: Common,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    event_type: Str<'a>,
}

impl Decoder {
    /// Reads one line.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn decode(&mut self, line: &[u8]) -> Result<Record, String> {
        if let Some(event) = quick::decode(line, &mut self.common) {
            return Ok(Record::Event(event));
        }
        let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
        // Serde would take an array for the values of the keys, in their order.
        if !text.trim_ascii_start().starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        if let Some(kind) = quick::kind(line) {
            return self.event(kind, text);
        }
        let Kind { event_type } = serde_json::from_str(text).map_err(|error| because(&error))?;
        match EventKind::ALL.into_iter().find(|kind| kind.name() == event_type.0) {
            Some(kind) => self.event(kind, text),
            None => about_capture(&event_type.0, text).map_err(|error| because(&error)),
        }
    }

    fn event(&mut self, kind: EventKind, text: &str) -> Result<Record, String> {
        match event::read(kind, text, &mut self.common.places) {
            Ok(event) => Ok(Record::Event(event)),
            Err(Error::Meaning(what)) => Err(what),
            Err(Error::Json(error)) => Err(because(&error)),
        }
    }
}

/// When the event of a line was, in nanoseconds since 1970, without reading all of it: none of a line of
/// another kind, or of one that another program wrote in another way.
pub fn event_time_ns(line: &[u8]) -> Option<u64> {
    quick::kind(line)?;
    let time = string_of(line, b",\"time\":\"")?;
    Rfc3339::parse(std::str::from_utf8(time).ok()?).map(|time| time.0)
}

/// The host that a line names, as it is written there, likewise.
pub fn event_host(line: &[u8]) -> Option<&[u8]> {
    string_of(line, b",\"host\":\"")
}

/// The string behind a key, its quotation mark included: one in a string is escaped, so that this can only
/// be the key.
fn string_of<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(line, key)? + key.len();
    let end = at + memchr(b'"', &line[at..])?;
    Some(&line[at..end])
}

fn about_capture(event_type: &str, text: &str) -> Result<Record, serde_json::Error> {
    Ok(match event_type {
        MetaLine::NAME => Record::Meta(Box::new(serde_json::from_str::<MetaLine>(text)?.into())),
        LostLine::NAME => {
            let (time_ns, lost) = serde_json::from_str::<LostLine>(text)?.into_parts();
            Record::Lost { time_ns, lost: Box::new(lost) }
        }
        SummaryLine::NAME => {
            Record::Summary(Box::new(serde_json::from_str::<SummaryLine>(text)?.into()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Writer;
    use crate::json::place::Places;
    use crate::view::fixtures::{Random, Story, pipeline};

    fn line(event: &Event) -> Vec<u8> {
        let mut line = Vec::new();
        Writer::default().event(event, event.wide.is_some(), &mut line);
        line.pop();
        line
    }

    /// As serde reads it.
    fn slow(line: &[u8], places: &mut Places) -> Event {
        let kind = quick::kind(line).expect("an event");
        event::read(kind, std::str::from_utf8(line).expect("UTF-8"), places).expect("an event")
    }

    #[test]
    fn what_is_read_quickly_is_what_serde_reads() {
        let (mut common, mut places) = (Common::default(), Places::default());
        let (mut quickly, mut all) = (0, 0);
        for seed in 1..200 {
            for event in Random(seed).capture() {
                let line = line(&event);
                let Some(kind) = quick::kind(&line) else { continue };
                all += 1;
                if let Some(read) = quick::decode(&line, &mut common) {
                    assert_eq!(read.kind, kind);
                    assert_eq!(
                        read,
                        slow(&line, &mut places),
                        "{}",
                        String::from_utf8_lossy(&line)
                    );
                    quickly += 1;
                }
            }
        }
        // Odd characters are left to serde.
        assert!(quickly > all / 2, "{quickly} of {all}");
    }

    #[test]
    fn usual_lines_are_read_quickly() {
        let mut common = Common::default();
        for event in pipeline() {
            let line = line(&event);
            assert_eq!(quick::decode(&line, &mut common), Some(event));
        }
        let odd = r#"{"pid":7,"ppid":1,"comm":"sh","event_type":"exec","timestamp_ns":5,"time":"2026-01-02T03:04:05.000000006Z","tid":7,"uid":0,"start_ns":4,"cgroup_id":9,"cgroup":null,"filename":"/bin/sh","args":["sh","-c","echo \"a\tb\"\n",""],"args_truncated":true}"#;
        let read = quick::decode(odd.as_bytes(), &mut common).expect("quickly");
        assert_eq!(read, slow(odd.as_bytes(), &mut Places::default()));
        // A key that isn't known, one that is missing, and what follows the end.
        for (from, to) in
            [(",\"tid\"", ",\"new\":1,\"tid\""), (",\"uid\":0", ""), ("true}", "true}}")]
        {
            let other = odd.replace(from, to);
            assert!(other != odd && quick::decode(other.as_bytes(), &mut common).is_none());
        }
    }

    #[test]
    fn time_and_host_are_found_without_reading_all() {
        let mut story = Story::default();
        story.exec(0, 7, 1, &["sh", ",\"host\":\"x\""]);
        let event = &mut story.events[0];
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        let time_ns = wide.time_ns;
        assert_eq!(event_host(&line(event)), None);
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        wide.host = Some("builder".into());
        let line = line(event);
        assert_eq!(event_host(&line), Some(&b"builder"[..]));
        assert_eq!(event_time_ns(&line), Some(time_ns));
        assert_eq!(event_time_ns(br#"{"event_type":"lost","time":"2026-01-02T03:04:05Z"}"#), None);
    }

    #[test]
    fn what_is_wrong_with_arguments_is_said() {
        for (args, wrong) in [
            ("5", "invalid type: integer `5`, expected a list of strings"),
            ("[\"sh\",7]", "invalid type: integer `7`, expected a string"),
        ] {
            let line = format!(
                "{{\"pid\":7,\"ppid\":1,\"comm\":\"sh\",\"event_type\":\"exec\",\"timestamp_ns\":5,\"tid\":7,\
                 \"args\":{args}}}"
            );
            assert_eq!(Decoder::default().decode(line.as_bytes()), Err(wrong.to_owned()));
        }
    }

    #[test]
    fn a_time_is_read_as_it_is_written() {
        let mut common = Common::default();
        for text in ["2026-11-22T15:04:05.123456789Z", "1970-01-01T00:00:00.000000000Z"] {
            assert_eq!(common.time_ns(text.as_bytes()), Rfc3339::parse(text).map(|time| time.0));
        }
        for text in ["2026-11-22T15:04:05.1234567890Z", "2026-11-22T15:04:05.12345678xZ", "", "x"] {
            assert_eq!(common.time_ns(text.as_bytes()), None);
        }
    }
}
