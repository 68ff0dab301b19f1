// SPDX-License-Identifier: MIT OR Apache-2.0
//! Those beside the chain: who worked while it waited, and who had time left.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::shares::Share;
use crate::sorted;
use crate::view::lives::{Children, Life, LifeId, Lives, Segment};

/// A sibling that used the CPU while the chain waited.
pub struct Worker {
    /// Its process id.
    pub pid: u32,
    /// What it and those below it used meanwhile, if they did so evenly.
    pub cpu_ns: u64,
    command_line: String,
}

impl Worker {
    /// For a terminal.
    pub fn command_line(&self) -> &str {
        &self.command_line
    }
}

/// A process that nobody on the chain waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slack {
    /// Which.
    pub id: LifeId,
    /// How long it ran.
    pub len_ns: u64,
    /// By how much later it could have ended before its parent did something else; none: it ended
    /// after its parent, or not at all.
    pub slack_ns: Option<u64>,
}

/// The sibling that used more CPU time during a segment than the segment's process.
pub fn worker(
    lives: &Lives,
    children: &Children,
    segment: &Segment,
    share: &Share,
) -> Option<Worker> {
    let parent = lives.get(segment.id)?.parent?;
    let meanwhile = |id: LifeId| {
        let (begin, end) = lives.span_of(id)?;
        let overlap = end.min(segment.to_ns).checked_sub(begin.max(segment.from_ns))?;
        let all = cpu_below(lives, children, id);
        let part = u128::from(all) * u128::from(overlap) / u128::from((end - begin).max(1));
        Some((part as u64, Reverse(id)))
    };
    let siblings = children.of(Some(parent)).filter(|id| *id != segment.id);
    let (cpu_ns, Reverse(id)) = siblings.filter_map(meanwhile).max()?;
    let life = lives.get(id).filter(|_| cpu_ns > share.cpu_ns.unwrap_or(0))?;
    // A tenth of the time, or it explains nothing.
    (cpu_ns >= share.len_ns / 10).then(|| Worker {
        pid: life.pid,
        cpu_ns,
        command_line: life.command_line(),
    })
}

/// What a process and all below it used.
fn cpu_below(lives: &Lives, children: &Children, id: LifeId) -> u64 {
    let (mut sum, mut todo) = (0_u64, vec![id]);
    while let Some(id) = todo.pop() {
        sum = sum.saturating_add(lives.get(id).and_then(Life::cpu_ns).unwrap_or(0));
        todo.extend(children.of(Some(id)));
    }
    sum
}

/// The children of the chain's processes that aren't on it, the longest first.
pub fn off_the_chain(
    lives: &Lives,
    children: &Children,
    root: LifeId,
    segments: &[Segment],
) -> Vec<Slack> {
    let mut on_it: HashSet<LifeId> = HashSet::new();
    let mut ends: HashMap<LifeId, Vec<u64>> = HashMap::new();
    for segment in segments {
        let mut id = Some(segment.id);
        while let Some(new) = id.filter(|id| on_it.insert(*id)) {
            let parent = lives.get(new).and_then(|life| life.parent);
            if let (Some(parent), Some((_, end))) = (parent, lives.span_of(new)) {
                ends.entry(parent).or_default().push(end);
            }
            id = parent.filter(|_| new != root);
        }
    }
    ends.values_mut().for_each(|ends| ends.sort_unstable());
    let mut others = Vec::new();
    for &parent in &on_it {
        let waited: &[u64] = ends.get(&parent).map_or(&[], Vec::as_slice);
        // What it started next may have had to wait for one that had ended.
        let births = children.of(Some(parent)).filter_map(|id| Some(lives.span_of(id)?.0));
        let mut births: Vec<u64> = births.collect();
        births.sort_unstable();
        for id in children.of(Some(parent)).filter(|id| !on_it.contains(id)) {
            let Some((begin, end)) = lives.span_of(id) else { continue };
            let ended = lives.get(id).is_some_and(|life| life.end.is_some());
            // Its parent waited for somebody else then, until that one ended.
            let next = |times: &[u64]| times.get(times.partition_point(|&at| at < end)).copied();
            let until = [next(waited), next(&births)].into_iter().flatten().min();
            let slack_ns = until.filter(|_| ended).map(|until| until - end);
            others.push(Slack { id, len_ns: end - begin, slack_ns });
        }
    }
    sorted::by_key(&mut others, |other| (Reverse(other.len_ns), other.id));
    others
}
