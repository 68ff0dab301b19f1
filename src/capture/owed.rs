// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exits that went without their cost: nobody reaped the process for so long. What sums is told later.

use crate::kernel::wire::Task;
use crate::model::event::Event;
use crate::process::recent::Recent;

/// So many are remembered: some 500 bytes each, and their arguments.
const MAX_OWED: usize = 4096;

/// Those exits.
#[derive(Debug)]
pub struct Owed(Recent<Task, (Event, Option<u64>)>);

impl Default for Owed {
    fn default() -> Self {
        Self(Recent::new(MAX_OWED))
    }
}

impl Owed {
    /// Keeps a process's exit; `inherited_rss`: the highest resident set up to its last exec, in bytes.
    pub fn keep(&mut self, task: Task, exit: &Event, inherited_rss: Option<u64>) {
        if exit.ended().is_some_and(|ended| !ended.thread) {
            self.0.keep(task, (exit.clone(), inherited_rss));
        }
    }

    /// The exit of this task, if it is one of them.
    pub fn take(&mut self, task: Task) -> Option<(Event, Option<u64>)> {
        self.0.take(&task)
    }
}
