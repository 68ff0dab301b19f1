// SPDX-License-Identifier: MIT OR Apache-2.0
//! Figures -> text that is readable at a glance.

use std::io::Write as _;

use super::figures::{Bin, Command, Count, FailedExec, Failure, Figures, Longest, Spread, Status};
use super::ranking::Ranking;
use crate::text;
use crate::text::command;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::{count, plural};
use crate::text::style::Style;

/// Rows of a table that shows the most frequent.
const TOP: usize = 10;
/// Columns of a command's histogram, and rows of the one of all commands.
const MAX_BINS: usize = 16;
/// Columns of the longest bar.
const BAR: usize = 40;
const COMM_WIDTH: usize = 17;
/// The column that a command line begins in.
const LINE_AT: usize = 33;
/// Columns of a command line, where there is no terminal to fit.
const LINE_WIDTH: usize = 100;

/// Appends the text.
pub fn render(figures: &Figures, ranking: &Ranking, style: Style, out: &mut Vec<u8>) {
    let mut page = Page { style, out };
    page.totals(figures);
    if figures.events.count == 0 {
        return;
    }
    if let Some(cpu) = &figures.cpu {
        page.cpu(cpu);
    }
    page.groups(figures, ranking);
    page.fork_to_exec(figures);
    page.commands(figures);
    page.never_execed(figures);
    if let Some(run_time) = &figures.run_time {
        page.run_time(run_time);
    }
    if let Some(failures) = &figures.failures {
        page.failures(failures);
    }
    if let Some(failed) = &figures.failed_execs {
        page.failed_execs(failed);
    }
    if let Some(longest) = &figures.longest {
        page.longest(longest);
    }
    page.remarks(figures);
}

/// A text that grows.
pub struct Page<'a> {
    /// What its reader's terminal can show.
    pub style: Style,
    /// The text so far.
    pub out: &'a mut Vec<u8>,
}

/// Writing to a Vec can't fail.
macro_rules! line {
    ($page:expr, $($text:tt)*) => { let _ = writeln!($page.out, $($text)*); };
}

impl Page<'_> {
    fn totals(&mut self, figures: &Figures) {
        let Figures { view, cut_off, missed, elapsed_ns, events, lost, threads, .. } = figures;
        let lost = [lost.fork, lost.exec, lost.exit, lost.exec_failed];
        let lost = lost.into_iter().fold(0, u64::saturating_add);
        let what = if *cut_off || *missed > 0 { " (not complete)" } else { "" };
        let loss = match lost {
            0 => "none lost".to_owned(),
            _ => format!("{} LOST and not counted below", count(lost)),
        };
        let time = Elapsed(*elapsed_ns);
        if let Some(began) = &figures.time {
            let (seconds, _) = began.split_once('.').unwrap_or((began, ""));
            line!(self, "\n== {} UTC", seconds.replace('T', " "));
        }
        let (n, noun) = (count(events.count), plural(events.count, "event"));
        line!(self, "{n} {noun} of the {view} mode in {time}{what}, {loss}");
        if events.count == 0 {
            return;
        }
        line!(self, "\n  {:<7}{:>14}{:>14}", "", "count", "a second");
        let Figures { fork, exec, exit, .. } = figures;
        for (name, rate) in [("fork", fork), ("exec", exec), ("exit", exit)] {
            let per_second = match rate.per_second {
                slow if slow < 100.0 => format!("{slow:.1}"),
                fast => count(fast as u64),
            };
            line!(self, "  {name:<7}{:>14}{per_second:>14}", count(rate.count));
        }
        if let Some(failed) = &figures.exec_failed {
            line!(self, "  and failed: {} {}", count(failed.count), plural(failed.count, "exec"));
        }
        if let Some(threads) = threads.as_ref().filter(|t| t.started + t.ended > 0) {
            let (started, ended) = (count(threads.started), count(threads.ended));
            line!(self, "  and of threads: {started} started, {ended} ended");
        }
    }

    fn fork_to_exec(&mut self, figures: &Figures) {
        let spread = &figures.fork_to_exec;
        if spread.count == 0 {
            line!(self, "\nFrom fork to exec: no process was seen at both");
            return;
        }
        line!(self, "\nFrom fork to exec");
        self.percentiles(spread);
        self.histogram(&spread.histogram);
    }

    fn run_time(&mut self, spread: &Spread) {
        if spread.count == 0 {
            return;
        }
        line!(self, "\nRun time");
        self.percentiles(spread);
        self.histogram(&spread.histogram);
    }

    fn percentiles(&mut self, spread: &Spread) {
        let [p50, p90, p99, max] =
            [spread.p50_ns, spread.p90_ns, spread.p99_ns, spread.max_ns].map(Elapsed);
        let n = count(spread.count);
        line!(self, "  count {n}   p50 {p50}   p90 {p90}   p99 {p99}   max {max}\n");
    }

    fn histogram(&mut self, bins: &[Bin]) {
        let bins = joined(bins, bins.len().div_ceil(MAX_BINS));
        let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0);
        for bin in bins {
            let bar = self.bar(bin.count, most);
            let space = if bar.is_empty() { "" } else { " " };
            line!(self, "  {:>8}+ {bar}{space}{}", Elapsed(bin.from_ns), count(bin.count));
        }
    }

    fn commands(&mut self, figures: &Figures) {
        let commands = &figures.commands;
        if commands.is_empty() {
            return;
        }
        let all = &figures.fork_to_exec.histogram;
        let range = match (all.first(), all.last()) {
            (Some(first), Some(last)) => {
                let end = last.from_ns.saturating_mul(2);
                format!("{} to {}", Elapsed(first.from_ns), Elapsed(end))
            }
            _ => String::new(),
        };
        line!(self, "\nMost frequent commands, and their time from fork to exec");
        line!(
            self,
            "  {:<COMM_WIDTH$}{:>11}{:>10}{:>10}{:>10}{:>10}  {range}",
            "COMMAND",
            "EXECS",
            "P50",
            "P90",
            "P99",
            "MAX"
        );
        for command in commands.iter().take(TOP) {
            self.command(command, all);
        }
        self.more(commands.len(), "command", "");
    }

    fn command(&mut self, command: &Command, all: &[Bin]) {
        let comm = column(command.comm.as_deref());
        let execs = count(command.execs);
        let spread = &command.fork_to_exec;
        if spread.count == 0 {
            line!(self, "  {comm}{execs:>11}{:>10}{:>10}{:>10}{:>10}", "-", "-", "-", "-");
            return;
        }
        let [p50, p90, p99, max] =
            [spread.p50_ns, spread.p90_ns, spread.p99_ns, spread.max_ns].map(Elapsed);
        let sparks = self.sparks(&spread.histogram, all);
        line!(self, "  {comm}{execs:>11}{p50:>10}{p90:>10}{p99:>10}{max:>10}  {sparks}");
    }

    fn never_execed(&mut self, figures: &Figures) {
        let never = &figures.never_execed;
        if never.ended + never.not_yet == 0 {
            return;
        }
        let (ended, not_yet) = (count(never.ended), count(never.not_yet));
        line!(self, "\nForked without exec: {ended} ended, {not_yet} may still exec");
        let names = never.comms.iter().take(TOP).map(|Count { comm, count: n }| {
            let mut text = String::from("  ");
            text::escape(comm.as_deref().unwrap_or(OTHERS).as_bytes(), &mut text);
            text + " " + &count(*n)
        });
        let names: String = names.collect();
        if !names.is_empty() {
            line!(self, "{names}");
        }
        self.more(never.comms.len(), "name", "");
    }

    fn failures(&mut self, failures: &[Failure]) {
        let total: u64 = failures.iter().map(|failure| failure.count).sum();
        line!(self, "\nFailed ({})", count(total));
        if failures.is_empty() {
            return;
        }
        line!(self, "  {:<COMM_WIDTH$}{:>11}  STATUS", "COMMAND", "COUNT");
        for Failure { comm, status, count: n } in failures.iter().take(TOP) {
            let comm = column(comm.as_deref());
            line!(self, "  {comm}{:>11}  {}", count(*n), status_text(Some(status)));
        }
        self.more(failures.len(), "kind", " of failure");
    }

    fn failed_execs(&mut self, failed: &[FailedExec]) {
        let total: u64 = failed.iter().map(|failed| failed.count).sum();
        line!(self, "\nExecs that failed ({})", count(total));
        line!(self, "  {:>11}  {:<15}FILE", "COUNT", "ERROR");
        for FailedExec { filename, errno, count: n } in failed.iter().take(TOP) {
            let mut file = String::new();
            match (filename, errno) {
                (Some(filename), _) => text::escape(filename.as_bytes(), &mut file),
                (None, Some(_)) => file.push('?'),
                (None, None) => file.push_str(OTHERS),
            }
            let file = self.style.cut(&file, Some(LINE_WIDTH));
            line!(self, "  {:>11}  {:<15}{file}", count(*n), errno.as_deref().unwrap_or_default());
        }
        self.more(failed.len(), "kind", " of failure");
    }

    fn longest(&mut self, longest: &[Longest]) {
        if longest.is_empty() {
            return;
        }
        line!(self, "\nRan longest");
        line!(self, "  {:>9}{:>9}  {:<11}COMMAND", "RUN TIME", "PID", "STATUS");
        for run in longest {
            let time = Elapsed(run.run_time_ns);
            let status = status_text(run.status.as_ref());
            let command = self.command_line(run);
            line!(self, "  {time:>9}{:>9}  {status:<11}{command}", run.pid);
        }
    }

    fn remarks(&mut self, figures: &Figures) {
        if figures.view == "basic" {
            line!(
                self,
                "\nBasic mode does not tell threads from processes: each is a fork and an exit \
                 here.\nNor does it tell how long a process ran and how it ended: capture with \
                 --wide for that."
            );
        }
        let others = &figures.other_execs;
        let remarks = [
            (others.repeated.unwrap_or(0), "Execs beyond a process' first"),
            (
                others.without_fork,
                if others.repeated.is_some() {
                    "First execs of processes whose fork is not in the capture"
                } else {
                    "Execs that were repeated, or of a process whose fork is not in the capture"
                },
            ),
            (figures.backwards, "Times from fork to exec that were negative, and left out"),
            (figures.dropped, "Processes forgotten before they ended, because there were too many"),
        ];
        let mut remarks = remarks.iter().filter(|(n, _)| *n > 0).peekable();
        if remarks.peek().is_some() {
            line!(self, "");
        }
        for (n, what) in remarks {
            line!(self, "{what}: {}", count(*n));
        }
    }

    fn more(&mut self, all: usize, noun: &str, of: &str) {
        if let Some(more) = all.checked_sub(TOP).filter(|&more| more > 0) {
            line!(self, "  and {more} more {}{of}", plural(more as u64, noun));
        }
    }

    /// In eighths of a column, or whole ones.
    fn bar(&self, n: u64, most: u64) -> String {
        const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
        let eighths = scaled(n, most, 8 * BAR);
        if self.style.unicode {
            "█".repeat(eighths / 8) + PARTS[eighths % 8]
        } else {
            "#".repeat(eighths.div_ceil(8))
        }
    }

    /// A histogram in one line, over the range of `all`.
    fn sparks(&self, bins: &[Bin], all: &[Bin]) -> String {
        let levels: [char; 9] = if self.style.unicode {
            [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        } else {
            [' ', '.', ':', '-', '=', '+', '*', '#', '@']
        };
        let mut own = bins.iter().copied().peekable();
        let over_all: Vec<Bin> = all
            .iter()
            .map(|&Bin { from_ns, .. }| {
                let bin = own.next_if(|bin| bin.from_ns == from_ns);
                bin.unwrap_or(Bin { from_ns, count: 0 })
            })
            .collect();
        let bins = joined(&over_all, all.len().div_ceil(MAX_BINS));
        let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0);
        let line: String = bins.iter().map(|bin| levels[scaled(bin.count, most, 8)]).collect();
        line.trim_end().to_owned()
    }

    fn command_line(&self, run: &Longest) -> String {
        let mut line = String::new();
        match run.args.as_ref().filter(|args| !args.is_empty()) {
            Some(args) => command::quote(args, &mut line),
            None => text::escape(run.comm.as_deref().unwrap_or(OTHERS).as_bytes(), &mut line),
        }
        let columns = self.style.width.map_or(LINE_WIDTH, |width| width.saturating_sub(LINE_AT));
        let fits = text::fit(&line, columns).len();
        if fits < line.len() {
            line.truncate(fits);
            line.push_str(if self.style.unicode { "…" } else { ">" });
        }
        line
    }
}

/// What stands for those that are not told apart.
pub const OTHERS: &str = "(others)";

fn column(comm: Option<&str>) -> String {
    let mut text = String::new();
    text::escape(comm.unwrap_or(OTHERS).as_bytes(), &mut text);
    text::pad(&mut text, COMM_WIDTH);
    text
}

fn status_text(status: Option<&Status>) -> String {
    match status {
        Some(Status::Code(code)) => code.to_string(),
        Some(Status::Signal(name)) => name.clone(),
        None => "running".to_owned(),
    }
}

/// Every `step` neighbours as one.
fn joined(bins: &[Bin], step: usize) -> Vec<Bin> {
    let join = |bins: &[Bin]| Bin {
        from_ns: bins[0].from_ns,
        count: bins.iter().map(|bin| bin.count).sum(),
    };
    bins.chunks(step.max(1)).map(join).collect()
}

/// `n` of `most` as a part of `whole`: 0 for none only.
fn scaled(n: u64, most: u64, whole: usize) -> usize {
    if n == 0 || most == 0 {
        return 0;
    }
    ((n as f64 / most as f64 * whole as f64).round() as usize).clamp(1, whole)
}
