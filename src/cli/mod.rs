// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a person types: the arguments, and a file for each subcommand. Knows all floors below.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::capture::launch;
use crate::host::users::Users;
use crate::output::{Output, Rotation};
use crate::text::style::Style;
use crate::view::{
    Explain, Json, Perfetto, SCHEMA, Sink, Summary, Table, Timeline, Tree, WideTable,
};

mod args;
pub mod check;
mod proc;
mod replay;

pub use args::{Check, CheckFormat, Choose, Cli, Color, Command, Format, Proc, Replay, Wait};

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

fn sink(format: Format, wide: bool, style: Style) -> Box<dyn Sink> {
    match format {
        Format::Table if wide => Box::new(WideTable::new(style, Users::read())),
        Format::Table => Box::new(Table::default()),
        Format::Json => Box::new(Json::new(wide)),
        Format::Summary => Box::new(Summary::text(style)),
        Format::SummaryJson => Box::new(Summary::json()),
        Format::Explain => Box::new(Explain::default()),
        Format::Perfetto => Box::new(Perfetto::default()),
        Format::Timeline => Box::new(Timeline::default()),
        Format::Tree => Box::new(Tree::new(style)),
    }
}
