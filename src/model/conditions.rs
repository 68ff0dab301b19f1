// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an event must be to be kept, as the options say it.

use regex_lite::Regex;

use crate::model::event::EventKind;

/// What an event must be to be kept. An empty list asks for nothing; of several values one must
/// fit, of several conditions all.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The process id.
    pub pids: Vec<u32>,
    /// The parent's process id (wide mode only, in a capture).
    pub ppids: Vec<u32>,
    /// The name.
    pub comm: Option<String>,
    /// The real user id (wide mode only, in a capture).
    pub uid: Option<u32>,
    /// What happened.
    pub kinds: Vec<EventKind>,
    /// The path of the cgroup, or of one above it (wide mode only, in a capture).
    pub cgroup: Option<String>,
    /// The whole name of the systemd unit, the system's or a user's (wide mode only).
    pub unit: Option<String>,
    /// The id of the container, or the beginning of it, or its name (wide mode only).
    pub container: Option<String>,
    /// Only ends that are no success, and execs that failed (wide mode only).
    pub failed: bool,
    /// A capture's: besides what happened also execs that failed (wide mode only).
    pub failed_execs: bool,
    /// With `pids`: their descendants, too.
    pub follow: bool,
    /// What the name, or the arguments with blanks between, must contain.
    pub pattern: Option<Regex>,
    /// Not before, and before: nanoseconds since 1970 (wide mode, in a capture).
    pub since_ns: Option<u64>,
    /// See `since_ns`.
    pub until_ns: Option<u64>,
    /// Only ends of what lived so long, in nanoseconds (wide mode, in a capture).
    pub min_duration_ns: Option<u64>,
    /// Only ends of what used so much CPU time, in nanoseconds (wide mode, in a capture).
    pub min_cpu_ns: Option<u64>,
    /// The host's name (wide mode, in a capture).
    pub host: Option<String>,
}

impl Conditions {
    /// Whether a capture has events of this kind.
    pub fn captures(&self, kind: EventKind) -> bool {
        match kind {
            EventKind::ExecFailed => self.failed_execs || self.kinds.contains(&kind),
            _ => self.kinds.is_empty() || self.kinds.contains(&kind),
        }
    }

    /// The options that say the same.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(list("--pid", &self.pids));
        words.extend(self.follow.then(|| "--follow".to_owned()));
        words.extend(list("--ppid", &self.ppids));
        words.extend(self.comm.iter().map(|comm| format!("--comm={comm}")));
        words.extend(self.uid.iter().map(|uid| format!("--uid={uid}")));
        words.extend(self.cgroup.iter().map(|path| format!("--cgroup={path}")));
        words.extend(self.unit.iter().map(|unit| format!("--unit={unit}")));
        words.extend(self.container.iter().map(|id| format!("--container={id}")));
        words.extend(self.kinds.iter().map(|kind| format!("--event={}", kind.name())));
        words.extend(self.failed.then(|| "--failed".to_owned()));
        words.extend(self.failed_execs.then(|| "--failed-execs".to_owned()));
        words.extend(self.pattern.iter().map(|pattern| format!("--match={pattern}")));
        words.extend(self.since_ns.map(|ns| format!("--since={}", since_1970(ns))));
        words.extend(self.until_ns.map(|ns| format!("--until={}", since_1970(ns))));
        words.extend(self.min_duration_ns.map(|ns| format!("--min-duration={ns}ns")));
        words.extend(self.min_cpu_ns.map(|ns| format!("--min-cpu={ns}ns")));
        words.extend(self.host.iter().map(|host| format!("--host={host}")));
        words
    }
}

/// Seconds since 1970, as the options of times take them.
fn since_1970(ns: u64) -> String {
    format!("@{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000)
}

/// One word, however many there are.
fn list(option: &str, pids: &[u32]) -> Option<String> {
    let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
    (!pids.is_empty()).then(|| format!("{option}={}", pids.join(",")))
}
