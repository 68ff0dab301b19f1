// SPDX-License-Identifier: MIT OR Apache-2.0
//! What has happened so far, for a person who waits for a view that says nothing before the end.

use crate::model::event::{Detail, Event, EventKind, Lost};
use crate::text::quantity::{count, plural};

/// Counts of events of the wide mode. Those of threads are no concern of it.
#[derive(Debug, Default)]
pub struct Status {
    counts: [u64; 4],
    failed: u64,
}

impl Status {
    /// Counts one in.
    pub fn event(&mut self, event: &Event) {
        if !event.detail().is_some_and(Detail::is_of_thread) {
            self.counts[event.kind as usize] += 1;
            self.failed += u64::from(event.ended().is_some_and(|ended| ended.status.failed()));
        }
    }

    /// `1,234 processes, 1,200 execs, 1,190 exits, 12 failed, 0 lost`
    pub fn line(&self, lost: &Lost) -> String {
        let of = |kind: EventKind, noun| {
            let n = self.counts[kind as usize];
            format!("{} {}", count(n), plural(n, noun))
        };
        let born = of(EventKind::Fork, "process");
        let (execs, exits) = (of(EventKind::Exec, "exec"), of(EventKind::Exit, "exit"));
        let (failed, lost) = (count(self.failed), count(lost.total()));
        let failed_execs = match self.counts[EventKind::ExecFailed as usize] {
            0 => String::new(),
            n => format!(", {} failed {}", count(n), plural(n, "exec")),
        };
        format!("{born}, {execs}, {exits}, {failed} failed{failed_execs}, {lost} lost")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::read::{Decoder, Record};

    /// As a line tells it.
    fn event(kind: &str, keys: &str) -> Event {
        let line = format!(
            r#"{{"pid":7,"ppid":1,"comm":"sh","event_type":"{kind}","timestamp_ns":5,"time":
            "2026-11-23T07:24:27.000000005Z","tid":7,"uid":0,"start_ns":1,"cgroup_id":1,
            "cgroup":null,{keys}}}"#
        );
        match Decoder::default().decode(line.as_bytes()) {
            Ok(Record::Event(event)) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn processes_are_counted_and_threads_are_not() {
        let mut status = Status::default();
        for thread in [true, false, true] {
            status.event(&event("fork", &format!(r#""thread":{thread},"parent_tid":1"#)));
            let exit = format!(r#""thread":{thread},"exit_code":1,"duration_ns":4"#);
            status.event(&event("exit", &exit));
        }
        let line = status.line(&Lost::new([1_000, 0, 234, 0], 0));
        assert_eq!(line, "1 process, 0 execs, 1 exit, 1 failed, 1,234 lost");
    }
}
