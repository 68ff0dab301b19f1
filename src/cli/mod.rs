// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person types: the command line, and a file for each subcommand with its arguments and
//! its run. Knows all floors below.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::capture::launch;

pub mod check;
mod diff;
mod events;
mod expect;
mod hint;
mod output;
mod proc;
mod replay;
mod schema;
mod top;

/// Trace the life of processes with eBPF
#[derive(Debug, Parser)]
#[command(name = "tuxscope", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show fork, exec and exit of processes as they happen
    Proc(proc::Proc),
    /// Show the events of a capture again, in any format
    Replay(replay::Replay),
    /// Show which commands, units, containers or users use the CPU now, ended processes included
    Top(top::Top),
    /// Show how captures of the same work differ
    Diff(diff::Diff),
    /// Print the JSON Schema of the output of --format json
    Schema,
    /// Check what this kernel and the caller's rights allow, and try both modes
    Check(check::Check),
    /// A process that `check` looks at.
    #[command(hide = true, name = check::CHILD)]
    CheckChild {
        /// The one that makes no other.
        #[arg(long)]
        last: bool,
    },
    /// The process that becomes the command of `proc -- COMMAND`.
    #[command(hide = true, name = launch::HOLD)]
    Hold {
        /// The gate's descriptor, the user, the command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// It is wrong, or asks for help or the version.
    pub fn read(words: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        Self::try_parse_from(&words).map_err(|error| hint::add(error, &words))
    }
}

/// Does what was asked for.
///
/// # Errors
/// What a subcommand could not do.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Proc(args) => proc::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Top(args) => top::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Schema => schema::run(),
        Command::Check(args) => check::run(&args),
        Command::CheckChild { last } => check::child(last).map(ExitCode::from),
        Command::Hold { args } => Ok(ExitCode::from(launch::held(&args))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
