// SPDX-License-Identifier: MIT OR Apache-2.0
//! The groups of a summary as a table, and what CPU time was used.

use std::cmp::Reverse;
use std::io::Write as _;

use super::figures::{Cpu, Figures, Group, GroupName};
use super::ranking::{By, Ranking, Sort};
use super::text::{OTHERS, Page};
use crate::sorted;
use crate::text;
use crate::text::bytes::Bytes;
use crate::text::command;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::{count, counted, plural};

/// Columns that the name has at least; where there is less, other columns give way.
const NAME_WIDTH: usize = 20;
/// Columns of a name, where there is no terminal to fit.
const LINE_WIDTH: usize = 60;

/// A column of the table.
struct Column {
    heading: &'static str,
    width: usize,
    /// Those with a higher number give way first.
    gives_way: u8,
    cell: fn(&Group) -> String,
}

const COLUMNS: [Column; 11] = [
    Column { heading: "CPU", width: 8, gives_way: 0, cell: cpu },
    Column { heading: "CPU%", width: 7, gives_way: 1, cell: |group| percent(group.cpu_share) },
    Column { heading: "WAIT", width: 9, gives_way: 5, cell: |g| elapsed(Some(g.cpu_wait_ns)) },
    Column { heading: "PROCS", width: 9, gives_way: 0, cell: |group| count(group.processes) },
    Column { heading: "EXECS", width: 9, gives_way: 8, cell: |group| count(group.execs) },
    Column { heading: "FAILED", width: 8, gives_way: 2, cell: |group| count(group.failures) },
    Column { heading: "XFAIL", width: 7, gives_way: 7, cell: |group| count(group.failed_execs) },
    Column { heading: "P50", width: 9, gives_way: 4, cell: |group| elapsed(group.run_time_p50_ns) },
    Column { heading: "P99", width: 9, gives_way: 3, cell: |group| elapsed(group.run_time_p99_ns) },
    Column { heading: "RSS", width: 7, gives_way: 5, cell: |group| size(group.max_rss_bytes) },
    Column { heading: "I/O", width: 7, gives_way: 6, cell: |group| size(Some(io(group))) },
];

impl Page<'_> {
    /// What CPU time those that ended used.
    pub fn cpu(&mut self, cpu: &Cpu) {
        let Cpu { used_ns, share, cpus, unknown, most_at_once, .. } = cpu;
        let of_all = match (share, cpus) {
            (Some(share), Some(cpus)) => {
                format!(", {} of what {} had", percent(Some(*share)), counted(*cpus, "CPU"))
            }
            _ => String::new(),
        };
        let _ =
            writeln!(self.out, "\nCPU time of processes that ended: {}{of_all}", Elapsed(*used_ns));
        if *unknown > 0 {
            let n = count(*unknown);
            let noun = plural(*unknown, "process");
            let _ = writeln!(self.out, "  and of {n} {noun} it isn't known");
        }
        let _ = writeln!(self.out, "  at most {} at once", counted(*most_at_once, "process"));
        self.usage(cpu);
    }

    /// One line, a character a span.
    fn usage(&mut self, cpu: &Cpu) {
        /// Characters that fit.
        const WIDTH: usize = 60;
        let step = cpu.busy.len().div_ceil(WIDTH).max(1);
        let mean = |spans: &[f64]| spans.iter().sum::<f64>() / step as f64;
        let busy: Vec<f64> = cpu.busy.chunks(step).map(mean).collect();
        let most = busy.iter().copied().fold(0.0, f64::max);
        if busy.len() < 2 || most <= 0.0 {
            return;
        }
        let whole = cpu.cpus.map_or(most, |cpus| f64::from(cpus).max(most));
        let levels: Vec<char> = match self.style.unicode {
            true => " ▁▂▃▄▅▆▇█".chars().collect(),
            false => " .:-=+*#@".chars().collect(),
        };
        let level = |busy: &f64| match (busy / whole * 8.0).round() as usize {
            0 if *busy > 0.0 => levels[1],
            level => levels[level.min(8)],
        };
        let line: String = busy.iter().map(level).collect();
        let span = Elapsed(cpu.span_ns.saturating_mul(step as u64));
        let _ = writeln!(self.out, "  {line}  each {span}, at most {most:.1} busy");
    }

    /// The groups, and what comes first.
    pub fn groups(&mut self, figures: &Figures, ranking: &Ranking) {
        let Some(groups) = figures.groups.as_ref().filter(|groups| !groups.is_empty()) else {
            return;
        };
        let by = ranking.by.name();
        let _ = writeln!(self.out, "\nBy {by}, {} first", ranking.sort.words());
        let mut ranked = groups.clone();
        sort(&mut ranked, ranking.sort);
        let (shown, cut) = ranked.split_at(ranked.len().min(ranking.top));
        let rest = cut.iter().chain(&figures.other_groups);
        let rest = rest.fold(None, |sum: Option<Group>, group| match sum {
            Some(sum) => Some(sum.plus(group)),
            None => Some(Group { name: None, ..group.clone() }),
        });

        let mut columns: Vec<&Column> = COLUMNS.iter().collect();
        let takes = |columns: &[&Column]| columns.iter().map(|column| column.width).sum::<usize>();
        if groups.iter().all(|group| group.failed_execs == 0) {
            columns.retain(|column| column.heading != "XFAIL");
        }
        while self.style.width.is_some_and(|width| takes(&columns) + 4 + NAME_WIDTH > width) {
            let Some(least) = columns.iter().map(|column| column.gives_way).max() else { break };
            columns.retain(|column| column.gives_way < least);
        }
        let room = match self.style.width {
            Some(width) => width.saturating_sub(takes(&columns) + 4),
            None => LINE_WIDTH,
        };
        self.row(&columns, |column| column.heading.to_owned(), &by.to_uppercase());
        for group in shown {
            let name = name(group);
            let name = self.style.cut(&name, Some(room));
            self.row(&columns, |column| (column.cell)(group), &name);
        }
        if let Some(rest) = rest {
            let n = cut.len() + usize::from(figures.other_groups.is_some());
            let name = if figures.other_groups.is_some() {
                OTHERS.to_owned()
            } else {
                format!("({})", counted(n as u64, "other"))
            };
            self.row(&columns, |column| (column.cell)(&rest), &name);
        }
        let running: u64 = groups.iter().map(|group| group.running).sum();
        if running > 0 {
            let ran = counted(running, "process");
            let _ =
                writeln!(self.out, "  of these, {ran} still ran at the end: not their CPU time");
        }
        if ranking.by == By::Container && groups.iter().all(|group| name(group) == "-") {
            let _ = writeln!(self.out, "  No process was in a container.");
        }
    }

    fn row(&mut self, columns: &[&Column], cell: impl Fn(&Column) -> String, name: &str) {
        let mut line = String::from(" ");
        for column in columns {
            let width = column.width;
            line.push_str(&format!("{:>width$}", cell(column)));
        }
        let _ = writeln!(self.out, "{line}  {name}");
    }
}

/// The most first; alike ones by their number and their names.
pub fn sort(groups: &mut [Group], sort: Sort) {
    let figure = |group: &Group| match sort {
        Sort::Cpu => group.cpu_ns,
        Sort::Wait => group.cpu_wait_ns,
        Sort::Duration => group.run_time_ns,
        Sort::Count => group.processes,
        Sort::Failures => group.failures.saturating_add(group.failed_execs),
        Sort::Rss => group.max_rss_bytes.unwrap_or(0),
        Sort::Io => io(group),
    };
    sorted::by_key(groups, |group| (Reverse((figure(group), group.processes)), name(group)));
}

/// Its name for a terminal.
pub fn name(group: &Group) -> String {
    let mut out = String::new();
    match &group.name {
        Some(GroupName::Args(Some(args))) if !args.is_empty() => command::quote(args, &mut out),
        Some(GroupName::User(uid)) => out = uid.to_string(),
        Some(
            GroupName::Command(Some(name))
            | GroupName::Unit(Some(name))
            | GroupName::Container(Some(name))
            | GroupName::Parent(Some(name)),
        ) => text::escape(name.as_bytes(), &mut out),
        _ => out.push('-'),
    }
    out
}

fn io(group: &Group) -> u64 {
    group.read_bytes.saturating_add(group.write_bytes)
}

/// A sum that lacks some is at least that.
fn cpu(group: &Group) -> String {
    match (group.cost_unknown, Elapsed(group.cpu_ns)) {
        (0, known) => known.to_string(),
        (_, _) if group.cpu_ns == 0 => "-".to_owned(),
        (_, known) => format!(">{known}"),
    }
}

fn elapsed(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| Elapsed(ns).to_string())
}

fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), |bytes| Bytes(bytes).to_string())
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0))
}
