// SPDX-License-Identifier: MIT OR Apache-2.0
//! When to look at /proc.

use std::time::{Duration, Instant};

/// Between two looks.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Tells when the next look is due.
#[derive(Debug)]
pub struct Pace {
    due: Instant,
    /// When this was last asked: several times in each interval, while the program runs.
    asked: Instant,
}

impl Pace {
    /// The first look is due an interval from now.
    pub fn new(now: Instant) -> Self {
        Self { due: now + INTERVAL, asked: now }
    }

    /// Whether a look is due; the next one then is so an interval later. After a time in which the
    /// program was stopped no look is due at once: the events of that time are still to be read,
    /// and would count for the interval after it, which is far shorter.
    pub fn is_due(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.asked) > INTERVAL {
            self.due = now + INTERVAL;
        }
        self.asked = now;
        let is_due = now >= self.due;
        if is_due {
            self.due = now + INTERVAL;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_each_second_and_not_right_after_a_stop() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        let mut due = |ms: &[u64]| -> Vec<u64> {
            let at = |ms: u64| began + Duration::from_millis(ms);
            ms.iter().copied().filter(|&ms| pace.is_due(at(ms))).collect()
        };
        assert_eq!(due(&[0, 500, 999, 1000, 1001, 1900, 2050, 2900, 3050]), [1000, 2050, 3050]);
        assert_eq!(due(&[60_000, 60_500, 60_999, 61_000, 61_900]), [61_000]);
    }
}
