// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stacks of commands for flame graphs: a line each, frames joined by semicolons, then a weight.

use std::collections::HashMap;
use std::io::Write as _;

use clap::ValueEnum;

use super::lives::{Children, Life, LifeId, Lives};
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::model::event::{Event, Meta, Totals};
use crate::sorted;
use crate::text::quantity::counted;

/// Frames of a stack: what is deeper counts for the last of them. No flame graph shows more, and a
/// chain of a million forks would need lines of that length.
const MAX_DEPTH: usize = 100;

/// `--format folded`
pub static VIEW: View = View {
    name: "folded",
    help: "Stacks of commands with what they took, for flamegraph.pl, inferno and speedscope",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    across: Across::Summed,
    takes: &["weight"],
    start: |settings| Box::new(Stacks::new(settings.weight)),
};

/// What a stack's number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Weight {
    /// CPU time of the processes themselves, in nanoseconds
    #[default]
    Cpu,
    /// Run time of the processes while none of their children ran, in nanoseconds
    Duration,
    /// How many processes
    Count,
}

/// The sink of `--format folded`.
#[derive(Debug)]
struct Stacks {
    weight: Weight,
    lives: Lives,
}

impl Stacks {
    fn new(weight: Weight) -> Self {
        Self { weight, lives: Lives::for_picture() }
    }
}

impl Sink for Stacks {
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

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lives.end(totals);
        let mut stacks = fold(&self.lives, self.weight);
        sorted::by(&mut stacks, Ord::cmp);
        for (stack, weight) in &stacks {
            // Writing to a Vec can't fail.
            let _ = writeln!(out, "{stack} {weight}");
        }
        // The format has no other place for it.
        let of_cpu = self.weight == Weight::Cpu;
        let is_unknown = |life: &Life| of_cpu && !life.is_bystander() && life.cpu_ns().is_none();
        let unknown = self.lives.iter().filter(|(_, life)| is_unknown(life)).count();
        let remarks = [
            (unknown as u64, "process", "of_unknown_cost"),
            (self.lives.folded() as u64, "process", "left_out"),
            (totals.lost.total(), "event", "lost"),
        ];
        for (count, what, how) in remarks.into_iter().filter(|(count, ..)| *count > 0) {
            let _ = writeln!(out, "({}_{how}) 1", name(&counted(count, what)));
        }
        if totals.cut_off {
            let _ = writeln!(out, "(the_end_is_missing) 1");
        }
    }
}

/// A frame of a stack.
struct Frame {
    /// The stack up to here.
    stack: String,
    weight: u64,
    depth: usize,
}

/// The stacks that have a weight.
fn fold(lives: &Lives, weight: Weight) -> Vec<(String, u64)> {
    let children = lives.children();
    let mut frames: Vec<Frame> = Vec::new();
    let mut by_name: HashMap<(Option<usize>, String), usize> = HashMap::new();
    let mut todo: Vec<(LifeId, Option<usize>)> = children.of(None).map(|id| (id, None)).collect();
    while let Some((id, above)) = todo.pop() {
        let Some(life) = lives.get(id) else { continue };
        let depth = above.map_or(0, |above| frames[above].depth);
        let frame = if depth < MAX_DEPTH {
            let name = name(&life.name());
            *by_name.entry((above, name)).or_insert_with_key(|(above, name)| {
                let stack = match above {
                    Some(above) => format!("{};{name}", frames[*above].stack),
                    None => name.clone(),
                };
                frames.push(Frame { stack, weight: 0, depth: depth + 1 });
                frames.len() - 1
            })
        } else {
            above.unwrap_or_default()
        };
        frames[frame].weight = frames[frame].weight.saturating_add(match weight {
            Weight::Cpu => life.cpu_ns().unwrap_or(0),
            // Nothing but that it exists is known of a bystander.
            Weight::Duration if life.is_bystander() => 0,
            Weight::Duration => alone_ns(lives, &children, id),
            Weight::Count => u64::from(!life.is_bystander()),
        });
        todo.extend(children.of(Some(id)).map(|child| (child, Some(frame))));
    }
    let weighty = frames.into_iter().filter(|frame| frame.weight > 0);
    weighty.map(|frame| (frame.stack, frame.weight)).collect()
}

/// How long a process ran while none of its children did.
fn alone_ns(lives: &Lives, children: &Children, id: LifeId) -> u64 {
    let Some((begin, end)) = lives.span_of(id) else { return 0 };
    let spans = children.of(Some(id)).filter_map(|child| lives.span_of(child));
    let mut spans: Vec<_> = spans.map(|(from, to)| (from.max(begin), to.min(end))).collect();
    sorted::by(&mut spans, Ord::cmp);
    let (mut alone, mut until) = (0, begin);
    for (from, to) in spans {
        alone += from.saturating_sub(until);
        until = until.max(to);
    }
    alone + end.saturating_sub(until)
}

/// Without what divides frames, and stacks from weights.
fn name(name: &str) -> String {
    name.chars().map(|c| if c == ';' || c.is_whitespace() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;

    fn folded(weight: Weight, events: &[Event]) -> String {
        crate::view::fixtures::run(Stacks::new(weight), events)
    }

    /// make runs two cc at once, one of which runs as.
    fn build() -> Story {
        let mut story = Story::default();
        story.fork(0, 10, 1).exec(0, 10, 1, &["make"]);
        story.fork(100, 11, 10).exec(100, 11, 10, &["cc"]);
        story.fork(150, 12, 10).exec(150, 12, 10, &["cc"]);
        story.fork(200, 13, 11).exec(200, 13, 11, &["as"]);
        story.exit(300, 13, 11, 0).exit(400, 11, 10, 0).exit(500, 12, 10, 0).exit(600, 10, 1, 0);
        story
    }

    #[test]
    fn alone_is_without_the_time_of_children_that_run_at_once() {
        let want = "bash;make 200000\nbash;make;cc 550000\nbash;make;cc;as 100000\n";
        assert_eq!(folded(Weight::Duration, &build().events), want);
    }

    #[test]
    fn processes_are_counted_and_bystanders_are_not() {
        let want = "bash;make 1\nbash;make;cc 2\nbash;make;cc;as 1\n";
        assert_eq!(folded(Weight::Count, &build().events), want);
        let unknown = "(4_processes_of_unknown_cost) 1\n";
        assert_eq!(folded(Weight::Cpu, &build().events), unknown);
        let mut story = Story::default();
        story.fork(0, 10, 1).exec(0, 10, 1, &["ls"]).exit(9, 10, 1, 0).costs(7, None);
        assert_eq!(folded(Weight::Cpu, &story.events), "bash;ls 7000\n");
    }

    #[test]
    fn a_name_divides_nothing() {
        let mut story = Story::default();
        story.fork(0, 10, 1).exec(0, 10, 1, &["a;b c\nd 7"]).exit(5, 10, 1, 0);
        assert_eq!(folded(Weight::Count, &story.events), "bash;a_b_c\\x0ad_7 1\n");
    }

    #[test]
    fn what_is_too_deep_counts_above() {
        let mut story = Story::default();
        for pid in 2..400 {
            story.fork(u64::from(pid), pid, pid - 1);
        }
        let text = folded(Weight::Count, &story.events);
        assert_eq!(text.lines().count(), MAX_DEPTH - 1);
        let longest = text.lines().max_by_key(|line| line.len()).expect("some");
        assert_eq!(longest.matches(';').count(), MAX_DEPTH - 1);
        let weights = text.lines().filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        assert_eq!(weights.sum::<u64>(), 398);
    }
}
