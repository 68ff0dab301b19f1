// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lives when no more events come: who hangs on whom.

use super::{Folded, Life, LifeId, Lives};
use crate::sorted;

/// The children of each process, sorted by them and then by the order in which they were heard of.
#[derive(Debug)]
pub struct Children(Vec<(Option<LifeId>, LifeId)>);

impl Children {
    /// Those of a process, or those whose parent is not known.
    pub fn of(
        &self,
        parent: Option<LifeId>,
    ) -> impl DoubleEndedIterator<Item = LifeId> + ExactSizeIterator {
        let from = self.0.partition_point(|(of, _)| *of < parent);
        let to = from + self.0[from..].partition_point(|(of, _)| *of == parent);
        self.0[from..to].iter().map(|(_, child)| *child)
    }
}

impl Lives {
    /// The children of each, and those without a parent under `None`.
    pub fn children(&self) -> Children {
        let known = |parent: &LifeId| self.lives.contains_key(parent);
        let mut list: Vec<_> =
            self.iter().map(|(id, life)| (life.parent.filter(known), id)).collect();
        sorted::by(&mut list, Ord::cmp);
        Children(list)
    }

    /// Completes the lives when no more events come: see `settle_threads`; and drops a parent of
    /// which nothing is known but that it had this one child.
    pub(super) fn settle(&mut self) {
        self.settle_threads();
        let nameless = |life: &Life| {
            life.is_bystander() && life.comm.is_none() && life.folded() == Folded::default()
        };
        for family in self.children().0.chunk_by(|a, b| a.0 == b.0) {
            let &[(Some(parent), _)] = family else { continue };
            if self.get(parent).is_some_and(nameless) {
                self.remove(parent);
            }
        }
    }

    /// Makes threads of what the basic mode can only tell to be threads at the end: its forks
    /// are of tasks, and every task's exit has the id of the process. As many as a process has
    /// exits beyond its own, of those that it made and that did nothing by themselves.
    fn settle_threads(&mut self) {
        let mut extra: Vec<(LifeId, u32)> = Vec::new();
        for (id, life) in self.iter() {
            let own = u32::from(life.end.is_some());
            extra.extend(life.exits.checked_sub(own + 1).map(|more| (id, more + 1)));
        }
        if extra.is_empty() {
            return;
        }
        let children = self.children();
        for (id, mut extra) in extra {
            let mut todo: Vec<_> = children.of(Some(id)).collect();
            while let Some(child) = (extra > 0).then(|| todo.pop()).flatten() {
                let silent =
                    |life: &Life| !life.start_known && life.never_execed() && life.exits == 0;
                if !self.get(child).is_some_and(silent) {
                    continue;
                }
                let folded = self.remove(child).map(|child| child.folded()).unwrap_or_default();
                extra -= 1;
                if let Some(rare) = self.rare(id) {
                    rare.threads = rare.threads.saturating_add(1);
                    rare.folded.add(folded);
                }
                // What a thread made, its process made.
                for grandchild in children.of(Some(child)) {
                    if let Some(life) = self.lives.get_mut(&grandchild) {
                        life.parent = Some(id);
                    }
                    todo.push(grandchild);
                }
            }
        }
    }
}
