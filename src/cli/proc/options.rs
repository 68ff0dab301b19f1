// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `tuxscope proc` can be told, as clap reads it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};

use crate::cli::events::Choose;
use crate::cli::expect::Expect;
use crate::cli::output::{Drawn, Help, Target};
use crate::text::values;

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
  tuxscope proc --expect 'failures = 0' --expect 'wall <= 5m' -- make check
  tuxscope proc --count 1000 --strict         exit status 3 if an event was lost

Exit status: 0 success, 1 failure, 2 usage, 3 events lost (--strict), 4 a rule
doesn't hold (--expect), 69 missing kernel support, 77 insufficient rights; with
COMMAND: its own, unless that is 0.";

/// `tuxscope proc`. A struct a heading, in the order of the headings.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct Proc {
    #[command(flatten)]
    pub view: ViewOptions,

    #[command(flatten)]
    pub choose: Choose,

    #[command(flatten)]
    pub run: CommandOptions,

    #[command(flatten)]
    pub expect: Expect,

    #[command(flatten)]
    pub out: OutputOptions,

    #[command(flatten)]
    pub limits: LimitOptions,

    #[command(flatten)]
    pub other: OtherOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "View")]
pub struct ViewOptions {
    #[command(flatten)]
    pub drawn: Drawn,

    /// Wide mode: processes instead of tasks, with parent, user, arguments, status, duration
    #[arg(short, long)]
    pub wide: bool,

    /// With --wide: also forks and exits of threads
    #[arg(long)]
    pub threads: bool,

    /// Also execs that fail (implies --wide)
    ///
    /// Where the kernel doesn't let BPF programs be attached to functions, this slows each system
    /// call of the machine by some 100 ns; `tuxscope check` says whether it does. A search along
    /// PATH is one event, or none if it finds its file. As a kind of --event, failed execs can be
    /// asked for without the other events.
    #[arg(long)]
    pub failed_execs: bool,

    /// Name the host and its boot in each event, so that lines of several hosts can be mixed (implies
    /// --wide)
    #[arg(long)]
    pub host_fields: bool,

    /// With --wide: bytes to keep of each command line, at most 64K
    ///
    /// In JSON they take at most twice that: where characters have to be escaped, fewer are kept.
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = max_args)]
    pub max_args: u32,

    /// With --wide: leave the arguments out of exits, which repeat those of the exec
    ///
    /// In a capture that is kept, this halves the space that long command lines take.
    #[arg(long)]
    pub no_exit_args: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Command")]
pub struct CommandOptions {
    /// Run this command, and trace it and all that it starts
    ///
    /// Its standard streams are left alone: events go to standard error, or to --output. Its exit
    /// status becomes that of tuxscope.
    #[arg(last = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments,
          conflicts_with_all = ["pids", "follow"])]
    pub command: Vec<OsString>,

    /// Run COMMAND as this user, and set HOME, SHELL, USER and LOGNAME for it
    #[arg(long, value_name = "NAME", requires = "command")]
    pub user: Option<String>,

    /// End when COMMAND ends, or when the last of its descendants does
    #[arg(long, value_enum, value_name = "WHOM", default_value_t = Wait::Command, requires = "command")]
    pub wait: Wait,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    #[command(flatten)]
    pub target: Target,

    /// With --output: begin a new FILE before it exceeds SIZE; old ones are FILE.1, FILE.2, ...
    #[arg(long, value_name = "SIZE", requires = "output", value_parser = rotate_size)]
    pub rotate_size: Option<u64>,

    /// With --rotate-size: how many old files to keep
    #[arg(long, value_name = "N", requires = "rotate_size", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rotate_keep: u32,

    /// With --rotate-size: compress old files to FILE.1.zst, FILE.2.zst, ..., in the background
    ///
    /// A thread of the lowest priority does it, which takes some 4 MB of memory meanwhile. At the end tuxscope waits
    /// for it.
    #[arg(long, requires = "rotate_size")]
    pub rotate_compress: bool,

    /// With --output: on SIGHUP reopen FILE (after logrotate has renamed it) instead of ending
    #[arg(long, requires = "output")]
    pub reopen: bool,

    /// Also keep counters for Prometheus in FILE, whose name must end in .prom (implies --wide)
    ///
    /// FILE is replaced every 15 seconds, and at the end.
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// End the capture after this time: seconds, or with units, such as 0.5, 90s, 2m
    ///
    /// With COMMAND, only the capture ends: the command runs on, and tuxscope waits for it and
    /// passes on its exit status.
    #[arg(long, value_name = "TIME", value_parser = values::duration, allow_negative_numbers = true)]
    pub duration: Option<Duration>,

    /// End the capture after this many events
    ///
    /// With COMMAND, only the capture ends, as with --duration.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          allow_negative_numbers = true)]
    pub count: Option<u64>,

    /// Size of the kernel's ring buffer: bytes, or with K, M or G; rounded up to a power of two
    ///
    /// At most 2G, or 64M where the capabilities are those of the program's file (setcap), which any
    /// user may run.
    #[arg(long, value_name = "SIZE", default_value = "4M", value_parser = buffer_size,
          allow_negative_numbers = true)]
    pub buffer_size: u32,

    /// Exit with status 3 unless the capture is complete: nothing lost, missed or unwritten
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Other")]
pub struct OtherOptions {
    /// Show libbpf's messages
    #[arg(short, long)]
    pub verbose: bool,

    #[command(flatten)]
    pub help: Help,
}

/// Whom a capture of a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
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
pub const MAX_BUFFER_SIZE_OF_ANYONE: u32 = 64 << 20;

fn buffer_size(text: &str) -> Result<u32, String> {
    let bytes = values::size(text)?;
    if !(1..=MAX_BUFFER_SIZE).contains(&bytes) {
        return Err("the size must be from 1 byte to 2G".to_owned());
    }
    // The kernel wants a power of two that is a multiple of the page size, itself one.
    let size = bytes.next_power_of_two().max(rustix::param::page_size() as u64);
    u32::try_from(size).map_err(|error| error.to_string())
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
