// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tracks that are used again: a process has one of its own while it lives, below its parent's.

use std::collections::BTreeSet;

/// Free lanes that are looked at for one that is free early enough.
const LOOKS: usize = 64;

/// The tracks. The first one is 1.
#[derive(Debug, Default)]
pub struct Lanes {
    /// For each lane, since when it is free.
    free_from_ns: Vec<u64>,
    free: BTreeSet<usize>,
}

impl Lanes {
    /// Takes the first lane below `parent` (0: below none) that is free from `from_ns` on; true
    /// where it is a new one.
    pub fn take(&mut self, parent: usize, from_ns: u64) -> (usize, bool) {
        let early = |lane: &&usize| self.free_from_ns[**lane - 1] <= from_ns;
        let lane = self.free.range(parent + 1..).take(LOOKS).find(early).copied();
        if let Some(lane) = lane {
            self.free.remove(&lane);
            return (lane, false);
        }
        self.free_from_ns.push(0);
        (self.free_from_ns.len(), true)
    }

    /// Gives a lane back.
    pub fn leave(&mut self, lane: usize, at_ns: u64) {
        self.free_from_ns[lane - 1] = at_ns;
        self.free.insert(lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_used_again_below_the_parent_and_never_twice_at_a_time() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.take(0, 10), (1, true));
        assert_eq!(lanes.take(1, 10), (2, true));
        assert_eq!(lanes.take(1, 11), (3, true));
        lanes.leave(2, 20);
        assert_eq!(lanes.take(2, 20), (4, true), "above its parent is no place for it");
        assert_eq!(lanes.take(1, 19), (5, true), "it is not free by then");
        assert_eq!(lanes.take(1, 20), (2, false));
    }
}
