// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope top`: from a terminal to a full-screen view, and back.

use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use rustix::thread::CapabilitySet;

use crate::capture::bounds::Bounds;
use crate::capture::enrich::Enricher;
use crate::capture::wait::Waiter;
use crate::capture::{Capture, Limits};
use crate::cli::output::Help;
use crate::host::{identity, running};
use crate::kernel::config::{Config, Mode};
use crate::kernel::tracer::{Storage, Tracer};
use crate::model::conditions::Conditions;
use crate::model::failure::Exit;
use crate::output::{Output, terminal};
use crate::process::filter::Filter;
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{report, rights, sandbox, suspend};
use crate::top::{self, Screen};

/// Bytes of arguments that are asked of the kernel: a screen shows no more.
const MAX_ARGS: u32 = 256;
/// As `tuxscope proc` has it.
const BUFFER_SIZE: u32 = 4 << 20;

/// `tuxscope top`
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Top {
    #[command(flatten)]
    help: Help,
}

/// Shows it until a key or a signal ends it.
///
/// # Errors
/// There is no terminal, or the capture could not begin.
pub fn run(_args: &Top) -> Result<ExitCode> {
    Screen::check()?;
    report::prepare();
    let mut output = Output::stdout()?;
    let style = terminal::style(&output, None);
    let config = Config {
        mode: Mode::Wide { threads: false, max_args: MAX_ARGS },
        choice: Conditions::default(),
        adopt: false,
        buffer_size: BUFFER_SIZE,
        verbose: false,
    };
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config)?;
    let waiter = Waiter::new().context("can't wait for events")?;
    waiter.add_keys(io::stdin().as_fd()).context("can't wait for keys")?;
    // Names of users and the time zone are read before the sandbox hides them.
    let mut sink = top::Top::new(style);
    give_up_rights(&tracer);
    let stop = Stop::on_signals(Hangup::End)?;
    // The terminal has to be given back before.
    stop.heed_quit();
    suspend::on_signal();
    let enricher = Enricher::new(MAX_ARGS as usize);
    let meta = identity::meta(Vec::new(), enricher.clock_offset_ns());

    sink.show_on(Screen::enter().context("can't use the terminal")?);
    let capture = Capture {
        tracer: &tracer,
        sink: &mut sink,
        output: &mut output,
        meta,
        limits: Limits::default(),
        enricher: Some(enricher),
        bounds: Bounds::new(MAX_ARGS, true),
        filter: Filter::new(config.choice.clone()),
        command: None,
        show_status: false,
        wait_for_all: false,
        judge: None,
        metrics: None,
        shows_events: false,
        full_screen: true,
    };
    let summary = capture.run(&stop, &waiter);
    // The terminal is given back: there are things to say.
    drop(sink);
    let summary = summary?;
    if let Some(error) = &summary.error {
        report::error(error);
    }
    report::say(&summary);
    Ok(ExitCode::from(if summary.error.is_some() { Exit::Failed as u8 } else { 0 }))
}

/// Drops what isn't needed to the end, and enters the sandbox, in which /proc can be read.
fn give_up_rights(tracer: &Tracer<'_>) {
    let mut keep = tracer.rights_to_read();
    let hidden = running::are_hidden();
    if hidden {
        keep |= CapabilitySet::SYS_PTRACE;
    }
    if let Err(error) = rights::drop_all_but(keep) {
        report::say(format_args!("can't drop capabilities that are no longer needed: {error}"));
    }
    // With hidepid, Landlock would hide all others' processes, whatever the rights.
    if !hidden {
        if let Err(error) = sandbox::enter(&[PathBuf::from("/proc")], &[]) {
            report::error(&error.context("no sandbox"));
        }
    }
}
