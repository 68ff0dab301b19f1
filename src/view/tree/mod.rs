// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of processes, drawn at the end of a capture.

use std::fmt::Write as _;
use std::io::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::lives::{Children, Exec, Folded, Life, LifeId, Lives};
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::text;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::{counted, were};
use crate::text::style::Style;
use crate::text::style::{DIM, RED, RESET, YELLOW};

#[cfg(test)]
mod tests;

/// Levels that are drawn. What is deeper is counted: no reader follows that many lines down a
/// screen, and a chain of a million forks would need a line of that length.
const MAX_DEPTH: usize = 64;
/// The least columns for a command, on however narrow a terminal.
const MIN_COMMAND: usize = 20;
/// The most columns for a command, where there is no terminal to fit: one of a linker has thousands.
const MAX_COMMAND: usize = 200;

/// `--format tree`
pub static VIEW: View = View {
    name: "tree",
    help: "The tree of processes with run times and statuses, at the end",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    across: Across::Refused,
    takes: &[],
    start: |settings| Box::new(Tree::new(settings.style)),
};

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
        Self { style, lives: Lives::for_picture(), lost: 0 }
    }
}

impl Sink for Tree {
    fn begin(&mut self, meta: &Meta, _out: &mut Vec<u8>) {
        self.lives.begin(meta);
    }

    fn runs_already(&mut self, process: &Running) {
        self.lives.runs_already(process);
    }

    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.lives.event(event);
    }

    fn cost(&mut self, exit: &Event) {
        self.lives.cost(exit);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = self.lost.max(lost.total());
    }

    fn resize(&mut self, columns: usize, _out: &mut Vec<u8>) {
        self.style.width = Some(columns);
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lives.end(totals);
        self.print(out);
        // Writing to a Vec can't fail.
        let _ = writeln!(out, "{}", self.lives.summary());
        if self.lives.folded() > 0 {
            let count = self.lives.folded();
            let _ = writeln!(out, "too many processes to draw: {count} only counted");
        }
        let lost = self.lost.max(totals.lost.total());
        if lost > 0 {
            let _ = writeln!(out, "{} lost: the tree has gaps", were(lost, "event"));
        }
        if totals.cut_off {
            let _ = writeln!(out, "the capture was cut off: more happened than is shown");
        }
    }
}

/// One line: what it is of, and the branch that it hangs on.
struct Row<'a> {
    branch: String,
    of: Of<'a>,
}

enum Of<'a> {
    Process(&'a Life),
    /// A later program of a process.
    Exec(&'a Life, &'a Exec),
    ExecsLeftOut(usize),
    Folded(Folded),
    Deeper(usize),
}

/// The columns before the branch.
#[derive(Default)]
struct Cells {
    pid: String,
    to_exec: String,
    lived: String,
    cpu: String,
    exit: String,
}

/// The widths of the columns.
#[derive(Clone, Copy)]
struct Widths {
    pid: usize,
    to_exec: usize,
    lived: usize,
    /// 0 where it is known of nobody: then the column is left out.
    cpu: usize,
    exit: usize,
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
}

const BOXES: Glyphs = Glyphs { middle: "├─ ", last: "└─ ", pass: "│  ", exec: "⇒  " };
const ASCII: Glyphs = Glyphs { middle: "|- ", last: "`- ", pass: "|  ", exec: "=> " };

impl Tree {
    fn glyphs(&self) -> &'static Glyphs {
        if self.style.unicode { &BOXES } else { &ASCII }
    }

    /// Hands out all rows from top to bottom, one at a time: there may be a million.
    fn walk(&self, children: &Children, each: &mut dyn FnMut(Row<'_>)) {
        let glyphs = self.glyphs();
        // From the root down: the siblings that are left to draw, those that are folded, and what
        // their branches begin with.
        let mut open = vec![(children.of(None), self.lives.folded_roots(), String::new())];
        while let Some(depth) = open.len().checked_sub(1) {
            let Some((siblings, folded, before)) = open.last_mut() else { break };
            let left = siblings.len() + usize::from(folded.count > 0);
            let (tip, pass) = match (depth, left) {
                (0, _) => ("", ""),
                (_, 0 | 1) => (glyphs.last, "   "),
                _ => (glyphs.middle, glyphs.pass),
            };
            let (branch, below) = (before.clone() + tip, before.clone() + pass);
            let Some(id) = siblings.next() else {
                if folded.count > 0 {
                    each(Row { branch, of: Of::Folded(*folded) });
                }
                open.pop();
                continue;
            };
            let Some(life) = self.lives.get(id) else { continue };
            each(Row { branch, of: Of::Process(life) });
            let branch = || below.clone() + glyphs.exec;
            // They are left out behind the very first one.
            let gap = usize::from(life.ran_before().is_some());
            for (i, exec) in life.later_execs().enumerate() {
                if i == gap && life.execs_left_out() > 0 {
                    each(Row { branch: branch(), of: Of::ExecsLeftOut(life.execs_left_out()) });
                }
                each(Row { branch: branch(), of: Of::Exec(life, exec) });
            }
            let below_it = children.of(Some(id));
            if depth == MAX_DEPTH {
                let count = self.count_below(children, id);
                if count > 0 {
                    each(Row { branch: below + glyphs.last, of: Of::Deeper(count) });
                }
            } else if below_it.len() > 0 || life.folded().count > 0 {
                open.push((below_it, life.folded(), below));
            }
        }
    }

    fn count_below(&self, children: &Children, id: LifeId) -> usize {
        let (mut count, mut todo) = (0, vec![id]);
        while let Some(id) = todo.pop() {
            count += self.lives.get(id).map_or(0, |life| life.folded().count as usize);
            count += children.of(Some(id)).len();
            todo.extend(children.of(Some(id)));
        }
        count
    }

    fn cells(&self, of: &Of<'_>) -> Cells {
        let (_, now) = self.lives.span_ns();
        let elapsed = |ns: u64| Elapsed(ns).to_string();
        match of {
            Of::Process(life) => {
                let mut cells = Cells {
                    pid: life.pid.to_string(),
                    to_exec: life.fork_to_exec_ns().map(elapsed).unwrap_or_default(),
                    ..Cells::default()
                };
                if !life.is_bystander() {
                    cells.lived = life.lived_ns(now).map(elapsed).unwrap_or_default();
                    cells.cpu = life.cpu_ns().map(elapsed).unwrap_or_default();
                    cells.exit = match life.end {
                        None => "running".to_owned(),
                        Some(end) if !end.seen => "unseen".to_owned(),
                        Some(end) => end.status.map_or("ended".to_owned(), |s| s.to_string()),
                    };
                }
                cells
            }
            Of::Exec(life, exec) => {
                let since = life.born_ns().filter(|_| life.fork_seen);
                let to_exec = since.zip(exec.at_ns()).map(|(born, at)| at.saturating_sub(born));
                Cells { to_exec: to_exec.map(elapsed).unwrap_or_default(), ..Cells::default() }
            }
            Of::ExecsLeftOut(_) | Of::Folded(_) | Of::Deeper(_) => Cells::default(),
        }
    }

    fn remarks(&self, life: &Life) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if life.never_execed() {
            remarks.push(Remark { text: "no exec".to_owned(), color: DIM });
        }
        if let Some(killed) = life.killed() {
            remarks.push(Remark { text: killed.to_owned(), color: RED });
        }
        if let Some(failed) = life.failed_execs() {
            remarks.push(Remark { text: failed.to_string(), color: RED });
        }
        if life.threads() > 0 {
            let text = counted(life.threads(), "more thread");
            remarks.push(Remark { text, color: DIM });
        }
        if let Some(adopter) = life.adopter() {
            let mut text = String::new();
            let drawn = life.parent.and_then(|parent| self.lives.get(parent));
            if let Some(maker) = life.born_to().filter(|&pid| drawn.is_none_or(|d| d.pid != pid)) {
                let _ = write!(text, "born to {maker}, ");
            }
            let _ = write!(text, "adopted by {adopter}");
            if let Some(comm) = self.lives.name_of(adopter, 0) {
                text.push_str(" (");
                text::escape(comm.as_bytes(), &mut text);
                text.push(')');
            }
            remarks.push(Remark { text, color: YELLOW });
        }
        remarks
    }

    fn print(&self, out: &mut Vec<u8>) {
        let children = self.lives.children();
        let mut widths: Option<Widths> = None;
        self.walk(&children, &mut |row| {
            let cells = self.cells(&row.of);
            widths.get_or_insert(Widths::HEADER).take_in(&cells);
        });
        let Some(widths) = widths else { return };
        let Widths { pid, to_exec, lived, exit, .. } = widths;
        // Writing to a Vec can't fail.
        let _ = writeln!(
            out,
            "{}{:>pid$}  {:>to_exec$}  {:>lived$}  {}{:<exit$}  COMMAND{}",
            self.style.color(DIM),
            "PID",
            "FORK-EXEC",
            "LIVED",
            widths.cpu("CPU"),
            "EXIT",
            self.style.color(RESET),
        );
        self.walk(&children, &mut |row| self.row(&row, widths, out));
    }

    fn row(&self, Row { branch, of }: &Row<'_>, widths: Widths, out: &mut Vec<u8>) {
        let Cells { pid, to_exec, lived, cpu, exit } = self.cells(of);
        let Widths { pid: pids, to_exec: to_execs, lived: lives, exit: exits, .. } = widths;
        let cpu = widths.cpu(&cpu);
        let (command, grey, failed, remarks) = match of {
            Of::Process(life) => {
                (life.command_line(), life.is_bystander(), life.failed(), self.remarks(life))
            }
            Of::Exec(_, exec) => (exec.command_line(), false, false, Vec::new()),
            Of::ExecsLeftOut(count) => (counted(*count, "more exec"), true, false, Vec::new()),
            Of::Folded(folded) => (folded_text(*folded), true, false, Vec::new()),
            Of::Deeper(count) => {
                (format!("{count} more, at deeper levels"), true, false, Vec::new())
            }
        };
        let (line, exit_color) = match (grey, failed) {
            (true, _) => (self.style.color(DIM), ""),
            (false, true) => ("", self.style.color(RED)),
            (false, false) => ("", ""),
        };
        let exit_end = if exit_color.is_empty() { "" } else { self.style.color(RESET) };
        // Writing to a Vec can't fail.
        let _ = write!(
            out,
            "{line}{pid:>pids$}  {to_exec:>to_execs$}  {lived:>lives$}  {cpu}\
             {exit_color}{exit:<exits$}{exit_end}  ",
        );
        let after: usize = remarks.iter().map(|remark| remark.text.width() + 4).sum();
        let used = pids + to_execs + lives + cpu.len() + exits + 8 + branch.width() + after;
        let room = self.style.width.map(|width| width.saturating_sub(used).max(MIN_COMMAND));
        let command = self.style.cut(&command, Some(room.unwrap_or(MAX_COMMAND)));
        let (dim, dim_end) = match grey || branch.is_empty() {
            true => ("", ""),
            false => (self.style.color(DIM), self.style.color(RESET)),
        };
        let _ = write!(out, "{dim}{branch}{dim_end}{command}");
        for Remark { text, color } in &remarks {
            let text = self.style.cut(text, None);
            let _ = write!(out, "  {}[{text}]{}", self.style.color(color), self.style.color(RESET));
        }
        if grey {
            out.extend_from_slice(self.style.color(RESET).as_bytes());
        }
        out.push(b'\n');
    }
}

fn folded_text(Folded { count, failed }: Folded) -> String {
    let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
    format!("{count} more, the shortest{failed}")
}

impl Widths {
    const HEADER: Self = Self {
        pid: "PID".len(),
        to_exec: "FORK-EXEC".len(),
        lived: "LIVED".len(),
        cpu: 0,
        exit: "EXIT".len(),
    };

    /// The cell of that column, if there is one, and the blanks behind it.
    fn cpu(self, text: &str) -> String {
        match self.cpu {
            0 => String::new(),
            width => format!("{text:>0$}  ", width.max("CPU".len())),
        }
    }

    fn take_in(&mut self, cells: &Cells) {
        self.pid = self.pid.max(cells.pid.width());
        self.to_exec = self.to_exec.max(cells.to_exec.width());
        self.lived = self.lived.max(cells.lived.width());
        self.cpu = self.cpu.max(cells.cpu.width());
        self.exit = self.exit.max(cells.exit.width());
    }
}
