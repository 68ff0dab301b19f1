// SPDX-License-Identifier: MIT OR Apache-2.0
//! What differs between captures from before and from after.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::run::{Measures, Run};
use crate::sorted;

/// Of a whole run: a time or a size that changed by less is noise, whatever its own share.
const NOISE: f64 = 0.01;

/// What counts as a change.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of the figure before: times and sizes that changed by no more are alike.
    pub threshold: f64,
    /// By what is grouped.
    pub by: &'static str,
    /// Command lines are compared, too.
    pub execs: bool,
}

/// All that is said, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The captures from before.
    pub before: Side,
    /// Those from after.
    pub after: Side,
    /// What makes the groups.
    pub by: &'static str,
    /// Something differs.
    pub differs: bool,
    /// All could be compared: nothing was lost, and all that was asked for is known.
    pub certain: bool,
    /// All groups, those that changed most first.
    pub groups: Vec<Group>,
    /// What the end waited for, by command, what changed most first; medians.
    pub chain: Vec<Waited>,
    /// Command lines that one side alone has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execs: Option<Execs>,
}

/// Captures of one side.
#[derive(Debug, Serialize)]
pub struct Side {
    pub captures: Vec<String>,
    /// How long they took: the median.
    pub elapsed_ns: u64,
    pub processes: u64,
    pub cpu_ns: u64,
    /// Nothing is missing in any of them.
    pub complete: bool,
}

/// A group of processes on both sides.
#[derive(Debug, Serialize)]
pub struct Group {
    pub name: String,
    /// `new`, `gone`, `changed` or `alike`.
    pub state: State,
    pub count: Change,
    pub failures: Change,
    pub cpu_ns: Change,
    pub run_time_ns: Change,
    pub max_rss_bytes: Change,
    /// Processes, of both sides, whose CPU time isn't known; then that isn't compared.
    #[serde(skip_serializing_if = "is_zero")]
    pub cost_unknown: u64,
    /// How much of the whole the greatest change is.
    #[serde(skip)]
    weight: f64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    New,
    Gone,
    Changed,
    Alike,
}

/// A figure on both sides: medians, null where it isn't known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Change {
    pub before: Option<u64>,
    pub after: Option<u64>,
    /// More than a threshold, and more than the captures of one side differ by themselves.
    pub changed: bool,
}

/// A part of what the end waited for.
#[derive(Debug, Serialize)]
pub struct Waited {
    pub command: String,
    pub before_ns: u64,
    pub after_ns: u64,
}

/// Command lines.
#[derive(Debug, Serialize)]
pub struct Execs {
    /// In all captures from after, and in none from before, with how often (the median).
    pub new: Vec<CommandLine>,
    /// The reverse.
    pub gone: Vec<CommandLine>,
    /// Execs of more command lines than are told apart: of these it isn't known.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_compared: u64,
}

/// One that was exec'd.
#[derive(Debug, Serialize)]
pub struct CommandLine {
    /// Without what differs from run to run.
    pub command_line: String,
    /// How often.
    pub count: u64,
}

/// How a figure is compared.
#[derive(Clone, Copy)]
enum Kind {
    /// Any change counts.
    Exact,
    /// More than the threshold of it, and more than noise where the whole is so much.
    Measured { whole: u64 },
}

/// What all groups come to together, on the side that has more: by this a group's change is weighed.
struct Wholes {
    processes: u64,
    cpu_ns: u64,
    /// Of the capture that has most.
    run_time_ns: u64,
}

impl Wholes {
    fn of(sides: &[Side; 2], before: &[Run], after: &[Run]) -> Self {
        let most = |figure: fn(&Side) -> u64| sides.iter().map(figure).max().unwrap_or(0);
        let run_times = before.iter().chain(after).map(|run| run.sum(|group| group.run_time_ns));
        Self {
            processes: most(|side| side.processes),
            cpu_ns: most(|side| side.cpu_ns),
            run_time_ns: run_times.max().unwrap_or(0),
        }
    }
}

/// Compares captures of both sides; of each there is at least one.
pub fn compare(before: &[Run], after: &[Run], options: &Options) -> Report {
    let sides = [before, after].map(side);
    let wholes = Wholes::of(&sides, before, after);
    let names: BTreeSet<&String> =
        before.iter().chain(after).flat_map(|run| run.groups.keys()).collect();
    let mut groups: Vec<Group> =
        names.into_iter().map(|name| group(name, before, after, &wholes, options)).collect();
    sorted::by(&mut groups, |a, b| b.weight.total_cmp(&a.weight).then_with(|| a.name.cmp(&b.name)));
    let execs = options.execs.then(|| execs(before, after));
    let differs = groups.iter().any(|group| group.state != State::Alike)
        || execs.as_ref().is_some_and(|execs| !execs.new.is_empty() || !execs.gone.is_empty());
    let [before_side, after_side] = sides;
    let certain = before_side.complete
        && after_side.complete
        && groups.iter().all(|group| group.cost_unknown == 0)
        && execs.as_ref().is_none_or(|execs| execs.not_compared == 0);
    Report {
        certain,
        before: before_side,
        after: after_side,
        by: options.by,
        differs,
        groups,
        chain: chain(before, after),
        execs,
    }
}

fn side(runs: &[Run]) -> Side {
    let sum =
        |measure: fn(&Measures) -> u64| median(runs.iter().map(|run| run.sum(measure)).collect());
    Side {
        captures: runs.iter().map(|run| run.name.clone()).collect(),
        elapsed_ns: median(runs.iter().map(|run| run.elapsed_ns).collect()),
        processes: sum(|measures| measures.count),
        cpu_ns: sum(|measures| measures.cpu_ns),
        complete: runs.iter().all(|run| run.complete),
    }
}

/// The middle one; of an even number the lower of both.
fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

fn group(name: &str, before: &[Run], after: &[Run], wholes: &Wholes, options: &Options) -> Group {
    let of = |runs: &[Run]| -> Vec<Measures> {
        runs.iter().map(|run| run.groups.get(name).copied().unwrap_or_default()).collect()
    };
    let both = [of(before), of(after)];
    let known = |figure: fn(&Measures) -> u64| move |measures: &Measures| Some(figure(measures));
    let measured = |whole| Kind::Measured { whole };
    let change = |figure: &dyn Fn(&Measures) -> Option<u64>, kind| {
        change(both.each_ref().map(|side| side.iter().map(figure).collect()), kind, options)
    };
    let count = change(&known(|measures| measures.count), Kind::Exact);
    let failures = change(&known(|measures| measures.failures), Kind::Exact);
    let cpu_ns = change(&cpu, measured(wholes.cpu_ns));
    let run_time_ns = change(&run_time, measured(wholes.run_time_ns));
    let max_rss_bytes = change(&|measures| measures.max_rss_bytes, measured(0));
    let there = both.each_ref().map(|side| side.iter().filter(|one| one.count > 0).count());
    let changes = [count, failures, cpu_ns, run_time_ns, max_rss_bytes];
    let state = match there {
        [0, n] if n == after.len() => State::New,
        [n, 0] if n == before.len() => State::Gone,
        _ if changes.iter().any(|change| change.changed) => State::Changed,
        _ => State::Alike,
    };
    let wholes = [wholes.processes, 1, wholes.cpu_ns, wholes.run_time_ns, u64::MAX];
    let shares = changes.iter().zip(wholes).map(|(change, whole)| change.share(whole));
    let weight = shares.fold(0.0, f64::max);
    let weight = if state == State::Alike { -1.0 } else { weight };
    let cost_unknown = both.iter().flatten().map(|measures| measures.cost_unknown).sum();
    let name = name.to_owned();
    Group { name, state, count, failures, cpu_ns, run_time_ns, max_rss_bytes, cost_unknown, weight }
}

/// None where it isn't known of some process.
fn cpu(measures: &Measures) -> Option<u64> {
    (measures.cost_unknown == 0).then_some(measures.cpu_ns)
}

/// Likewise: that of one that still ran.
fn run_time(measures: &Measures) -> Option<u64> {
    (measures.running == 0).then_some(measures.run_time_ns)
}

impl Change {
    fn share(&self, whole: u64) -> f64 {
        match (self.changed, self.before.zip(self.after)) {
            (true, Some((before, after))) => before.abs_diff(after) as f64 / whole.max(1) as f64,
            _ => 0.0,
        }
    }
}

/// The figures of all captures of each side.
fn change(sides: [Vec<Option<u64>>; 2], kind: Kind, options: &Options) -> Change {
    let known = sides.map(|side| side.into_iter().collect::<Option<Vec<u64>>>());
    let medians = known.each_ref().map(|side| side.clone().map(median));
    let [before, after] = medians;
    let changed = match (before.zip(after), &known) {
        (Some((was, is)), [Some(all_before), Some(all_after)]) => {
            let by = was.abs_diff(is) as f64;
            let counts = match kind {
                Kind::Exact => was != is,
                Kind::Measured { whole } => {
                    by > options.threshold * was as f64 && by > NOISE * whole as f64
                }
            };
            // What lies within the spread of the other side is no change.
            let within = |figure: u64, all: &[u64]| {
                all.iter().min() <= Some(&figure) && all.iter().max() >= Some(&figure)
            };
            counts && !within(is, all_before) && !within(was, all_after)
        }
        _ => false,
    };
    Change { before, after, changed }
}

fn chain(before: &[Run], after: &[Run]) -> Vec<Waited> {
    let of = |runs: &[Run], command: &str| {
        median(runs.iter().map(|run| run.chain.get(command).copied().unwrap_or(0)).collect())
    };
    let commands: BTreeSet<&String> =
        before.iter().chain(after).flat_map(|run| run.chain.keys()).collect();
    let waited = |command: &String| Waited {
        command: command.clone(),
        before_ns: of(before, command),
        after_ns: of(after, command),
    };
    let mut chain: Vec<Waited> = commands.into_iter().map(waited).collect();
    sorted::by_key(&mut chain, |waited| Reverse(waited.before_ns.abs_diff(waited.after_ns)));
    chain
}

fn execs(before: &[Run], after: &[Run]) -> Execs {
    let only = |these: &[Run], others: &[Run]| {
        let mut counts: BTreeMap<&String, Vec<u64>> = BTreeMap::new();
        for run in these {
            for (line, &count) in &run.execs {
                counts.entry(line).or_default().push(count);
            }
        }
        let alone = |line: &str| others.iter().all(|run| !run.execs.contains_key(line));
        let list =
            counts.into_iter().filter(|(line, counts)| counts.len() == these.len() && alone(line));
        let mut list: Vec<CommandLine> = list
            .map(|(line, counts)| CommandLine { command_line: line.clone(), count: median(counts) })
            .collect();
        sorted::by_key(&mut list, |line| Reverse(line.count));
        list
    };
    let not_compared = before.iter().chain(after).map(|run| run.execs_not_told).sum();
    Execs { new: only(after, before), gone: only(before, after), not_compared }
}
