// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may use the machine: root only, and a storm not beside a test that looks at the time.

use std::fs::File;
use std::io::Write as _;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// For tests that make a few processes; None where the kernel can't be traced, and the test is
/// skipped.
pub fn shared() -> Option<RwLockReadGuard<'static, ()>> {
    may_trace().then(|| MACHINE.read().unwrap_or_else(PoisonError::into_inner))
}

/// For tests that keep the machine busy or measure it.
pub fn alone() -> Option<RwLockWriteGuard<'static, ()>> {
    may_trace().then(|| MACHINE.write().unwrap_or_else(PoisonError::into_inner))
}

fn may_trace() -> bool {
    // Where the tests run in the background of a script these are ignored, and would be by every
    // program that they start.
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let root = rustix::process::geteuid().is_root();
    if !root {
        skip();
    }
    root
}

/// The test runner counts a test that returns as passed. So that nobody takes it for that, it is
/// told on standard error and in a file that `make test` counts; where CI is set it fails.
fn skip() {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("CI").is_none(), "{test} traces the real kernel, which takes root");
    // Not eprintln!, which the test runner would hide.
    let mut stderr = std::io::stderr();
    let _ = stderr
        .write_all(format!("\nSKIPPED {test}: it traces the real kernel as root\n").as_bytes());
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/skipped");
    let list = File::options().create(true).append(true).open(list);
    list.and_then(|mut list| list.write_all(format!("{test}\n").as_bytes())).expect("a list");
}
