// SPDX-License-Identifier: MIT OR Apache-2.0
//! The figures of a summary: what `summary-json` prints as it is, and `summary` as text.
//! docs/json.md describes them.

use serde::{Serialize, Serializer};

use crate::model::event::Args;

/// All of them.
#[derive(Debug, Serialize)]
pub struct Figures {
    pub schema: u32,
    /// `basic` where any event was of that mode: it limits what can be said.
    pub view: &'static str,
    pub complete: bool,
    /// Of a period: when it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    #[serde(skip)] // said by the text, where losses are told by their number
    pub cut_off: bool,
    pub elapsed_ns: u64,
    pub events: Rate,
    pub fork: Rate,
    pub exec: Rate,
    pub exit: Rate,
    /// None where there were none: they may not have been asked for.
    pub exec_failed: Option<Rate>,
    /// Not in the basic mode, which takes them for processes.
    pub threads: Option<Threads>,
    pub lost: Lost,
    /// Times that the kernel skipped a handler.
    pub missed: u64,
    /// Not in the basic mode, which tells of no cost.
    pub cpu: Option<Cpu>,
    /// What makes the groups.
    pub by: Option<&'static str>,
    /// In the order of their CPU time; not in the basic mode.
    pub groups: Option<Vec<Group>>,
    /// All those beyond the limit together, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_groups: Option<Group>,
    pub fork_to_exec: Spread,
    pub run_time: Option<Spread>,
    /// The most frequent first.
    pub commands: Vec<Command>,
    pub never_execed: NeverExeced,
    /// Execs that were not the first since the process' fork, or whose fork is not there.
    pub other_execs: OtherExecs,
    /// The most frequent first.
    pub failures: Option<Vec<Failure>>,
    /// The most frequent first; as `exec_failed`.
    pub failed_execs: Option<Vec<FailedExec>>,
    /// The longest first.
    pub longest: Option<Vec<Longest>>,
    /// Intervals that ended before they began, and are in no other figure.
    pub backwards: u64,
    /// Processes that were dropped to bound memory, before their exec or exit was seen.
    pub dropped: u64,
}

#[derive(Debug, Serialize)]
pub struct Rate {
    pub count: u64,
    pub per_second: f64,
}

/// What CPU time was used by those that ended.
#[derive(Debug, Serialize)]
pub struct Cpu {
    pub used_ns: u64,
    /// Of so many processes that ended it isn't known.
    pub unknown: u64,
    /// How many CPUs the machine had, where the capture tells.
    pub cpus: Option<u32>,
    /// Of what these had meanwhile, 0 to 1.
    pub share: Option<f64>,
    /// How many processes ran at once, of those that the capture tells of.
    pub most_at_once: u64,
    /// How many CPUs they used, on average over each span.
    pub busy: Vec<f64>,
    pub span_ns: u64,
}

/// Processes that have something in common.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// None of all those beyond a limit together.
    #[serde(flatten)]
    pub name: Option<GroupName>,
    /// Those that ended in the capture or still ran at its end.
    pub processes: u64,
    pub running: u64,
    pub execs: u64,
    /// Processes that ended with anything but 0.
    pub failures: u64,
    pub failed_execs: u64,
    /// Processes that ended of which nothing below, but the run time, is known.
    pub cost_unknown: u64,
    pub cpu_ns: u64,
    /// Of what all that ended used, 0 to 1.
    pub cpu_share: Option<f64>,
    pub cpu_wait_ns: u64,
    /// Of those that ended: together, and the quantiles, exact to 1/128.
    pub run_time_ns: u64,
    pub run_time_p50_ns: Option<u64>,
    pub run_time_p99_ns: Option<u64>,
    /// The highest of one.
    pub max_rss_bytes: Option<u64>,
    pub read_bytes: u64,
    pub write_bytes: u64,
}

/// What they have in common; null where there is no such thing, or it isn't known.
#[derive(Clone, Debug, Serialize)]
pub enum GroupName {
    #[serde(rename = "comm")]
    Command(Option<String>),
    #[serde(rename = "unit")]
    Unit(Option<String>),
    #[serde(rename = "container")]
    Container(Option<String>),
    #[serde(rename = "uid")]
    User(u32),
    #[serde(rename = "parent")]
    Parent(Option<String>),
    #[serde(rename = "args", serialize_with = "arguments")]
    Args(Option<Args>),
}

impl Group {
    /// Both together. Their quantiles aren't known.
    pub fn plus(self, other: &Self) -> Self {
        Self {
            name: None,
            processes: self.processes + other.processes,
            running: self.running + other.running,
            execs: self.execs + other.execs,
            failures: self.failures + other.failures,
            failed_execs: self.failed_execs + other.failed_execs,
            cost_unknown: self.cost_unknown + other.cost_unknown,
            cpu_ns: self.cpu_ns.saturating_add(other.cpu_ns),
            cpu_share: self.cpu_share.zip(other.cpu_share).map(|(one, other)| one + other),
            cpu_wait_ns: self.cpu_wait_ns.saturating_add(other.cpu_wait_ns),
            run_time_ns: self.run_time_ns.saturating_add(other.run_time_ns),
            run_time_p50_ns: None,
            run_time_p99_ns: None,
            max_rss_bytes: self.max_rss_bytes.max(other.max_rss_bytes),
            read_bytes: self.read_bytes.saturating_add(other.read_bytes),
            write_bytes: self.write_bytes.saturating_add(other.write_bytes),
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Threads {
    pub started: u64,
    pub ended: u64,
}

#[derive(Debug, Serialize)]
pub struct Lost {
    pub fork: u64,
    pub exec: u64,
    pub exit: u64,
    pub exec_failed: u64,
}

/// A distribution of times.
#[derive(Debug, Default, Serialize)]
pub struct Spread {
    pub count: u64,
    pub min_ns: u64,
    pub p50_ns: u64,
    pub p90_ns: u64,
    pub p99_ns: u64,
    pub max_ns: u64,
    /// The parts between powers of two, without the empty ones at both ends.
    pub histogram: Vec<Bin>,
}

/// How many were at least `from_ns` and less than twice that.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bin {
    pub from_ns: u64,
    pub count: u64,
}

#[derive(Debug, Serialize)]
pub struct Command {
    /// None for all those beyond the limit together.
    pub comm: Option<String>,
    pub execs: u64,
    pub fork_to_exec: Spread,
}

#[derive(Debug, Serialize)]
pub struct NeverExeced {
    /// They ended without an exec (basic mode: threads among them).
    pub ended: u64,
    /// They had not exec'd when the capture ended.
    pub not_yet: u64,
    /// Of those that ended: their names, the most frequent first.
    pub comms: Vec<Count>,
}

#[derive(Debug, Serialize)]
pub struct Count {
    pub comm: Option<String>,
    pub count: u64,
}

#[derive(Debug, Serialize)]
pub struct OtherExecs {
    /// Not the first of their process; not known in the basic mode.
    pub repeated: Option<u64>,
    /// Of processes whose fork is not in the capture (basic mode: or not the first).
    pub without_fork: u64,
}

#[derive(Debug, Serialize)]
pub struct Failure {
    pub comm: Option<String>,
    #[serde(flatten)]
    pub status: Status,
    pub count: u64,
}

#[derive(Debug, Serialize)]
pub struct FailedExec {
    /// None where it could not be read.
    pub filename: Option<String>,
    /// None, and no file name, for all those beyond the limit together.
    pub errno: Option<String>,
    pub count: u64,
}

/// Either of the two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Status {
    #[serde(rename = "exit_code")]
    Code(u8),
    #[serde(rename = "signal")]
    Signal(String),
}

#[derive(Debug, Serialize)]
pub struct Longest {
    pub pid: u32,
    pub comm: Option<String>,
    #[serde(serialize_with = "arguments")]
    pub args: Option<Args>,
    pub run_time_ns: u64,
    /// None while it runs.
    #[serde(flatten)]
    pub status: Option<Status>,
}

fn arguments<S: Serializer>(args: &Option<Args>, out: S) -> Result<S::Ok, S::Error> {
    match args {
        Some(args) => out.collect_seq(args.iter().map(String::from_utf8_lossy)),
        None => out.serialize_none(),
    }
}
