// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit status.

use std::env;
use std::process::ExitCode;

use tuxscope::cli::{self, Cli};
use tuxscope::model::failure::Failure;
use tuxscope::runtime::report;

fn main() -> ExitCode {
    let cli = Cli::read(env::args_os()).unwrap_or_else(|error| error.exit());
    match cli::run(cli) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::from(Failure::exit_of(&error) as u8)
        }
    }
}
