// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the end of a process waited for, drawn at the end of a capture.

use std::collections::HashMap;
use std::io::Write as _;

use super::lives::{Children, LifeId, Lives, Segment};
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::model::event::{Event, Meta, Totals};
use crate::sorted;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::{counted, were};
use crate::text::style::Style;

mod others;
mod shares;

use others::Slack;
use shares::{Share, Shares};

/// `--format path`
pub static VIEW: View = View {
    name: "path",
    help: "What the end waited for: the chain of processes, what each did meanwhile, slack of others",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    across: Across::Refused,
    takes: &[],
    start: |settings| Box::new(Path { style: settings.style, lives: Lives::for_picture() }),
};

/// Segments that are shown: the longest. The others are one row.
const SEGMENTS: usize = 40;
/// Rows of the other tables.
const ROWS: usize = 10;
/// Columns of a command, where there is no terminal to fit.
const COMMAND: usize = 100;
/// Columns before a command.
const COMMAND_AT: usize = 56;

/// The sink of `--format path`.
#[derive(Debug)]
struct Path {
    style: Style,
    lives: Lives,
}

impl Sink for Path {
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

    fn resize(&mut self, columns: usize, _out: &mut Vec<u8>) {
        self.style.width = Some(columns);
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lives.end(totals);
        let children = self.lives.children();
        let mut page = Page { style: self.style, lives: &self.lives, children: &children, out };
        match self.lives.longest_root(&children) {
            Some(root) => page.of(root),
            None => page.line("no process is in the capture".to_owned()),
        }
        let lost = totals.lost.total();
        if lost > 0 {
            page.line(format!("{} lost: the chain may be another one", were(lost, "event")));
        }
        if self.lives.folded() > 0 {
            let left_out = were(self.lives.folded(), "process");
            page.line(format!("{left_out} left out, there being too many: see --pid and --follow"));
        }
        if totals.cut_off {
            page.line(
                "the capture was cut off: the end that is shown isn't the true one".to_owned(),
            );
        }
    }
}

struct Page<'a> {
    style: Style,
    lives: &'a Lives,
    children: &'a Children,
    out: &'a mut Vec<u8>,
}

impl Page<'_> {
    fn line(&mut self, text: String) {
        let text = self.style.cut(text.trim_end(), self.style.width);
        // Writing to a Vec can't fail.
        let _ = writeln!(self.out, "{text}");
    }

    fn of(&mut self, root: LifeId) {
        let segments = self.lives.chain(root, self.children);
        let whole_ns: u64 = segments.iter().map(Segment::len_ns).sum();
        let Some(life) = self.lives.get(root) else { return };
        let (pid, command) = (life.pid, life.command_line());
        let ended = match life.end.is_some_and(|end| end.seen) {
            true => "The end of",
            false => "What is known of",
        };
        self.line(format!("{ended} {pid}, after {}: {command}", Elapsed(whole_ns)));
        if !life.end.is_some_and(|end| end.seen) {
            self.line("It still ran when the capture ended: this is the way to there.".to_owned());
        }
        let shares = Shares::new(self.lives, &segments);
        self.segments(&segments, &shares, whole_ns);
        self.commands(&segments, &shares, whole_ns);
        self.others(root, &segments, whole_ns);
    }

    fn segments(&mut self, segments: &[Segment], shares: &Shares, whole_ns: u64) {
        self.line("\nIt waited for, from its beginning to its end".to_owned());
        self.header("PID", "COMMAND");
        let mut longest: Vec<u64> = segments.iter().map(Segment::len_ns).collect();
        longest.sort_unstable();
        longest.reverse();
        let least = longest.get(SEGMENTS).map_or(0, |&len_ns| len_ns + 1);
        let mut rest = Share::default();
        let mut left_out = 0;
        for segment in segments {
            let share = shares.of(segment);
            if segment.len_ns() < least {
                rest = rest.plus(&share);
                left_out += 1;
                continue;
            }
            let Some(life) = self.lives.get(segment.id) else { continue };
            let indent = "  ".repeat(segment.depth.min(8));
            let pid = life.pid.to_string();
            let command = format!("{indent}{}", life.command_line());
            self.row(&share, whole_ns, &pid, &command);
            // What is short needs no explanation.
            if share.is_mostly_waiting() && share.len_ns >= whole_ns / 100 {
                if let Some(worker) = others::worker(self.lives, self.children, segment, &share) {
                    let (name, cpu) = (worker.command_line(), Elapsed(worker.cpu_ns));
                    let text =
                        format!("{indent}  meanwhile {} used some {cpu}: {name}", worker.pid);
                    self.note(&text);
                }
            }
        }
        if left_out > 0 {
            self.row(&rest, whole_ns, "", &format!("({})", counted(left_out, "shorter part")));
        }
    }

    fn commands(&mut self, segments: &[Segment], shares: &Shares, whole_ns: u64) {
        let mut sums: HashMap<String, (Share, usize)> = HashMap::new();
        for segment in segments {
            let Some(life) = self.lives.get(segment.id) else { continue };
            let (sum, parts) = sums.entry(life.name()).or_default();
            *sum = sum.plus(&shares.of(segment));
            *parts += 1;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sorted::by(&mut sums, |(a, (x, _)), (b, (y, _))| {
            y.len_ns.cmp(&x.len_ns).then_with(|| a.cmp(b))
        });
        self.line("\nBy command".to_owned());
        self.header("PARTS", "COMMAND");
        let rest = sums.split_off(sums.len().min(ROWS));
        for (name, (share, parts)) in &sums {
            self.row(share, whole_ns, &parts.to_string(), name);
        }
        if !rest.is_empty() {
            let share = rest.iter().fold(Share::default(), |sum, (_, (more, _))| sum.plus(more));
            let parts: usize = rest.iter().map(|(_, (_, parts))| parts).sum();
            let name = format!("({})", counted(rest.len(), "other"));
            self.row(&share, whole_ns, &parts.to_string(), &name);
        }
    }

    /// Who could have taken longer.
    fn others(&mut self, root: LifeId, segments: &[Segment], whole_ns: u64) {
        let mut others = others::off_the_chain(self.lives, self.children, root, segments);
        if others.is_empty() {
            return;
        }
        self.line("\nNot waited for, and how much longer each could have taken".to_owned());
        self.line(format!(
            "{:>9}{:>7}{:>9}{:>9}{:>9}  COMMAND",
            "LENGTH", "", "CPU", "SLACK", "PID"
        ));
        let rest = others.split_off(others.len().min(ROWS));
        for Slack { id, len_ns, slack_ns } in others {
            let Some(life) = self.lives.get(id) else { continue };
            let slack = slack_ns.map_or_else(|| "any".to_owned(), |ns| Elapsed(ns).to_string());
            let (length, part) = (Elapsed(len_ns), percent(len_ns, whole_ns));
            let (cpu, pid) = (elapsed(life.cpu_ns()), life.pid);
            let command = self.command(&life.command_line(), 45);
            self.line(format!("{length:>9}{part:>7}{cpu:>9}{slack:>9}{pid:>9}  {command}"));
        }
        if !rest.is_empty() {
            self.line(format!("  and {}, which ran for less time", counted(rest.len(), "other")));
        }
    }

    fn header(&mut self, what: &str, name: &str) {
        self.line(format!(
            "{:>9}{:>7}{:>9}{:>9}{:>9}{what:>9}  {name}",
            "LENGTH", "", "CPU", "NO CPU", "WAITING"
        ));
    }

    fn row(&mut self, share: &Share, whole_ns: u64, what: &str, command: &str) {
        let (length, part) = (Elapsed(share.len_ns), percent(share.len_ns, whole_ns));
        let [cpu, no_cpu, waiting] = [share.cpu_ns, share.no_cpu_ns, share.waiting_ns].map(elapsed);
        let command = self.command(command, COMMAND_AT);
        self.line(format!(
            "{length:>9}{part:>7}{cpu:>9}{no_cpu:>9}{waiting:>9}{what:>9}  {command}"
        ));
    }

    fn note(&mut self, text: &str) {
        let text = self.command(text, COMMAND_AT);
        self.line(format!("{:COMMAND_AT$}{text}", ""));
    }

    /// As much as there is room for.
    fn command(&self, text: &str, at: usize) -> String {
        let room = self.style.width.map_or(COMMAND, |width| width.saturating_sub(at));
        self.style.cut(text, Some(room))
    }
}

fn elapsed(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| Elapsed(ns).to_string())
}

fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => String::new(),
        _ => format!("{:.1}%", part as f64 / whole as f64 * 100.0),
    }
}

#[cfg(test)]
mod tests;
