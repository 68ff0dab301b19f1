// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the processes of one group stand: above them up to the root, below them all.

use std::collections::{HashMap, HashSet};

use super::ledger::{Kind, Ledger, Living};
use crate::sorted;
use crate::text;

/// A line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub depth: usize,
    /// It is of the group.
    pub member: bool,
    /// CPU time since the last look, in nanoseconds; none of those that ended.
    pub recent_ns: Option<u64>,
    pub text: String,
}

/// The tree of those whose kind is of the group, and of those that ended since the last look, as
/// `gone` counts them by parent.
pub fn of(
    ledger: &Ledger,
    gone: &HashMap<(u32, Kind), u64>,
    is_member: impl Fn(Kind) -> bool,
) -> Vec<Node> {
    let living: HashMap<u32, &Living> = ledger.living().collect();
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (&pid, process) in &living {
        children.entry(process.ppid).or_default().push(pid);
    }
    children.values_mut().for_each(|pids| pids.sort_unstable());
    let mut ended: HashMap<u32, Vec<(Kind, u64)>> = HashMap::new();
    for (&(ppid, kind), &count) in gone.iter().filter(|((_, kind), _)| is_member(*kind)) {
        ended.entry(ppid).or_default().push((kind, count));
    }
    ended.values_mut().for_each(|kinds| {
        sorted::by_key(kinds, |(kind, count)| (u64::MAX - count, kind.comm.as_bytes().to_vec()))
    });

    let members = living.iter().filter(|(_, process)| is_member(process.kind)).map(|(&pid, _)| pid);
    let mut shown: HashSet<u32> = HashSet::new();
    for pid in members.clone().chain(ended.keys().copied()) {
        up(pid, &living, &mut shown);
    }
    for pid in members {
        down(pid, &children, &mut shown);
    }

    let mut roots: Vec<u32> = shown.iter().copied().collect();
    roots.retain(|pid| !shown.contains(&living[pid].ppid) || living[pid].ppid == *pid);
    roots.sort_unstable();
    let mut nodes = Vec::new();
    let mut seen = HashSet::new();
    let mut left: Vec<(u32, usize)> = roots.into_iter().rev().map(|pid| (pid, 0)).collect();
    while let Some((pid, depth)) = left.pop() {
        if !seen.insert(pid) {
            continue;
        }
        let process = living[&pid];
        let member = is_member(process.kind);
        let recent_ns = Some(process.recent_ns);
        nodes.push(Node { depth, member, recent_ns, text: describe(pid, process) });
        for &(kind, count) in ended.get(&pid).into_iter().flatten() {
            nodes.push(Node {
                depth: depth + 1,
                member: true,
                recent_ns: None,
                text: gone_text(kind, count),
            });
        }
        let below = children.get(&pid).into_iter().flatten();
        left.extend(below.rev().filter(|pid| shown.contains(pid)).map(|&pid| (pid, depth + 1)));
    }
    for (_, kinds) in ended.iter().filter(|(ppid, _)| !living.contains_key(ppid)) {
        for &(kind, count) in kinds {
            let text = gone_text(kind, count) + ", of a parent that has ended, too";
            nodes.push(Node { depth: 0, member: true, recent_ns: None, text });
        }
    }
    nodes
}

fn up(pid: u32, living: &HashMap<u32, &Living>, shown: &mut HashSet<u32>) {
    let mut next = Some(pid);
    while let Some(process) = next.and_then(|pid| living.get(&pid)) {
        if !shown.insert(next.unwrap_or_default()) {
            return;
        }
        next = Some(process.ppid);
    }
}

fn down(pid: u32, children: &HashMap<u32, Vec<u32>>, shown: &mut HashSet<u32>) {
    let mut left = vec![pid];
    let mut seen = HashSet::new();
    while let Some(pid) = left.pop() {
        if seen.insert(pid) {
            shown.insert(pid);
            left.extend(children.get(&pid).into_iter().flatten());
        }
    }
}

fn describe(pid: u32, process: &Living) -> String {
    let mut text = format!("{pid} ");
    match &process.args {
        Some(args) => text::command::quote(args, &mut text),
        None => text::escape(process.kind.comm.as_bytes(), &mut text),
    }
    text
}

fn gone_text(kind: Kind, count: u64) -> String {
    let mut text = format!("{} ended: ", text::quantity::count(count));
    text::escape(kind.comm.as_bytes(), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;

    /// No process has such a pid, nor those after it.
    const PID: u32 = 5_000_000;

    fn drawn(nodes: &[Node]) -> Vec<String> {
        nodes.iter().map(|node| "  ".repeat(node.depth) + &node.text).collect()
    }

    #[test]
    fn members_stand_between_those_above_and_those_below() {
        let mut ledger = Ledger::empty();
        let mut story = Story::default();
        story.fork(0, PID, 1).exec(1, PID, 1, &["make"]).fork(2, PID + 9, 1);
        for (pid, args) in [(PID + 1, ["sh", "-c"]), (PID + 3, ["sh", "-x"])] {
            story.fork(3, pid, PID).exec(4, pid, PID, &args);
        }
        story.fork(5, PID + 2, PID + 1).exec(6, PID + 2, PID + 1, &["cc", "a.c"]);
        story.events.iter().for_each(|event| ledger.event(event));
        let mut gone = HashMap::new();
        let sh = ledger.living().find(|(pid, _)| *pid == PID + 1).expect("alive").1.kind;
        gone.insert((PID, sh), 1200);
        gone.insert((PID + 77, sh), 1);
        let nodes = of(&ledger, &gone, |kind| kind == sh);
        let expected = [
            "5000000 make",
            "  1,200 ended: sh",
            "  5000001 sh -c",
            "    5000002 cc a.c",
            "  5000003 sh -x",
            "1 ended: sh, of a parent that has ended, too",
        ];
        assert_eq!(drawn(&nodes), expected);
        assert_eq!(nodes.iter().filter(|node| node.member).count(), 4);
    }

    /// /proc is no snapshot: a pid that came back may seem to be its own ancestor.
    #[test]
    fn a_circle_has_an_end() {
        let mut ledger = Ledger::empty();
        let mut story = Story::default();
        story.fork(0, PID, PID + 1).fork(1, PID + 1, PID).fork(2, PID + 2, PID + 2);
        story.events.iter().for_each(|event| ledger.event(event));
        assert!(of(&ledger, &HashMap::new(), |_| true).len() <= 3);
    }
}
