// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is drawn and where it goes, alike for a live capture and for a replay.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::builder::{ArgPredicate, PossibleValue};
use clap::{ArgAction, Args, ValueEnum};

use crate::model::failure::{Exit, Failure};
use crate::output::{Output, Rotation};
use crate::text::style::Style;
use crate::text::values;
use crate::view::{
    self, By, Column, NoArgs, Ranking, Settings, Shape, Sink, Sort, Speaks, View, Weight,
};

/// The values of `--format` are the registry of views.
impl ValueEnum for &'static View {
    fn value_variants<'a>() -> &'a [Self] {
        view::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.help))
    }
}

/// The values of `--columns` are the table's.
impl ValueEnum for &'static Column {
    fn value_variants<'a>() -> &'a [Self] {
        view::COLUMNS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.help))
    }
}

/// What is drawn.
#[derive(Debug, Args)]
#[command(next_help_heading = "View")]
pub struct Drawn {
    /// How to show the events
    #[arg(long, value_enum, default_value = "table", default_value_ifs([
        ("output", ArgPredicate::IsPresent, "table"),
        ("expect", ArgPredicate::IsPresent, "none"),
    ]))]
    pub format: &'static View,

    /// The table's columns (live: implies --wide); where a terminal has no room for all, some give way
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST")]
    pub columns: Vec<&'static Column>,

    // These have a default, but whether they were given matters: another view refuses them.
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        help = "Group the processes of a summary by this [default: command]"
    )]
    pub by: Option<By>,

    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        help = "Show first the groups of a summary with the most of this [default: cpu]"
    )]
    pub sort: Option<Sort>,

    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          help = "Show this many groups of a summary, and the others as one row [default: 20]")]
    pub top: Option<u32>,

    /// Make a summary of each interval of this length in which anything happened: seconds, or with units
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub every: Option<Duration>,

    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        help = "What the numbers of folded stacks count [default: cpu]"
    )]
    pub weight: Option<Weight>,

    /// In spans of --format otlp, tell the arguments of programs, too, which may hold secrets
    #[arg(long)]
    pub otlp_args: bool,

    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          help = "Write at most N spans; beyond that, short processes share one [default: 2000]")]
    pub otlp_max_spans: Option<u32>,

    /// Leave the arguments of programs out of the output; their names stay
    #[arg(long)]
    pub no_args: bool,
}

impl Drawn {
    /// It is drawn from the wide mode's events.
    pub fn needs_wide(&self) -> bool {
        self.format.needs_wide || !self.columns.is_empty()
    }

    /// It says nothing before the capture is over.
    pub fn speaks_at_the_end(&self) -> bool {
        self.format.speaks == Speaks::AtTheEnd && self.every.is_none()
    }

    /// What the command line's grammar can't tell.
    ///
    /// # Errors
    /// An option of another view.
    pub fn check(&self) -> Result<(), Failure> {
        let given = [
            ("columns", !self.columns.is_empty()),
            ("by", self.by.is_some()),
            ("sort", self.sort.is_some()),
            ("top", self.top.is_some()),
            ("every", self.every.is_some()),
            ("weight", self.weight.is_some()),
            ("otlp-args", self.otlp_args),
            ("otlp-max-spans", self.otlp_max_spans.is_some()),
        ];
        let strange =
            given.iter().find(|(name, given)| *given && !self.format.takes.contains(name));
        let Some((name, _)) = strange else { return Ok(()) };
        let views = view::ALL.iter().filter(|view| view.takes.contains(name));
        let views: Vec<_> = views.map(|view| view.name).collect();
        let what = format!("--{name} is not for --format {}", self.format.name);
        let remedy = format!("use --format {}, or omit --{name}", views.join(" or "));
        Err(Failure::new(Exit::Usage, what, remedy))
    }

    /// Begins the view.
    pub fn start(&self, wide: bool, style: Style) -> Box<dyn Sink> {
        let ranking = Ranking {
            by: self.by.unwrap_or_default(),
            sort: self.sort.unwrap_or_default(),
            top: self.top.map_or(Ranking::TOP, |top| top as usize),
        };
        let (columns, weight) = (self.columns.clone(), self.weight.unwrap_or_default());
        let sink = (self.format.start)(&Settings {
            wide,
            style,
            columns,
            ranking,
            every: self.every,
            weight,
            otlp_args: self.otlp_args,
            otlp_max_spans: self.otlp_max_spans.map(|max| max as usize),
        });
        if self.no_args { Box::new(NoArgs(sink)) } else { sink }
    }
}

/// Where it goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Target {
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

impl Target {
    /// Opens the file that was named, or the stream that stands for none.
    ///
    /// # Errors
    /// It can't be opened, or is a terminal and the view a document.
    pub fn open(
        &self,
        view: &View,
        stream: fn() -> Result<Output>,
        rotation: Option<Rotation>,
    ) -> Result<Output> {
        let output = match &self.output {
            Some(path) => Output::open(path, rotation)?,
            None => stream()?,
        };
        if view.shape == Shape::Document && output.is_terminal() {
            let what = format!("--format {} writes a document, not text for a terminal", view.name);
            let remedy = "write it to a file (-o FILE) or to a pipe";
            return Err(Failure::new(Exit::Usage, what, remedy).into());
        }
        Ok(output)
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Whether to use colour; `None`: as the terminal and the environment have it.
impl From<Color> for Option<bool> {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        }
    }
}

/// The help option, last under its own heading: clap's own would come before all others.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other")]
pub struct Help {
    /// Print help (in full with --help)
    #[arg(short, long, action = ArgAction::Help)]
    help: Option<bool>,
}
