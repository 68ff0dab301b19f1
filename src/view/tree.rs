// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of processes, drawn at the end of a capture.

use std::fmt::Write as _;
use std::io::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::lives::{Life, LifeId, Lives};
use super::{Shape, Sink, Speaks, View};
use crate::model::event::{Event, Lost, Totals};
use crate::text;
use crate::text::elapsed::Elapsed;
use crate::text::style::Style;
use crate::text::style::{DIM, RED, RESET, YELLOW};

/// Levels that are drawn. What is deeper is counted: no reader follows that many lines down a
/// screen, and a chain of a million forks would need a line of that length.
const MAX_DEPTH: usize = 64;
/// The least columns for a command, on however narrow a terminal.
const MIN_COMMAND: usize = 20;

/// `--format tree`
pub static VIEW: View = View {
    name: "tree",
    help: "The tree of processes, at the end",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    start: |_, style| Box::new(Tree::new(style)),
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

    fn resize(&mut self, columns: usize, _out: &mut Vec<u8>) {
        self.style.width = Some(columns);
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
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
        if totals.cut_off {
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
}

const BOXES: Glyphs = Glyphs { middle: "├─ ", last: "└─ ", pass: "│  ", exec: "⇒  " };
const ASCII: Glyphs = Glyphs { middle: "|- ", last: "`- ", pass: "|  ", exec: "=> " };

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
                Some(end) if !end.seen => "unseen".to_owned(),
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
            self.style.color(DIM),
            "PID",
            "FORK-EXEC",
            "LIVED",
            "EXIT",
            self.style.color(RESET),
        );
        for row in rows {
            let Row { pid, to_exec, lived, exit, branch, .. } = row;
            let (line, exit_color) = match (row.grey, row.failed) {
                (true, _) => (self.style.color(DIM), ""),
                (false, true) => ("", self.style.color(RED)),
                (false, false) => ("", ""),
            };
            let exit_end = if exit_color.is_empty() { "" } else { self.style.color(RESET) };
            let _ = write!(
                out,
                "{line}{pid:>pids$}  {to_exec:>to_execs$}  {lived:>lives$}  \
                 {exit_color}{exit:<exits$}{exit_end}  ",
            );
            let remarks: usize = row.remarks.iter().map(|remark| remark.text.width() + 4).sum();
            let used = pids + to_execs + lives + exits + 8 + branch.width() + remarks;
            let room = self.style.width.map(|width| width.saturating_sub(used).max(MIN_COMMAND));
            let command = self.style.cut(&row.command, room);
            let (dim, dim_end) = match row.grey || branch.is_empty() {
                true => ("", ""),
                false => (self.style.color(DIM), self.style.color(RESET)),
            };
            let _ = write!(out, "{dim}{branch}{dim_end}{command}");
            for Remark { text, color } in &row.remarks {
                let text = self.style.cut(text, None);
                let _ =
                    write!(out, "  {}[{text}]{}", self.style.color(color), self.style.color(RESET));
            }
            if row.grey {
                out.extend_from_slice(self.style.color(RESET).as_bytes());
            }
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventKind;
    use crate::view::fixtures::{self, Random, Story, basic, run};

    const UNICODE: Style = Style { unicode: true, color: false, width: None };

    fn draw(style: Style, events: &[Event]) -> String {
        run(Tree::new(style), events)
    }

    fn lines(style: Style, events: &[Event]) -> Vec<String> {
        draw(style, events).lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_pipeline() {
        assert_eq!(
            lines(UNICODE, &fixtures::pipeline()),
            [
                " PID  FORK-EXEC    LIVED  EXIT  COMMAND",
                "3890                            bash",
                "4521     600 us  4.00 ms  1     └─ sh -c 'cat /etc/passwd | grep root'",
                "4522     500 us  1.30 ms  0        ├─ cat /etc/passwd",
                "4523     600 us  1.50 ms  1        └─ grep root",
                "3 processes, 3 execs, 2 failed, in 4.00 ms",
            ]
        );
    }

    #[test]
    fn a_daemon_in_ascii() {
        assert_eq!(
            lines(Style::default(), &fixtures::daemon()),
            [
                " PID  FORK-EXEC    LIVED  EXIT                   COMMAND",
                "3890                                             bash",
                "5000     500 us  4.00 ms  0                      `- daemon",
                "5001             2.00 ms  0                         `- daemon  [no exec]",
                "5002    3.00 ms  18.0 ms  SIGSEGV (core dumped)        `- sh -c 'exec work'  [1 more thread]  [adopted by 1]",
                "        4.00 ms                                           => work",
                "5004             11.0 ms  running                         `- work  [no exec]",
                "4 processes, 3 execs, 1 failed, 2 without exec, 1 still running, in 20.0 ms",
            ]
        );
    }

    #[test]
    fn the_basic_mode_tells_threads_at_the_end() {
        use EventKind::{Exec, Exit, Fork};
        let events = [
            basic(Fork, 0, 10, 9, "bash"),
            basic(Exec, 100, 10, 0, "prog"),
            basic(Fork, 200, 11, 10, "prog"),
            basic(Fork, 300, 12, 11, "prog"),
            basic(Exec, 400, 12, 0, "ls"),
            basic(Exit, 500, 12, 0, "ls"),
            basic(Exit, 600, 10, 0, "worker"),
            basic(Exit, 700, 10, 0, "prog"),
        ];
        assert_eq!(
            lines(UNICODE, &events),
            [
                "PID  FORK-EXEC   LIVED  EXIT   COMMAND",
                "  9                            bash",
                " 10     100 us  700 us  ended  └─ prog  [1 more thread]",
                " 12     100 us  200 us  ended     └─ ls",
                "2 processes, 2 execs, in 700 us",
            ]
        );
    }

    #[test]
    fn colours_and_a_width_of_their_own() {
        let style = Style { unicode: true, color: true, width: Some(64) };
        let text = draw(style, &fixtures::pipeline());
        assert!(text.contains("\x1b[2m3890                            bash\x1b[0m\n"), "{text}");
        assert!(text.contains("\x1b[1;31m1   \x1b[0m  \x1b[2m   └─ \x1b[0mgrep root\n"), "{text}");
        assert!(text.contains("\x1b[2m└─ \x1b[0msh -c 'cat /etc/passwd | gre…\n"), "{text}");
    }

    #[test]
    fn nothing_and_losses_have_words() {
        assert_eq!(draw(UNICODE, &[]), "0 processes, 0 execs, in 0 ns\n");
        let mut out = Vec::new();
        Tree::new(UNICODE).end(&fixtures::totals(7), &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.ends_with("7 events were lost: the tree has gaps\n"), "{text}");
        let cut_off = Totals { cut_off: true, ..Totals::default() };
        let mut out = Vec::new();
        Tree::new(UNICODE).end(&cut_off, &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        assert!(text.contains("the capture was cut off: more happened than is shown\n"));
    }

    #[test]
    fn a_pid_that_comes_back_is_another_process() {
        let mut story = Story::default();
        story.fork(0, 10, 9).exit(1, 10, 9, 0).fork(2, 10, 9).exit(3, 10, 9, 0);
        story.fork(4, 11, 10).fork(5, 11, 10);
        let text = draw(UNICODE, &story.events);
        assert_eq!(text.lines().filter(|line| line.starts_with(" 10")).count(), 3, "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with(" 11")).count(), 2, "{text}");
    }

    #[test]
    fn a_chain_of_any_length_is_drawn() {
        let mut story = Story::default();
        (1..20_000).for_each(|pid| {
            story.fork(u64::from(pid), pid + 1, pid);
        });
        let text = draw(UNICODE, &story.events);
        assert!(text.contains("19935 more, at deeper levels\n"), "{text}");
    }

    #[test]
    fn takes_any_events() {
        for seed in 1..300 {
            let text = draw(Style::default(), &Random(seed).capture());
            assert!(text.is_ascii() && !fixtures::steers_a_terminal(&text), "seed {seed}: {text}");
        }
    }
}
