// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line. No I/O here, but for the users' names.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use regex_lite::Regex;

use crate::host::users;
use crate::model::conditions::Conditions;
use crate::model::event::EventKind;
use crate::view::{self, View};

/// `PID_MAX_LIMIT` of include/linux/threads.h on 64-bit kernels.
const PID_MAX_LIMIT: u32 = 1 << 22;
/// `max_entries` of a BPF map has 32 bits, and a ring buffer's must be a power of two.
const MAX_BUFFER_SIZE: u64 = 1 << 31;
const DEFAULT_BUFFER_SIZE: &str = "4M";

/// Trace the life of processes with eBPF
#[derive(Debug, Parser)]
#[command(name = "tuxscope", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to trace.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show fork, exec and exit of processes as they happen
    Proc(Proc),
    /// Show the events of a capture again, in any format
    Replay(Replay),
    /// Print the JSON Schema of what --format json prints
    Schema,
    /// Say what this kernel and these rights allow, and try both modes
    Check(Check),
    /// A process that `check` looks at.
    #[command(hide = true, name = crate::cli::check::CHILD)]
    CheckChild {
        /// The one that makes no other.
        #[arg(long)]
        last: bool,
    },
    /// The process that becomes the command of `proc -- COMMAND`.
    #[command(hide = true, name = crate::capture::launch::HOLD)]
    Hold {
        /// The gate's descriptor, the user, the command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

const EXAMPLES: &str = "\
Examples:
  tuxscope proc                               every event, until Ctrl-C
  tuxscope proc --wide                        with arguments, users, statuses, durations
  tuxscope proc --wide --failed               what keeps failing here?
  tuxscope proc --pid 4521,4522               only of these processes
  tuxscope proc --wide --pid 4521 --follow    and of all that descends from them
  tuxscope proc --wide -- make -j4            what does this command start?
  tuxscope proc --format json -o events.jsonl --duration 60
  tuxscope proc --format json | jq -c 'select(.event_type == \"exec\")'
  tuxscope proc --count 1000 --strict         exit status 3 if an event was lost

Exit status: 0 success, 1 failure, 2 usage, 3 events lost (--strict),
69 the kernel lacks what is needed, 77 rights are missing; with COMMAND: its own.";

/// `tuxscope proc`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Proc {
    /// How to print the events
    #[arg(long, value_enum, default_value = "table")]
    pub format: &'static View,

    /// Processes instead of tasks: one exit each, with parent, user, arguments, status, duration
    #[arg(short, long)]
    pub wide: bool,

    /// In the wide mode: forks and exits of threads, too
    #[arg(long)]
    pub threads: bool,

    /// In the wide mode: keep this much of a command line (at most 64K)
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = max_args)]
    pub max_args: u32,

    /// End after this time, in seconds (decimals allowed)
    #[arg(long, value_name = "SECS", value_parser = seconds, allow_negative_numbers = true)]
    pub duration: Option<Duration>,

    /// End after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          allow_negative_numbers = true)]
    pub count: Option<u64>,

    /// Write the events to FILE instead of standard output (with COMMAND: standard error)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// With --output: go on in a new FILE before it exceeds SIZE; old ones are FILE.1, FILE.2, ...
    #[arg(long, value_name = "SIZE", requires = "output", value_parser = rotate_size)]
    pub rotate_size: Option<u64>,

    /// With --rotate-size: so many old files stay
    #[arg(long, value_name = "N", requires = "rotate_size", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rotate_keep: u32,

    /// With --output: SIGHUP opens FILE anew (logrotate has renamed it) and ends nothing
    #[arg(long, requires = "output")]
    pub reopen: bool,

    /// When to use colour; a set `NO_COLOR` turns auto off
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,

    /// Size of the kernel's ring buffer in bytes, or with K, M or G; rounded up to a power of two
    #[arg(long, value_name = "SIZE", default_value = DEFAULT_BUFFER_SIZE, value_parser = buffer_size,
          allow_negative_numbers = true)]
    pub buffer_size: u32,

    /// Exit with status 3 if any event was lost
    #[arg(long)]
    pub strict: bool,

    /// Show what libbpf says
    #[arg(short, long)]
    pub verbose: bool,

    /// Run COMMAND as this user
    #[arg(long, value_name = "NAME", requires = "command")]
    pub user: Option<String>,

    /// End with COMMAND, or with the last of all that it started
    #[arg(long, value_enum, value_name = "WHOM", default_value_t = Wait::Command, requires = "command")]
    pub wait: Wait,

    /// Run this command, and trace it and all that it starts
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["pids", "follow"])]
    pub command: Vec<OsString>,

    /// Which events. Last, because its heading is that of all options behind it, too.
    #[command(flatten)]
    pub choose: Choose,
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

/// Whom a capture of a command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// The command itself
    Command,
    /// It and all its descendants, daemons included
    All,
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  tuxscope replay events.jsonl                as the table it could have been
  tuxscope replay --format summary events.jsonl.gz
  tuxscope replay --format json --comm make --event exec events.jsonl.zst
  ssh host sudo tuxscope proc --wide --format json | tuxscope replay -

Exit status: 0 success, 1 failure, 2 usage, 3 the capture lost events (--strict).";

/// `tuxscope replay`
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// The capture: JSON lines of either mode, also gzip or zstd of them; - is standard input
    #[arg(value_name = "FILE")]
    pub input: PathBuf,

    /// How to print the events
    #[arg(long, value_enum, default_value = "table")]
    pub format: &'static View,

    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// When to use colour; a set `NO_COLOR` turns auto off
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,

    /// Exit with status 1 if a line could not be read, 3 if the capture lost events or its end
    #[arg(long)]
    pub strict: bool,

    /// Which events.
    #[command(flatten)]
    pub choose: Choose,
}

const CHECK_HELP: &str = "\
Exit status: 0 both modes work, 69 the kernel lacks what is needed, 77 rights are missing.";

/// `tuxscope check`
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub struct Check {
    /// How to print the answers
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    pub format: CheckFormat,
}

/// How `tuxscope check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A line each, with the remedy below each no
    Table,
    /// One JSON object
    Json,
}

/// Which events are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which events")]
pub struct Choose {
    /// Only events of these processes
    #[arg(short = 'p', long = "pid", value_name = "PID", value_delimiter = ',', value_parser = pid,
          allow_negative_numbers = true)]
    pub pids: Vec<u32>,

    /// With --pid: the events of their descendants, too
    #[arg(short, long, requires = "pids")]
    pub follow: bool,

    /// Only events of these processes' children
    #[arg(short = 'P', long = "ppid", value_name = "PID", value_delimiter = ',',
          value_parser = pid, allow_negative_numbers = true)]
    pub ppids: Vec<u32>,

    /// Only events of processes with this name
    #[arg(long, value_name = "NAME", value_parser = comm)]
    pub comm: Option<String>,

    /// Only events of this user, by name or number
    #[arg(long, value_name = "USER|UID", value_parser = uid)]
    pub uid: Option<u32>,

    /// Only events of these kinds: fork, exec, exit
    #[arg(short = 'e', long = "event", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kinds: Vec<EventKind>,

    /// Only events in this cgroup (v2 hierarchy) and those below it
    #[arg(long, value_name = "PATH")]
    pub cgroup: Option<String>,

    /// Only ends of processes that failed: with a status other than 0, or by a signal
    #[arg(long)]
    pub failed: bool,

    /// Only events whose process name or argument list this regular expression matches
    #[arg(long = "match", value_name = "REGEX")]
    pub pattern: Option<Regex>,
}

impl From<Choose> for Conditions {
    fn from(choose: Choose) -> Self {
        let Choose { pids, follow, ppids, comm, uid, kinds, cgroup, failed, pattern } = choose;
        Self { pids, follow, ppids, comm, uid, kinds, cgroup, failed, pattern }
    }
}

/// The values of `--format` are the registry of views.
impl ValueEnum for &'static View {
    fn value_variants<'a>() -> &'a [Self] {
        view::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.help))
    }
}

fn pid(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(pid) if (1..=PID_MAX_LIMIT).contains(&pid) => Ok(pid),
        _ => Err(format!("a pid is a number from 1 to {PID_MAX_LIMIT}")),
    }
}

fn kind(text: &str) -> Result<EventKind, String> {
    let found = EventKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| "an event is fork, exec or exit".to_owned())
}

/// `TASK_COMM_LEN` of include/linux/sched.h, less the NUL.
const MAX_COMM: usize = 15;

fn comm(text: &str) -> Result<String, String> {
    match text.len() {
        1..=MAX_COMM => Ok(text.to_owned()),
        _ => Err(format!("the kernel's process names have 1 to {MAX_COMM} bytes")),
    }
}

fn uid(text: &str) -> Result<u32, String> {
    users::uid(text).ok_or_else(|| "no such user in /etc/passwd".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    match duration {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a duration is a positive number of seconds, such as 10 or 0.5".to_owned()),
    }
}

/// More than any command line is worth, and what the BPF side has room for.
const MAX_MAX_ARGS: u64 = 64 << 10;

fn max_args(text: &str) -> Result<u32, String> {
    match size(text)? {
        bytes @ 1..=MAX_MAX_ARGS => u32::try_from(bytes).map_err(|error| error.to_string()),
        _ => Err("at most 64K of a command line can be kept, at least 1 byte".to_owned()),
    }
}

/// A number of bytes, with K, M or G for powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a number of bytes, or one with K, M or G, such as 4M".to_owned();
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    Ok(number.saturating_mul(unit))
}

fn rotate_size(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("a file of 0 bytes holds nothing".to_owned()),
        bytes => Ok(bytes),
    }
}

fn buffer_size(text: &str) -> Result<u32, String> {
    let bytes = size(text)?;
    if bytes == 0 {
        return Err("a ring buffer of 0 bytes holds nothing".to_owned());
    }
    if bytes > MAX_BUFFER_SIZE {
        return Err("the kernel takes no ring buffer over 2G".to_owned());
    }
    // The kernel wants a power of two that is a multiple of the page size, itself one.
    let size = bytes.next_power_of_two().max(rustix::param::page_size() as u64);
    u32::try_from(size).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Proc, clap::Error> {
        let args = ["tuxscope", "proc"].iter().chain(args);
        match Cli::try_parse_from(args)?.command {
            Command::Proc(proc) => Ok(proc),
            _ => unreachable!("the subcommand is proc"),
        }
    }

    #[test]
    fn is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
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
            ["--duration", "1h"],
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
        assert_eq!(proc.command, ["ls", "--wide", "-p"]);
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
            assert_eq!(parse(&["--buffer-size", text]).expect(text).buffer_size, size);
        }
    }

    #[test]
    fn takes_parts_of_a_second() {
        let proc = parse(&["--duration", "0.25"]).expect("a good duration");
        assert_eq!(proc.duration, Some(Duration::from_millis(250)));
    }
}
