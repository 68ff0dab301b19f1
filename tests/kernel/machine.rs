// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may use the machine: root only, and a storm not beside a test that looks at the time.

use std::io::Write as _;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// For tests that make a few processes; None, and loudly so, where it can't be tested.
pub fn shared() -> Option<RwLockReadGuard<'static, ()>> {
    is_root().then(|| MACHINE.read().unwrap_or_else(PoisonError::into_inner))
}

/// For tests that keep the machine busy or measure it.
pub fn alone() -> Option<RwLockWriteGuard<'static, ()>> {
    is_root().then(|| MACHINE.write().unwrap_or_else(PoisonError::into_inner))
}

fn is_root() -> bool {
    // Where the tests run in the background of a script these are ignored, and would be by every
    // program that they start.
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let root = rustix::process::geteuid().is_root();
    if !root {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Not eprintln!, which the test runner would hide.
        let _ = std::io::stderr()
            .write_all(format!("\nSKIPPED {test}: it traces the real kernel as root\n").as_bytes());
    }
    root
}
