// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exits that went without their cost: nobody reaped the process for so long. What sums is told later.

use crate::kernel::wire::Task;
use crate::model::event::{Detail, Event};
use crate::process::recent::Recent;

/// So many are remembered, of some 500 bytes each.
const MAX_OWED: usize = 4096;

/// Those exits.
#[derive(Debug)]
pub struct Owed(Recent<Task, Unpaid>);

/// One of them.
#[derive(Debug)]
pub struct Unpaid {
    /// The exit, without the arguments: no sum takes these, and they may be long.
    pub exit: Event,
    /// The highest resident set up to its last exec, in bytes.
    pub inherited_rss: Option<u64>,
    /// The sink and the metrics were told of it.
    pub shown: bool,
}

impl Default for Owed {
    fn default() -> Self {
        Self(Recent::new(MAX_OWED))
    }
}

impl Owed {
    /// Keeps a process's exit.
    pub fn keep(&mut self, task: Task, exit: &Event, inherited_rss: Option<u64>, shown: bool) {
        let mut exit = exit.clone();
        let detail = exit.wide.as_deref_mut().map(|wide| &mut wide.detail);
        if let Some(Detail::Exit(ended)) = detail.filter(|detail| !detail.is_of_thread()) {
            ended.args = None;
            self.0.keep(task, Unpaid { exit, inherited_rss, shown });
        }
    }

    /// The exit of this task, if it is one of them.
    pub fn take(&mut self, task: Task) -> Option<Unpaid> {
        self.0.take(&task)
    }
}
