// SPDX-License-Identifier: MIT OR Apache-2.0
//! Failures that were passed up to the root, apart from those that somebody tolerated.
//!
//! No kernel tells why a process failed. One that failed is taken to have done so for the last of its
//! children that did, and for those after which it started nothing more: what goes on after a
//! failure, and fails later for another one, has tolerated the first.

use super::lanes::Placed;
use crate::view::lives::{Life, Lives};

/// Of each process, whether it failed, and whether that was passed up to the root.
#[derive(Debug)]
pub struct Failures {
    failed: Vec<bool>,
    passed: Vec<bool>,
}

impl Failures {
    /// Of these, parents before their children.
    pub fn of(lives: &Lives, placed: &[Placed]) -> Self {
        let failed: Vec<bool> =
            placed.iter().map(|process| lives.get(process.id).is_some_and(Life::failed)).collect();
        // Of each process: its last child that failed, and when its last child began.
        let mut last_failed: Vec<Option<usize>> = vec![None; placed.len()];
        let mut last_born = vec![0; placed.len()];
        for (i, process) in placed.iter().enumerate() {
            let Some(parent) = process.parent else { continue };
            last_born[parent] = process.span.0.max(last_born[parent]);
            // A parent that ended before can't have failed for it.
            if failed[i] && process.span.1 <= placed[parent].span.1 {
                let later = |other: usize| placed[other].span.1 > process.span.1;
                if !last_failed[parent].is_some_and(later) {
                    last_failed[parent] = Some(i);
                }
            }
        }
        let mut passed = failed.clone();
        for (i, process) in placed.iter().enumerate() {
            let by_parent = |parent: usize| {
                let ended = process.span.1;
                let was_last = last_failed[parent] == Some(i) || last_born[parent] < ended;
                passed[parent] && was_last && ended <= placed[parent].span.1
            };
            let passed_up = process.parent.is_none_or(by_parent);
            passed[i] &= passed_up;
        }
        Self { failed, passed }
    }

    /// It failed, and all above it failed for that.
    pub fn is_passed_up(&self, i: usize) -> bool {
        self.passed[i]
    }

    /// How many were passed up, and how many were tolerated.
    pub fn counts(&self) -> (usize, usize) {
        let failed = self.failed.iter().filter(|failed| **failed).count();
        let passed = self.passed.iter().filter(|passed| **passed).count();
        (passed, failed - passed)
    }

    /// Where a failure that came to this root began: of those that were passed up and have no such
    /// child, the first that ended.
    pub fn first_cause(&self, placed: &[Placed], root: usize) -> Option<usize> {
        let mut below = vec![false; placed.len()];
        let mut has_cause = vec![false; placed.len()];
        for i in root..placed.len() {
            below[i] = i == root || placed[i].parent.is_some_and(|parent| below[parent]);
            if let Some(parent) = placed[i].parent.filter(|_| self.passed[i]) {
                has_cause[parent] = true;
            }
        }
        let causes = (root..placed.len()).filter(|&i| below[i] && self.passed[i] && !has_cause[i]);
        causes.min_by_key(|&i| (placed[i].span.1, i))
    }
}
