// SPDX-License-Identifier: MIT OR Apache-2.0
//! Parse, run, exit status.

use std::env;
use std::io::{self, Write as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use rustix::thread::CapabilitySet;

use tuxscope::capture::{Capture, Limits};
use tuxscope::cgroup;
use tuxscope::check;
use tuxscope::cli::{Check, CheckFormat, Cli, Command, Format, Proc, Replay, Wait};
use tuxscope::enrich::Enricher;
use tuxscope::failure::{Exit, Failure};
use tuxscope::filter::Filter;
use tuxscope::format::{
    Explain, Json, Perfetto, SCHEMA, Sink, Style, Summary, Table, Timeline, Tree, WideTable,
};
use tuxscope::host;
use tuxscope::launch::{self, Launched};
use tuxscope::output::{Output, Rotation};
use tuxscope::replay::{self, Input};
use tuxscope::report;
use tuxscope::rights;
use tuxscope::running;
use tuxscope::sandbox;
use tuxscope::stop::{Hangup, Stop};
use tuxscope::terminal;
use tuxscope::tracer::{Config, Storage, Tracer, View};
use tuxscope::users::Users;
use tuxscope::wait::Waiter;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Proc(args) => proc(args),
        Command::Replay(args) => replay(args),
        Command::Schema => schema(),
        Command::Check(args) => check(&args),
        Command::CheckChild { last } => check::child(last).map(ExitCode::from),
        Command::Hold { args } => Ok(ExitCode::from(launch::held(&args))),
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
    let runs_command = !args.command.is_empty();
    // A script's `-- "$@"` without arguments means no trace of the whole machine.
    if !runs_command && env::args_os().next_back().is_some_and(|last| last == "--") {
        let what = "there is no COMMAND behind --";
        return Err(Failure::new(Exit::Usage, what, "name one, or leave -- away").into());
    }
    let wide = args.wide || args.format.is_wide();
    if args.threads && !wide {
        let what = "--threads is of the wide view";
        return Err(Failure::new(Exit::Usage, what, "add --wide").into());
    }
    let rotation = rotation(&args)?;
    let mut output = match &args.output {
        None if runs_command => Output::stderr()?,
        path => output(path.as_deref(), rotation)?,
    };
    let mut sink = sink(args.format, wide, terminal::style(&output, args.color.into()));
    let view = match wide {
        true => View::Wide { threads: args.threads, max_args: args.max_args },
        false => View::Basic,
    };
    let config = Config {
        view,
        choice: args.choose.into(),
        adopt: runs_command,
        buffer_size: args.buffer_size,
        verbose: args.verbose,
    };
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config)?;

    let waiter = Waiter::new().context("can't wait for events")?;
    let mut launched = None;
    let mut keep = tracer.rights_to_read();
    if runs_command {
        tracer.set_adopting(true);
        let command = Launched::hold(&args.command, args.user.as_deref())?;
        tracer.set_adopting(false);
        waiter.add_command(command.pidfd())?;
        // SIGTERM for a command that may have become another user.
        keep |= CapabilitySet::KILL;
        launched = Some(command);
    }
    // With all rights still, and when all that may be wrong with the start has been found.
    output.begin()?;
    // /proc tells of what runs already, and of the arguments of what changed too fast.
    let hidden = (wide || config.choice.follow) && running::are_hidden();
    if hidden {
        keep |= CapabilitySet::SYS_PTRACE;
    }
    if let Err(error) = rights::drop_all_but(keep) {
        report::say(format_args!("rights that are no longer needed can't be dropped: {error}"));
    }
    let renews = args.rotate_size.is_some() || args.reopen;
    if hidden && rights::has(CapabilitySet::SYS_PTRACE) {
        // Landlock would hide all others' processes, whatever the rights.
        if args.verbose {
            report::say("no sandbox: it and a /proc with hidepid would hide all processes");
        }
    } else {
        if hidden && !running::is_visible(1) {
            report::say("/proc hides processes (hidepid): those that run already stay unknown");
        }
        enter_sandbox(renews.then(|| output.dir()).flatten(), args.verbose);
    }
    // Only now: the handler's thread has the rights of its maker.
    let hangup = if args.reopen { Hangup::Reopen } else { Hangup::End };
    let stop = match runs_command {
        true => Stop::on_termination(hangup)?,
        false => Stop::on_signals(hangup)?,
    };
    if let Some(pipe) = output.pipe() {
        waiter.add_output(pipe)?;
    }

    let enricher = wide.then(|| Enricher::new(args.max_args as usize));
    let clock_offset_ns = enricher.as_ref().map_or(0, Enricher::clock_offset_ns);
    let capture = Capture {
        tracer: &tracer,
        sink: &mut *sink,
        output: &mut output,
        meta: host::meta(config.choice.words(), clock_offset_ns),
        limits: Limits { duration: args.duration, count: args.count },
        enricher,
        filter: Filter::new(config.choice.clone()),
        command: launched.as_mut(),
        show_count: args.format.is_drawn_at_the_end() && !runs_command,
        wait_for_all: args.wait == Wait::All,
    };
    let summary = capture.run(&stop, &waiter)?;
    if let Some(error) = &summary.error {
        report::error(error);
    }
    report::say(&summary);
    // Whatever became of the capture: who started us counts on the command to have ended.
    let status = launched.map_or(Ok(0), |mut command| command.status(&stop))?;

    Ok(ExitCode::from(if summary.error.is_some() {
        Exit::Failed as u8
    } else if args.strict && !summary.totals.complete() {
        Exit::Lost as u8
    } else {
        status
    }))
}

/// /proc and the cgroups are what the enricher reads.
fn enter_sandbox(output: Option<BorrowedFd<'_>>, verbose: bool) {
    let readable: Vec<_> =
        [PathBuf::from("/proc")].into_iter().chain(cgroup::mount_point()).collect();
    match sandbox::enter(&readable, output) {
        Ok(true) => {}
        Ok(false) if verbose => report::say("no sandbox: this kernel has no Landlock"),
        Ok(false) => {}
        Err(error) => report::error(&error.context("no sandbox")),
    }
}

fn replay(args: Replay) -> Result<ExitCode> {
    let input = Input::open(&args.input)?;
    let mut output = output(args.output.as_deref(), None)?;
    if input.is(&output) {
        bail!("{} is the output, too: write to another file", input.name());
    }
    let filter = Filter::new(args.choose.into());
    let stop = Stop::on_signals(Hangup::End)?;
    let style = terminal::style(&output, args.color.into());
    let mut make_sink = |wide| sink(args.format, wide, style);
    let outcome = replay::run(input, filter, &mut make_sink, &mut output, &stop)?;
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

fn schema() -> Result<ExitCode> {
    // As for any output: a closed pipe is success.
    match io::stdout().write_all(SCHEMA.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("can't write standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn check(args: &Check) -> Result<ExitCode> {
    let report = check::Report::make();
    let mut output = Output::stdout()?;
    let text = match args.format {
        CheckFormat::Table => report.to_string(),
        CheckFormat::Json => report.json()? + "\n",
    };
    output.buffer().extend(text.bytes());
    match output.flush() {
        Err(failed) if failed.cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(failed.cause).context("can't write standard output")
        }
        _ => Ok(ExitCode::from(report.exit())),
    }
}

fn output(path: Option<&Path>, rotation: Option<Rotation>) -> Result<Output> {
    path.map_or_else(Output::stdout, |path| Output::open(path, rotation))
}

fn rotation(args: &Proc) -> Result<Option<Rotation>> {
    if (args.rotate_size.is_some() || args.reopen) && !args.format.is_lines() {
        let what = "this format is one whole, and can't go on in another file";
        return Err(
            Failure::new(Exit::Usage, what, "choose --format json, table or explain").into()
        );
    }
    Ok(args.rotate_size.map(|size| Rotation { size, keep: args.rotate_keep }))
}

fn sink(format: Format, wide: bool, style: Style) -> Box<dyn Sink> {
    match format {
        Format::Table if wide => Box::new(WideTable::new(style, Users::read())),
        Format::Table => Box::new(Table::default()),
        Format::Json => Box::new(Json::new(wide)),
        Format::Summary => Box::new(Summary::text(style)),
        Format::SummaryJson => Box::new(Summary::json()),
        Format::Explain => Box::new(Explain::default()),
        Format::Perfetto => Box::new(Perfetto::default()),
        Format::Timeline => Box::new(Timeline::default()),
        Format::Tree => Box::new(Tree::new(style)),
    }
}
