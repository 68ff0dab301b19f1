// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processes that ran longest.

use super::figures::Longest;

/// So many.
const MANY: usize = 10;

/// The longest first.
#[derive(Debug, Default)]
pub struct LongestRuns(Vec<Longest>);

impl LongestRuns {
    /// Whether one that ran for so long is among them.
    pub fn takes(&self, ns: u64) -> bool {
        self.0.len() < MANY || self.0.last().is_some_and(|run| ns > run.run_time_ns)
    }

    /// Takes one in.
    pub fn keep(&mut self, new: Longest) {
        let at = self.0.partition_point(|run| run.run_time_ns >= new.run_time_ns);
        self.0.insert(at, new);
        self.0.truncate(MANY);
    }

    /// All of them, which are then forgotten.
    pub fn take(&mut self) -> Vec<Longest> {
        std::mem::take(&mut self.0)
    }
}
