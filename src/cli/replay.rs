// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope replay`: from the arguments to a replay, and from what became of it to an exit status.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use rustix::thread::CapabilitySet;

use crate::cli::events::Choose;
use crate::cli::expect::Expect;
use crate::cli::output::{Drawn, Help, Target};
use crate::model::failure::Exit;
use crate::output::{Output, terminal};
use crate::process::filter::Filter;
use crate::replay::Input;
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{report, rights, sandbox};

const EXAMPLES: &str = "\
Examples:
  tuxscope replay events.jsonl                as a table
  tuxscope replay --format summary events.jsonl.gz
  tuxscope replay --format json --comm make --event exec events.jsonl.zst
  ssh host sudo tuxscope proc --wide --format json | tuxscope replay -

Exit status: 0 success, 1 failure, 2 usage, 3 events were lost (--strict),
4 a rule doesn't hold (--expect).";

/// `tuxscope replay`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct Replay {
    /// The capture: JSON lines of either mode, plain or compressed (gzip, zstd); - is standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,

    #[command(flatten)]
    drawn: Drawn,

    #[command(flatten)]
    choose: Choose,

    #[command(flatten)]
    expect: Expect,

    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    help: Help,
}

/// When a replay counts as failed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct Limits {
    /// Exit with status 1 if a line can't be read, 3 if events were lost or the end is missing
    #[arg(long)]
    strict: bool,
}

/// Shows a capture again.
///
/// # Errors
/// The capture can't be read, or not as it was asked for.
pub fn run(args: Replay) -> Result<ExitCode> {
    let Replay { drawn, target, limits: Limits { strict }, .. } = args;
    drawn.check()?;
    let mut expected = args.expect.open()?;
    let input = Input::open(&args.input)?;
    let mut output = target.open(drawn.format, Output::stdout, None)?;
    if input.is(&output) {
        bail!("{} is also the output: write to another file", input.name());
    }
    let filter = Filter::new(args.choose.into());
    let style = terminal::style(&output, target.color.into());
    if let Some(expected) = &mut expected {
        expected.begin()?;
    }
    // All that is read besides the capture (users, time zones) is read here.
    let sinks = [false, true].map(|wide| drawn.start(wide, style));
    confine();
    // Only now: the handler's thread has the rights of its maker.
    let stop = Stop::on_signals(Hangup::End)?;
    if input.is_fed_by_pipe() {
        stop.spare_first_interrupt();
    }
    let judge = expected.as_mut().map(|expected| &mut expected.judge);
    let outcome = crate::replay::run(input, filter, sinks, judge, &mut output, &stop)?;
    if let Some(error) = &outcome.error {
        report::error(error);
    }
    let (totals, unreadable) = (outcome.totals, outcome.unreadable);
    let wait = |output: BorrowedFd<'_>| stop.await_room(output, None);
    let met = expected.map_or(Ok(true), |expected| expected.finish(&totals, unreadable, wait))?;
    Ok(if outcome.error.is_some() || strict && (outcome.unreadable > 0 || outcome.empty) {
        ExitCode::from(Exit::Failed as u8)
    } else if !met {
        ExitCode::from(Exit::Unmet as u8)
    } else if strict && !outcome.complete {
        ExitCode::from(Exit::Lost as u8)
    } else {
        ExitCode::SUCCESS
    })
}

/// A capture may be anybody's: what reads it can open no file and no TCP connection, and has no
/// rights beyond its user's.
fn confine() {
    if let Err(error) = rights::drop_all_but(CapabilitySet::empty()) {
        report::say(format_args!("can't drop capabilities that are not needed: {error}"));
    }
    if let Err(error) = sandbox::enter(&[], None) {
        report::error(&error.context("no sandbox"));
    }
}
