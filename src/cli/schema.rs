// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope schema`

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::json::SCHEMA;

/// Prints the JSON Schema of a line.
///
/// # Errors
/// Standard output can't be written.
pub fn run() -> Result<ExitCode> {
    // As for any output: a closed pipe is success.
    match io::stdout().write_all(SCHEMA.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("can't write standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
