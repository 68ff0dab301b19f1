// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope replay`: from the arguments to a replay, and from what became of it to an exit status.

use std::process::ExitCode;

use anyhow::{Result, bail};

use super::{Replay, output};
use crate::model::failure::Exit;
use crate::output::terminal;
use crate::process::filter::Filter;
use crate::replay::Input;
use crate::runtime::stop::{Hangup, Stop};
use crate::text::report;

/// Shows a capture again.
///
/// # Errors
/// The capture can't be read, or not as it was asked for.
pub fn run(args: Replay) -> Result<ExitCode> {
    let input = Input::open(&args.input)?;
    let mut output = output(args.output.as_deref(), None)?;
    if input.is(&output) {
        bail!("{} is the output, too: write to another file", input.name());
    }
    let filter = Filter::new(args.choose.into());
    let stop = Stop::on_signals(Hangup::End)?;
    let style = terminal::style(&output, args.color.into());
    let mut make_sink = |wide| (args.format.start)(wide, style);
    let outcome = crate::replay::run(input, filter, &mut make_sink, &mut output, &stop)?;
    if let Some(error) = &outcome.error {
        report::error(error);
    }
    Ok(if outcome.error.is_some() || args.strict && outcome.unreadable > 0 {
        ExitCode::from(Exit::Failed as u8)
    } else if args.strict && !outcome.complete {
        ExitCode::from(Exit::Lost as u8)
    } else {
        ExitCode::SUCCESS
    })
}
