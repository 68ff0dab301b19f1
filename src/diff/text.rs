// SPDX-License-Identifier: MIT OR Apache-2.0
//! The differences, for people.

use std::fmt::Write as _;

use super::compare::{Change, Group, Report, Side, State};
use crate::text;
use crate::text::bytes::Bytes;
use crate::text::elapsed::Elapsed;
use crate::text::pad;
use crate::text::quantity::{count, counted};
use crate::text::style::{BOLD, RED, RESET, Style};

/// So many groups, parts of the chain and command lines are shown.
const SHOWN: usize = 20;
/// How wide names are.
const NAME: usize = 24;
/// Columns of figures.
const FIGURE_WIDTH: usize = 11;

/// The text. What differs comes first.
pub fn render(report: &Report, style: Style) -> String {
    let mut page = Page { style, out: String::new() };
    page.side("before", &report.before);
    page.side("after", &report.after);
    page.groups(report);
    page.chain(report);
    page.execs(report);
    page.unknown(report);
    if !report.differs && report.certain {
        page.line("\nNothing differs by more than the threshold.");
    }
    page.out
}

/// What it is called, how it changed, and how it is written.
type Figure = (&'static str, Change, fn(u64) -> String);

struct Page {
    style: Style,
    out: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        let (blank, text) = match text.strip_prefix('\n') {
            Some(text) => ("\n", text),
            None => ("", text),
        };
        let cut = self.style.cut(text.trim_end(), self.style.width);
        // Writing to a String can't fail.
        let _ = writeln!(self.out, "{blank}{cut}");
    }

    fn title(&mut self, text: &str) {
        let (bold, reset) = (self.style.color(BOLD), self.style.color(RESET));
        let _ = writeln!(self.out, "\n{bold}{}{reset}", self.style.cut(text, self.style.width));
    }

    fn side(&mut self, name: &str, side: &Side) {
        let shown = |name: &String| {
            let mut shown = String::new();
            text::escape(name.as_bytes(), &mut shown);
            shown
        };
        let captures = match &side.captures[..] {
            [one] => shown(one),
            [first, .., last] => {
                let (first, last) = (shown(first), shown(last));
                format!("{first} ... {last} (medians of {})", side.captures.len())
            }
            [] => String::new(),
        };
        let processes = counted(side.processes, "process");
        let (elapsed, cpu) = (Elapsed(side.elapsed_ns), Elapsed(side.cpu_ns));
        self.line(&format!("{name:<7} {elapsed}, {processes}, CPU {cpu}: {captures}"));
        if !side.complete {
            let (red, reset) = (self.style.color(RED), self.style.color(RESET));
            let _ = writeln!(
                self.out,
                "{red}        events are missing: figures may be too small{reset}"
            );
        }
    }

    fn groups(&mut self, report: &Report) {
        let changed: Vec<&Group> =
            report.groups.iter().filter(|group| group.state != State::Alike).collect();
        if changed.is_empty() {
            return;
        }
        self.title(&format!("What changed, by {}, the most first", report.by));
        let (mut head, by) = (String::from("  "), report.by.to_uppercase());
        head.push_str(&by);
        pad(&mut head, NAME + 2);
        for column in ["WHAT", "BEFORE", "AFTER", "CHANGE"] {
            let width = FIGURE_WIDTH;
            let _ = match column {
                "WHAT" => write!(head, "{column:<width$}"),
                _ => write!(head, "{column:>width$}"),
            };
        }
        self.line(&head);
        for group in changed.iter().take(SHOWN) {
            self.group(group);
        }
        if let Some(more) = changed.len().checked_sub(SHOWN).filter(|&more| more > 0) {
            self.line(&format!(
                "  and {} more (--format json has all)",
                counted(more as u64, "group")
            ));
        }
        let alike = report.groups.len() - changed.len();
        if alike > 0 {
            self.line(&format!("  {} alike", crate::text::quantity::are(alike as u64, "group")));
        }
    }

    fn group(&mut self, group: &Group) {
        let time = |ns: u64| Elapsed(ns).to_string();
        let size = |bytes: u64| Bytes(bytes).to_string();
        let figures: [Figure; 5] = [
            ("processes", group.count, count),
            ("failures", group.failures, count),
            ("CPU", group.cpu_ns, time),
            ("run time", group.run_time_ns, time),
            ("RSS", group.max_rss_bytes, size),
        ];
        let mut name = self.style.cut(&group.name, Some(NAME - 1));
        match group.state {
            State::New => name.push_str(" (new)"),
            State::Gone => name.push_str(" (gone)"),
            State::Changed | State::Alike => {}
        }
        for (what, change, show) in figures.into_iter().filter(|(_, change, _)| change.changed) {
            let figure = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), show);
            let mut line = format!("  {name}");
            pad(&mut line, NAME + 2);
            let (width, sign) =
                (FIGURE_WIDTH, if change.after > change.before { '+' } else { '-' });
            let (before, after) = (change.before.unwrap_or(0), change.after.unwrap_or(0));
            let by = show(before.abs_diff(after));
            let _ = write!(
                line,
                "{what:<width$}{:>width$}{:>width$}{:>width$}",
                figure(change.before),
                figure(change.after),
                format!("{sign}{by}"),
            );
            if before > 0 {
                let share = 100.0 * (after as f64 - before as f64) / before as f64;
                let _ = write!(line, " {share:+7.0} %");
            }
            self.line(&line);
            name.clear();
        }
    }

    fn unknown(&mut self, report: &Report) {
        let unknown = report.groups.iter().filter(|group| group.cost_unknown > 0);
        for group in unknown.take(SHOWN) {
            let processes = counted(group.cost_unknown, "process");
            let name = &group.name;
            self.line(&format!(
                "{name}: CPU time not compared, since that of {processes} isn't known"
            ));
        }
    }

    fn chain(&mut self, report: &Report) {
        if report.chain.is_empty() {
            return;
        }
        self.title("What the end waited for, by command");
        for waited in report.chain.iter().take(SHOWN) {
            let mut line = format!("  {}", self.style.cut(&waited.command, Some(NAME - 1)));
            pad(&mut line, NAME + 2);
            let (before, after) = (waited.before_ns, waited.after_ns);
            let sign = if after >= before { '+' } else { '-' };
            let by = format!("{sign}{}", Elapsed(before.abs_diff(after)));
            let width = FIGURE_WIDTH;
            let _ = write!(
                line,
                "{:width$}{:>width$}{:>width$}{by:>width$}",
                "",
                Elapsed(before),
                Elapsed(after)
            );
            self.line(&line);
        }
    }

    fn execs(&mut self, report: &Report) {
        let Some(execs) = &report.execs else { return };
        let lists =
            [("New command lines", &execs.new), ("Command lines that are gone", &execs.gone)];
        for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            self.title(title);
            for line in list.iter().take(SHOWN) {
                self.line(&format!("{:>7}  {}", count(line.count), line.command_line));
            }
            if let Some(more) = list.len().checked_sub(SHOWN).filter(|&more| more > 0) {
                self.line(&format!("         and {more} more (--format json has all)"));
            }
        }
        if execs.not_compared > 0 {
            let n = counted(execs.not_compared, "exec");
            self.line(&format!("\n{n} not compared: there are too many command lines"));
        }
    }
}
