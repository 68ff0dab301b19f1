// SPDX-License-Identifier: MIT OR Apache-2.0
//! The columns that a table of the wide mode may have: each is defined here and nowhere else.

use std::fmt;
use std::fmt::Write as _;

use crate::host::users::Users;
use crate::model::event::{Detail, Ended, Event, ExitStatus, Wide};
use crate::text;
use crate::text::bytes::Bytes;
use crate::text::command;
use crate::text::elapsed::Elapsed;
use crate::text::killed;

/// A column.
pub struct Column {
    /// Its name for `--columns`; the heading is that in capitals.
    pub name: &'static str,
    /// What it tells, in half a line.
    pub help: &'static str,
    /// How wide it is with the blank behind it, and on a narrow terminal.
    pub width: usize,
    /// On a narrow terminal.
    pub narrow: usize,
    /// Where there is no room for all, those with a higher number give way first.
    pub gives_way: u8,
    /// Appends what it tells of an event, if anything.
    pub cell: fn(&Row<'_>, &mut String),
}

/// What cells are made of.
pub struct Row<'a> {
    /// The event.
    pub event: &'a Event,
    /// What the wide mode tells of it.
    pub wide: &'a Wide,
    /// Its time, as the table shows it.
    pub time: &'a str,
    /// Names of users.
    pub users: &'a Users,
    /// The capture's host: that of events which name none. Empty where it isn't known.
    pub host: &'a str,
}

/// All of them, in the order in which they are told of.
pub static ALL: &[&Column] = &[
    &TIME, &PID, &PPID, &TID, &NSPID, &USER, &LOGIN, &EVENT, &STATUS, &DURATION, &CPU, &WAIT, &RSS,
    &FAULTS, &READ, &WRITE, &UNIT, &CONTAINER, &CGROUP, &HOST, &COMM, &COMMAND,
];

/// Those of a table that was not asked for others.
pub static USUAL: &[&Column] =
    &[&TIME, &PID, &PPID, &USER, &EVENT, &STATUS, &DURATION, &CPU, &COMMAND];

/// Shown in the room that the others leave, whatever its width.
pub static COMMAND: Column = Column {
    name: "command",
    help: "The arguments, or the name in brackets; of a failed exec the file, of a signal its sender",
    width: 33,
    narrow: 33,
    gives_way: 0,
    cell: command,
};

static EVENT: Column = Column {
    name: "event",
    help: "FORK, EXEC, EXIT; THREAD and TEXIT of threads; XFAIL: an exec failed",
    width: 7,
    narrow: 7,
    gives_way: 1,
    cell: |row, out| out.push_str(kind(&row.wide.detail)),
};

static PID: Column = Column {
    name: "pid",
    help: "Process id",
    width: 9,
    narrow: 8,
    gives_way: 2,
    cell: |row, out| put(out, row.event.pid),
};

static STATUS: Column = Column {
    name: "status",
    help: "How it ended: exit status or signal; why an exec failed",
    width: 9,
    narrow: 8,
    gives_way: 3,
    cell: |row, out| match &row.wide.detail {
        Detail::ExecFailed { errno, .. } => out.push_str(&errno.name()),
        Detail::Exit(ended) => out.push_str(&status(ended.status)),
        _ => {}
    },
};

static TIME: Column = Column {
    name: "time",
    help: "When, in local time",
    width: 14,
    narrow: 9,
    gives_way: 4,
    cell: |row, out| out.push_str(row.time),
};

static CPU: Column = Column {
    name: "cpu",
    help: "CPU time that it used, without its children's",
    width: 9,
    narrow: 8,
    gives_way: 5,
    cell: |row, out| elapsed(row, |ended| ended.cpu_ns, out),
};

static DURATION: Column = Column {
    name: "duration",
    help: "How long it lived",
    width: 10,
    narrow: 8,
    gives_way: 6,
    cell: |row, out| {
        if let Detail::Exit(ended) = &row.wide.detail {
            put(out, Elapsed(ended.duration_ns));
        }
    },
};

static USER: Column = Column {
    name: "user",
    help: "Real user",
    width: 10,
    narrow: 8,
    gives_way: 7,
    cell: |row, out| user(row, Some(row.wide.uid), out),
};

static PPID: Column = Column {
    name: "ppid",
    help: "Process id of the parent",
    width: 9,
    narrow: 8,
    gives_way: 8,
    cell: |row, out| put(out, row.event.ppid),
};

static TID: Column = Column {
    name: "tid",
    help: "Id of the task",
    width: 9,
    narrow: 8,
    gives_way: 9,
    cell: |row, out| put(out, row.wide.tid),
};

static NSPID: Column = Column {
    name: "nspid",
    help: "Process id in its own PID namespace; - in the initial one",
    width: 9,
    narrow: 8,
    gives_way: 9,
    cell: |row, out| known(row.wide.ns_pid, out),
};

static LOGIN: Column = Column {
    name: "login",
    help: "Who logged in at first, whatever sudo came since",
    width: 10,
    narrow: 8,
    gives_way: 9,
    cell: |row, out| user(row, row.wide.login_uid, out),
};

static WAIT: Column = Column {
    name: "wait",
    help: "How long it was ready to run and had no CPU",
    width: 9,
    narrow: 8,
    gives_way: 9,
    cell: |row, out| elapsed(row, |ended| ended.cpu_wait_ns, out),
};

static RSS: Column = Column {
    name: "rss",
    help: "Highest resident set",
    width: 7,
    narrow: 6,
    gives_way: 9,
    cell: |row, out| size(row, |ended| ended.max_rss_bytes, out),
};

static FAULTS: Column = Column {
    name: "faults",
    help: "Page faults, with and without I/O",
    width: 8,
    narrow: 7,
    gives_way: 9,
    cell: |row, out| {
        let faults = |ended: &Ended| Some(ended.minor_faults?.saturating_add(ended.major_faults?));
        of_exit(row, |ended, out| known(faults(ended), out), out);
    },
};

static READ: Column = Column {
    name: "read",
    help: "Bytes read from block devices for it",
    width: 7,
    narrow: 6,
    gives_way: 9,
    cell: |row, out| size(row, |ended| ended.read_bytes, out),
};

static WRITE: Column = Column {
    name: "write",
    help: "Bytes that it wrote, to go to block devices",
    width: 7,
    narrow: 6,
    gives_way: 9,
    cell: |row, out| size(row, |ended| ended.write_bytes, out),
};

static HOST: Column = Column {
    name: "host",
    help: "The host",
    width: 16,
    narrow: 12,
    gives_way: 9,
    cell: |row, out| {
        let host = row.wide.host.as_deref().or(Some(row.host).filter(|host| !host.is_empty()));
        place_name(host, 16, out);
    },
};

static UNIT: Column = Column {
    name: "unit",
    help: "systemd unit, of the user's systemd where it is below that",
    width: 20,
    narrow: 16,
    gives_way: 9,
    cell: |row, out| {
        let place = row.wide.place.as_deref();
        let unit = place.and_then(|place| place.user_unit.as_deref().or(place.unit.as_deref()));
        place_name(unit, 20, out);
    },
};

static CONTAINER: Column = Column {
    name: "container",
    help: "Container: the first 12 digits of its id, or its name",
    width: 14,
    narrow: 13,
    gives_way: 9,
    cell: |row, out| {
        let container = row.wide.place.as_deref().and_then(|place| place.container.as_deref());
        let is_id = |id: &&str| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let short = container.filter(is_id).and_then(|id| id.get(..12));
        place_name(short.or(container), 14, out);
    },
};

static CGROUP: Column = Column {
    name: "cgroup",
    help: "Path of the cgroup",
    width: 30,
    narrow: 20,
    gives_way: 10,
    cell: |row, out| {
        place_name(row.wide.place.as_deref().map(|place| &*place.cgroup), usize::MAX, out)
    },
};

static COMM: Column = Column {
    name: "comm",
    help: "Name of the process",
    width: 17,
    narrow: 16,
    gives_way: 9,
    cell: |row, out| text::escape(row.event.comm.as_bytes(), out),
};

impl Column {
    /// The heading.
    pub fn heading(&self) -> String {
        self.name.to_ascii_uppercase()
    }
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The word for what happened.
pub fn kind(detail: &Detail) -> &'static str {
    match detail {
        Detail::Fork { thread: false, .. } => "FORK",
        Detail::Fork { .. } => "THREAD",
        Detail::Exec { .. } => "EXEC",
        Detail::ExecFailed { .. } => "XFAIL",
        Detail::Exit(ended) if ended.thread => "TEXIT",
        Detail::Exit(_) => "EXIT",
    }
}

/// Without the prefix that all signals have, so that the column stays narrow.
fn status(status: ExitStatus) -> String {
    let text = status.to_string();
    let text = text.strip_prefix("SIG").unwrap_or(&text);
    text.replace(" (core dumped)", "+core")
}

fn command(row: &Row<'_>, out: &mut String) {
    let (args, filename) = match &row.wide.detail {
        // The file says more than the name of the program that goes on.
        Detail::ExecFailed { args, filename, .. } => (Some(args), filename.as_deref()),
        detail => (detail.args(), None),
    };
    match (args.filter(|args| !args.is_empty()), filename) {
        (Some(args), _) => command::quote(args, out),
        (None, Some(filename)) => text::escape(filename, out),
        // As ps(1) shows what has no arguments to show.
        (None, None) => {
            out.push('[');
            text::escape(row.event.comm.as_bytes(), out);
            out.push(']');
        }
    }
    if let Some(ended) = row.event.ended().filter(|ended| ended.signal_code.is_some()) {
        out.push_str("  (");
        killed::by(row.event.pid, ended, out);
        out.push(')');
    }
}

fn put(out: &mut String, value: impl fmt::Display) {
    // Writing to a String can't fail.
    let _ = write!(out, "{value}");
}

/// As ps(1) shows what isn't known.
fn known(value: Option<impl fmt::Display>, out: &mut String) {
    match value {
        Some(value) => put(out, value),
        None => out.push('-'),
    }
}

/// Only an exit has such a cell.
fn of_exit(row: &Row<'_>, cell: impl Fn(&Ended, &mut String), out: &mut String) {
    if let Detail::Exit(ended) = &row.wide.detail {
        cell(ended, out);
    }
}

fn elapsed(row: &Row<'_>, ns: impl Fn(&Ended) -> Option<u64>, out: &mut String) {
    of_exit(row, |ended, out| known(ns(ended).map(Elapsed), out), out);
}

fn size(row: &Row<'_>, bytes: impl Fn(&Ended) -> Option<u64>, out: &mut String) {
    of_exit(row, |ended, out| known(bytes(ended).map(Bytes), out), out);
}

fn user(row: &Row<'_>, uid: Option<u32>, out: &mut String) {
    match uid.map(|uid| row.users.name(uid).ok_or(uid)) {
        Some(Ok(name)) => text::escape(name.as_bytes(), out),
        Some(Err(uid)) => put(out, uid),
        None => out.push('-'),
    }
}

fn place_name(name: Option<&str>, width: usize, out: &mut String) {
    match name {
        Some(name) => {
            let begin = out.len();
            text::escape(name.as_bytes(), out);
            let fits = text::fit(&out[begin..], width - 1).len();
            out.truncate(begin + fits);
        }
        None => out.push('-'),
    }
}
