// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope proc`: from the arguments to a capture, and from what became of it to an exit status.

use std::env;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use rustix::thread::CapabilitySet;

use crate::capture::bounds::Bounds;
use crate::capture::enrich::Enricher;
use crate::capture::launch::Launched;
use crate::capture::wait::Waiter;
use crate::capture::{Capture, Limits, READER};
use crate::cli::events::Choose;
use crate::cli::expect::Expected;
use crate::host::{identity, running};
use crate::kernel::config::{Config, Mode};
use crate::kernel::tracer::{Storage, Tracer};
use crate::metrics::Metrics;
use crate::model::conditions::Conditions;
use crate::model::event::{EventKind, Meta};
use crate::model::failure::{Exit, Failure};
use crate::model::trace::TraceContext;
use crate::output::{Output, Rotation, terminal};
use crate::process::filter::Filter;
use crate::runtime::report;
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{rights, sandbox};
use crate::view::{self, Shape};

mod options;

pub use options::Proc;
use options::{MAX_BUFFER_SIZE_OF_ANYONE, ViewOptions, Wait};

/// Traces, live.
///
/// # Errors
/// The capture could not begin, or a command line that is none.
pub fn run(args: Proc) -> Result<ExitCode> {
    args.check()?;
    report::prepare();
    let mut expected = args.expect.open(args.view.drawn.no_args)?;
    args.check_rules(expected.as_ref())?;
    let mut output = args.open_output()?;
    let config = args.config(expected.as_ref());
    let failed_execs = config.choice.failed_execs;
    let metrics = args.out.metrics.as_deref();
    let mut metrics = metrics.map(|path| Metrics::begin(path, failed_execs)).transpose()?;
    let style = terminal::style(&output, args.out.target.color.into());
    let mut sink = args.view.drawn.start(args.is_wide(), style);
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config)?;

    look_for(&config.choice)?;
    let waiter = Waiter::new().context("can't wait for events")?;
    let has_trace = args.runs_command() && args.is_wide();
    let trace = has_trace.then(identity::trace).flatten();
    let mut command = args.hold_command(&tracer, &waiter, trace)?;
    // With all rights still, and when all that may be wrong with the start has been found.
    output.begin()?;
    if let Some(expected) = &mut expected {
        expected.begin()?;
        if args.run.wait == Wait::All {
            expected.judge.await_all();
        }
    }
    let metrics_dir = metrics.as_ref().map(|metrics| metrics.file().dir());
    args.give_up_rights(&tracer, &output, metrics_dir);
    // Only now: the handler's thread has the rights of its maker.
    let stop = args.listen_to_signals()?;

    let mut enricher = args.is_wide().then(|| Enricher::new(args.view.max_args as usize));
    let clock_offset_ns = enricher.as_ref().map_or(0, Enricher::clock_offset_ns);
    let meta = identity::meta(config.choice.words(), clock_offset_ns);
    let meta = Meta { trace, ..meta };
    if let Some(enricher) = enricher.as_mut().filter(|_| args.view.host_fields) {
        enricher.name_host(&meta);
    }
    let capture = Capture {
        tracer: &tracer,
        sink: &mut *sink,
        output: &mut output,
        meta,
        limits: Limits { duration: args.limits.duration, count: args.limits.count },
        enricher,
        bounds: Bounds::new(args.view.max_args, !args.view.no_exit_args),
        filter: Filter::new(config.choice.clone()),
        command: command.as_mut(),
        show_status: args.view.drawn.speaks_at_the_end() && !args.runs_command(),
        wait_for_all: args.run.wait == Wait::All,
        judge: expected.as_mut().map(|expected| &mut expected.judge),
        metrics: metrics.as_mut(),
        shows_events: args.view.drawn.format.shape != Shape::Nothing,
        full_screen: false,
    };
    let summary = capture.run(&stop, &waiter)?;
    if let Some(error) = &summary.error {
        report::error(error);
    }
    // Its reader gets the time that the output's has, if it isn't the same.
    let runs_command = command.is_some();
    let unread = args.out.target.output.is_none() && runs_command && output.is_given_up();
    let limit = runs_command.then_some(READER);
    report::say_while(&summary, |stderr| !unread && stop.await_room(stderr, limit));
    // Whatever became of the capture: who started us counts on the command to have ended.
    let status = command.map_or(Ok(0), |mut command| command.status(&stop))?;
    let wait = |output: BorrowedFd<'_>| stop.await_room(output, limit);
    let met = expected.map_or(Ok(true), |expected| expected.finish(&summary.totals, 0, wait));
    let met = met.inspect_err(report::error);
    output.finish();

    Ok(ExitCode::from(if summary.error.is_some() {
        Exit::Failed as u8
    } else if status != 0 {
        status
    } else if met.is_err() {
        Exit::Failed as u8
    } else if met.is_ok_and(|met| !met) {
        Exit::Unmet as u8
    } else if args.limits.strict && !summary.totals.complete() {
        Exit::Lost as u8
    } else {
        0
    }))
}

impl Proc {
    fn runs_command(&self) -> bool {
        !self.run.command.is_empty()
    }

    fn is_wide(&self) -> bool {
        let Choose { unit, container, kinds, .. } = &self.choose;
        let by_place = unit.is_some() || container.is_some();
        let failed_execs = self.view.failed_execs || kinds.contains(&EventKind::ExecFailed);
        self.view.wide
            || self.view.drawn.needs_wide()
            || self.expect.is_given()
            || self.view.host_fields
            || self.out.metrics.is_some()
            || by_place
            || failed_execs
    }

    fn renews_output(&self) -> bool {
        self.out.rotate_size.is_some() || self.out.reopen
    }

    /// What the command line's grammar can't tell.
    fn check(&self) -> Result<(), Failure> {
        let wrong = |what, remedy| Err(Failure::new(Exit::Usage, what, remedy));
        // A script's `-- "$@"` without arguments means no trace of the whole machine.
        if !self.runs_command() && env::args_os().next_back().is_some_and(|last| last == "--") {
            return wrong("no COMMAND after --", "name one, or omit --");
        }
        self.view.drawn.check()?;
        if self.view.threads && !self.is_wide() {
            return wrong("--threads requires --wide", "add --wide");
        }
        if self.renews_output() && self.view.drawn.format.shape != Shape::Lines {
            let option = if self.out.reopen { "--reopen" } else { "--rotate-size" };
            let format = self.view.drawn.format.name;
            let lines = view::ALL.iter().filter(|view| view.shape == Shape::Lines);
            let lines: Vec<_> = lines.map(|view| view.name).collect();
            return wrong(
                &format!("--format {format} is a single document, which {option} can't split"),
                &format!("use --format {}", lines.join(" or ")),
            );
        }
        if self.limits.buffer_size > MAX_BUFFER_SIZE_OF_ANYONE && rights::come_from_the_file() {
            return Err(Failure::new(
                Exit::Rights,
                "--buffer-size is limited to 64M where the capabilities are those of the program's file",
                "use --buffer-size 64M, or run it as root",
            ));
        }
        Ok(())
    }

    /// What rules ask of the rest of the command line.
    fn check_rules(&self, expected: Option<&Expected>) -> Result<(), Failure> {
        let Some(expected) = expected else { return Ok(()) };
        let wrong = |what, remedy| Err(Failure::new(Exit::Usage, what, remedy));
        if !self.runs_command() {
            return wrong("--expect is about a command", "add -- COMMAND, or replay a capture");
        }
        let filters = Conditions::from(self.choose.clone()).words();
        if let Some(filter) = filters.first() {
            let option = filter.split_once('=').map_or(&**filter, |(option, _)| option);
            return wrong(
                &format!("{option} would hide from --expect what its rules ask for"),
                "omit it, or filter in the rule, such as failures[comm=cc1] = 0",
            );
        }
        if expected.judge.counts_leftovers() && self.run.wait == Wait::All {
            return wrong("with --wait all nothing is left over", "omit one of the two");
        }
        Ok(())
    }

    fn open_output(&self) -> Result<Output> {
        let keep = self.out.rotate_keep;
        let compress = self.out.rotate_compress;
        let rotation = self.out.rotate_size.map(|size| Rotation { size, keep, compress });
        // Standard output is the command's.
        let stream = if self.runs_command() { Output::stderr } else { Output::stdout };
        self.out.target.open(self.view.drawn.format, stream, rotation)
    }

    fn config(&self, expected: Option<&Expected>) -> Config {
        let ViewOptions { threads, max_args, .. } = self.view;
        let failed_execs =
            self.view.failed_execs || expected.is_some_and(|expected| expected.failed_execs);
        Config {
            mode: if self.is_wide() { Mode::Wide { threads, max_args } } else { Mode::Basic },
            choice: Conditions { failed_execs, ..self.choose.clone().into() },
            adopt: self.runs_command(),
            buffer_size: self.limits.buffer_size,
            verbose: self.other.verbose,
        }
    }

    /// Starts the command, if there is one; it does nothing before it is let go.
    /// It learns its place in the trace where that is what is drawn and the trace is there already.
    fn hold_command(
        &self,
        tracer: &Tracer<'_>,
        waiter: &Waiter,
        trace: Option<TraceContext>,
    ) -> Result<Option<Launched>> {
        if !self.runs_command() {
            return Ok(None);
        }
        tracer.set_adopting(true);
        let draws_trace = std::ptr::eq(self.view.drawn.format, &view::OTLP);
        let trace = trace.filter(|trace| draws_trace && trace.parent_span_id.is_some());
        let mut command = Launched::hold(&self.run.command, self.run.user.as_deref(), trace)?;
        tracer.set_adopting(false);
        if self.is_wide() {
            // The sandbox hides a part of it.
            command.note_cost();
        }
        waiter.add_command(command.pidfd())?;
        Ok(Some(command))
    }

    /// Drops all capabilities but those that are needed until the end, and enters the sandbox.
    fn give_up_rights(
        &self,
        tracer: &Tracer<'_>,
        output: &Output,
        metrics: Option<BorrowedFd<'_>>,
    ) {
        let mut keep = tracer.rights_to_read();
        if self.runs_command() {
            // SIGTERM for a command that may have become another user.
            keep |= CapabilitySet::KILL;
        }
        // /proc tells of what runs already, and of the arguments of what changed too fast.
        let hidden = (self.is_wide() || self.choose.follow) && running::are_hidden();
        if hidden {
            keep |= CapabilitySet::SYS_PTRACE;
        }
        if let Err(error) = rights::drop_all_but(keep) {
            report::say(format_args!("can't drop capabilities that are no longer needed: {error}"));
        }
        if hidden && rights::has(CapabilitySet::SYS_PTRACE) {
            // Landlock would hide all others' processes, whatever the rights.
            if self.other.verbose {
                report::say(
                    "no sandbox: as /proc is mounted with hidepid, it would hide processes",
                );
            }
            return;
        }
        if hidden && !running::is_visible(1) {
            report::say(
                "/proc hides processes (hidepid): nothing is known of those already running",
            );
        }
        self.enter_sandbox(output, metrics);
    }

    /// /proc is what the enricher reads.
    fn enter_sandbox(&self, output: &Output, metrics: Option<BorrowedFd<'_>>) {
        let readable = [PathBuf::from("/proc")];
        let renewed = self.renews_output().then(|| output.dir()).flatten();
        let writable: Vec<_> = renewed.into_iter().chain(metrics).collect();
        match sandbox::enter(&readable, &writable) {
            Ok(true) => {}
            Ok(false) if self.other.verbose => {
                report::say("no sandbox: this kernel has no Landlock");
            }
            Ok(false) => {}
            Err(error) => report::error(&error.context("no sandbox")),
        }
    }

    fn listen_to_signals(&self) -> Result<Stop> {
        let hangup = if self.out.reopen { Hangup::Reopen } else { Hangup::End };
        match self.runs_command() {
            true => Stop::on_termination(hangup),
            false => Stop::on_signals(hangup),
        }
    }
}

/// Says which of the processes that are named aren't there: they may come, or the number may be
/// wrong.
///
/// # Errors
/// There is nobody to follow.
fn look_for(choice: &Conditions) -> Result<(), Failure> {
    // Elsewhere /proc has other numbers than the kernel's own.
    if !running::pids_are_the_kernels() {
        if choice.follow {
            report::say(
                "/proc has the pids of a PID namespace, not the kernel's: descendants that already \
                 run are missed, and what they start",
            );
        }
        return Ok(());
    }
    if running::are_hidden() {
        return Ok(());
    }
    let unknown = choice.pids.iter().filter(|&&pid| !running::is_visible(pid));
    let unknown: Vec<_> = unknown.map(u32::to_string).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let what = format!("no process has pid {}", unknown.join(", "));
    if choice.follow && unknown.len() == choice.pids.len() {
        let remedy = "--follow begins at processes that run: name one, or run it with -- COMMAND";
        return Err(Failure::new(Exit::Usage, what, remedy));
    }
    // A pid that comes back is another process, whose descendants are none of those asked for.
    let later = if choice.follow { "not followed" } else { "traced" };
    report::say(format_args!("{what} now; a later one with that pid is {later}"));
    Ok(())
}
