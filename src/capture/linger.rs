// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long a capture goes on after its command's end, to see who lives on.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::expect::GRACE_NS;

/// More than the time from the command's end until that is noticed.
const MARGIN: Duration = Duration::from_millis(10);

/// Somebody wants to see who is left over, or nobody does.
#[derive(Debug)]
pub struct Linger {
    wanted: bool,
    until: Cell<Option<Instant>>,
}

impl Linger {
    /// `wanted`: somebody wants to see that.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, until: Cell::new(None) }
    }

    /// Whether enough time has passed since this was first asked, which is when the command has
    /// ended.
    pub fn is_over(&self) -> bool {
        let now = Instant::now();
        let grace = Duration::from_nanos(GRACE_NS) + MARGIN;
        let until = self.until.get().unwrap_or(now + grace);
        self.until.set(Some(until));
        !self.wanted || now >= until
    }
}
