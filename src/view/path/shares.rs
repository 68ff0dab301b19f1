// SPDX-License-Identifier: MIT OR Apache-2.0
//! What processes did in their segments. What each used is known for its whole life only, so it is
//! shared out: as much of it as fits lies in its segments, to each by its length.

use std::collections::HashMap;

use crate::view::lives::{LifeId, Lives, Segment};

/// What a process did in a part of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// How long that was.
    pub len_ns: u64,
    /// It used a CPU, where that is known.
    pub cpu_ns: Option<u64>,
    /// It was ready to run and had none, where that is known.
    pub no_cpu_ns: Option<u64>,
    /// Neither: it waited for something else, where both are known.
    pub waiting_ns: Option<u64>,
}

impl Share {
    /// Both together; what isn't known of one isn't known of both.
    pub fn plus(&self, other: &Self) -> Self {
        if self.len_ns == 0 {
            return *other;
        }
        let sum = |a: Option<u64>, b: Option<u64>| Some(a? + b?);
        Self {
            len_ns: self.len_ns + other.len_ns,
            cpu_ns: sum(self.cpu_ns, other.cpu_ns),
            no_cpu_ns: sum(self.no_cpu_ns, other.no_cpu_ns),
            waiting_ns: sum(self.waiting_ns, other.waiting_ns),
        }
    }

    /// It used no CPU for most of the time.
    pub fn is_mostly_waiting(&self) -> bool {
        self.cpu_ns.is_some_and(|cpu_ns| cpu_ns < self.len_ns / 2)
    }
}

/// How the segments of a chain share what their processes used.
pub struct Shares {
    /// Of each process all its segments together.
    own: HashMap<LifeId, Share>,
}

impl Shares {
    /// Of these segments.
    pub fn new(lives: &Lives, segments: &[Segment]) -> Self {
        let mut own: HashMap<LifeId, Share> = HashMap::new();
        for segment in segments {
            own.entry(segment.id).or_default().len_ns += segment.len_ns();
        }
        for (id, share) in &mut own {
            let Some(life) = lives.get(*id) else { continue };
            share.cpu_ns = life.cpu_ns().map(|cpu_ns| cpu_ns.min(share.len_ns));
            let left = share.cpu_ns.map(|cpu_ns| share.len_ns - cpu_ns);
            share.no_cpu_ns = life.cpu_wait_ns().zip(left).map(|(wait_ns, left)| wait_ns.min(left));
            share.waiting_ns = left.zip(share.no_cpu_ns).map(|(left, no_cpu)| left - no_cpu);
        }
        Self { own }
    }

    /// That of one.
    pub fn of(&self, segment: &Segment) -> Share {
        let Some(all) = self.own.get(&segment.id) else { return Share::default() };
        let len_ns = segment.len_ns();
        let part =
            |ns: u64| (u128::from(ns) * u128::from(len_ns) / u128::from(all.len_ns.max(1))) as u64;
        let cpu_ns = all.cpu_ns.map(part);
        // What rounding leaves is nothing that it waited for.
        let no_cpu_ns = match all.waiting_ns {
            Some(0) => cpu_ns.map(|cpu_ns| len_ns - cpu_ns),
            _ => all.no_cpu_ns.map(part),
        };
        let waiting_ns = cpu_ns.zip(no_cpu_ns).map(|(cpu, no_cpu)| len_ns - cpu - no_cpu);
        Share { len_ns, cpu_ns, no_cpu_ns, waiting_ns }
    }
}
