// SPDX-License-Identifier: MIT OR Apache-2.0
//! By what processes are grouped, and how groups are ranked.

use clap::ValueEnum;

/// What makes a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The name of the process
    #[default]
    Command,
    /// The systemd unit, of the user's systemd where it is below that
    Unit,
    /// The container's id or name
    Container,
    /// The real user
    User,
    /// The name of the process that forked it
    Parent,
    /// All arguments
    Args,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// CPU time
    #[default]
    Cpu,
    /// Time without a CPU, though ready to run
    Wait,
    /// Run times, added up
    Duration,
    /// How many processes
    Count,
    /// Processes that failed, and execs that did
    Failures,
    /// The largest resident set of one process
    Rss,
    /// Block I/O
    Io,
}

/// How groups are shown.
#[derive(Clone, Copy, Debug)]
pub struct Ranking {
    /// What makes a group.
    pub by: By,
    /// What comes first.
    pub sort: Sort,
    /// So many are shown; the others are one.
    pub top: usize,
}

impl Default for Ranking {
    fn default() -> Self {
        Self { by: By::default(), sort: Sort::default(), top: Self::TOP }
    }
}

impl Ranking {
    /// So many where nothing else is asked for.
    pub const TOP: usize = 20;
}

impl By {
    /// Its name, as it is given.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::User => "user",
            Self::Parent => "parent",
            Self::Args => "args",
        }
    }
}

impl Sort {
    /// For a heading.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cpu => "the most CPU time",
            Self::Wait => "the longest wait for a CPU",
            Self::Duration => "the longest run time",
            Self::Count => "the most processes",
            Self::Failures => "the most failures",
            Self::Rss => "the largest resident set",
            Self::Io => "the most block I/O",
        }
    }
}
