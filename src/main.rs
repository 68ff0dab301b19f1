// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit status.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use tuxscope::capture::{self, Limits};
use tuxscope::cli::{Cli, Command, Format, Proc, Replay};
use tuxscope::event::Meta;
use tuxscope::failure::{Exit, Failure};
use tuxscope::filter::Filter;
use tuxscope::format::{Explain, Json, Sink, Style, Table, Timeline, Tree};
use tuxscope::output::Output;
use tuxscope::replay::{self, Input};
use tuxscope::report;
use tuxscope::stop::Stop;
use tuxscope::terminal;
use tuxscope::tracer::{Config, Storage, Tracer};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Proc(args) => proc(args),
        Command::Replay(args) => replay(args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::from(Failure::exit_of(&error) as u8)
        }
    }
}

fn proc(args: Proc) -> Result<ExitCode> {
    let mut output = output(args.output.as_deref())?;
    let mut sink = sink(args.format, false, terminal::style(&output));
    let stop = Stop::on_signals()?;
    let config = Config { pids: args.pids, buffer_size: args.buffer_size, verbose: args.verbose };
    let mut storage = Storage::uninit();
    let tracer = Tracer::start(&mut storage, &config)?;

    let meta = Meta::default();
    let limits = Limits { duration: args.duration, count: args.count };
    let summary = capture::run(&tracer, &meta, &mut *sink, &mut output, limits, &stop)?;
    if let Some(error) = &summary.error {
        report::error(error);
    }
    report::say(&summary);

    Ok(if summary.error.is_some() {
        ExitCode::from(Exit::Failed as u8)
    } else if args.strict && summary.lost.total() > 0 {
        ExitCode::from(Exit::Lost as u8)
    } else {
        ExitCode::SUCCESS
    })
}

fn replay(args: Replay) -> Result<ExitCode> {
    let input = Input::open(&args.input)?;
    let mut output = output(args.output.as_deref())?;
    let filter = Filter::new(args.choose.into());
    let stop = Stop::on_signals()?;
    let style = terminal::style(&output);
    let mut make_sink = |wide| sink(args.format, wide, style);
    let outcome = replay::run(input, filter, &mut make_sink, &mut output, &stop)?;
    if let Some(error) = &outcome.error {
        report::error(error);
    }
    Ok(if outcome.error.is_some() || args.strict && outcome.unreadable > 0 {
        ExitCode::from(Exit::Failed as u8)
    } else if args.strict && outcome.lost.total() > 0 {
        ExitCode::from(Exit::Lost as u8)
    } else {
        ExitCode::SUCCESS
    })
}

fn output(path: Option<&Path>) -> Result<Output> {
    path.map_or_else(Output::stdout, Output::create)
}

fn sink(format: Format, wide: bool, style: Style) -> Box<dyn Sink> {
    match format {
        Format::Table => Box::new(Table::default()),
        Format::Json => Box::new(Json::new(wide)),
        Format::Explain => Box::new(Explain::default()),
        Format::Timeline => Box::new(Timeline::default()),
        Format::Tree => Box::new(Tree::new(style)),
    }
}
