// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--follow` at the start: finds the descendants that already run, without missing one that is
//! forked meanwhile.
//!
//! The BPF side marks a child at its fork if its maker is marked. What it can't know is who
//! descends from the roots when it is attached. So, while this looks through /proc, it lets every
//! event pass and tells of every fork; here the two are put together. Once all that run are
//! known, the BPF side alone decides.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::event::Event;
use crate::running;
use crate::tracer::{Learning, Tracer};
use crate::wire::FollowFork;

/// How long the BPF side lets all pass: far longer than a fork handler runs, so that each fork
/// by a process that was not yet marked has been told of by then.
const LEARN: Duration = Duration::from_millis(100);
/// How long afterwards events that passed by that may still lie on the ring buffer.
const SETTLE: Duration = Duration::from_millis(200);

/// The search for the descendants that already run.
#[derive(Debug)]
pub struct Follow {
    members: HashSet<u32>,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    Learning { until: Instant },
    Settling { until: Instant },
    Over,
}

impl Follow {
    /// Starts from the roots. The tracer must be tracing, and learning all.
    ///
    /// # Errors
    /// There are too many processes to follow.
    pub fn start(tracer: &Tracer<'_>, roots: &[u32]) -> Result<Self> {
        let members = roots.iter().copied().collect();
        let phase = Phase::Learning { until: Instant::now() + LEARN };
        let mut follow = Self { members, phase };
        follow.look_through_proc(tracer)?;
        Ok(follow)
    }

    /// Adds the descendants that /proc knows of.
    fn look_through_proc(&mut self, tracer: &Tracer<'_>) -> Result<()> {
        let running = running::all();
        // A child may be listed before its parent.
        loop {
            let before = self.members.len();
            for process in &running {
                if self.members.contains(&process.ppid) && self.members.insert(process.pid) {
                    tracer.add_pid(process.pid)?;
                }
            }
            if self.members.len() == before {
                return Ok(());
            }
        }
    }

    /// Takes note of a fork.
    ///
    /// # Errors
    /// There are too many processes to follow.
    pub fn learn(&mut self, tracer: &Tracer<'_>, fork: FollowFork) -> Result<()> {
        if self.members.contains(&fork.parent) && self.members.insert(fork.child) {
            tracer.add_pid(fork.child)?;
        }
        Ok(())
    }

    /// Whether the event is of a process that is followed.
    pub fn admits(&self, event: &Event) -> bool {
        self.phase == Phase::Over || self.members.contains(&event.pid)
    }

    /// Moves on when it is time; to be called when all that lay on the ring buffer is read.
    ///
    /// # Errors
    /// There are too many processes to follow.
    pub fn proceed(&mut self, tracer: &Tracer<'_>) -> Result<()> {
        match self.phase {
            Phase::Learning { until } if Instant::now() >= until => {
                // Once more, should word of a fork have been lost.
                self.look_through_proc(tracer)?;
                tracer.set_learning(Learning::Forks);
                self.phase = Phase::Settling { until: Instant::now() + SETTLE };
            }
            Phase::Settling { until } if Instant::now() >= until => {
                tracer.set_learning(Learning::Over);
                // A process that ended before it was added would leave its id to a stranger.
                for pid in self.members.drain() {
                    if !Path::new(&format!("/proc/{pid}")).exists() {
                        tracer.remove_pid(pid);
                    }
                }
                self.phase = Phase::Over;
            }
            _ => {}
        }
        Ok(())
    }
}
