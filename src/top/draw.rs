// SPDX-License-Identifier: MIT OR Apache-2.0
//! The screen's lines.

use super::balance::Spent;
use super::board::{Choice, Row, Sort};
use super::line::{Line, REVERSE};
use super::tree::Node;
use crate::model::event::Lost;
use crate::text::bytes::Bytes;
use crate::text::quantity::count;
use crate::text::style::{BOLD, DIM, RED, Style};

/// Lines above the rows, the columns' heads included.
pub const HEAD: usize = 4;

/// What the keys do.
pub const HELP: &[&str] = &[
    "Each row is a group of processes, and what they did in the last second.",
    "",
    "  CPU%    CPU time in percent of one CPU, of living and ended processes",
    "  GONE%   the part that ended processes used, which other tools don't show",
    "  RUN     living processes",
    "  NEW/s   started per second; END/s: ended; FAIL/s: failed,",
    "          with a status other than 0 or by a signal",
    "  RSS     resident memory of living processes; shared memory counts for each",
    "",
    "  g             group by command, unit, container or user",
    "  < >           order by the column to the left or right; P: CPU, M: RSS",
    "  /             show only groups with a text in name or command line; Esc: all",
    "  Up Down j k   select a row, or scroll; also Page Up, Page Down, Home, End",
    "  Enter t       process tree of the selected group; Esc: back",
    "  space p       pause, or continue",
    "  h ?           this help",
    "  q Ctrl-C      quit",
];

/// How to draw, and where.
#[derive(Clone, Copy, Debug)]
pub struct Canvas {
    pub style: Style,
    pub columns: usize,
    pub lines: usize,
}

impl Canvas {
    fn line(&self) -> Line {
        Line::new(self.style, self.columns)
    }

    fn text(&self, text: &str) -> String {
        let mut line = self.line();
        line.put(text);
        line.end()
    }

    /// So many lines find room below the head, where they have all of it.
    pub fn room(&self) -> usize {
        self.lines.saturating_sub(HEAD + 1)
    }

    /// So many failures are shown.
    pub fn failures(&self) -> usize {
        match self.lines {
            ..14 => 0,
            14..24 => 3,
            lines => 5 + (lines - 24) / 6,
        }
    }

    /// So many rows find room.
    pub fn rows(&self) -> usize {
        let failures = match self.failures() {
            0 => 0,
            count => count + 1,
        };
        self.room().saturating_sub(failures)
    }
}

/// What the head tells.
#[derive(Debug, Default)]
pub struct Head {
    pub cpus: u32,
    /// Since the last look.
    pub spent: Spent,
    /// In the last half minute.
    pub window: Spent,
    pub running: u64,
    pub started: u64,
    pub ended: u64,
    pub failed: u64,
    pub lost: Lost,
    /// CPU time of this program since the last look, in nanoseconds.
    pub own_ns: u64,
}

/// The lines above the columns.
pub fn head(canvas: &Canvas, head: &Head) -> Vec<String> {
    let Spent { busy_ns, gone_ns, living_ns, kernels_ns, interrupts_ns, stolen_ns, .. } =
        head.spent;
    let percent = |part_ns: u64| 100.0 * head.spent.share(part_ns);
    let mut cpu = canvas.line();
    cpu.put_in(BOLD, &format!("CPU {:.0}% of {}%", percent(busy_ns), 100 * head.cpus));
    cpu.put(": ended ");
    cpu.put_in(BOLD, &format!("{:.0}%", percent(gone_ns)));
    cpu.put(&format!(
        ", living {:.0}%, kernel's threads {:.0}%, interrupts {:.0}%",
        percent(living_ns),
        percent(kernels_ns),
        percent(interrupts_ns)
    ));
    if percent(stolen_ns) >= 1.0 {
        cpu.put_in(RED, &format!(", taken by the hypervisor {:.0}%", percent(stolen_ns)));
    }
    let rate = |number: u64| count(rate(number, head.spent.elapsed_ns).round() as u64);
    let processes = format!(
        "{} processes, {} started/s, {} ended/s, {} failed/s",
        count(head.running),
        rate(head.started),
        rate(head.ended),
        rate(head.failed)
    );
    let mut sight = canvas.line();
    let seconds = (head.window.elapsed_ns as f64 / 1e9).round();
    match head.window.explained() {
        Some(share) => {
            sight.put(&format!("{:.0}% of the CPU time of {seconds:.0} s explained", 100.0 * share))
        }
        None => sight.put("the machine is idle"),
    }
    sight.put(&format!("; tuxscope itself {:.1}%; ", percent(head.own_ns)));
    match head.lost.is_none() {
        true => sight.put("no event lost"),
        false => sight.put_in(RED, &format!("lost: {}", head.lost)),
    }
    vec![cpu.end(), canvas.text(&processes), sight.end()]
}

fn rate(number: u64, elapsed_ns: u64) -> f64 {
    number as f64 * 1e9 / elapsed_ns.max(1) as f64
}

/// The columns: what orders by them, width, head.
const COLUMNS: [(Sort, usize, &str); 7] = [
    (Sort::Cpu, 5, "CPU%"),
    (Sort::Gone, 5, "GONE%"),
    (Sort::Running, 4, "RUN"),
    (Sort::Started, 6, "NEW/s"),
    (Sort::Ended, 6, "END/s"),
    (Sort::Failed, 6, "FAIL/s"),
    (Sort::Rss, 5, "RSS"),
];

/// Places that names have at least.
const NAME_WIDTH: usize = 16;
/// Which columns give way where a name would have fewer, the first of them first.
const GIVE_WAY: [Sort; 6] =
    [Sort::Started, Sort::Ended, Sort::Failed, Sort::Rss, Sort::Running, Sort::Gone];

/// The columns that find room. The one that rows are ordered by stays: it tells why they stand as
/// they do.
fn shown(canvas: &Canvas, sort: Sort) -> Vec<Sort> {
    let mut shown = COLUMNS.to_vec();
    for next in GIVE_WAY.into_iter().filter(|&next| next != sort) {
        let taken: usize = shown.iter().map(|(_, width, _)| width + 1).sum();
        if taken + NAME_WIDTH <= canvas.columns {
            break;
        }
        shown.retain(|&(column, ..)| column != next);
    }
    shown.into_iter().map(|(column, ..)| column).collect()
}

/// How wide names are.
fn name_width(canvas: &Canvas) -> usize {
    (canvas.columns / 5).clamp(NAME_WIDTH, 40)
}

/// The columns' heads; the one that rows are ordered by stands out.
pub fn columns(canvas: &Canvas, choice: &Choice) -> String {
    let mut line = canvas.line();
    let emphasis = |sort: Sort| if sort == choice.sort { REVERSE } else { BOLD };
    let shown = shown(canvas, choice.sort);
    for (sort, width, name) in COLUMNS.into_iter().filter(|(sort, ..)| shown.contains(sort)) {
        line.put_in(emphasis(sort), &format!("{name:>width$}"));
        line.put(" ");
    }
    let name = choice.by.name().to_uppercase();
    line.put_in(emphasis(Sort::Name), &name);
    line.put_cell("", name_width(canvas).saturating_sub(name.len()));
    line.put(" ");
    line.put_in(BOLD, "EXAMPLE");
    line.end()
}

/// A group, in the columns that [`columns`] has.
pub fn row(canvas: &Canvas, row: &Row, sort: Sort, elapsed_ns: u64, chosen: bool) -> String {
    let figures = &row.figures;
    let share = |part_ns: u64| 100.0 * part_ns as f64 / elapsed_ns.max(1) as f64;
    let rate = |number: u64| short(rate(number, elapsed_ns));
    let cells = [
        percent(share(figures.cpu_ns())),
        percent(share(figures.gone_ns)),
        short(figures.running as f64),
        rate(figures.started),
        rate(figures.ended),
        rate(figures.failed),
        memory(figures.rss_bytes),
    ];
    let mut line = canvas.line();
    let shown = shown(canvas, sort);
    let cells = COLUMNS.into_iter().zip(cells).filter(|((column, ..), _)| shown.contains(column));
    for ((column, width, _), cell) in cells {
        let text = format!("{cell:>width$}");
        match column == Sort::Failed && figures.failed > 0 && !chosen {
            true => line.put_in(RED, &text),
            false => line.put(&text),
        }
        line.put(" ");
    }
    line.put_cell(&row.name, name_width(canvas));
    line.put(" ");
    match chosen {
        true => {
            line.put(&row.example);
            let mut whole = canvas.line();
            whole.put_in(REVERSE, &line.fill().end());
            whole.end()
        }
        false => {
            line.put_in(DIM, &row.example);
            line.end()
        }
    }
}

/// `4.2M`
fn memory(bytes: u64) -> String {
    if bytes == 0 { "-".to_owned() } else { Bytes(bytes).to_string() }
}

/// `3.1`, `187`
fn percent(share: f64) -> String {
    if share < 99.95 { format!("{share:.1}") } else { format!("{share:.0}") }
}

/// `0.4`, `312`, `18.4k`; nothing where there is nothing.
fn short(number: f64) -> String {
    match number {
        0.0 => "-".to_owned(),
        ..9.95 if number.fract() != 0.0 => format!("{number:.1}"),
        ..9999.5 => format!("{number:.0}"),
        ..999_950.0 => format!("{:.1}k", number / 1e3),
        _ => format!("{:.1}M", number / 1e6),
    }
}

/// A process of a tree.
pub fn node(canvas: &Canvas, node: &Node, elapsed_ns: u64) -> String {
    let mut line = canvas.line();
    let share = |recent_ns: u64| percent(100.0 * recent_ns as f64 / elapsed_ns.max(1) as f64);
    line.put(&format!("{:>5} ", node.recent_ns.map_or_else(|| "-".to_owned(), share)));
    line.put(&"  ".repeat(node.depth.min(canvas.columns / 4)));
    match node.member {
        true => line.put_in(BOLD, &node.text),
        false => line.put_in(DIM, &node.text),
    }
    line.end()
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Figures;
    use super::*;

    #[test]
    fn numbers_fit_into_their_columns() {
        let cases = [
            (0.0, "-"),
            (0.4, "0.4"),
            (7.0, "7"),
            (9.96, "10"),
            (9999.0, "9999"),
            (18_400.0, "18.4k"),
            (2_000_000.0, "2.0M"),
        ];
        for (number, text) in cases {
            assert_eq!(short(number), text, "{number}");
        }
        assert_eq!([percent(3.12), percent(99.96), percent(6_400.0)], ["3.1", "100", "6400"]);
    }

    #[test]
    fn columns_give_way_to_the_name() {
        let figures = Figures { running: 3, rss_bytes: 5 << 20, ..Figures::default() };
        let name = "systemd-resolved".to_owned();
        let group = Row { name, figures, example: "example".to_owned() };
        let drawn = |columns, sort| {
            let canvas = Canvas { style: Style::default(), columns, lines: 24 };
            let head = super::columns(&canvas, &Choice { sort, ..Choice::default() });
            let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let plain = head.replace(REVERSE, "").replace(BOLD, "").replace("\x1b[0m", "");
            let row = row(&canvas, &group, sort, 1_000_000_000, false);
            (words(&plain).join(" "), words(&row).join(" "))
        };
        let all = "CPU% GONE% RUN NEW/s END/s FAIL/s RSS COMMAND";
        let cases = [
            (60, Sort::Cpu, all, "0.0 0.0 3 - - - 5.0M systemd-resolved"),
            (
                59,
                Sort::Cpu,
                "CPU% GONE% RUN END/s FAIL/s RSS COMMAND",
                "0.0 0.0 3 - - 5.0M systemd-resolved exam>",
            ),
            (44, Sort::Cpu, "CPU% GONE% RUN RSS COMMAND", "0.0 0.0 3 5.0M systemd-resolved exa>"),
            (44, Sort::Started, "CPU% GONE% RUN NEW/s COMMAND", "0.0 0.0 3 - systemd-resolved ex>"),
            (22, Sort::Name, "CPU% COMMAND", "0.0 systemd-resolved"),
            (10, Sort::Cpu, "CPU% COM>", "0.0 sys>"),
        ];
        for (columns, sort, head, row) in cases {
            let drawn = drawn(columns, sort);
            assert!(drawn.0.starts_with(head), "{columns}: {drawn:?}");
            assert_eq!(drawn.1, row, "{columns}");
        }
        assert_eq!(drawn(80, Sort::Cpu).0, format!("{all} EXAMPLE"));
    }

    #[test]
    fn the_help_fits_into_a_usual_terminal() {
        assert!(HELP.iter().all(|line| line.len() <= 80), "{HELP:#?}");
        assert!(HELP.len() + HEAD < 24);
    }

    #[test]
    fn the_rows_and_the_rest_fill_the_screen() {
        for lines in 1..100 {
            let canvas = Canvas { style: Style::default(), columns: 80, lines };
            let failures = canvas.failures() + usize::from(canvas.failures() > 0);
            assert!(canvas.rows() == 0 || HEAD + canvas.rows() + failures + 1 == lines, "{lines}");
        }
    }
}
