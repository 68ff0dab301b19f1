// SPDX-License-Identifier: MIT OR Apache-2.0
//! SIGTSTP, where something has to be put right before a stop and after it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set by [`on_suspend`]: a signal handler has no other way to say anything.
static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_suspend(_signal: libc::c_int) {
    ASKED.store(true, Ordering::Relaxed);
}

/// From now on SIGTSTP stops nothing by itself: see [`requested`]. Where it is ignored, as shells
/// without job control have it, it stays so.
pub fn on_signal() {
    let handler = on_suspend as extern "C" fn(libc::c_int);
    if set(handler as libc::sighandler_t) == libc::SIG_IGN {
        set(libc::SIG_IGN);
    }
}

/// Whether a stop was asked for since this was last asked.
pub fn requested() -> bool {
    ASKED.swap(false, Ordering::Relaxed)
}

/// Stops this process, as SIGTSTP does where nobody handles it, until SIGCONT comes.
pub fn stop() {
    let handler = set(libc::SIG_DFL);
    // SAFETY: no memory is involved. The signal is delivered before this returns.
    unsafe { libc::raise(libc::SIGTSTP) };
    set(handler);
}

/// Returns what was done before.
fn set(handler: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: the handler is the default one, none, or one that stores to an atomic, which is safe in
    // a signal's context.
    unsafe { libc::signal(libc::SIGTSTP, handler) }
}
