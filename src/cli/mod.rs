// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person types: the arguments, and a file for each subcommand. Knows all floors below.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::capture::launch;
use crate::json::SCHEMA;
use crate::output::{Output, Rotation};

mod args;
pub mod check;
mod proc;
mod replay;

pub use args::{Check, CheckFormat, Choose, Cli, Color, Command, Proc, Replay, Wait};

/// Does what was asked for.
///
/// # Errors
/// What a subcommand could not do.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Proc(args) => proc::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Schema => schema(),
        Command::Check(args) => check::run(&args),
        Command::CheckChild { last } => check::child(last).map(ExitCode::from),
        Command::Hold { args } => Ok(ExitCode::from(launch::held(&args))),
    }
}

fn schema() -> Result<ExitCode> {
    // As for any output: a closed pipe is success.
    match io::stdout().write_all(SCHEMA.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("can't write standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn output(path: Option<&Path>, rotation: Option<Rotation>) -> Result<Output> {
    path.map_or_else(Output::stdout, |path| Output::open(path, rotation))
}
