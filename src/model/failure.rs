// SPDX-License-Identifier: MIT OR Apache-2.0
//! Failures that users meet: what is wrong, what to do, and the exit status for scripts.

use std::fmt;

/// The exit statuses, after sysexits.h where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed at run time.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Events were lost and `--strict` was given.
    Lost = 3,
    /// A rule of `--expect` doesn't hold, or isn't known to.
    Unmet = 4,
    /// `EX_UNAVAILABLE`: the kernel lacks what is needed.
    Kernel = 69,
    /// `EX_NOPERM`: the caller's rights don't suffice.
    Rights = 77,
}

/// A failure with its remedy: one line each.
#[derive(Debug)]
pub struct Failure {
    /// The program's exit status.
    pub exit: Exit,
    what: String,
    remedy: String,
}

impl Failure {
    /// `what` is wrong, `remedy` mends it.
    pub fn new(exit: Exit, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { exit, what: what.into(), remedy: remedy.into() }
    }

    /// The exit status of any error: its own, or that of a failure at run time.
    pub fn exit_of(error: &anyhow::Error) -> Exit {
        error.downcast_ref::<Self>().map_or(Exit::Failed, |failure| failure.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.remedy)
    }
}

impl std::error::Error for Failure {}
