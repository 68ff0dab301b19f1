// SPDX-License-Identifier: MIT OR Apache-2.0
//! The last processes that failed.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::event::{Comm, Ended, Event, ExitStatus};
use crate::text;

/// So many are remembered: more than a screen shows.
const KEPT: usize = 100;

/// One that failed.
#[derive(Clone, Debug)]
struct Failed {
    time_ns: u64,
    pid: u32,
    comm: Comm,
    ended: Ended,
}

/// The last of them.
#[derive(Debug)]
pub struct Failures {
    last: VecDeque<Failed>,
    zone: TimeZone,
}

impl Failures {
    /// None yet. Reads which time zone it is.
    pub fn new() -> Self {
        Self { last: VecDeque::new(), zone: TimeZone::system() }
    }

    /// Notes an event, where it is a failure of a process.
    pub fn event(&mut self, event: &Event) {
        let failed = event.ended().filter(|ended| !ended.thread && ended.status.failed());
        let (Some(wide), Some(ended)) = (event.wide.as_deref(), failed) else { return };
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        let ended = ended.clone();
        let (pid, comm, time_ns) = (event.pid, event.comm, wide.time_ns);
        self.last.push_back(Failed { time_ns, pid, comm, ended });
    }

    /// The last `count`, in words, the newest first.
    pub fn lines(&self, count: usize) -> Vec<String> {
        self.last.iter().rev().take(count).map(|failed| self.line(failed)).collect()
    }

    fn line(&self, failed: &Failed) -> String {
        let time = i128::from(failed.time_ns);
        let time = Timestamp::from_nanosecond(time).unwrap_or_default();
        let time = time.to_zoned(self.zone.clone());
        let mut line = format!("{} {} ", time.strftime("%H:%M:%S"), failed.pid);
        text::escape(failed.comm.as_bytes(), &mut line);
        match failed.ended.status {
            ExitStatus::Code(code) => line.push_str(&format!(" exited with {code}")),
            ExitStatus::Signal { .. } => {
                line.push(' ');
                text::killed::by(failed.pid, &failed.ended, &mut line);
            }
        }
        if let Some(args) = &failed.ended.args {
            line.push_str(": ");
            text::command::quote(args, &mut line);
        }
        line
    }
}
