// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope replay`: from the arguments to a replay, and from what became of it to an exit status.

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CapabilitySet;

use crate::cli::events::Choose;
use crate::cli::expect::Expect;
use crate::cli::output::{Drawn, Help, Target};
use crate::model::conditions::Conditions;
use crate::model::failure::Exit;
use crate::output::{Output, terminal};
use crate::process::filter::Filter;
use crate::replay::{ALWAYS, Input, Plan, Set};
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{report, rights, sandbox};
use crate::text::{moment, values};

const EXAMPLES: &str = "\
Examples:
  tuxscope replay events.jsonl                as a table
  tuxscope replay --format summary events.jsonl.gz
  tuxscope replay --since -2h --failed events.jsonl
  tuxscope replay --since -1h --format summary /var/log/tuxscope
  tuxscope replay --since now --tail /var/log/tuxscope/events.jsonl
  tuxscope replay --format json --comm make --event exec events.jsonl.zst
  ssh host sudo tuxscope proc --wide --format json | tuxscope replay -

Exit status: 0 success, 1 failure, 2 usage, 3 events were lost (--strict),
4 a rule doesn't hold (--expect).";

/// `tuxscope replay`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct Replay {
    /// Captures: JSON lines of either mode, plain or compressed (gzip, zstd); - is standard input; of a
    /// directory all files
    ///
    /// FILE, FILE.1, FILE.2.zst and so on, or FILE-20261127, are one capture that was rotated. Several
    /// captures are merged by time.
    #[arg(value_name = "FILE", required = true)]
    inputs: Vec<PathBuf>,

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

    /// Only events of this host
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

impl When {
    fn and(self, conditions: Conditions) -> Conditions {
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Conditions {
            since_ns: self.since,
            until_ns: self.until,
            min_duration_ns: self.min_duration.map(ns),
            min_cpu_ns: self.min_cpu.map(ns),
            host: self.host,
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

    /// Go on with what is appended to the capture, across rotation, until interrupted
    #[arg(long)]
    tail: bool,
}

/// Shows a capture again.
///
/// # Errors
/// The capture can't be read, or not as it was asked for.
pub fn run(args: Replay) -> Result<ExitCode> {
    let Replay { drawn, target, limits: Limits { strict, tail }, .. } = args;
    drawn.check()?;
    let mut expected = args.expect.open(drawn.no_args)?;
    raise_file_limit();
    let sets = crate::replay::sets(&args.inputs)?;
    sets.iter().flat_map(|set| &set.remarks).for_each(report::say);
    let tailed = if tail { Some(directory_of_one(&sets)?) } else { None };
    let mut output = target.open(drawn.format, Output::stdout, None)?;
    let mut inputs = sets.iter().flat_map(|set| &set.files);
    if let Some(input) = inputs.clone().find(|input| input.is(&output)) {
        bail!("{} is also the output: write to another file", input.name());
    }
    let fed_by_pipe = inputs.any(Input::is_fed_by_pipe);
    let wanted = args.when.since.unwrap_or(ALWAYS.start)..args.when.until.unwrap_or(ALWAYS.end);
    let filter = Filter::new(args.when.and(args.choose.into()));
    // Whom a process descends from, and what a rule is about, may have happened earlier.
    let wanted = if filter.follows() || expected.is_some() { ALWAYS } else { wanted };
    let style = terminal::style(&output, target.color.into());
    if let Some(expected) = &mut expected {
        expected.begin()?;
    }
    // All that is read besides the capture (users, time zones) is read here.
    let sinks = [false, true].map(|wide| drawn.start(wide, style));
    confine(tailed.as_slice());
    // Only now: the handler's thread has the rights of its maker.
    let stop = Stop::on_signals(Hangup::End)?;
    if fed_by_pipe {
        stop.spare_first_interrupt();
    }
    let judge = expected.as_mut().map(|expected| &mut expected.judge);
    let across = drawn.format.across;
    let plan = Plan { sets, filter, wanted, tail, sinks, across, judge };
    let outcome = crate::replay::run(plan, &mut output, &stop)?;
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

/// All files are opened before the first is read, for then the sandbox forbids it, and what is rotated
/// meanwhile has another name: those of many hosts are more than 1,024.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it can't be raised, the file that is one too many says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Where the files of the one capture are that is gone on with as it grows.
fn directory_of_one(sets: &[Set]) -> Result<PathBuf> {
    let [set] = sets else { bail!("--tail goes on with one capture, not with several") };
    if set.files.iter().any(|file| file.identity().is_none()) {
        bail!("--tail takes a regular file: what comes from a pipe is waited for in any case");
    }
    let parent = set.path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(parent.unwrap_or(Path::new(".")).to_owned())
}

/// A capture may be anybody's: what reads it can open no file and no TCP connection, and has no
/// rights beyond its user's. Files in the directories `readable` can be opened.
pub fn confine(readable: &[PathBuf]) {
    if let Err(error) = rights::drop_all_but(CapabilitySet::empty()) {
        report::say(format_args!("can't drop capabilities that are not needed: {error}"));
    }
    if let Err(error) = sandbox::enter(readable, &[]) {
        report::error(&error.context("no sandbox"));
    }
}
