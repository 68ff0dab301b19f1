// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture is expected to come to, alike for a live capture and for a replay.

use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use crate::expect::rule::Rule;
use crate::expect::{Judge, MAX_RULES, Outcome, Verdict, junit, parse, report};
use crate::model::event::Totals;
use crate::model::failure::{Exit, Failure};
use crate::output::{Output, WriteFailed};

/// Rules, and where to tell what became of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Expectations")]
pub struct Expect {
    /// Exit with status 4 unless this holds, such as 'failures = 0' or 'cpu[unit=ci] <= 90s'
    ///
    /// Or the rules in a file, one a line. Can be given several times. Live it implies --wide;
    /// without --format and --output, nothing else is shown.
    #[arg(long = "expect", value_name = "RULE|@FILE", id = "expect")]
    pub rules: Vec<String>,

    /// Write what became of the rules to FILE instead of standard error
    #[arg(long, value_name = "FILE", requires = "expect")]
    pub expect_output: Option<PathBuf>,

    // Not a doc comment: there, clippy wants backticks around the name of the format.
    #[arg(
        long,
        value_name = "FILE",
        requires = "expect",
        help = "Write what became of the rules to FILE as JUnit XML, too"
    )]
    pub junit: Option<PathBuf>,
}

/// Rules that are ready to judge a capture.
#[derive(Debug)]
pub struct Expected {
    /// Takes the capture.
    pub judge: Judge,
    /// A rule asks for execs that failed.
    pub failed_execs: bool,
    report: Output,
    junit: Option<Output>,
}

impl Expect {
    /// There are rules.
    pub fn is_given(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Reads the rules, and opens the files; none where there are no rules.
    ///
    /// # Errors
    /// A rule is none, or a file can't be opened.
    pub fn open(&self, no_args: bool) -> Result<Option<Expected>> {
        if !self.is_given() {
            return Ok(None);
        }
        let mut rules = Vec::new();
        for text in &self.rules {
            match text.strip_prefix('@') {
                Some(file) => rules.extend(from_file(file)?),
                None => rules.push(parse::rule(text).map_err(|error| wrong("--expect", &error))?),
            }
        }
        if rules.is_empty() || rules.len() > MAX_RULES {
            let what = format!("--expect names {} rules", rules.len());
            return Err(Failure::new(Exit::Usage, what, "give 1 to 100").into());
        }
        let failed_execs = rules.iter().any(Rule::needs_failed_execs);
        let report = match &self.expect_output {
            Some(path) => Output::open(path, None)?,
            None => Output::stderr()?,
        };
        let junit = self.junit.as_ref().map(|path| Output::open(path, None)).transpose()?;
        Ok(Some(Expected { judge: Judge::new(rules, no_args), failed_execs, report, junit }))
    }
}

fn wrong(whose: &str, error: &parse::SyntaxError) -> Failure {
    let remedy = "see RULES in tuxscope-proc(8)";
    Failure::new(Exit::Usage, format!("{whose}: {error}"), remedy)
}

fn from_file(file: &str) -> Result<Vec<Rule>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("can't read the rules in {file}"))?;
    parse::rules(&text).map_err(|(line, error)| wrong(&format!("{file}:{line}"), &error).into())
}

impl Expected {
    /// Empties the files, when nothing else can fail any more.
    ///
    /// # Errors
    /// It can't be done.
    pub fn begin(&mut self) -> Result<()> {
        self.report.begin()?;
        self.junit.iter_mut().try_for_each(Output::begin)
    }

    /// Tells what became of the rules, and returns whether all hold. `unreadable`: lines of a
    /// capture that could not be read.
    ///
    /// # Errors
    /// It can't be written. That a reader has gone is none: what was found stays so.
    pub fn finish(
        self,
        totals: &Totals,
        unreadable: u64,
        mut wait: impl FnMut(BorrowedFd<'_>) -> bool,
    ) -> Result<bool> {
        let outcomes = self.judge.outcomes(totals, unreadable);
        let documents =
            [(Some(self.report), report(&outcomes)), (self.junit, junit::document(&outcomes))];
        let mut failed = None;
        for (output, text) in documents {
            let Some(mut output) = output else { continue };
            output.buffer().extend_from_slice(text.as_bytes());
            match output.settle(&mut wait) {
                Err(WriteFailed { cause, .. }) if cause.kind() != io::ErrorKind::BrokenPipe => {
                    failed.get_or_insert(anyhow!("can't write {}: {cause}", output.name()));
                }
                _ => {}
            }
        }
        let all_hold = outcomes.iter().all(|Outcome { verdict, .. }| *verdict == Verdict::Ok);
        failed.map_or(Ok(all_hold), Err)
    }
}
