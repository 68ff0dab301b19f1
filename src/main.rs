// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit status.

use std::process::ExitCode;

use clap::Parser as _;

use tuxscope::cli::{self, Cli};
use tuxscope::model::failure::Failure;
use tuxscope::text::report;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::from(Failure::exit_of(&error) as u8)
        }
    }
}
