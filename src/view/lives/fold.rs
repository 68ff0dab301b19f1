// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bound of what is kept: beyond it the least of the processes become counts of their parents.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::{Folded, Life, LifeId, Lives};

/// What is counted of processes that are kept and of those that are folded alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub processes: usize,
    pub execs: usize,
    pub failed: usize,
    pub failed_execs: usize,
    pub never_execed: usize,
    pub running: usize,
}

impl Tally {
    /// Counts one in. A bystander isn't counted: nothing of it is in the capture.
    pub fn add(&mut self, life: &Life) {
        if life.is_bystander() {
            return;
        }
        self.processes += 1;
        self.execs += life.exec_count();
        self.failed += usize::from(life.failed());
        self.failed_execs += life.failed_execs().map_or(0, |failed| failed.count as usize);
        self.never_execed += usize::from(life.never_execed());
        self.running += usize::from(life.end.is_none());
    }
}

impl Lives {
    /// Folds processes into their parents until they take three quarters of the room that there
    /// is, so that the cost of one look at all of them is shared by many. First those that have
    /// ended, the shortest first, then those that were heard of first; nobody before all who
    /// hang on them.
    pub(super) fn fold(&mut self) {
        let room = self.room / 4 * 3;
        let mut children: HashMap<LifeId, usize> = HashMap::new();
        for parent in self.lives.values().filter_map(|life| life.parent) {
            *children.entry(parent).or_default() += 1;
        }
        let leaves = self.iter().filter(|(id, _)| !children.contains_key(id));
        let mut leaves: BinaryHeap<_> = leaves.map(|(id, life)| Reverse(rank(id, life))).collect();
        while self.bytes > room {
            let Some(Reverse((.., id))) = leaves.pop() else { break };
            let Some(life) = self.remove(id) else { continue };
            self.folded.add(&life);
            let mut folded = life.folded();
            if !life.is_bystander() {
                folded.add(Folded { count: 1, failed: u32::from(life.failed()) });
            }
            let parent = life.parent.and_then(|id| Some((id, self.lives.get_mut(&id)?)));
            let Some((parent_id, parent)) = parent else {
                self.folded_roots.add(folded);
                continue;
            };
            parent.rare(&mut self.bytes).folded.add(folded);
            let more = children.get_mut(&parent_id).map(|count| {
                *count -= 1;
                *count
            });
            if more == Some(0) {
                leaves.push(Reverse(rank(parent_id, parent)));
            }
        }
    }
}

/// The least is folded first.
fn rank(id: LifeId, life: &Life) -> (bool, u64, LifeId) {
    match life.end {
        Some(end) => (false, life.lived_ns(end.at_ns).unwrap_or(0), id),
        None => (true, 0, id),
    }
}
