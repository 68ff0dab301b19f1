// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of the trace-event format.

use std::fmt;
use std::io::Write as _;

use serde::Serialize;

use super::slices::{Details, Slice};
use crate::json;
use crate::view::lives::LifeId;

/// All lanes are threads of one "process", which a viewer shows as a group. Not 0, which is idle.
const GROUP: u32 = 1;

/// Nanoseconds as the format's microseconds, to the last digit: a double would lose some.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Writes the events of one track.
pub struct Writer<'a> {
    pub out: &'a mut Vec<u8>,
    pub lane: usize,
    pub begun: bool,
}

impl Writer<'_> {
    /// Names a lane, and puts it below those before it.
    pub fn lane(&mut self, host: &str) {
        if self.lane == 1 {
            let on = if host.is_empty() { String::new() } else { format!(" on {host}") };
            self.metadata("process_name", "name", &format!("processes{on}"));
        }
        self.metadata("thread_name", "name", "lane");
        self.metadata("thread_sort_index", "sort_index", &{ self.lane });
    }

    /// What each event begins with; the caller goes on behind the lane's number.
    fn begin(&mut self, phase: &str, lane: usize, name: &str) {
        let comma = if std::mem::replace(&mut self.begun, true) { "," } else { "" };
        // Writing to a Vec can't fail.
        let _ = write!(
            self.out,
            "{comma}\n{{\"ph\":\"{phase}\",\"pid\":{GROUP},\"tid\":{lane},\"name\":"
        );
        json::write(name, self.out);
    }

    pub fn metadata(&mut self, name: &str, key: &str, value: &(impl Serialize + ?Sized)) {
        self.begin("M", self.lane, name);
        let _ = write!(self.out, ",\"args\":{{\"{key}\":");
        json::write(value, self.out);
        self.out.extend_from_slice(b"}}");
    }

    pub fn slice(&mut self, slice: &Slice<'_>, until_ns: u64, failed: bool, details: &Details) {
        self.begin("X", self.lane, &slice.name);
        let (from, length) = (slice.from_ns, until_ns.saturating_sub(slice.from_ns));
        let _ = write!(
            self.out,
            ",\"cat\":\"{}\",\"ts\":{},\"dur\":{}",
            slice.category,
            Micros(from),
            Micros(length)
        );
        if failed {
            self.out.extend_from_slice(b",\"cname\":\"terrible\"");
        }
        self.out.extend_from_slice(b",\"args\":");
        json::write(details, self.out);
        self.out.push(b'}');
    }

    /// A value at a time, drawn as a line over all lanes.
    pub fn counter(&mut self, name: &str, at_ns: u64, value: &impl Serialize) {
        self.begin("C", 0, name);
        let _ = write!(self.out, ",\"ts\":{},\"args\":{{\"value\":", Micros(at_ns));
        json::write(value, self.out);
        self.out.extend_from_slice(b"}}");
    }

    /// One end of an arrow.
    pub fn flow(&mut self, phase: &str, lane: usize, id: LifeId, at_ns: u64) {
        self.begin(phase, lane, "fork");
        let bind = if phase == "f" { ",\"bp\":\"e\"" } else { "" };
        let _ = write!(self.out, ",\"cat\":\"fork\",\"id\":{id},\"ts\":{}{bind}}}", Micros(at_ns));
    }
}
