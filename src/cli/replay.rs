// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope replay`: from the arguments to a replay, and from what became of it to an exit status.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use rustix::thread::CapabilitySet;

use crate::cli::events::Choose;
use crate::cli::expect::Expect;
use crate::cli::output::{Drawn, Help, Target};
use crate::model::conditions::Conditions;
use crate::model::failure::Exit;
use crate::output::{Output, terminal};
use crate::process::filter::Filter;
use crate::replay::Input;
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{report, rights, sandbox};
use crate::text::{moment, values};

const EXAMPLES: &str = "\
Examples:
  tuxscope replay events.jsonl                as a table
  tuxscope replay --format summary events.jsonl.gz
  tuxscope replay --since -2h --failed events.jsonl
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
    when: When,

    #[command(flatten)]
    expect: Expect,

    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    help: Help,
}

/// More that chooses events: of a capture that is there.
#[derive(Debug, Args)]
#[command(next_help_heading = "Events")]
struct When {
    /// Only events at this time or later: 2026-11-23T14:00:00Z, '2026-11-23 14:00', today, -2h
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    since: Option<u64>,

    /// Only events before this time, as --since
    #[arg(long, value_name = "TIME", value_parser = moment::parse, allow_hyphen_values = true)]
    until: Option<u64>,

    /// Only exits of processes that lived this long or longer
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    min_duration: Option<Duration>,

    /// Only exits of processes that used this much CPU time or more
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    min_cpu: Option<Duration>,
}

impl When {
    fn and(self, conditions: Conditions) -> Conditions {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Conditions {
            since_ns: self.since,
            until_ns: self.until,
            min_duration_ns: self.min_duration.map(ns),
            min_cpu_ns: self.min_cpu.map(ns),
            ..conditions
        }
    }
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
    let mut expected = args.expect.open(drawn.no_args)?;
    let input = Input::open(&args.input)?;
    let mut output = target.open(drawn.format, Output::stdout, None)?;
    if input.is(&output) {
        bail!("{} is also the output: write to another file", input.name());
    }
    let filter = Filter::new(args.when.and(args.choose.into()));
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
pub fn confine() {
    if let Err(error) = rights::drop_all_but(CapabilitySet::empty()) {
        report::say(format_args!("can't drop capabilities that are not needed: {error}"));
    }
    if let Err(error) = sandbox::enter(&[], &[]) {
        report::error(&error.context("no sandbox"));
    }
}
