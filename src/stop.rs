// SPDX-License-Identifier: MIT OR Apache-2.0
//! What signals ask for: the end, or the output's file anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What SIGHUP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The end, as SIGINT and SIGTERM do.
    End,
    /// To open the output's file anew.
    Reopen,
}

/// The wishes that have come by signals.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Wishes>);

#[derive(Debug, Default)]
struct Wishes {
    end: AtomicBool,
    reopen: AtomicBool,
}

impl Stop {
    /// Installs the handler for the three signals.
    ///
    /// A signal that comes a second or more after the first ends the program at once: the way
    /// out when a write blocks for ever, as into a pipe that nobody reads. Nearer ones are
    /// repetitions (a closing terminal sends SIGHUP twice) and must not cost the drain.
    ///
    /// # Errors
    /// The system has no thread or descriptor left for it.
    pub fn on_signals(hangup: Hangup) -> Result<Self> {
        const REPEAT: Duration = Duration::from_secs(1);
        let stop = Self::default();
        let wishes = stop.clone();
        let mut first: Option<Instant> = None;
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).context("can't install the signal handler")?;
        let handle = move || {
            for signal in signals.forever() {
                if signal == SIGHUP && hangup == Hangup::Reopen {
                    wishes.0.reopen.store(true, Ordering::Relaxed);
                    continue;
                }
                if first.get_or_insert_with(Instant::now).elapsed() >= REPEAT {
                    std::process::exit(130);
                }
                wishes.request();
            }
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(handle)
            .context("can't install the signal handler")?;
        Ok(stop)
    }

    /// The same where a command runs that a terminal's Ctrl-C and Ctrl-\ reach, too: they are
    /// the command's to answer, and ignored here.
    ///
    /// # Errors
    /// As for [`Self::on_signals`].
    pub fn on_termination(hangup: Hangup) -> Result<Self> {
        let stop = Self::on_signals(hangup)?;
        for signal in [libc::SIGINT, libc::SIGQUIT] {
            // SAFETY: no handler is installed, the signal is ignored.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        Ok(stop)
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.0.end.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn requested(&self) -> bool {
        self.0.end.load(Ordering::Relaxed)
    }

    /// Whether the output's file was to be opened anew since this was last asked.
    pub fn reopen_requested(&self) -> bool {
        self.0.reopen.swap(false, Ordering::Relaxed)
    }
}
