// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much of the machine's CPU time is explained, over the last half minute.

use std::collections::VecDeque;
use std::ops::Add;

/// So many looks make the window.
const LOOKS: usize = 30;

/// CPU time between two looks, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// How long that was.
    pub elapsed_ns: u64,
    /// What /proc/stat counted.
    pub busy_ns: u64,
    /// Of that, in interrupts.
    pub interrupts_ns: u64,
    /// What a hypervisor took meanwhile; no part of the two above.
    pub stolen_ns: u64,
    /// Of processes that are alive.
    pub living_ns: u64,
    /// Of processes that ended.
    pub gone_ns: u64,
    /// Of the kernel's own threads.
    pub kernels_ns: u64,
}

impl Spent {
    /// The share of what was counted that is known to whom it belongs; none where so little was
    /// counted that the ticks, which both are cut to, would make most of it.
    pub fn explained(&self) -> Option<f64> {
        const ENOUGH: f64 = 0.05;
        let known = self.living_ns + self.gone_ns + self.kernels_ns + self.interrupts_ns;
        (self.share(self.busy_ns) >= ENOUGH).then(|| known as f64 / self.busy_ns as f64)
    }

    /// A part of the time, as a share of one CPU.
    pub fn share(&self, part_ns: u64) -> f64 {
        part_ns as f64 / self.elapsed_ns.max(1) as f64
    }
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            elapsed_ns: self.elapsed_ns + other.elapsed_ns,
            busy_ns: self.busy_ns + other.busy_ns,
            interrupts_ns: self.interrupts_ns + other.interrupts_ns,
            stolen_ns: self.stolen_ns + other.stolen_ns,
            living_ns: self.living_ns + other.living_ns,
            gone_ns: self.gone_ns + other.gone_ns,
            kernels_ns: self.kernels_ns + other.kernels_ns,
        }
    }
}

/// The last half minute.
#[derive(Debug, Default)]
pub struct Balance {
    looks: VecDeque<Spent>,
}

impl Balance {
    /// Adds what was spent up to now.
    pub fn add(&mut self, spent: Spent) {
        if self.looks.len() == LOOKS {
            self.looks.pop_front();
        }
        self.looks.push_back(spent);
    }

    /// All of the window.
    pub fn sum(&self) -> Spent {
        self.looks.iter().fold(Spent::default(), |sum, &spent| sum + spent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut balance = Balance::default();
        assert_eq!(balance.sum().explained(), None);
        let spent =
            |busy_ns, gone_ns| Spent { elapsed_ns: 10, busy_ns, gone_ns, ..Spent::default() };
        balance.add(spent(1_000_000, 0));
        for _ in 0..LOOKS {
            balance.add(spent(4, 3));
        }
        assert_eq!(balance.sum().explained(), Some(0.75));
        assert!((balance.sum().share(balance.sum().gone_ns) - 0.3).abs() < 1e-9);
    }
}
