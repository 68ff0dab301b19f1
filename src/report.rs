// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the program says on standard error.

use std::fmt::Display;
use std::io::Write as _;

/// Writes `tuxscope: MESSAGE`. A standard error that is closed or full can't be told of it, and
/// is no cause to end a capture.
pub fn say(message: impl Display) {
    // One write, so that lines of several programs on one terminal don't mix.
    let _ = std::io::stderr().write_all(format!("tuxscope: {message}\n").as_bytes());
}

/// Writes an error, each of its lines marked as ours.
pub fn error(error: &anyhow::Error) {
    for line in format!("{error:#}").lines() {
        say(line);
    }
}
