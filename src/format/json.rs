// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON lines: one object a line, keys in a fixed order, no blanks.

use serde::Serialize;

use super::Sink;
use crate::event::Event;

/// The keys of the basic view, in their order. They are only ever added to.
#[derive(Serialize)]
struct Line<'a> {
    pid: u32,
    ppid: u32,
    comm: &'a str,
    event_type: &'static str,
    timestamp_ns: u64,
}

/// The sink of `--format json`.
#[derive(Debug, Default)]
pub struct Json;

impl Sink for Json {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let line = Line {
            pid: event.pid,
            ppid: event.ppid,
            comm: &event.comm.to_text(),
            event_type: event.kind.name(),
            timestamp_ns: event.timestamp_ns,
        };
        // Neither the struct (string keys, integers) nor a Vec gives serde_json a cause to fail.
        let written = serde_json::to_writer(&mut *out, &line);
        debug_assert!(written.is_ok());
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Comm, EventKind};

    fn line(comm: [u8; 16]) -> String {
        let mut out = Vec::new();
        let event = Event {
            kind: EventKind::Fork,
            pid: 4521,
            ppid: 3890,
            comm: Comm::new(comm),
            timestamp_ns: 128_934_567_890,
        };
        Json.event(&event, &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn is_the_contract_to_the_byte() {
        assert_eq!(
            line(*b"bash\0\0\0\0\0\0\0\0\0\0\0\0"),
            "{\"pid\":4521,\"ppid\":3890,\"comm\":\"bash\",\"event_type\":\"fork\",\
             \"timestamp_ns\":128934567890}\n"
        );
    }

    #[test]
    fn survives_every_byte_in_a_comm() {
        for byte in 1..=255 {
            let mut comm = [0; 16];
            comm[..3].copy_from_slice(&[b'a', byte, b'z']);
            let text = line(comm);
            assert_eq!(text.matches('\n').count(), 1, "byte {byte}");
            let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
            let got = value["comm"].as_str().expect("a string");
            let want = String::from_utf8_lossy(&comm[..3]).into_owned();
            assert_eq!(got, want, "byte {byte}");
        }
    }
}
