// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of processes, drawn at the end of a capture.

use std::fmt::Write as _;
use std::io::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::elapsed::Elapsed;
use super::lives::{Life, LifeId, Lives};
use super::{Sink, Style, text};
use crate::event::{Event, Lost, Totals};

/// Levels that are drawn. What is deeper is counted: no reader follows that many lines down a
/// screen, and a chain of a million forks would need a line of that length.
const MAX_DEPTH: usize = 64;
/// The least columns for a command, on however narrow a terminal.
const MIN_COMMAND: usize = 20;

const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// The sink of `--format tree`.
#[derive(Debug)]
pub struct Tree {
    style: Style,
    lives: Lives,
    lost: u64,
}

impl Tree {
    /// Draws for a reader with this terminal.
    pub fn new(style: Style) -> Self {
        Self { style, lives: Lives::default(), lost: 0 }
    }
}

impl Sink for Tree {
    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.lives.event(event);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = self.lost.max(lost.total());
    }

    fn end(&mut self, totals: &Totals, complete: bool, out: &mut Vec<u8>) {
        self.lives.settle();
        let rows = self.rows();
        if !rows.is_empty() {
            self.print(&rows, out);
        }
        // Writing to a Vec can't fail.
        let _ = writeln!(out, "{}", self.lives.summary());
        let lost = self.lost.max(totals.lost.total());
        if lost > 0 {
            let _ = writeln!(out, "{lost} events were lost: the tree has gaps");
        }
        if !complete {
            let _ = writeln!(out, "the capture was cut off: more happened than is shown");
        }
    }
}

/// One line: columns, then the branch and what hangs on it.
#[derive(Default)]
struct Row {
    pid: String,
    to_exec: String,
    lived: String,
    exit: String,
    branch: String,
    command: String,
    remarks: Vec<Remark>,
    failed: bool,
    grey: bool,
}

struct Remark {
    text: String,
    color: &'static str,
}

/// What the branches are drawn with.
struct Glyphs {
    middle: &'static str,
    last: &'static str,
    pass: &'static str,
    exec: &'static str,
    cut: &'static str,
}

const BOXES: Glyphs =
    Glyphs { middle: "├─ ", last: "└─ ", pass: "│  ", exec: "⇒  ", cut: "…" };
const ASCII: Glyphs = Glyphs { middle: "|- ", last: "`- ", pass: "|  ", exec: "=> ", cut: "..." };

impl Tree {
    fn glyphs(&self) -> &'static Glyphs {
        if self.style.unicode { &BOXES } else { &ASCII }
    }

    fn rows(&self) -> Vec<Row> {
        let mut children = self.lives.children();
        let mut rows = Vec::new();
        // What is left to draw, the next on top: a life, its branch, and what goes on below it.
        let mut todo: Vec<(LifeId, usize, String, String)> = Vec::new();
        let roots = children.remove(&None).unwrap_or_default();
        todo.extend(roots.into_iter().rev().map(|id| (id, 0, String::new(), String::new())));
        while let Some((id, depth, branch, below)) = todo.pop() {
            let Some(life) = self.lives.get(id) else { continue };
            self.draw(life, branch, &below, &mut rows);
            let below_it = children.remove(&Some(id)).unwrap_or_default();
            if depth == MAX_DEPTH && !below_it.is_empty() {
                let mut count = 0;
                let mut deep = below_it;
                while let Some(id) = deep.pop() {
                    count += 1;
                    deep.extend(children.remove(&Some(id)).unwrap_or_default());
                }
                let branch = below.clone() + self.glyphs().last;
                let command = format!("{count} more, at deeper levels");
                rows.push(Row { branch, command, grey: true, ..Row::default() });
                continue;
            }
            let last = below_it.len().saturating_sub(1);
            for (i, child) in below_it.into_iter().enumerate().rev() {
                let glyphs = self.glyphs();
                let (tip, pass) =
                    if i == last { (glyphs.last, "   ") } else { (glyphs.middle, glyphs.pass) };
                todo.push((child, depth + 1, below.clone() + tip, below.clone() + pass));
            }
        }
        rows
    }

    fn draw(&self, life: &Life, branch: String, below: &str, rows: &mut Vec<Row>) {
        let (_, now) = self.lives.span_ns();
        let mut row = Row { branch, pid: life.pid.to_string(), ..Row::default() };
        let mut execs = life.execs.iter();
        match execs.next() {
            Some(exec) => row.command = exec.command_line(),
            None => row.command = life.name(),
        }
        if let Some(ns) = life.fork_to_exec_ns() {
            row.to_exec = Elapsed(ns).to_string();
        }
        if life.is_bystander() {
            row.grey = true;
        } else {
            row.lived = life.lived_ns(now).map(|ns| Elapsed(ns).to_string()).unwrap_or_default();
            row.exit = match life.end {
                None => "running".to_owned(),
                Some(end) => end.status.map_or("ended".to_owned(), |status| status.to_string()),
            };
            row.failed = life.failed();
        }
        row.remarks = self.remarks(life);
        rows.push(row);
        for exec in execs {
            let since = life.born_ns.filter(|_| life.fork_seen);
            let to_exec = since.zip(exec.at_ns).map(|(born, at)| at.saturating_sub(born));
            rows.push(Row {
                to_exec: to_exec.map(|ns| Elapsed(ns).to_string()).unwrap_or_default(),
                branch: below.to_owned() + self.glyphs().exec,
                command: exec.command_line(),
                ..Row::default()
            });
        }
    }

    fn remarks(&self, life: &Life) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if life.never_execed() {
            remarks.push(Remark { text: "no exec".to_owned(), color: DIM });
        }
        if life.threads > 0 {
            let s = if life.threads == 1 { "" } else { "s" };
            let text = format!("{} more thread{s}", life.threads);
            remarks.push(Remark { text, color: DIM });
        }
        if let Some(adopter) = life.adopter {
            let mut text = String::new();
            let drawn = life.parent.and_then(|parent| self.lives.get(parent));
            if let Some(maker) = life.born_to.filter(|&pid| drawn.is_none_or(|d| d.pid != pid)) {
                let _ = write!(text, "born to {maker}, ");
            }
            let _ = write!(text, "adopted by {adopter}");
            let adopter = self.lives.with_pid(adopter).map(|(_, life)| life);
            if let Some(comm) = adopter.and_then(|life| life.comm) {
                text.push_str(" (");
                text::escape(comm.as_bytes(), &mut text);
                text.push(')');
            }
            remarks.push(Remark { text, color: YELLOW });
        }
        remarks
    }

    fn print(&self, rows: &[Row], out: &mut Vec<u8>) {
        let width = |title: &str, cell: fn(&Row) -> &String| {
            rows.iter().map(|row| cell(row).width()).fold(title.len(), usize::max)
        };
        let pids = width("PID", |row| &row.pid);
        let to_execs = width("FORK-EXEC", |row| &row.to_exec);
        let lives = width("LIVED", |row| &row.lived);
        let exits = width("EXIT", |row| &row.exit);
        // Writing to a Vec can't fail.
        let _ = writeln!(
            out,
            "{}{:>pids$}  {:>to_execs$}  {:>lives$}  {:<exits$}  COMMAND{}",
            self.color(DIM),
            "PID",
            "FORK-EXEC",
            "LIVED",
            "EXIT",
            self.color(RESET),
        );
        for row in rows {
            let Row { pid, to_exec, lived, exit, branch, .. } = row;
            let (line, exit_color) = match (row.grey, row.failed) {
                (true, _) => (self.color(DIM), ""),
                (false, true) => ("", self.color(RED)),
                (false, false) => ("", ""),
            };
            let exit_end = if exit_color.is_empty() { "" } else { self.color(RESET) };
            let _ = write!(
                out,
                "{line}{pid:>pids$}  {to_exec:>to_execs$}  {lived:>lives$}  \
                 {exit_color}{exit:<exits$}{exit_end}  ",
            );
            let remarks: usize = row.remarks.iter().map(|remark| remark.text.width() + 4).sum();
            let used = pids + to_execs + lives + exits + 8 + branch.width() + remarks;
            let room = self.style.width.map(|width| width.saturating_sub(used).max(MIN_COMMAND));
            let command = self.cut(&row.command, room);
            let branch_end = if row.grey { "" } else { self.color(RESET) };
            let _ = write!(out, "{}{branch}{branch_end}{command}", self.color(DIM));
            for Remark { text, color } in &row.remarks {
                let _ = write!(out, "  {}[{text}]{}", self.color(color), self.color(RESET));
            }
            if row.grey {
                out.extend_from_slice(self.color(RESET).as_bytes());
            }
            out.push(b'\n');
        }
    }

    fn color(&self, sequence: &'static str) -> &'static str {
        if self.style.color { sequence } else { "" }
    }

    /// The text, within so many columns, in characters that the terminal has.
    fn cut(&self, text: &str, room: Option<usize>) -> String {
        let mark = self.glyphs().cut;
        let mut cut = match room {
            Some(room) if text.width() > room => {
                let mut left = room.saturating_sub(mark.width());
                let fits = |c: &char| {
                    let fits = c.width().unwrap_or(0) <= left;
                    left = left.saturating_sub(c.width().unwrap_or(0));
                    fits
                };
                text.chars().take_while(fits).collect::<String>() + mark
            }
            _ => text.to_owned(),
        };
        if !self.style.unicode && !cut.is_ascii() {
            cut = cut.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        }
        cut
    }
}
