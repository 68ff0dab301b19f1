// SPDX-License-Identifier: MIT OR Apache-2.0
//! The options that choose events, alike for a live capture and for a replay.

use clap::Args;
use regex_lite::Regex;

use crate::host::{unit, users};
use crate::model::conditions::Conditions;
use crate::model::event::EventKind;
use crate::model::pid::PID_MAX_LIMIT;

/// Which events are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Events")]
pub struct Choose {
    /// Only events of these processes (of a fork: the child)
    #[arg(short = 'p', long = "pid", value_name = "PID", value_delimiter = ',', value_parser = pid,
          allow_negative_numbers = true)]
    pub pids: Vec<u32>,

    /// With --pid: also events of all their descendants
    #[arg(short, long, requires = "pids")]
    pub follow: bool,

    /// Only events of the children of these processes
    #[arg(short = 'P', long = "ppid", value_name = "PID", value_delimiter = ',',
          value_parser = pid, allow_negative_numbers = true)]
    pub ppids: Vec<u32>,

    /// Only events of processes with this name
    #[arg(long, value_name = "NAME", value_parser = comm)]
    pub comm: Option<String>,

    /// Only events of this real user, by name or number
    #[arg(long, value_name = "USER|UID", value_parser = uid)]
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
    #[arg(long, value_name = "ID", value_parser = container)]
    pub container: Option<String>,

    // Not a doc comment: there, clippy wants backticks around the last one.
    #[arg(short = 'e', long = "event", value_name = "KIND", value_delimiter = ',', value_parser = kind,
          help = "Only events of these kinds: fork, exec, exit, exec_failed")]
    pub kinds: Vec<EventKind>,

    /// Only exits with a status other than 0, or by a signal, and execs that failed
    #[arg(long)]
    pub failed: bool,

    /// Only events whose process name or arguments match this regular expression
    #[arg(long = "match", value_name = "REGEX")]
    pub pattern: Option<Regex>,
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
        }
    }
}

fn pid(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(pid) if (1..=PID_MAX_LIMIT).contains(&pid) => Ok(pid),
        _ => {
            Err(format!("a pid is a number from 1 to {PID_MAX_LIMIT}; separate several by commas"))
        }
    }
}

fn kind(text: &str) -> Result<EventKind, String> {
    let found = EventKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| {
        "a kind is fork, exec, exit or exec_failed; separate several by commas".to_owned()
    })
}

/// `TASK_COMM_LEN` of include/linux/sched.h, less the NUL.
const MAX_COMM: usize = 15;

fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        1..=MAX_COMM => Ok(text.to_owned()),
        _ => Err(format!(
            "the kernel's process names have 1 to {MAX_COMM} bytes; --match finds longer ones \
             among the arguments"
        )),
    }
}

fn container(text: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match text.len() {
        1..=64 if text.chars().all(legal) => Ok(text.to_owned()),
        _ => Err("a container is named by 12 to 64 digits of its id, or by its name where its \
                  runtime is lxc or systemd-nspawn"
            .to_owned()),
    }
}

fn uid(text: &str) -> Result<u32, String> {
    users::uid(text)
        .ok_or_else(|| "there is no such user in /etc/passwd; give a name or a number".to_owned())
}
