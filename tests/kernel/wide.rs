// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads captures of the wide mode, as strictly as the schema is written.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::program::Ended;

/// An event. Keys that are missing where they may be are None.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    pub pid: u32,
    pub ppid: u32,
    pub comm: String,
    pub event_type: String,
    pub timestamp_ns: u64,
    pub time: String,
    pub tid: u32,
    pub uid: u32,
    pub start_ns: u64,
    pub cgroup_id: u64,
    pub cgroup: Option<String>,
    pub unit: Option<String>,
    pub user_unit: Option<String>,
    pub container: Option<String>,
    pub runtime: Option<String>,
    pub pod_uid: Option<String>,
    pub ns_pid: Option<u32>,
    pub pidns: Option<u32>,
    pub login_uid: Option<u32>,
    pub thread: Option<bool>,
    pub parent_tid: Option<u32>,
    pub made_by: Option<u32>,
    pub filename: Option<String>,
    pub args: Option<Vec<String>>,
    #[serde(default)]
    pub args_truncated: bool,
    #[serde(default)]
    pub filename_truncated: bool,
    pub errno: Option<String>,
    pub tried: Option<u32>,
    pub exit_code: Option<u8>,
    pub signal: Option<String>,
    pub core_dumped: Option<bool>,
    pub duration_ns: Option<u64>,
    pub born_to: Option<u32>,
    #[serde(default)]
    pub args_unknown: bool,
    pub signal_code: Option<String>,
    pub killed_by_pid: Option<u32>,
    pub killed_by: Option<String>,
    pub killed_by_uid: Option<u32>,
    #[serde(default)]
    pub oom: bool,
    pub cpu_ns: Option<u64>,
    pub cpu_wait_ns: Option<u64>,
    pub max_rss_bytes: Option<u64>,
    pub minor_faults: Option<u64>,
    pub major_faults: Option<u64>,
    pub voluntary_switches: Option<u64>,
    pub involuntary_switches: Option<u64>,
    pub read_bytes: Option<u64>,
    pub write_bytes: Option<u64>,
}

impl Event {
    /// Whether it is about a process, not about one of its threads.
    pub fn of_process(&self) -> bool {
        self.thread != Some(true)
    }

    /// Whether this is an event of that kind, and of that process.
    pub fn is(&self, kind: &str, pid: u32) -> bool {
        self.event_type == kind && self.pid == pid && self.of_process()
    }

    /// What `wait(2)` gives for this exit, the core dump bit included.
    pub fn wait_status(&self) -> u32 {
        let core = if self.core_dumped == Some(true) { 0x80 } else { 0 };
        match (&self.exit_code, &self.signal) {
            (Some(code), None) => u32::from(*code) << 8,
            (None, Some(name)) => u32::from(number(name)) | core,
            both => panic!("exit_code xor signal: {both:?}"),
        }
    }
}

/// The number of a signal, as bash has it; nothing of the program's own.
pub fn number(name: &str) -> u8 {
    const NAMES: [(&str, i32); 16] = [
        ("SIGHUP", libc::SIGHUP),
        ("SIGINT", libc::SIGINT),
        ("SIGALRM", libc::SIGALRM),
        ("SIGUSR2", libc::SIGUSR2),
        ("SIGXCPU", libc::SIGXCPU),
        ("SIGXFSZ", libc::SIGXFSZ),
        ("SIGVTALRM", libc::SIGVTALRM),
        ("SIGABRT", libc::SIGABRT),
        ("SIGBUS", libc::SIGBUS),
        ("SIGKILL", libc::SIGKILL),
        ("SIGUSR1", libc::SIGUSR1),
        ("SIGSEGV", libc::SIGSEGV),
        ("SIGPIPE", libc::SIGPIPE),
        ("SIGTERM", libc::SIGTERM),
        ("SIGSYS", libc::SIGSYS),
        ("SIGRTMIN", 34),
    ];
    if let Some(more) = name.strip_prefix("SIGRTMIN+") {
        return 34 + more.parse::<u8>().unwrap();
    }
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("unknown signal {name}")).1 as u8
}

/// A capture in JSON.
#[derive(Debug)]
pub struct Capture {
    pub meta: Value,
    pub events: Vec<Event>,
    pub lost: Vec<Value>,
    pub summary: Option<Value>,
}

impl Capture {
    /// Of whole lines: `meta` first, `summary` last or (a pipe was closed) missing.
    pub fn parse(output: &[u8]) -> Self {
        let text = std::str::from_utf8(output).expect("JSON is UTF-8");
        assert!(text.ends_with('\n'), "output ends in the middle of a line");
        let mut capture = Self { meta: Value::Null, events: vec![], lost: vec![], summary: None };
        for (i, line) in text.lines().enumerate() {
            assert!(capture.summary.is_none(), "nothing follows the summary: {line}");
            if line.starts_with("{\"pid\":") {
                capture.events.push(serde_json::from_str(line).expect(line));
                continue;
            }
            let record: Value = serde_json::from_str(line).expect(line);
            match record["event_type"].as_str() {
                Some("meta") if i == 0 => capture.meta = record,
                Some("lost") => capture.lost.push(record),
                Some("summary") => capture.summary = Some(record),
                _ => panic!("{line}"),
            }
        }
        assert!(capture.meta.is_object(), "the first line is the meta record");
        capture
    }

    /// Of a run that must have gone well and lost nothing.
    pub fn complete(run: &Ended) -> Self {
        run.success();
        let capture = Self::parse(&run.stdout);
        let closing = run.closing();
        assert_eq!((closing.printed, closing.lost), (capture.events.len() as u64, [0; 3]));
        let summary = capture.summary.as_ref().expect("a summary");
        assert_eq!(summary["complete"], true);
        assert_eq!(summary["printed"], capture.events.len() as u64);
        capture
    }

    /// The events of the descendants of a process, itself included. Threads count as theirs.
    pub fn family(&self, root: u32) -> Vec<&Event> {
        let mut alive = HashSet::from([root]);
        let mut family = Vec::new();
        for event in &self.events {
            let fork = event.event_type == "fork" && event.of_process();
            if fork && alive.contains(&event.ppid) {
                alive.insert(event.pid);
            } else if fork && event.pid != root {
                alive.remove(&event.pid);
            }
            if alive.contains(&event.pid) {
                family.push(event);
            }
            if event.event_type == "exit" && event.of_process() {
                alive.remove(&event.pid);
            }
        }
        family
    }

    /// The events of one process, in their order.
    pub fn of(&self, pid: u32) -> Vec<&Event> {
        self.events.iter().filter(|event| event.pid == pid).collect()
    }

    /// The event of that kind of a process which has one.
    pub fn one(&self, kind: &str, pid: u32) -> &Event {
        let mut found = self.events.iter().filter(|event| event.is(kind, pid));
        let event = found.next().unwrap_or_else(|| panic!("no {kind} of {pid}"));
        assert!(found.next().is_none(), "two {kind} of {pid}");
        event
    }
}

/// Exits by process; fails where one has two, or is none of a process that was forked.
pub fn exits<'a>(family: &[&'a Event]) -> HashMap<(u32, u64), &'a Event> {
    let mut exits = HashMap::new();
    for event in family.iter().filter(|event| event.event_type == "exit" && event.of_process()) {
        let before = exits.insert((event.pid, event.start_ns), *event);
        assert!(before.is_none(), "two exits: {before:?} {event:?}");
    }
    exits
}
