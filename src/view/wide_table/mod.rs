// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of the wide mode.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr as _;

use super::Sink;
use crate::host::users::Users;
use crate::model::event::{Detail, Event, Meta, Wide};
use crate::text::style::{DIM, RED, RESET, Style};

mod column;

pub use column::{ALL, Column};
use column::{COMMAND, Row, USUAL};

/// Columns that a terminal has at least which isn't narrow: below that the time is told without
/// milliseconds, and the others have less room.
const ROOMY: usize = 110;
/// What the command has at least, before all other columns have given way.
const COMMAND_WIDTH: usize = 32;

/// The sink of `--wide --format table`.
#[derive(Debug)]
pub struct WideTable {
    style: Style,
    users: Users,
    zone: TimeZone,
    /// Of the capture.
    host: String,
    columns: Vec<&'static Column>,
    /// Those that there is room for.
    shown: Vec<&'static Column>,
    /// The last event's second, and its text: most events share it with the one before.
    second: Option<u64>,
    clock: String,
    time: String,
    row: String,
}

impl WideTable {
    /// Draws for a reader with this terminal, and names users by these names. Without columns, the
    /// usual ones.
    pub fn new(style: Style, users: Users, columns: &[&'static Column]) -> Self {
        let columns = if columns.is_empty() { USUAL } else { columns }.to_vec();
        let mut table = Self {
            style,
            users,
            zone: TimeZone::system(),
            host: String::new(),
            shown: columns.clone(),
            columns,
            second: None,
            clock: String::new(),
            time: String::new(),
            row: String::new(),
        };
        table.make_room();
        table
    }

    fn is_narrow(&self) -> bool {
        self.style.width.is_some_and(|width| width < ROOMY)
    }

    fn width(&self, column: &Column) -> usize {
        if self.is_narrow() { column.narrow } else { column.width }
    }

    /// Leaves out columns where the command would get too little room.
    fn make_room(&mut self) {
        self.shown.clone_from(&self.columns);
        let Some(width) = self.style.width.filter(|_| self.columns.contains(&&COMMAND)) else {
            return;
        };
        let room = width.saturating_sub(COMMAND_WIDTH);
        let others = |table: &Self| -> usize {
            let others = table.shown.iter().filter(|column| ***column != COMMAND);
            others.map(|column| table.width(column)).sum()
        };
        while others(self) > room {
            let least = self.shown.iter().enumerate().max_by_key(|(_, column)| column.gives_way);
            let Some((at, _)) = least else { break };
            self.shown.remove(at);
        }
    }

    /// Makes a row of cells. One that is too wide takes what the next ones leave free, so that
    /// those behind line up again.
    fn fill(&mut self, mut cell: impl FnMut(&Column, &mut String)) {
        self.row.clear();
        let (mut at, mut end) = (0, 0);
        for (nth, column) in self.shown.iter().enumerate() {
            let begin = self.row.len();
            cell(column, &mut self.row);
            if nth + 1 == self.shown.len() {
                break;
            }
            at += self.row[begin..].width();
            end += self.width(column);
            let blanks = end.saturating_sub(at).max(1);
            at += blanks;
            self.row.extend(std::iter::repeat_n(' ', blanks));
        }
    }

    fn header(&mut self, out: &mut Vec<u8>) {
        self.fill(|column, out| out.push_str(&column.heading()));
        self.flush(DIM, out);
    }

    fn flush(&mut self, color: &'static str, out: &mut Vec<u8>) {
        let line = self.style.cut(self.row.trim_end(), self.style.width);
        let end = if color.is_empty() { "" } else { self.style.color(RESET) };
        for part in [self.style.color(color), &line, end, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// The time of an event, as far as there is room for it.
    fn tell_time(&mut self, wide: &Wide) {
        let second = wide.time_ns / 1_000_000_000;
        if self.second.replace(second) != Some(second) {
            let time = Timestamp::from_nanosecond(i128::from(wide.time_ns)).unwrap_or_default();
            self.clock = time.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string();
        }
        self.time.clone_from(&self.clock);
        if !self.is_narrow() {
            self.time.push_str(&format!(".{:03}", wide.time_ns / 1_000_000 % 1_000));
        }
    }
}

impl Sink for WideTable {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        self.host.clone_from(&meta.host);
        self.header(out);
    }

    fn resize(&mut self, columns: usize, out: &mut Vec<u8>) {
        let (was_narrow, shown) = (self.is_narrow(), self.shown.clone());
        self.style.width = Some(columns);
        self.make_room();
        if self.is_narrow() != was_narrow || self.shown != shown {
            self.header(out);
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let Some(wide) = event.wide.as_deref() else { return };
        self.tell_time(wide);
        let (users, time) = (std::mem::take(&mut self.users), std::mem::take(&mut self.time));
        let host = std::mem::take(&mut self.host);
        let row = Row { event, wide, time: &time, users: &users, host: &host };
        self.fill(|column, out| (column.cell)(&row, out));
        (self.users, self.time, self.host) = (users, time, host);
        let color = match &wide.detail {
            Detail::ExecFailed { .. } => RED,
            Detail::Exit(ended) if ended.status.failed() => RED,
            Detail::Exit(ended) if !ended.thread => "",
            Detail::Exec { .. } => "",
            _ => DIM,
        };
        self.flush(color, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::errno::Errno;
    use crate::model::event::{Args, Comm, Ended, EventKind, ExitStatus};
    use crate::view::fixtures::Story;

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
                host: None,
                boot_id: None,
                detail,
            })),
        };
        let mut table = WideTable::new(style, Users::default(), &[]);
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
        WideTable::new(Style::default(), Users::default(), &[])
            .begin(&Meta::default(), &mut header);
        let header = String::from_utf8(header).expect("a header is UTF-8");
        let want = "TIME          PID      PPID     USER      EVENT  STATUS   DURATION  CPU      COMMAND\n";
        assert_eq!(header, want);
        assert_eq!(
            row(Style::default(), b"ls", exec(b"ls\0a b\0")),
            "22:13:20.042  4521     3890     0         EXEC                               ls 'a b'\n"
        );
        assert_eq!(
            row(Style::default(), b"sh", exit(0x8b)),
            "22:13:20.042  4521     3890     0         EXIT   SEGV+core 1.23 ms  -        [sh]\n"
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
            "22:13:20.042  4521     3890     0         XFAIL  EACCES                      no -l\n"
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
        let mut table = WideTable::new(style, Users::default(), &[]);
        let mut out = Vec::new();
        table.begin(&Meta::default(), &mut out);
        let header = "TIME     PID     EVENT  STATUS  DURATION CPU    COMMAND\n";
        assert_eq!(out, header.as_bytes());
        assert_eq!(
            row(style, b"sh", exit(0x8b)),
            "22:13:20 4521    EXIT   SEGV+core 1.23 ms -     [sh]\n"
        );
        out.clear();
        table.resize(87, &mut out);
        assert!(out.is_empty());
        table.resize(88, &mut out);
        assert!(out.starts_with(b"TIME     PID     USER    EVENT"), "as much as there is room for");
        out.clear();
        table.resize(120, &mut out);
        assert!(out.starts_with(b"TIME          PID      PPID     USER      EVENT"));
    }

    /// A row of these columns, of an exit that tells little.
    fn cells(width: Option<usize>, columns: &[&'static Column]) -> String {
        let style = Style { unicode: true, width, ..Style::default() };
        let mut table = WideTable::new(style, Users::default(), columns);
        let mut out = Vec::new();
        table.begin(&Meta::default(), &mut out);
        let mut story = Story::default();
        story.exit(1_234_567, 77, 4, 0);
        table.event(&story.events[0], &mut out);
        String::from_utf8(out).expect("a table is UTF-8")
    }

    #[test]
    fn every_column_has_a_cell_and_what_is_not_known_is_a_dash() {
        for column in ALL {
            let text = cells(None, &[column]);
            let (heading, cell) = text.split_once('\n').expect("two lines");
            assert_eq!(heading, column.heading());
            assert!(!cell.trim().is_empty(), "{column:?}");
            assert!(column.narrow <= column.width, "{column:?}");
        }
        let named = |name: &str| *ALL.iter().find(|column| column.name == name).expect("a column");
        let unknown = ["nspid", "login", "cpu", "rss", "faults", "unit", "container"].map(named);
        let text = cells(None, &unknown);
        let row = text.lines().nth(1).expect("a row");
        assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["-"; 7]);
        // As often, and in the order, as it was asked for.
        let text = cells(None, &[named("comm"), named("pid"), named("comm")]);
        let row = text.lines().nth(1).expect("a row");
        let want: Vec<_> = row.split_whitespace().collect();
        assert_eq!((want[0], want[1]), (want[2], "77"));
    }

    #[test]
    fn the_command_keeps_its_room_whatever_was_asked_for() {
        for width in 1..200 {
            let text = cells(Some(width), ALL);
            let header = text.lines().next().expect("a header");
            let command = header.find("COMMAND").or_else(|| header.find("COM")).unwrap_or(0);
            assert!(command == 0 || width - command >= COMMAND_WIDTH, "{width}: {header}");
        }
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
