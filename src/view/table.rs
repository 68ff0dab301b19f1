// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table: its registry entry, and its rows in the basic mode.

use std::io::Write as _;

use super::wide_table::WideTable;
use super::{Shape, Sink, Speaks, View};
use crate::host::users::Users;
use crate::model::event::{Event, EventKind, Meta};
use crate::text;
use crate::text::style::Style;

const PID_WIDTH: usize = 10;
const COMM_WIDTH: usize = 20;

/// `--format table`, of either mode.
pub static VIEW: View = View {
    name: "table",
    help: "Aligned columns",
    needs_wide: false,
    shape: Shape::Lines,
    speaks: Speaks::AsItHappens,
    start,
};

fn start(wide: bool, style: Style) -> Box<dyn Sink> {
    match wide {
        true => Box::new(WideTable::new(style, Users::read())),
        false => Box::new(Table::default()),
    }
}

/// The basic mode's table.
#[derive(Debug, Default)]
pub struct Table {
    comm: String,
}

impl Sink for Table {
    fn begin(&mut self, _meta: &Meta, out: &mut Vec<u8>) {
        // Writing to a Vec can't fail.
        let _ = writeln!(
            out,
            "{:<PID_WIDTH$}{:<PID_WIDTH$}{:<COMM_WIDTH$}EVENT",
            "PID", "PPID", "COMM"
        );
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let kind = match event.kind {
            EventKind::Fork => "FORK",
            EventKind::Exec => "EXEC",
            EventKind::Exit => "EXIT",
        };
        self.comm.clear();
        text::escape(event.comm.as_bytes(), &mut self.comm);
        text::pad(&mut self.comm, COMM_WIDTH);
        let (pid, ppid, comm) = (event.pid, event.ppid, &self.comm);
        let _ = writeln!(out, "{pid:<PID_WIDTH$}{ppid:<PID_WIDTH$}{comm}{kind}");
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
    fn columns_are_counted_as_a_terminal_counts_them() {
        assert_eq!(
            row(EventKind::Exec, 7, 0, "日本語".as_bytes()),
            "7         0         日本語              EXEC\n"
        );
    }
}
