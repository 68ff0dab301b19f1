// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of processes, drawn at the end of a capture.

use std::fmt::Write as _;
use std::io::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::lives::{Children, Exec, Folded, Life, LifeId, Lives};
use super::{Shape, Sink, Speaks, View};
use crate::model::event::{Event, Lost, Totals};
use crate::text;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::{counted, were};
use crate::text::style::Style;
use crate::text::style::{DIM, RED, RESET, YELLOW};

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
        Self { style, lives: Lives::for_picture(), lost: 0 }
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
        self.print(out);
        // Writing to a Vec can't fail.
        let _ = writeln!(out, "{}", self.lives.summary());
        if self.lives.folded() > 0 {
            let count = counted(self.lives.folded(), "process");
            let _ = writeln!(out, "too many to draw all: {count} of them only counted");
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
    exit: String,
}

/// The widths of the columns.
#[derive(Clone, Copy)]
struct Widths {
    pid: usize,
    to_exec: usize,
    lived: usize,
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
            } else if below_it.len() > 0 || life.folded.count > 0 {
                open.push((below_it, life.folded, below));
            }
        }
    }

    fn count_below(&self, children: &Children, id: LifeId) -> usize {
        let (mut count, mut todo) = (0, vec![id]);
        while let Some(id) = todo.pop() {
            count += self.lives.get(id).map_or(0, |life| life.folded.count as usize);
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
                    cells.exit = match life.end {
                        None => "running".to_owned(),
                        Some(end) if !end.seen => "unseen".to_owned(),
                        Some(end) => end.status.map_or("ended".to_owned(), |s| s.to_string()),
                    };
                }
                cells
            }
            Of::Exec(life, exec) => {
                let since = life.born_ns.filter(|_| life.fork_seen);
                let to_exec = since.zip(exec.at_ns).map(|(born, at)| at.saturating_sub(born));
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
        if life.threads > 0 {
            let text = counted(life.threads, "more thread");
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
            if let Some(comm) = adopter.and_then(Life::comm) {
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
        let Widths { pid, to_exec, lived, exit } = widths;
        // Writing to a Vec can't fail.
        let _ = writeln!(
            out,
            "{}{:>pid$}  {:>to_exec$}  {:>lived$}  {:<exit$}  COMMAND{}",
            self.style.color(DIM),
            "PID",
            "FORK-EXEC",
            "LIVED",
            "EXIT",
            self.style.color(RESET),
        );
        self.walk(&children, &mut |row| self.row(&row, widths, out));
    }

    fn row(&self, Row { branch, of }: &Row<'_>, widths: Widths, out: &mut Vec<u8>) {
        let Cells { pid, to_exec, lived, exit } = self.cells(of);
        let Widths { pid: pids, to_exec: to_execs, lived: lives, exit: exits } = widths;
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
            "{line}{pid:>pids$}  {to_exec:>to_execs$}  {lived:>lives$}  \
             {exit_color}{exit:<exits$}{exit_end}  ",
        );
        let after: usize = remarks.iter().map(|remark| remark.text.width() + 4).sum();
        let used = pids + to_execs + lives + exits + 8 + branch.width() + after;
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
        exit: "EXIT".len(),
    };

    fn take_in(&mut self, cells: &Cells) {
        self.pid = self.pid.max(cells.pid.width());
        self.to_exec = self.to_exec.max(cells.to_exec.width());
        self.lived = self.lived.max(cells.lived.width());
        self.exit = self.exit.max(cells.exit.width());
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
    fn what_ran_before_an_exec_has_a_row_of_its_own() {
        let mut story = Story::default();
        story.fork(0, 10, 9).exit(5, 10, 9, 0).exec(10, 77, 1, &["new"]);
        let text = draw(UNICODE, &story.events);
        assert!(text.contains("running  ?\n"), "{text}");
        assert!(text.contains("  ⇒  new\n"), "{text}");
    }

    #[test]
    fn a_pipe_gets_no_endless_lines_and_many_execs_are_counted() {
        let mut story = Story::default();
        story.fork(0, 10, 9).exec(1, 10, 9, &["ld", &"x".repeat(1_500)]);
        (2..1_000).for_each(|us| _ = story.exec(us, 10, 9, &["sh"]));
        let text = draw(UNICODE, &story.events);
        assert!(text.lines().all(|line| line.width() < 300) && text.contains("xxx…\n"), "{text}");
        assert!(text.contains("⇒  899 more execs\n"), "{text}");
        assert_eq!(text.matches("⇒  sh\n").count(), 99, "{text}");
        assert!(text.contains("1 process, 999 execs, 1 still running"), "{text}");
    }

    #[test]
    fn those_that_there_is_no_room_for_are_counted() {
        let mut story = Story::default();
        for pid in 10..1_010 {
            let us = u64::from(pid) * 10;
            story.fork(us, pid, 9).exit(us + 1, pid, 9, (pid % 2) << 8);
        }
        let mut tree = Tree { lives: Lives::within(32 << 10), ..Tree::new(UNICODE) };
        let mut out = Vec::new();
        story.events.iter().for_each(|event| tree.event(event, &mut out));
        tree.end(&Totals::default(), &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        let folded = tree.lives.folded();
        let rows = text.lines().filter(|line| line.ends_with("bash  [no exec]")).count();
        assert_eq!(rows + folded, 1_000, "{text}");
        assert!(text.contains(&format!("└─ {folded} more, the shortest, ")), "{text}");
        let said = format!("too many to draw all: {folded} processes of them only counted\n");
        assert!(text.ends_with(&said), "{text}");
        assert!(text.contains("1000 processes, 0 execs, 500 failed, 1000 without exec, in "));
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
