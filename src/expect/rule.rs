// SPDX-License-Identifier: MIT OR Apache-2.0
//! A rule: a measure, whose, a comparison and a value.

use crate::model::conditions::Conditions;
use crate::text::bytes::Bytes;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::counted;

/// What a capture is expected to come to.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As it was written.
    pub text: String,
    /// What is measured.
    pub measure: Measure,
    /// Whose events count.
    pub filter: Conditions,
    /// How the measure is to compare with the value.
    pub comparison: Comparison,
    /// In the measure's unit.
    pub value: u64,
}

impl Rule {
    /// Execs that fail have to be captured for it.
    pub fn needs_failed_execs(&self) -> bool {
        self.measure == Measure::FailedExecs
    }

    /// The filter has conditions.
    pub fn is_filtered(&self) -> bool {
        !self.filter.words().is_empty()
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Ends with a status other than 0, or by a signal.
    Failures,
    /// Execs.
    Execs,
    /// Execs that failed.
    FailedExecs,
    /// Processes.
    Processes,
    /// Descendants that live a while after the command's end.
    Leftovers,
    /// CPU time of processes that ended, in nanoseconds.
    Cpu,
    /// How long the command ran, in nanoseconds.
    Wall,
    /// The highest resident set of a process, in bytes.
    MaxRss,
    /// Ends by a signal.
    Killed,
    /// Ends by the OOM killer.
    Oom,
    /// Events that were lost.
    Lost,
}

/// What a measure is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number.
    Count,
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
}

impl Measure {
    /// Those that a process which goes on may add to.
    pub const OF_WHO_RUNS: [Self; 6] =
        [Self::Failures, Self::Killed, Self::Oom, Self::Execs, Self::FailedExecs, Self::Processes];

    /// All of them, in the order in which they are told of.
    pub const ALL: [Self; 11] = [
        Self::Failures,
        Self::Execs,
        Self::FailedExecs,
        Self::Processes,
        Self::Leftovers,
        Self::Cpu,
        Self::Wall,
        Self::MaxRss,
        Self::Killed,
        Self::Oom,
        Self::Lost,
    ];

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failures => "failures",
            Self::Execs => "execs",
            Self::FailedExecs => "failed-execs",
            Self::Processes => "processes",
            Self::Leftovers => "leftovers",
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::MaxRss => "max-rss",
            Self::Killed => "killed",
            Self::Oom => "oom",
            Self::Lost => "lost",
        }
    }

    /// What it is in.
    pub fn unit(self) -> Unit {
        match self {
            Self::Cpu | Self::Wall => Unit::Time,
            Self::MaxRss => Unit::Size,
            _ => Unit::Count,
        }
    }

    /// So much of it, in words.
    pub fn tell(self, value: u64) -> String {
        match self {
            Self::Cpu | Self::Wall => Elapsed(value).to_string(),
            Self::MaxRss => Bytes(value).to_string(),
            Self::Failures => counted(value, "failure"),
            Self::Execs => counted(value, "exec"),
            Self::FailedExecs => counted(value, "failed exec"),
            Self::Processes => counted(value, "process"),
            Self::Leftovers => counted(value, "leftover"),
            Self::Killed => format!("{value} killed"),
            Self::Oom => format!("{value} killed by the OOM killer"),
            Self::Lost => format!("{value} lost"),
        }
    }

    /// It is one of processes, of which a filter may choose some.
    pub fn takes_filter(self) -> bool {
        !matches!(self, Self::Wall | Self::Lost)
    }
}

/// How a measure compares with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// All of them, each before those that its sign begins with.
    pub const ALL: [(&'static str, Self); 6] = [
        ("!=", Self::NotEqual),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::More),
    ];

    /// Whether it holds.
    pub fn holds(self, measured: u64, value: u64) -> bool {
        match self {
            Self::Equal => measured == value,
            Self::NotEqual => measured != value,
            Self::Less => measured < value,
            Self::AtMost => measured <= value,
            Self::More => measured > value,
            Self::AtLeast => measured >= value,
        }
    }
}
