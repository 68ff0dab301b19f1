// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells a service manager of readiness and that it is alive. Without one, nothing is told.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The conversation with the service manager that started this process, if one did.
#[derive(Debug)]
pub struct Service {
    watchdog: Option<Duration>,
    last: Instant,
}

impl Service {
    /// Tells that the capture has begun.
    pub fn ready() -> Self {
        tell(NotifyState::Ready);
        Self { watchdog: sd_notify::watchdog_enabled(), last: Instant::now() }
    }

    /// Tells that the capture goes on, twice as often as the watchdog asks for it.
    pub fn alive(&mut self) {
        if self.watchdog.is_some_and(|limit| self.last.elapsed() >= limit / 2) {
            tell(NotifyState::Watchdog);
            self.last = Instant::now();
        }
    }

    /// Tells that the capture ends; what is left is still to be read.
    pub fn stopping(&self) {
        tell(NotifyState::Stopping);
    }
}

fn tell(state: NotifyState<'_>) {
    // A manager that doesn't listen is no cause to end a capture.
    let _ = sd_notify::notify(&[state]);
}
