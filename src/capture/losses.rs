// SPDX-License-Identifier: MIT OR Apache-2.0
//! Says when events were lost: at once, then at most once a second.

use std::time::{Duration, Instant};

use crate::model::event::Lost;
use crate::runtime::report;
use crate::text::quantity::counted;

/// The least time between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// What was said so far.
#[derive(Default)]
pub struct Losses {
    said: Lost,
    last: Option<Instant>,
}

impl Losses {
    /// Whether more were lost than was said, and it is time to say so.
    pub fn has_news(&self, lost: Lost) -> bool {
        let quiet = self.last.is_some_and(|last| last.elapsed() < INTERVAL);
        lost != self.said && !quiet
    }

    /// Says so.
    pub fn say(&mut self, lost: Lost) {
        self.said = lost;
        self.last = Some(Instant::now());
        report::say(format_args!(
            "{} lost so far ({lost}): the ring buffer was full; a larger --buffer-size helps",
            counted(lost.total(), "event")
        ));
    }
}
