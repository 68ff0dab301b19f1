// SPDX-License-Identifier: MIT OR Apache-2.0
//! How those who count for a rule are named.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::event::{Args, Comm, Detail};
use crate::text;
use crate::text::command;
use crate::text::killed;

/// Bytes of a command line that are told.
pub const SHOWN: usize = 200;

/// Somebody of whom there may be something to tell.
#[derive(Clone, Copy)]
pub struct Who<'a> {
    pub time_ns: u64,
    pub pid: u32,
    pub ppid: u32,
    pub comm: Comm,
    pub args: Option<&'a Args>,
    pub detail: Option<&'a Detail>,
}

/// The words for it.
#[derive(Debug)]
pub struct Words {
    pub zone: TimeZone,
    pub no_args: bool,
}

impl Words {
    /// `12:00:01 curl -s ... (4711, by 4700 sh)`, for a terminal.
    /// `parent`: the name of who has the id `ppid`.
    pub fn tell(&self, who: Who<'_>, parent: Option<Comm>) -> String {
        let time = Timestamp::from_nanosecond(i128::from(who.time_ns)).unwrap_or_default();
        let mut out = time.to_zoned(self.zone.clone()).strftime("%H:%M:%S ").to_string();
        let filename = match who.detail {
            Some(Detail::ExecFailed { filename, .. }) => filename.as_deref(),
            _ => None,
        };
        match (filename, who.args.filter(|args| !args.is_empty())) {
            (_, Some(args)) if self.no_args => command::quote(&args.program(), &mut out),
            (_, Some(args)) => command::quote(&args.cut(SHOWN), &mut out),
            (Some(filename), None) => text::escape(filename, &mut out),
            (None, None) => text::escape(who.comm.as_bytes(), &mut out),
        }
        match who.detail {
            Some(Detail::ExecFailed { errno, .. }) => out += &format!(": {}", errno.name()),
            Some(Detail::Exit(ended)) if ended.signal_code.is_some() => {
                out.push_str(", ");
                killed::by(who.pid, ended, &mut out);
            }
            Some(Detail::Exit(ended)) if ended.status.failed() => {
                out += &format!(", exit status {}", ended.status);
            }
            _ => {}
        }
        out += &format!(" ({}, by {}", who.pid, who.ppid);
        if let Some(parent) = parent {
            out.push(' ');
            text::escape(parent.as_bytes(), &mut out);
        }
        out.push(')');
        out
    }
}
