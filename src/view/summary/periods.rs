// SPDX-License-Identifier: MIT OR Apache-2.0
//! A capture in periods, each with what it came to.

use std::time::Duration;

use crate::model::event::{Lost, Meta, Totals};
use crate::text::time::Rfc3339;

/// When one period ends and the next begins.
#[derive(Debug)]
pub struct Periods {
    length_ns: u64,
    /// When this one began, `CLOCK_MONOTONIC`; none before the first event of a capture that
    /// doesn't tell when it began.
    from_ns: Option<u64>,
    /// When the capture began.
    began_ns: Option<u64>,
    /// The wall clock less `CLOCK_MONOTONIC`, where it is known.
    offset_ns: u64,
    /// The latest time at which something happened.
    last_ns: u64,
    /// What had been lost before this one.
    lost: Lost,
}

/// What a period, or a whole capture, came to.
#[derive(Debug)]
pub struct Period {
    /// That.
    pub totals: Totals,
    /// Of a period: when it began, RFC 3339.
    pub time: Option<String>,
}

impl Periods {
    /// Of this length.
    pub fn new(length: Duration) -> Self {
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self {
            length_ns,
            from_ns: None,
            began_ns: None,
            offset_ns: 0,
            last_ns: 0,
            lost: Lost::default(),
        }
    }

    /// Takes what the capture tells of itself.
    pub fn begin(&mut self, meta: &Meta) {
        self.offset_ns = meta.clock_offset_ns;
        self.from_ns = Some(meta.began_ns).filter(|&began| began != 0);
        self.began_ns = self.from_ns;
    }

    /// The period that was over by then, if it was; `lost`: all that was lost so far. The next one
    /// is that in which `now_ns` lies.
    pub fn turn(&mut self, now_ns: u64, lost: &Lost) -> Option<Period> {
        let from_ns = *self.from_ns.get_or_insert(now_ns);
        self.last_ns = self.last_ns.max(now_ns);
        self.began_ns.get_or_insert(from_ns);
        let passed = now_ns.saturating_sub(from_ns) / self.length_ns;
        if passed == 0 {
            return None;
        }
        let totals = Totals { elapsed_ns: self.length_ns, ..self.since(lost) };
        let period = self.period(from_ns, totals);
        self.from_ns = Some(from_ns + passed * self.length_ns);
        self.lost = *lost;
        Some(period)
    }

    /// When this one began.
    pub fn this_began_ns(&self) -> u64 {
        self.from_ns.unwrap_or_default()
    }

    /// The last one, of a capture that came to this.
    pub fn last(&mut self, totals: &Totals) -> Period {
        let from_ns = self.this_began_ns();
        // Captures that were joined have gaps between them, of which their times know nothing.
        let ended_ns = self.began_ns.unwrap_or(from_ns).saturating_add(totals.elapsed_ns);
        let elapsed_ns = ended_ns.max(self.last_ns).saturating_sub(from_ns).min(self.length_ns);
        let lost = self.since(&totals.lost).lost;
        self.period(from_ns, Totals { elapsed_ns, lost, ..*totals })
    }

    fn since(&self, lost: &Lost) -> Totals {
        Totals { lost: lost.less(&self.lost), ..Totals::default() }
    }

    fn period(&self, from_ns: u64, totals: Totals) -> Period {
        let time = Rfc3339(from_ns.saturating_add(self.offset_ns)).to_string();
        Period { totals, time: Some(time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_follows_the_other_and_has_its_own_losses() {
        let mut periods = Periods::new(Duration::from_nanos(100));
        periods.begin(&Meta { began_ns: 1_000, clock_offset_ns: 5, ..Meta::default() });
        let lost = |exec| Lost::new([0, exec, 0, 0], 0);
        assert!(periods.turn(1_099, &lost(0)).is_none());
        let first = periods.turn(1_100, &lost(3)).expect("over");
        assert_eq!((first.totals.elapsed_ns, first.totals.lost), (100, lost(3)));
        assert_eq!(first.time.as_deref(), Some("1970-01-01T00:00:00.000001005Z"));
        // Nothing for a long time: the next one is where the events are.
        assert!(periods.turn(1_999, &lost(4)).is_some());
        let last = periods.last(&Totals { elapsed_ns: 1_030, lost: lost(5), ..Totals::default() });
        assert_eq!((last.totals.elapsed_ns, last.totals.lost), (100, lost(1)));
        let time = last.time.as_deref();
        assert_eq!(time, Some("1970-01-01T00:00:00.000001905Z"));
        // Times that no capture has.
        let mut periods = Periods::new(Duration::from_nanos(1));
        assert!(periods.turn(u64::MAX - 1, &lost(0)).is_none());
        assert!(periods.turn(u64::MAX, &lost(0)).is_some());
        assert!(periods.turn(0, &lost(0)).is_none());
    }
}
