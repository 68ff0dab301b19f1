// SPDX-License-Identifier: MIT OR Apache-2.0
//! How far something long has come: one line on standard error, when it is a terminal.

use std::io::{self, IsTerminal as _};
use std::time::{Duration, Instant};

use crate::output::Output;
use crate::runtime::report;
use crate::text;

/// What is over sooner needs no progress, and figures that change sooner can't be read.
const INTERVAL: Duration = Duration::from_secs(1);

/// One line that is written over and over.
#[derive(Debug)]
pub struct Progress {
    on_terminal: bool,
    next: Instant,
    shown: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress {
    /// Counts from now.
    pub fn new() -> Self {
        let on_terminal = io::stderr().is_terminal();
        Self { on_terminal, next: Instant::now() + INTERVAL, shown: false }
    }

    /// Shows `text`, where there is any, if it is time to: until then nobody asks for it. Output that goes to
    /// the terminal is progress enough.
    pub fn show(&mut self, output: &Output, text: impl FnOnce() -> Option<String>) {
        let now = Instant::now();
        if self.on_terminal && now >= self.next && !output.scrolls() {
            self.next = now + INTERVAL;
            let Some(text) = text() else { return };
            self.shown = true;
            // A line that wraps could not be erased. In the last column the cursor may.
            let columns = rustix::termios::tcgetwinsize(io::stderr()).map(|size| size.ws_col);
            let room = usize::from(columns.unwrap_or_default()).checked_sub(1);
            let shown = room.map_or(text.as_str(), |room| text::fit(&text, room));
            report::show(format!("\r{shown}\x1b[K").as_bytes());
        }
    }

    /// Makes room for other words on standard error.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            report::show(b"\r\x1b[K");
        }
    }
}
