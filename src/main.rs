// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit status.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use tuxscope::capture::{self, Limits};
use tuxscope::cli::{Cli, Command, Format, Proc};
use tuxscope::event::Meta;
use tuxscope::failure::{Exit, Failure};
use tuxscope::format::{Json, Sink, Table};
use tuxscope::output::Output;
use tuxscope::report;
use tuxscope::stop::Stop;
use tuxscope::tracer::{Config, Storage, Tracer};

fn main() -> ExitCode {
    let Command::Proc(args) = Cli::parse().command;
    match proc(args) {
        Ok(code) => code,
        Err(error) => {
            report::error(&error);
            ExitCode::from(Failure::exit_of(&error) as u8)
        }
    }
}

fn proc(args: Proc) -> Result<ExitCode> {
    let mut output = match &args.output {
        Some(path) => Output::create(path)?,
        None => Output::stdout()?,
    };
    let mut sink: Box<dyn Sink> = match args.format {
        Format::Table => Box::new(Table::default()),
        Format::Json => Box::new(Json::new(false)),
    };
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
