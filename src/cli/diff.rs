// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope diff`: captures of the same work, before and after a change.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::replay::confine;
use crate::cli::output::{Color, Help};
use crate::diff::{self, Collecting, Options, Run};
use crate::json;
use crate::model::conditions::Conditions;
use crate::output::{Output, terminal};
use crate::process::filter::Filter;
use crate::replay::{self, ALWAYS, Input, Plan, Set};
use crate::runtime::report;
use crate::runtime::stop::{Hangup, Stop};
use crate::view::Across;
use crate::view::summary::By;

const EXAMPLES: &str = "\
Examples:
  tuxscope diff main.jsonl branch.jsonl       what does the branch cost?
  tuxscope diff --args before.jsonl after.jsonl
  tuxscope diff main.*.jsonl -- branch.*.jsonl    medians of several runs

Exit status: 0 nothing differs, 1 something does, 2 trouble: a capture can't be
read, or events are missing so that it isn't known.";

/// Something differs.
const DIFFERS: u8 = 1;
/// It could not be told.
const TROUBLE: u8 = 2;

/// `tuxscope diff`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true,
          override_usage = "tuxscope diff [OPTIONS] BEFORE AFTER\n       tuxscope diff [OPTIONS] BEFORE... -- AFTER...")]
pub struct Diff {
    /// Captures in wide mode (JSON lines, plain or compressed): the one before the change and the one after
    /// it, or all those before
    #[arg(value_name = "BEFORE", required = true)]
    before: Vec<PathBuf>,

    /// With several: those after the change
    #[arg(value_name = "AFTER", last = true)]
    after: Vec<PathBuf>,

    #[command(flatten)]
    view: ViewOptions,

    #[command(flatten)]
    help: Help,
}

/// What is compared, and how it is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "View")]
struct ViewOptions {
    /// How to show the differences
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Group processes by this
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = By::Command)]
    by: By,

    /// Compare the command lines of all execs, too, without temporary names, hashes and long numbers
    #[arg(long)]
    args: bool,

    /// Times and sizes that changed by no more than this are alike, in percent
    #[arg(long, value_name = "PERCENT", default_value = "10", value_parser = percent)]
    threshold: f64,

    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: what differs
    Table,
    /// One JSON object: everything
    Json,
}

/// `10`, `2.5%`
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').parse::<f64>();
    let number = number.ok().filter(|number| (0.0..=1e6).contains(number));
    number.map(|number| number / 100.0).ok_or_else(|| "not a percentage".to_owned())
}

/// Compares, and says what differs.
///
/// # Errors
/// None: trouble has an exit status of its own, as in diff(1).
pub fn run(args: &Diff) -> Result<ExitCode> {
    Ok(ExitCode::from(compare(args).unwrap_or_else(|error| {
        report::error(&error);
        TROUBLE
    })))
}

fn compare(args: &Diff) -> Result<u8> {
    let (before, after) = match (&args.before[..], &args.after[..]) {
        ([before], [after]) => (std::slice::from_ref(before), std::slice::from_ref(after)),
        ([before, after], []) => (std::slice::from_ref(before), std::slice::from_ref(after)),
        (before, after) if !after.is_empty() => (before, after),
        _ => bail!("which captures are from before, and which from after?\nseparate them by --"),
    };
    let from_stdin = before.iter().chain(after).filter(|path| path.as_os_str() == "-");
    if from_stdin.count() > 1 {
        bail!("standard input can be read only once\nsave the captures to files");
    }
    let open =
        |paths: &[PathBuf]| paths.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>>>();
    let inputs = [open(before)?, open(after)?];
    let mut output = Output::stdout()?;
    let style = terminal::style(&output, args.view.color.into());
    confine(&[]);
    let stop = Stop::on_signals(Hangup::End)?;
    let mut sides: Vec<Vec<Run>> = Vec::new();
    let mut damaged = false;
    for side in inputs {
        let runs = side.into_iter().map(|input| {
            let (run, is_damaged) = read(input, &args.view, &mut output, &stop)?;
            damaged |= is_damaged;
            Ok(run)
        });
        sides.push(runs.collect::<Result<_>>()?);
    }
    let runs: Vec<&Run> = sides.iter().flatten().collect();
    if let Some(other) = runs.iter().find(|run| run.filters != runs[0].filters) {
        let (one, other) = (&runs[0].name, &other.name);
        bail!("{one} and {other} were captured with different options that choose events");
    }
    if let Some(run) = runs.iter().find(|run| args.view.args && run.no_args) {
        bail!("{} was made with --no-args: its command lines can't be compared", run.name);
    }
    let options =
        Options { threshold: args.view.threshold, by: args.view.by.name(), execs: args.view.args };
    let report = diff::compare(&sides[0], &sides[1], &options);
    let mut text = match args.view.format {
        Format::Table => diff::render(&report, style).into_bytes(),
        Format::Json => {
            let mut line = Vec::new();
            json::write(&report, &mut line);
            line.push(b'\n');
            line
        }
    };
    output.buffer().append(&mut text);
    match output.settle(|output| stop.await_room(output, None)) {
        Err(failed) if failed.cause.kind() != io::ErrorKind::BrokenPipe => {
            bail!("can't write the differences: {}", failed.cause)
        }
        _ => {}
    }
    Ok(match (report.differs, report.certain) {
        // What differs may be nothing but what is missing.
        _ if damaged => TROUBLE,
        (true, _) => DIFFERS,
        // What is missing may have been a difference.
        (false, false) => TROUBLE,
        (false, true) => 0,
    })
}

/// Reads a capture to its end. The other value: of what was captured, some can't be read, or the end isn't
/// there.
fn read(input: Input, view: &ViewOptions, output: &mut Output, stop: &Stop) -> Result<(Run, bool)> {
    let name = input.name().to_owned();
    let sink = Collecting::new(&name, view.by, view.args);
    let sinks = [(); 2].map(|()| Box::new(sink.clone()) as _);
    let filter = Filter::new(Conditions::default());
    let plan = Plan {
        sets: vec![Set::of(input)],
        filter,
        wanted: ALWAYS,
        tail: false,
        sinks,
        across: Across::Refused,
        judge: None,
    };
    let outcome = replay::run(plan, output, stop)?;
    if let Some(error) = outcome.error {
        return Err(error);
    }
    if stop.requested() {
        bail!("ended while {name} was read");
    }
    let mut run = sink.take();
    let damaged = outcome.unreadable > 0 || outcome.empty || outcome.totals.cut_off;
    run.complete &= outcome.complete && !damaged;
    if run.basic {
        bail!(
            "{name} is a capture of the basic mode, which doesn't tell what processes cost\n\
             capture with --wide"
        );
    }
    Ok((run, damaged))
}
