// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gives up what the program no longer needs once it is attached.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// Drops the capabilities of the calling thread but for those in `keep`, and the way to get any
/// back. Threads that it makes later have no more.
///
/// # Errors
/// Of `capset(2)` or `prctl(2)`.
pub fn drop_all_but(keep: CapabilitySet) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    let had = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: had.effective & keep,
            permitted: had.permitted & keep,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(())
}

/// Does something as it would be done without any capability, all of which are kept.
///
/// # Errors
/// Of `capset(2)`.
pub fn without<T>(done: impl FnOnce() -> T) -> io::Result<T> {
    let had = capabilities(None)?;
    set_capabilities(None, CapabilitySets { effective: CapabilitySet::empty(), ..had })?;
    let result = done();
    set_capabilities(None, had)?;
    Ok(result)
}

/// Whether the calling thread has these capabilities.
pub fn has(these: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|own| own.effective.contains(these))
}

/// Whether the rights come from the program's file: it has capabilities, or is setuid. Then whoever
/// may run the file has them; those of a service or of root are given by somebody who has them.
pub fn come_from_the_file() -> bool {
    // SAFETY: reads a value that the kernel gave this process at its exec.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
