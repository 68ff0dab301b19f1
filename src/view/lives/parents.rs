// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose child a process is drawn as, where its fork was not seen.

use super::{Life, LifeId, Lives};
use crate::model::event::Event;

impl Lives {
    /// Notes who is the parent at an exec or exit, where the wide mode tells.
    pub(super) fn parent_now(&mut self, event: &Event, born_to: Option<u32>) {
        let (id, life) = self.whose(event);
        if event.ppid == 0 {
            return;
        }
        let (known, parent) = (life.born_to(), life.parent);
        let first = known.or(born_to).unwrap_or(event.ppid);
        life.made_by(first);
        if first != event.ppid {
            if let Some(rare) = self.rare(id) {
                rare.adopter = Some(event.ppid);
            }
        }
        if known.is_some() || parent.is_some() {
            return;
        }
        let pid = if self.by_pid.has(first) { first } else { event.ppid };
        let parent = match self.with_pid(pid) {
            Some((parent, _)) => parent,
            None => self.insert(Life::new(pid), 0, event.timestamp_ns),
        };
        // It was nobody's child so far: below itself it is where all above the parent ends in it.
        if self.root(parent) != id {
            if let Some(life) = self.lives.get_mut(&id) {
                (life.parent, life.above) = (Some(parent), Some(parent));
            }
        }
    }

    /// The ancestor of all its ancestors that are known. Each look halves the way for the next one:
    /// `above` leads from ancestor to ancestor.
    fn root(&mut self, mut id: LifeId) -> LifeId {
        let above = |lives: &Self, id| lives.get(id).and_then(|life| life.above);
        while let Some(up) = above(self, id) {
            #[cfg(test)]
            {
                self.steps += 1;
            }
            let Some(further) = above(self, up) else { return up };
            if let Some(life) = self.lives.get_mut(&id) {
                life.above = Some(further);
            }
            id = further;
        }
        id
    }
}
