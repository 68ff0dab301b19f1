// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options that choose events, alike for a live capture and for a replay.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use regex_lite::Regex;

use crate::host::unit;
use crate::model::conditions::Conditions;
use crate::model::event::EventKind;
use crate::process::words;

/// Which events are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Events")]
pub struct Choose {
    /// Only events of these processes (of a fork: the child)
    #[arg(short = 'p', long = "pid", value_name = "PID", value_delimiter = ',', value_parser = words::pid,
          allow_negative_numbers = true)]
    pub pids: Vec<u32>,

    /// With --pid: also events of all their descendants
    #[arg(short, long, requires = "pids")]
    pub follow: bool,

    /// Only events of the children of these processes
    #[arg(short = 'P', long = "ppid", value_name = "PID", value_delimiter = ',',
          value_parser = words::pid, allow_negative_numbers = true)]
    pub ppids: Vec<u32>,

    /// Only events of processes with this name
    #[arg(long, value_name = "NAME", value_parser = words::comm)]
    pub comm: Option<String>,

    /// Only events of this real user, by name or number
    #[arg(long, value_name = "USER|UID", value_parser = words::uid)]
    pub uid: Option<u32>,

    /// Only events in this cgroup (v2) and below, such as /system.slice/cron.service
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,

    /// Only events of this systemd unit, the system's or a user's; cron means cron.service
    ///
    /// Live it implies --wide.
    #[arg(long, value_name = "NAME", value_parser = unit::whole_name)]
    pub unit: Option<String>,

    /// Only events in this container: 12 or more digits of its id, or its name if it has none
    ///
    /// Live it implies --wide.
    #[arg(long, value_name = "ID", value_parser = words::container)]
    pub container: Option<String>,

    /// Only events of these kinds
    #[arg(short = 'e', long = "event", value_name = "KIND", value_delimiter = ',', value_parser = kind())]
    pub kinds: Vec<EventKind>,

    /// Only exits with a status other than 0, or by a signal, and execs that failed
    #[arg(long)]
    pub failed: bool,

    /// Only events whose process name or arguments match this regular expression
    #[arg(long = "match", value_name = "REGEX")]
    pub pattern: Option<Regex>,
}

/// A kind of event; shells complete it.
fn kind() -> impl TypedValueParser<Value = EventKind> {
    PossibleValuesParser::new(EventKind::ALL.map(EventKind::name)).try_map(|name| {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or("not a kind of event")
    })
}

impl From<Choose> for Conditions {
    fn from(choose: Choose) -> Self {
        let Choose {
            pids,
            follow,
            ppids,
            comm,
            uid,
            cgroup,
            unit,
            container,
            kinds,
            failed,
            pattern,
        } = choose;
        Self {
            pids,
            follow,
            ppids,
            comm,
            uid,
            kinds,
            cgroup,
            unit,
            container,
            failed,
            failed_execs: false,
            pattern,
            since_ns: None,
            until_ns: None,
            min_duration_ns: None,
            min_cpu_ns: None,
            host: None,
        }
    }
}
