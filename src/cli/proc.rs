// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope proc`: from the arguments to a capture, and from what became of it to an exit status.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use rustix::thread::CapabilitySet;

use crate::capture::bounds::Bounds;
use crate::capture::enrich::Enricher;
use crate::capture::launch::Launched;
use crate::capture::wait::Waiter;
use crate::capture::{Capture, Limits, READER};
use crate::cli::events::Choose;
use crate::cli::output::{Drawn, Help, Target};
use crate::cli::values;
use crate::host::{identity, running};
use crate::kernel::config::{Config, Mode};
use crate::kernel::tracer::{Storage, Tracer};
use crate::model::failure::{Exit, Failure};
use crate::output::{Output, Rotation, terminal};
use crate::process::filter::Filter;
use crate::runtime::report;
use crate::runtime::stop::{Hangup, Stop};
use crate::runtime::{rights, sandbox};
use crate::view::{self, Shape, Speaks};

const EXAMPLES: &str = "\
Examples:
  tuxscope proc                               every event, until Ctrl-C
  tuxscope proc --wide                        arguments, users, statuses, times
  tuxscope proc --wide --failed               what keeps failing here?
  tuxscope proc --pid 4521,4522               only these processes
  tuxscope proc --wide --pid 4521 --follow    and all their descendants
  tuxscope proc --wide -- make -j4            what does this command start?
  tuxscope proc --format json -o events.jsonl --duration 60s
  tuxscope proc --format json | jq -c 'select(.event_type == \"exec\")'
  tuxscope proc --count 1000 --strict         exit status 3 if an event was lost

Exit status: 0 success, 1 failure, 2 usage, 3 events lost (--strict),
69 missing kernel support, 77 insufficient rights; with COMMAND: its own.";

/// `tuxscope proc`. A struct a heading, in the order of the headings.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct Proc {
    #[command(flatten)]
    view: ViewOptions,

    #[command(flatten)]
    choose: Choose,

    #[command(flatten)]
    run: CommandOptions,

    #[command(flatten)]
    out: OutputOptions,

    #[command(flatten)]
    limits: LimitOptions,

    #[command(flatten)]
    other: OtherOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "View")]
struct ViewOptions {
    #[command(flatten)]
    drawn: Drawn,

    /// Wide mode: processes instead of tasks, with parent, user, arguments, status, duration
    #[arg(short, long)]
    wide: bool,

    /// With --wide: also forks and exits of threads
    #[arg(long)]
    threads: bool,

    /// With --wide: bytes to keep of each command line, at most 64K
    ///
    /// In JSON they take at most twice that: where characters have to be escaped, fewer are kept.
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = max_args)]
    max_args: u32,

    /// With --wide: leave the arguments out of exits, which repeat those of the exec
    ///
    /// In a capture that is kept, this halves the space that long command lines take.
    #[arg(long)]
    no_exit_args: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Command")]
struct CommandOptions {
    /// Run this command, and trace it and all that it starts
    ///
    /// Its standard streams are left alone: events go to standard error, or to --output. Its exit
    /// status becomes that of tuxscope.
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["pids", "follow"])]
    command: Vec<OsString>,

    /// Run COMMAND as this user, and set HOME, SHELL, USER and LOGNAME for it
    #[arg(long, value_name = "NAME", requires = "command")]
    user: Option<String>,

    /// End when COMMAND ends, or when the last of its descendants does
    #[arg(long, value_enum, value_name = "WHOM", default_value_t = Wait::Command, requires = "command")]
    wait: Wait,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct OutputOptions {
    #[command(flatten)]
    target: Target,

    /// With --output: begin a new FILE before it exceeds SIZE; old ones are FILE.1, FILE.2, ...
    #[arg(long, value_name = "SIZE", requires = "output", value_parser = rotate_size)]
    rotate_size: Option<u64>,

    /// With --rotate-size: how many old files to keep
    #[arg(long, value_name = "N", requires = "rotate_size", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    rotate_keep: u32,

    /// With --output: on SIGHUP reopen FILE (after logrotate has renamed it) instead of ending
    #[arg(long, requires = "output")]
    reopen: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitOptions {
    /// End the capture after this time: seconds, or with units, such as 0.5, 90s, 2m
    ///
    /// With COMMAND, only the capture ends: the command runs on, and tuxscope waits for it and
    /// passes on its exit status.
    #[arg(long, value_name = "TIME", value_parser = values::duration, allow_negative_numbers = true)]
    duration: Option<Duration>,

    /// End the capture after this many events
    ///
    /// With COMMAND, only the capture ends, as with --duration.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          allow_negative_numbers = true)]
    count: Option<u64>,

    /// Size of the kernel's ring buffer: bytes, or with K, M or G; rounded up to a power of two
    ///
    /// At most 2G, or 64M where the capabilities are those of the program's file (setcap), which any
    /// user may run.
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = buffer_size,
          allow_negative_numbers = true)]
    buffer_size: u32,

    /// Exit with status 3 if any event was lost
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Other")]
struct OtherOptions {
    /// Show libbpf's messages
    #[arg(short, long)]
    verbose: bool,

    #[command(flatten)]
    help: Help,
}

/// Whom a capture of a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wait {
    /// COMMAND itself
    Command,
    /// COMMAND and all its descendants, daemons included
    All,
}

/// More than any command line is worth, and what the BPF side has room for.
const MAX_MAX_ARGS: u64 = 64 << 10;

fn max_args(text: &str) -> Result<u32, String> {
    match values::size(text)? {
        bytes @ 1..=MAX_MAX_ARGS => u32::try_from(bytes).map_err(|error| error.to_string()),
        _ => Err("the size must be from 1 byte to 64K".to_owned()),
    }
}

fn rotate_size(text: &str) -> Result<u64, String> {
    match values::size(text)? {
        0 => Err("the size must be at least 1 byte".to_owned()),
        bytes => Ok(bytes),
    }
}

/// `max_entries` of a BPF map has 32 bits, and a ring buffer's must be a power of two.
const MAX_BUFFER_SIZE: u64 = 1 << 31;
/// Of a user to whom the program's file gives the rights: the memory is the kernel's, and each
/// user may run many.
const MAX_BUFFER_SIZE_OF_ANYONE: u32 = 64 << 20;

fn buffer_size(text: &str) -> Result<u32, String> {
    let bytes = values::size(text)?;
    if !(1..=MAX_BUFFER_SIZE).contains(&bytes) {
        return Err("the size must be from 1 byte to 2G".to_owned());
    }
    // The kernel wants a power of two that is a multiple of the page size, itself one.
    let size = bytes.next_power_of_two().max(rustix::param::page_size() as u64);
    u32::try_from(size).map_err(|error| error.to_string())
}

/// Traces, live.
///
/// # Errors
/// The capture could not begin, or a command line that is none.
pub fn run(args: Proc) -> Result<ExitCode> {
    args.check()?;
    report::prepare();
    let mut output = args.open_output()?;
    let style = terminal::style(&output, args.out.target.color.into());
    let mut sink = (args.view.drawn.format.start)(args.is_wide(), style);
    let config = args.config();
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config)?;

    warn_of_unknown(&config.choice.pids);
    let waiter = Waiter::new().context("can't wait for events")?;
    let mut command = args.hold_command(&tracer, &waiter)?;
    // With all rights still, and when all that may be wrong with the start has been found.
    output.begin()?;
    args.give_up_rights(&tracer, &output);
    // Only now: the handler's thread has the rights of its maker.
    let stop = args.listen_to_signals()?;

    let enricher = args.is_wide().then(|| Enricher::new(args.view.max_args as usize));
    let clock_offset_ns = enricher.as_ref().map_or(0, Enricher::clock_offset_ns);
    let capture = Capture {
        tracer: &tracer,
        sink: &mut *sink,
        output: &mut output,
        meta: identity::meta(config.choice.words(), clock_offset_ns),
        limits: Limits { duration: args.limits.duration, count: args.limits.count },
        enricher,
        bounds: Bounds::new(args.view.max_args, !args.view.no_exit_args),
        filter: Filter::new(config.choice.clone()),
        command: command.as_mut(),
        show_status: args.view.drawn.format.speaks == Speaks::AtTheEnd && !args.runs_command(),
        wait_for_all: args.run.wait == Wait::All,
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

    Ok(ExitCode::from(if summary.error.is_some() {
        Exit::Failed as u8
    } else if args.limits.strict && !summary.totals.complete() {
        Exit::Lost as u8
    } else {
        status
    }))
}

impl Proc {
    fn runs_command(&self) -> bool {
        !self.run.command.is_empty()
    }

    fn is_wide(&self) -> bool {
        let Choose { unit, container, .. } = &self.choose;
        let by_place = unit.is_some() || container.is_some();
        self.view.wide || self.view.drawn.format.needs_wide || by_place
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

    fn open_output(&self) -> Result<Output> {
        let keep = self.out.rotate_keep;
        let rotation = self.out.rotate_size.map(|size| Rotation { size, keep });
        // Standard output is the command's.
        let stream = if self.runs_command() { Output::stderr } else { Output::stdout };
        self.out.target.open(self.view.drawn.format, stream, rotation)
    }

    fn config(&self) -> Config {
        let ViewOptions { threads, max_args, .. } = self.view;
        Config {
            mode: if self.is_wide() { Mode::Wide { threads, max_args } } else { Mode::Basic },
            choice: self.choose.clone().into(),
            adopt: self.runs_command(),
            buffer_size: self.limits.buffer_size,
            verbose: self.other.verbose,
        }
    }

    /// Starts the command, if there is one; it does nothing before it is let go.
    fn hold_command(&self, tracer: &Tracer<'_>, waiter: &Waiter) -> Result<Option<Launched>> {
        if !self.runs_command() {
            return Ok(None);
        }
        tracer.set_adopting(true);
        let command = Launched::hold(&self.run.command, self.run.user.as_deref())?;
        tracer.set_adopting(false);
        waiter.add_command(command.pidfd())?;
        Ok(Some(command))
    }

    /// Drops all capabilities but those that are needed until the end, and enters the sandbox.
    fn give_up_rights(&self, tracer: &Tracer<'_>, output: &Output) {
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
        self.enter_sandbox(output);
    }

    /// /proc is what the enricher reads.
    fn enter_sandbox(&self, output: &Output) {
        let readable = [PathBuf::from("/proc")];
        let writable = self.renews_output().then(|| output.dir()).flatten();
        match sandbox::enter(&readable, writable) {
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

/// Says which of these processes aren't there: they may come, or the number may be wrong.
fn warn_of_unknown(pids: &[u32]) {
    // Elsewhere /proc has other numbers than the kernel's own.
    if !running::pids_are_the_kernels() || running::are_hidden() {
        return;
    }
    let unknown = pids.iter().filter(|&&pid| !running::is_visible(pid)).map(u32::to_string);
    let unknown: Vec<_> = unknown.collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        report::say(format_args!(
            "no process has pid {unknown} now; a later one with that pid is traced"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(args: &[&str]) -> Result<Proc, clap::Error> {
        let args = ["tuxscope", "proc"].iter().chain(args);
        match Cli::read(args)?.command {
            Command::Proc(proc) => Ok(proc),
            _ => unreachable!("the subcommand is proc"),
        }
    }

    #[test]
    fn takes_pids_in_lists_and_repeatedly() {
        let proc = parse(&["-p", "1,4194304", "--pid", "7"]).expect("good pids");
        assert_eq!(proc.choose.pids, [1, 4_194_304, 7]);
    }

    #[test]
    fn refuses_bad_values_as_usage_errors() {
        let bad = [
            ["--pid", "0"],
            ["--pid", "-1"],
            ["--pid", "bash"],
            ["--pid", "4194305"],
            ["--pid", "1,,2"],
            ["--pid", ""],
            ["--duration", "0"],
            ["--duration", "-1"],
            ["--duration", "nan"],
            ["--duration", "inf"],
            ["--duration", "1x"],
            ["--count", "0"],
            ["--count", "-5"],
            ["--count", "many"],
            ["--buffer-size", "0"],
            ["--buffer-size", "-1"],
            ["--buffer-size", "4T"],
            ["--buffer-size", "M"],
            ["--buffer-size", "3G"],
            ["--buffer-size", "99999999999999999999G"],
            ["--format", "xml"],
            ["--comm", ""],
            ["--comm", "sixteen-letters."],
            ["--uid", "no such user"],
            ["--event", "clone"],
            ["--match", "("],
            ["--max-args", "65K"],
            ["--max-args", "0"],
            ["--ppid", "0"],
            ["--user", "root"],
            ["--rotate-size", "1M"],
            ["--rotate-keep", "2"],
            ["--wait", "all"],
        ];
        for args in bad {
            let error = parse(&args).expect_err(&format!("{args:?} must be refused"));
            assert_eq!(error.exit_code(), 2, "{args:?}");
            assert!(error.to_string().contains(args[0]), "{args:?}: {error}");
        }
    }

    #[test]
    fn refuses_what_does_not_go_together() {
        for args in [
            &["--follow"][..],
            &["--reopen"],
            &["-o", "x", "--rotate-size", "0"],
            &["-o", "x", "--rotate-keep", "2"],
            &["-o", "x", "--rotate-size", "1M", "--rotate-keep", "0"],
            &["--pid", "1", "--", "true"],
            &["--duration", "1", "true"],
        ] {
            let error = parse(args).expect_err(&format!("{args:?} must be refused"));
            assert_eq!(error.exit_code(), 2, "{args:?}");
        }
    }

    #[test]
    fn takes_a_command_with_options_of_its_own() {
        let proc = parse(&["--wide", "--", "ls", "--wide", "-p"]).expect("a command");
        assert_eq!(proc.run.command, ["ls", "--wide", "-p"]);
    }

    #[test]
    fn rounds_buffer_sizes_up() {
        let sizes = [
            ("4M", 4 << 20),
            ("4097", 8192),
            ("3m", 4 << 20),
            ("512K", 512 << 10),
            ("2G", 1 << 31),
            ("1025M", 1 << 31),
        ];
        for (text, size) in sizes {
            assert_eq!(parse(&["--buffer-size", text]).expect(text).limits.buffer_size, size);
        }
    }

    #[test]
    fn takes_parts_of_a_second() {
        let proc = parse(&["--duration", "0.25"]).expect("a good duration");
        assert_eq!(proc.limits.duration, Some(Duration::from_millis(250)));
    }
}
