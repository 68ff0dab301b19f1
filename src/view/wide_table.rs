// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of the wide mode.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr as _;

use super::Sink;
use crate::host::users::Users;
use crate::model::event::{Args, Detail, Ended, Event, ExitStatus, Meta};
use crate::text;
use crate::text::command;
use crate::text::elapsed::Elapsed;
use crate::text::killed;
use crate::text::style::Style;
use crate::text::style::{DIM, RED, RESET};

/// Each column's name, and its width with the blank behind it; on a narrow terminal, which leaves
/// more for the command: the time without milliseconds, and the others with room for less.
const COLUMNS: [(&str, usize, usize); 7] = [
    ("TIME", 14, 9),
    ("PID", 9, 8),
    ("PPID", 9, 8),
    ("USER", 10, 8),
    ("EVENT", 7, 7),
    ("STATUS", 9, 8),
    ("DURATION", 10, 9),
];
/// Columns that a terminal has at least which isn't narrow.
const ROOMY: usize = 100;

/// The sink of `--wide --format table`.
#[derive(Debug)]
pub struct WideTable {
    style: Style,
    users: Users,
    zone: TimeZone,
    /// The last event's second, and its text: most events share it with the one before.
    second: Option<u64>,
    clock: String,
    row: String,
    /// How many columns the row has so far, where the last one should end, and where it does.
    filled: usize,
    end: usize,
    at: usize,
    command: String,
}

impl WideTable {
    /// Draws for a reader with this terminal, and names users by these names.
    pub fn new(style: Style, users: Users) -> Self {
        let zone = TimeZone::system();
        let (clock, row, command) = (String::new(), String::new(), String::new());
        Self { style, users, zone, second: None, clock, row, filled: 0, end: 0, at: 0, command }
    }

    fn is_narrow(&self) -> bool {
        self.style.width.is_some_and(|width| width < ROOMY)
    }

    /// Appends the next column of the row. One that is too wide takes what the next ones leave
    /// free, so that those behind line up again.
    fn column(&mut self, value: impl std::fmt::Display) {
        let narrow = self.is_narrow();
        let Some(&(_, width, narrow_width)) = COLUMNS.get(self.filled) else { return };
        self.filled += 1;
        self.end += if narrow { narrow_width } else { width };
        let begin = self.row.len();
        // Writing to a String can't fail.
        let _ = write!(self.row, "{value}");
        self.at += self.row[begin..].width();
        let blanks = self.end.saturating_sub(self.at).max(1);
        self.at += blanks;
        self.row.extend(std::iter::repeat_n(' ', blanks));
    }

    fn begin_row(&mut self) {
        self.row.clear();
        (self.filled, self.end, self.at) = (0, 0, 0);
        self.command.clear();
    }

    fn header(&mut self, out: &mut Vec<u8>) {
        self.begin_row();
        COLUMNS.iter().for_each(|(name, ..)| self.column(name));
        self.command.push_str("COMMAND");
        self.flush(DIM, out);
    }

    fn flush(&mut self, color: &'static str, out: &mut Vec<u8>) {
        self.row.push_str(&self.command);
        let line = self.style.cut(&self.row, self.style.width);
        let end = if color.is_empty() { "" } else { self.style.color(RESET) };
        for part in [self.style.color(color), &line, end, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

impl Sink for WideTable {
    fn begin(&mut self, _meta: &Meta, out: &mut Vec<u8>) {
        self.header(out);
    }

    fn resize(&mut self, columns: usize, out: &mut Vec<u8>) {
        let was_narrow = self.is_narrow();
        self.style.width = Some(columns);
        if self.is_narrow() != was_narrow {
            self.header(out);
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let Some(wide) = event.wide.as_deref() else { return };
        self.begin_row();
        let second = wide.time_ns / 1_000_000_000;
        if self.second.replace(second) != Some(second) {
            let time = Timestamp::from_nanosecond(i128::from(wide.time_ns)).unwrap_or_default();
            self.clock = time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        }
        let time = match self.is_narrow() {
            true => self.clock.clone(),
            false => format!("{}.{:03}", self.clock, wide.time_ns / 1_000_000 % 1_000),
        };
        self.column(time);
        self.column(event.pid);
        self.column(event.ppid);
        let mut user = String::new();
        match self.users.name(wide.uid) {
            Some(name) => text::escape(name.as_bytes(), &mut user),
            None => user = wide.uid.to_string(),
        }
        self.column(user);

        let (kind, status, duration, args) = match &wide.detail {
            Detail::Fork { thread, .. } => {
                (["FORK", "THREAD"][usize::from(*thread)], None, None, None)
            }
            Detail::Exec { args, .. } => ("EXEC", None, None, Some(args)),
            Detail::ExecFailed { args, .. } => ("XFAIL", None, None, Some(args)),
            Detail::Exit(ended) => {
                let Ended { thread, status, duration_ns, args, .. } = &**ended;
                let kind = ["EXIT", "TEXIT"][usize::from(*thread)];
                (kind, Some(*status), Some(*duration_ns), args.as_ref())
            }
        };
        self.column(kind);
        match &wide.detail {
            Detail::ExecFailed { errno, .. } => self.column(errno.name()),
            _ => self.column(status.map_or_else(String::new, status_text)),
        }
        self.column(duration.map_or_else(String::new, |ns| Elapsed(ns).to_string()));

        let filename = match &wide.detail {
            // It says more than the name of the program that goes on.
            Detail::ExecFailed { filename, .. } => filename.as_deref(),
            _ => None,
        };
        match (args.filter(|args: &&Args| !args.is_empty()), filename) {
            (Some(args), _) => command::quote(args, &mut self.command),
            (None, Some(filename)) => text::escape(filename, &mut self.command),
            // As ps(1) shows what has no arguments to show.
            (None, None) => {
                self.command.push('[');
                text::escape(event.comm.as_bytes(), &mut self.command);
                self.command.push(']');
            }
        }
        if let Some(ended) = event.ended().filter(|ended| ended.signal_code.is_some()) {
            self.command.push_str("  (");
            killed::by(event.pid, ended, &mut self.command);
            self.command.push(')');
        }
        let color = match (kind, status) {
            (_, Some(status)) if status.failed() => RED,
            ("XFAIL", _) => RED,
            ("FORK" | "THREAD" | "TEXIT", _) => DIM,
            _ => "",
        };
        self.flush(color, out);
    }
}

/// Without the prefix that all signals have, so that the column stays narrow.
fn status_text(status: ExitStatus) -> String {
    let text = status.to_string();
    let text = text.strip_prefix("SIG").unwrap_or(&text);
    text.replace(" (core dumped)", "+core")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::errno::Errno;
    use crate::model::event::{Comm, EventKind, Wide};

    fn row(style: Style, comm: &[u8], detail: Detail) -> String {
        let kind = match detail {
            Detail::Fork { .. } => EventKind::Fork,
            Detail::Exec { .. } => EventKind::Exec,
            Detail::ExecFailed { .. } => EventKind::ExecFailed,
            Detail::Exit(_) => EventKind::Exit,
        };
        let event = Event {
            kind,
            pid: 4521,
            ppid: 3890,
            comm: Comm::new(comm),
            timestamp_ns: 1,
            wide: Some(Box::new(Wide {
                time_ns: 1_700_000_000_042_000_000,
                tid: 4521,
                uid: 0,
                start_ns: 1,
                cgroup_id: 1,
                place: None,
                ns_pid: None,
                pidns: None,
                login_uid: None,
                detail,
            })),
        };
        let mut table = WideTable::new(style, Users::default());
        table.zone = TimeZone::UTC;
        let mut out = Vec::new();
        table.event(&event, &mut out);
        String::from_utf8(out).expect("a table is UTF-8")
    }

    fn exec(args: &[u8]) -> Detail {
        Detail::Exec {
            filename: b"/bin/ls".to_vec(),
            args: Args::new(args, false),
            filename_truncated: None,
        }
    }

    fn exit(status: u32) -> Detail {
        let status = ExitStatus::from_wait(status);
        Detail::exit(Ended { status, duration_ns: 1_234_567, ..Ended::default() })
    }

    #[test]
    fn rows_line_up_with_the_header() {
        let mut header = Vec::new();
        WideTable::new(Style::default(), Users::default()).begin(&Meta::default(), &mut header);
        let header = String::from_utf8(header).expect("a header is UTF-8");
        let want = "TIME          PID      PPID     USER      EVENT  STATUS   DURATION  COMMAND\n";
        assert_eq!(header, want);
        assert_eq!(
            row(Style::default(), b"ls", exec(b"ls\0a b\0")),
            "22:13:20.042  4521     3890     0         EXEC                      ls 'a b'\n"
        );
        assert_eq!(
            row(Style::default(), b"sh", exit(0x8b)),
            "22:13:20.042  4521     3890     0         EXIT   SEGV+core 1.23 ms  [sh]\n"
        );
    }

    #[test]
    fn an_exec_that_failed_says_why() {
        let failed = |args: &[u8]| Detail::ExecFailed {
            filename: Some(b"/usr/bin/no".to_vec()),
            args: Args::new(args, false),
            errno: Errno::EACCES,
            tried: 3,
            filename_truncated: None,
        };
        assert_eq!(
            row(Style::default(), b"sh", failed(b"no\0-l\0")),
            "22:13:20.042  4521     3890     0         XFAIL  EACCES             no -l\n"
        );
        assert!(row(Style::default(), b"sh", failed(b"")).ends_with("  /usr/bin/no\n"));
        let style = Style { color: true, ..Style::default() };
        assert!(row(style, b"sh", failed(b"")).starts_with(RED));
    }

    #[test]
    fn a_terminal_gets_what_fits_and_a_pipe_gets_all() {
        let mut style = Style { unicode: true, width: Some(100), ..Style::default() };
        let long = exec(&[b"echo\0", &[b'x'; 200][..], b"\0"].concat());
        let cut = row(style, b"echo", long.clone());
        assert_eq!(cut.trim_end().width(), 100);
        assert!(cut.ends_with("x…\n"));
        for width in 1..100 {
            style.width = Some(width);
            let cut = row(style, b"echo", long.clone());
            assert_eq!(cut.trim_end_matches('\n').width(), width, "{cut}");
        }
        assert!(row(Style::default(), b"echo", long).trim_end().ends_with(&"x".repeat(200)));
    }

    #[test]
    fn a_narrow_terminal_leaves_room_for_the_command_and_may_become_wide() {
        let style = Style { unicode: true, width: Some(80), ..Style::default() };
        let mut table = WideTable::new(style, Users::default());
        let mut out = Vec::new();
        table.begin(&Meta::default(), &mut out);
        let header = "TIME     PID     PPID    USER    EVENT  STATUS  DURATION COMMAND\n";
        assert_eq!(out, header.as_bytes());
        assert_eq!(
            row(style, b"sh", exit(0x8b)),
            "22:13:20 4521    3890    0       EXIT   SEGV+core 1.23 ms [sh]\n"
        );
        out.clear();
        table.resize(90, &mut out);
        assert!(out.is_empty());
        table.resize(120, &mut out);
        assert!(out.starts_with(b"TIME          PID      PPID     USER      EVENT"));
    }

    #[test]
    fn colour_is_for_failures_and_only_where_wanted() {
        let style = Style { color: true, ..Style::default() };
        let failed = row(style, b"sh", exit(1 << 8));
        assert!(failed.starts_with(RED) && failed.ends_with("\x1b[0m\n"));
        assert!(!row(style, b"sh", exit(0)).contains('\x1b'));
        assert!(!row(Style::default(), b"sh", exit(1 << 8)).contains('\x1b'));
    }

    #[test]
    fn a_hostile_command_steers_nothing() {
        for detail in [exec(b"\x1b[2J\0\n\0"), exit(0)] {
            let row = row(Style::default(), b"\x1b[2J\n", detail);
            assert!(!row.contains('\x1b'));
            assert_eq!(row.matches('\n').count(), 1);
        }
    }
}
