// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far a long replay has come: on standard error, when it is a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::output::Output;

/// A replay that is over sooner needs no progress.
const DELAY: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// One line that is written over and over.
pub struct Progress {
    on_terminal: bool,
    next: Instant,
    shown: bool,
}

impl Progress {
    pub fn new() -> Self {
        let on_terminal = io::stderr().is_terminal();
        Self { on_terminal, next: Instant::now() + DELAY, shown: false }
    }

    /// Shows the part that is done, from 0 to 1, if it is time to. Output that goes to the
    /// terminal is progress enough.
    pub fn show(&mut self, done: Option<f64>, output: &Output) {
        let Some(done) = done.filter(|_| self.on_terminal && !output.scrolls()) else { return };
        let now = Instant::now();
        if now >= self.next {
            self.next = now + INTERVAL;
            self.shown = true;
            // As in report: nobody can be told that this failed.
            let _ = io::stderr().write_all(format!("\r{:3.0} % read", done * 100.0).as_bytes());
        }
    }

    /// Makes room for other words on standard error.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
