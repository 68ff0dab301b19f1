// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--follow` at the start: finds the descendants that already run, without missing one that is
//! forked or orphaned meanwhile.
//!
//! The BPF side marks a child at its fork if its maker is marked. What it can't know is who
//! descends from the roots when it is attached. So, while this looks through /proc, it lets every
//! event pass, and notes who made whom: at each fork, and at each exit for the task itself and
//! the children that it leaves. A process that is alive at the attach is therefore found in /proc
//! below its parent, or one of the two has ended since, and that was noted. Once all that run are
//! known, the BPF side alone decides. Nothing of this goes through the ring buffer, which may
//! lose events.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::host::running;
use crate::kernel::ring::Ring;
use crate::kernel::tracer::{Learning, Tracer};
use crate::kernel::wire::Maker;
use crate::model::event::{Event, EventKind};

/// Where handlers can't be waited for, far longer than one runs: a fork's that did not yet see a
/// process among those that are followed has noted its child by then.
const GRACE: Duration = Duration::from_millis(20);
/// Likewise: by then those that let every event pass have reserved their records.
const SETTLE: Duration = Duration::from_millis(200);
/// More generations than come about in that time: ends the search where ids went in a circle.
const MAX_GENERATIONS: usize = 1 << 12;

/// The search for the descendants that already run.
#[derive(Debug)]
pub struct Follow {
    members: HashSet<u32>,
    /// The BPF side had to be told of somebody since the last look.
    found: bool,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Learning {
        until: Instant,
    },
    Settling {
        until: Instant,
    },
    /// Up to this position of the ring buffer there may be events of anybody.
    Draining {
        written: u64,
    },
    Over,
}

impl Follow {
    /// Starts from the roots. The tracer must be tracing, and learning all.
    ///
    /// # Errors
    /// There are too many processes to follow.
    pub fn start(tracer: &Tracer<'_>, roots: &[u32]) -> Result<Self> {
        let members = roots.iter().copied().collect();
        let phase = Phase::Learning { until: Instant::now() + GRACE };
        let mut follow = Self { members, found: false, phase };
        follow.look(tracer)?;
        Ok(follow)
    }

    /// Adds the descendants that /proc and the BPF side's notes tell of.
    fn look(&mut self, tracer: &Tracer<'_>) -> Result<()> {
        // In this order, and a note before what /proc had: that may be of an earlier owner of the
        // pid, or name who adopted an orphan.
        let processes = running::all();
        let makers: HashMap<u32, Maker> = tracer.makers().into_iter().collect();
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for process in processes.iter().filter(|process| !makers.contains_key(&process.pid)) {
            children.entry(process.ppid).or_default().push(process.pid);
        }
        let mut known = HashSet::new();
        for (&task, maker) in &makers {
            children.entry(maker.tgid).or_default().push(task);
            if maker.followed != 0 {
                known.insert(task);
            }
        }
        let mut parents: Vec<u32> = self.members.iter().copied().collect();
        while let Some(parent) = parents.pop() {
            for child in children.remove(&parent).unwrap_or_default() {
                if self.add(tracer, child, known.contains(&child))? {
                    parents.push(child);
                }
            }
        }
        Ok(())
    }

    /// Returns whether it is new here.
    fn add(&mut self, tracer: &Tracer<'_>, task: u32, known: bool) -> Result<bool> {
        let new = self.members.insert(task);
        if new && !known {
            self.found = true;
            tracer.add_pid(task)?;
        }
        Ok(new)
    }

    /// Whether events must be asked about: not once the BPF side knows all that are followed.
    pub fn is_learning(&self) -> bool {
        self.phase != Phase::Over
    }

    /// Whether the event is of a process that is followed.
    ///
    /// # Errors
    /// There are too many processes to follow.
    pub fn admits(&mut self, tracer: &Tracer<'_>, event: &Event) -> Result<bool> {
        if event.kind == EventKind::Fork && self.members.contains(&event.ppid) {
            let known = tracer.maker(event.pid).is_some_and(|maker| maker.followed != 0);
            return self.add(tracer, event.pid, known).map(|_| true);
        }
        let mut task = event.pid;
        let mut line = Vec::new();
        while !self.members.contains(&task) {
            let Some(maker) = tracer.maker(task) else { return Ok(false) };
            if line.len() >= MAX_GENERATIONS {
                return Ok(false);
            }
            line.push((task, maker.followed != 0));
            task = maker.tgid;
        }
        for (task, known) in line {
            self.add(tracer, task, known)?;
        }
        Ok(true)
    }

    /// Moves on when it is time.
    ///
    /// # Errors
    /// There are too many processes to follow.
    pub fn proceed(&mut self, tracer: &Tracer<'_>, ring: &Ring<'_>) -> Result<()> {
        match self.phase {
            Phase::Learning { until } if Instant::now() >= until => {
                self.found = false;
                tracer.await_handlers();
                self.look(tracer)?;
                self.phase = if self.found {
                    Phase::Learning { until: Instant::now() + GRACE }
                } else {
                    tracer.set_learning(Learning::Known);
                    tracer.await_handlers();
                    Phase::Settling { until: Instant::now() + SETTLE }
                };
            }
            Phase::Settling { until } if Instant::now() >= until => {
                self.phase = Phase::Draining { written: ring.written() };
            }
            Phase::Draining { written } if ring.read() >= written => {
                tracer.set_learning(Learning::Over);
                self.members = HashSet::new();
                self.phase = Phase::Over;
            }
            _ => {}
        }
        Ok(())
    }
}
