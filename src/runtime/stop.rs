// SPDX-License-Identifier: MIT OR Apache-2.0
//! What signals ask for: the end, or the output's file anew.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// What SIGHUP asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// The end, as SIGINT and SIGTERM do.
    End,
    /// To open the output's file anew.
    Reopen,
}

/// Set by [`on_hangup`]: a signal handler has no other way to say anything.
static REOPEN: AtomicBool = AtomicBool::new(false);

extern "C" fn on_hangup(_signal: libc::c_int) {
    REOPEN.store(true, Ordering::Relaxed);
}

/// The wishes that have come by signals: SIGINT, SIGTERM and SIGHUP ask for the end.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    /// What to do on SIGINT, while that is ignored.
    on_interrupt: Option<libc::sighandler_t>,
}

impl Stop {
    /// Installs the handler for the three signals.
    ///
    /// A signal that comes a second or more after the first ends the program at once: the way
    /// out when a write blocks for ever, as into a pipe that nobody reads. Nearer ones are
    /// repetitions (a closing terminal sends SIGHUP twice) and must not cost the drain.
    ///
    /// A SIGHUP that was ignored from the start, as nohup(1) has it, stays so, unless it is to
    /// reopen the output. A SIGINT does not: shells ignore it for what a script runs in the
    /// background, which is where a capture is ended with `kill -INT`.
    ///
    /// # Errors
    /// The handler was installed before, or the system has no thread or pipe left for it.
    pub fn on_signals(hangup: Hangup) -> Result<Self> {
        const REPEAT: Duration = Duration::from_secs(1);
        let stop = Self::default();
        let hangup_ignored = is_ignored(libc::SIGHUP);
        let flag = stop.clone();
        let mut first: Option<Instant> = None;
        ctrlc::set_handler(move || {
            if first.get_or_insert_with(Instant::now).elapsed() >= REPEAT {
                std::process::exit(130);
            }
            flag.request();
        })
        .context("can't install the signal handler")?;
        // A write over the limit of file sizes fails then, as any write may.
        for signal in hangup_ignored.then_some(libc::SIGHUP).into_iter().chain([libc::SIGXFSZ]) {
            // SAFETY: no handler is installed, the signal is ignored.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        if hangup == Hangup::Reopen {
            let handler = on_hangup as extern "C" fn(libc::c_int);
            // SAFETY: the handler stores to an atomic, which is safe in a signal's context.
            unsafe { libc::signal(libc::SIGHUP, handler as libc::sighandler_t) };
        }
        Ok(stop)
    }

    /// The same where a command runs that a terminal's Ctrl-C and Ctrl-\ reach, too: they are
    /// the command's to answer, and ignored here.
    ///
    /// # Errors
    /// As for [`Self::on_signals`].
    pub fn on_termination(hangup: Hangup) -> Result<Self> {
        let stop = Self::on_signals(hangup)?;
        // SAFETY: no handler is installed, the signal is ignored.
        let [handler, _] = [libc::SIGINT, libc::SIGQUIT]
            .map(|signal| unsafe { libc::signal(signal, libc::SIG_IGN) });
        Ok(Self { on_interrupt: Some(handler), ..stop })
    }

    /// Once the command has ended, Ctrl-C is meant for us again.
    pub fn heed_interrupt(&self) {
        if let Some(handler) = self.on_interrupt {
            // SAFETY: the handler that `on_signals` had installed.
            unsafe { libc::signal(libc::SIGINT, handler) };
        }
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.requested.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::Relaxed)
    }

    /// Whether the output's file was to be opened anew since this was last asked.
    pub fn reopen_requested(&self) -> bool {
        REOPEN.swap(false, Ordering::Relaxed)
    }
}

fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action, the current one is written to `action`, of which zeros are a
    // value, too.
    let action = unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
