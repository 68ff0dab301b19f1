// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope proc`: from the arguments to a capture, and from what became of it to an exit status.

use std::env;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use rustix::thread::CapabilitySet;

use super::{Proc, Wait, output};
use crate::capture::enrich::Enricher;
use crate::capture::launch::Launched;
use crate::capture::wait::Waiter;
use crate::capture::{Capture, Limits};
use crate::host::{cgroup, identity, running};
use crate::kernel::tracer::{Config, Mode, Storage, Tracer};
use crate::model::failure::{Exit, Failure};
use crate::output::{Output, Rotation, terminal};
use crate::process::filter::Filter;
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{rights, sandbox};
use crate::text::report;
use crate::view::{Shape, Speaks};

/// Traces, live.
///
/// # Errors
/// The capture could not begin, or a command line that is none.
pub fn run(args: Proc) -> Result<ExitCode> {
    let runs_command = !args.command.is_empty();
    // A script's `-- "$@"` without arguments means no trace of the whole machine.
    if !runs_command && env::args_os().next_back().is_some_and(|last| last == "--") {
        let what = "there is no COMMAND behind --";
        return Err(Failure::new(Exit::Usage, what, "name one, or leave -- away").into());
    }
    let wide = args.wide || args.format.needs_wide;
    if args.threads && !wide {
        let what = "--threads is of the wide mode";
        return Err(Failure::new(Exit::Usage, what, "add --wide").into());
    }
    let rotation = rotation(&args)?;
    let mut output = match &args.output {
        None if runs_command => Output::stderr()?,
        path => output(path.as_deref(), rotation)?,
    };
    let mut sink = (args.format.start)(wide, terminal::style(&output, args.color.into()));
    let mode = match wide {
        true => Mode::Wide { threads: args.threads, max_args: args.max_args },
        false => Mode::Basic,
    };
    let config = Config {
        mode,
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
        meta: identity::meta(config.choice.words(), clock_offset_ns),
        limits: Limits { duration: args.duration, count: args.count },
        enricher,
        filter: Filter::new(config.choice.clone()),
        command: launched.as_mut(),
        show_count: args.format.speaks == Speaks::AtTheEnd && !runs_command,
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

fn rotation(args: &Proc) -> Result<Option<Rotation>> {
    if (args.rotate_size.is_some() || args.reopen) && args.format.shape != Shape::Lines {
        let what = "this format is one whole, and can't go on in another file";
        return Err(
            Failure::new(Exit::Usage, what, "choose --format json, table or explain").into()
        );
    }
    Ok(args.rotate_size.map(|size| Rotation { size, keep: args.rotate_keep }))
}
