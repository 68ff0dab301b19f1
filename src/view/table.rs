// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table: its registry entry, and its rows in the basic mode.

use std::fmt::{Display, Write as _};

use super::wide_table::WideTable;
use super::{Across, Settings, Shape, Sink, Speaks, View};
use crate::host::users::Users;
use crate::model::event::{Event, EventKind, Meta};
use crate::text;
use crate::text::style::Style;

const PID_WIDTH: usize = 10;
const COMM_WIDTH: usize = 20;

/// `--format table`, of either mode.
pub static VIEW: View = View {
    name: "table",
    help: "One aligned line per event",
    needs_wide: false,
    shape: Shape::Lines,
    speaks: Speaks::AsItHappens,
    across: Across::Shown,
    takes: &["columns"],
    start,
};

fn start(settings: &Settings) -> Box<dyn Sink> {
    match settings.wide {
        true => Box::new(WideTable::new(settings.style, Users::read(), &settings.columns)),
        false => Box::new(Table::new(settings.style)),
    }
}

/// The basic mode's table.
#[derive(Debug, Default)]
pub struct Table {
    style: Style,
    row: String,
}

impl Table {
    /// Draws for a reader with this terminal.
    pub fn new(style: Style) -> Self {
        Self { style, row: String::new() }
    }

    /// Appends a row, cut at the terminal's edge. What is cut first is the name, for a long one
    /// must not hide what happened.
    fn row(&mut self, ids: [&dyn Display; 2], comm: &[u8], kind: &str, out: &mut Vec<u8>) {
        const KIND_WIDTH: usize = "EVENT".len();
        let [pid, ppid] = ids;
        self.row.clear();
        // Writing to a String can't fail.
        let _ = write!(self.row, "{pid:<PID_WIDTH$}{ppid:<PID_WIDTH$}");
        let begin = self.row.len();
        text::escape(comm, &mut self.row);
        let mut comm_width = COMM_WIDTH;
        if let Some(width) = self.style.width {
            let room = width.saturating_sub(2 * PID_WIDTH + KIND_WIDTH);
            comm_width = comm_width.min(room);
            let cut = self.style.cut(&self.row[begin..], Some(room.saturating_sub(1)));
            self.row.replace_range(begin.., &cut);
        }
        text::pad(&mut self.row, 2 * PID_WIDTH + comm_width);
        self.row.push_str(kind);
        if let Some(width) = self.style.width {
            self.row = self.style.cut(&self.row, Some(width));
        }
        out.extend_from_slice(self.row.as_bytes());
        out.push(b'\n');
    }
}

impl Sink for Table {
    fn begin(&mut self, _meta: &Meta, out: &mut Vec<u8>) {
        self.row([&"PID", &"PPID"], b"COMM", "EVENT", out);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let kind = match event.kind {
            EventKind::Fork => "FORK",
            EventKind::Exec => "EXEC",
            EventKind::Exit => "EXIT",
            EventKind::ExecFailed => "XFAIL",
        };
        self.row([&event.pid, &event.ppid], event.comm.as_bytes(), kind, out);
    }

    fn resize(&mut self, columns: usize, _out: &mut Vec<u8>) {
        self.style.width = Some(columns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Comm;

    fn row(kind: EventKind, pid: u32, ppid: u32, name: &[u8]) -> String {
        let event = Event { kind, pid, ppid, comm: Comm::new(name), timestamp_ns: 1, wide: None };
        let mut out = Vec::new();
        Table::default().event(&event, &mut out);
        String::from_utf8(out).expect("a table is UTF-8")
    }

    #[test]
    fn header_and_rows_are_the_contract_to_the_byte() {
        let mut header = Vec::new();
        Table::default().begin(&Meta::default(), &mut header);
        assert_eq!(header, b"PID       PPID      COMM                EVENT\n");
        assert_eq!(
            row(EventKind::Fork, 4521, 3890, b"bash"),
            "4521      3890      bash                FORK\n"
        );
        assert_eq!(
            row(EventKind::Exec, 4_194_304, 0, b"fifteen-letters"),
            "4194304   0         fifteen-letters     EXEC\n"
        );
        assert_eq!(
            row(EventKind::Exit, 1, 0, b""),
            "1         0                             EXIT\n"
        );
    }

    #[test]
    fn a_hostile_comm_moves_no_cursor_and_merges_no_columns() {
        assert_eq!(
            row(EventKind::Exec, 7, 0, b"\x1b[2J"),
            "7         0         \\x1b[2J             EXEC\n"
        );
        assert_eq!(
            row(EventKind::Exec, 7, 0, &[7; 15]),
            format!("7         0         {} EXEC\n", "\\x07".repeat(15))
        );
    }

    #[test]
    fn a_terminal_gets_one_line_a_row() {
        let mut table = Table::new(Style { unicode: true, width: Some(80), ..Style::default() });
        let mut out = Vec::new();
        let comm = Comm::new(&[7; 15]);
        let (kind, pid, ppid) = (EventKind::Exec, 7, 0);
        let event = Event { kind, pid, ppid, comm, timestamp_ns: 1, wide: None };
        table.event(&event, &mut out);
        table.resize(30, &mut out);
        table.event(&event, &mut out);
        let rows = String::from_utf8(out).expect("a table is UTF-8");
        let hostile = "\\x07".repeat(15);
        let (wide, narrow) = (&hostile[..53], &hostile[..3]);
        let want =
            format!("7         0         {wide}… EXEC\n7         0         {narrow}… EXEC\n");
        assert_eq!(rows, want);
    }

    #[test]
    fn columns_are_counted_as_a_terminal_counts_them() {
        assert_eq!(
            row(EventKind::Exec, 7, 0, "日本語".as_bytes()),
            "7         0         日本語              EXEC\n"
        );
    }
}
