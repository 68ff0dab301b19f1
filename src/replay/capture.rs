// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a file tells of its capture, or of several that were joined: what they came to, and what of
//! them isn't there.

use crate::model::event::{Lost, Meta, Totals};
use crate::text::quantity;

/// What is known of the capture.
#[derive(Debug, Default)]
pub struct Capture {
    /// It is of a kind that ends with a summary.
    meta: Option<Meta>,
    summary: Option<Totals>,
    lost: Lost,
    /// Events that are in the file.
    events: u64,
    /// The earliest and the latest time of an event.
    span: Option<(u64, u64)>,
    /// Of captures that were joined to this one in front of it.
    earlier: Totals,
    missing: Missing,
    /// Events were passed over unread, so that it isn't known how many there are.
    pub has_skipped: bool,
    /// It was left before its end, which is later than what is wanted.
    pub was_left: bool,
}

/// Events that were captured and are not in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// How many.
    pub events: u64,
    /// Of how many.
    pub of: u64,
}

impl Missing {
    fn plus(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            of: self.of.saturating_add(other.of),
        }
    }
}

impl Capture {
    /// The first line of a capture. Returns whether it is another one than before.
    pub fn begin(&mut self, meta: &Meta) -> bool {
        // Each file of a capture that was rotated begins with the same one; its summary ends it.
        if self.meta.as_ref() == Some(meta) && self.summary.is_none() {
            return false;
        }
        let joined = self.meta.is_some() || self.summary.is_some() || self.events > 0;
        if joined {
            let before = std::mem::take(self);
            self.earlier = before.totals();
            self.missing = before.missing();
            self.has_skipped = before.has_skipped;
        }
        self.meta = Some(meta.clone());
        joined
    }

    /// Until when it tells what happened, in nanoseconds since 1970; 0 where that isn't known.
    pub fn until_ns(&self) -> u64 {
        let Some(meta) = self.meta.as_ref().filter(|meta| meta.began_ns > 0) else { return 0 };
        let last_ns = self.span.map_or(0, |(_, last)| last);
        let ended_ns = self.summary.map_or(0, |summary| meta.began_ns + summary.elapsed_ns);
        match last_ns.max(ended_ns) {
            0 => 0,
            until_ns => meta.clock_offset_ns.wrapping_add(until_ns),
        }
    }

    /// An event.
    pub fn saw(&mut self, timestamp_ns: u64) {
        self.events += 1;
        let (first, last) = self.span.unwrap_or((timestamp_ns, timestamp_ns));
        self.span = Some((first.min(timestamp_ns), last.max(timestamp_ns)));
    }

    /// Losses, counted since it began.
    pub fn lost(&mut self, lost: Lost) {
        self.lost = lost;
    }

    /// Its last line.
    pub fn end(&mut self, totals: Totals) {
        self.lost = totals.lost;
        self.summary = Some(totals);
    }

    /// What it (and those before) came to, but for the events that were printed. The basic mode's
    /// captures have no mark at their end.
    pub fn totals(&self) -> Totals {
        let span_ns = self.span.map_or(0, |(first, last)| last - first);
        let unmarked = Totals {
            elapsed_ns: span_ns,
            cut_off: self.meta.is_some() && !self.was_left,
            lost: self.lost,
            ..Totals::default()
        };
        let mut totals = self.earlier.plus(&self.summary.unwrap_or(unmarked));
        totals.cut_off |= self.missing().events > 0;
        totals
    }

    /// What isn't there of what its summary (and those before) counted.
    pub fn missing(&self) -> Missing {
        let Some(Totals { printed: of, .. }) = self.summary.filter(|_| !self.has_skipped) else {
            return self.missing;
        };
        self.missing.plus(Missing { events: of.saturating_sub(self.events), of })
    }

    /// Why it isn't complete, though no event was lost.
    pub fn why_incomplete(&self) -> String {
        let Missing { events, of } = self.missing();
        match self.summary {
            _ if events > 0 => format!(
                "{events} of its {} missing (the rest of a file, or one of several)",
                quantity::are(of, "event")
            ),
            Some(summary) if summary.cut_off => "its summary says so".to_owned(),
            Some(_) => "an earlier capture joined to it is not".to_owned(),
            None => "it has no summary at its end".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(began_ns: u64) -> Meta {
        Meta { clock_offset_ns: 1_000, began_ns, ..Meta::default() }
    }

    #[test]
    fn the_same_first_line_goes_on_with_the_same_capture() {
        let mut capture = Capture::default();
        assert!(!capture.begin(&meta(5)), "the first");
        capture.saw(7);
        assert!(!capture.begin(&meta(5)), "of its next file");
        assert!(capture.begin(&meta(6)), "of another one");
        capture.end(Totals::default());
        assert!(capture.begin(&meta(6)), "it had ended");
        // What is in front of a first line is another's.
        let mut unnamed = Capture::default();
        unnamed.saw(7);
        assert!(unnamed.begin(&meta(5)));
        let mut ended = Capture::default();
        ended.end(Totals::default());
        assert!(ended.begin(&meta(5)));
    }

    #[test]
    fn it_tells_until_its_last_event_or_its_end() {
        let mut capture = Capture::default();
        capture.saw(7);
        assert_eq!(capture.until_ns(), 0, "whose clock isn't known");
        let mut capture = Capture::default();
        capture.begin(&meta(0));
        capture.saw(7);
        assert_eq!(capture.until_ns(), 0, "of a version that didn't tell when it began");
        let mut capture = Capture::default();
        capture.begin(&meta(5));
        assert_eq!(capture.until_ns(), 0, "nothing yet");
        capture.saw(70);
        capture.saw(60);
        assert_eq!(capture.until_ns(), 1_070);
        capture.end(Totals { elapsed_ns: 100, ..Totals::default() });
        assert_eq!(capture.until_ns(), 1_105);
    }

    #[test]
    fn what_its_summary_counted_and_is_not_there_is_missing() {
        let mut capture = Capture::default();
        capture.begin(&meta(5));
        capture.saw(7);
        assert!(capture.totals().cut_off, "without a summary");
        capture.end(Totals { printed: 3, ..Totals::default() });
        assert_eq!(capture.missing(), Missing { events: 2, of: 3 });
        assert!(capture.totals().cut_off);
        capture.has_skipped = true;
        assert_eq!(capture.missing(), Missing::default(), "nobody knows");
        assert!(!capture.totals().cut_off);
    }
}
