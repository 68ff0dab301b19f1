// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line. No I/O here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use regex_lite::Regex;

use crate::event::EventKind;
use crate::filter::Conditions;

/// `PID_MAX_LIMIT` of include/linux/threads.h on 64-bit kernels.
const PID_MAX_LIMIT: u32 = 1 << 22;
/// `max_entries` of a BPF map has 32 bits, and a ring buffer's must be a power of two.
const MAX_BUFFER_SIZE: u64 = 1 << 31;
const DEFAULT_BUFFER_SIZE: &str = "1M";

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
}

const EXAMPLES: &str = "\
Examples:
  tuxscope proc                               every event, until Ctrl-C
  tuxscope proc --pid 4521,4522               only of these processes
  tuxscope proc --format json -o events.jsonl --duration 60
  tuxscope proc --format json | jq -c 'select(.event_type == \"exec\")'
  tuxscope proc --count 1000 --strict         exit status 3 if an event was lost

Exit status: 0 success, 1 failure, 2 usage, 3 events lost (--strict),
69 the kernel lacks what is needed, 77 rights are missing.";

/// `tuxscope proc`
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Proc {
    /// How to print the events
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Only events of these processes (fork: of this child); descendants are not followed
    #[arg(short = 'p', long = "pid", value_name = "PID", value_delimiter = ',', value_parser = pid,
          allow_negative_numbers = true)]
    pub pids: Vec<u32>,

    /// End after this time, in seconds (decimals allowed)
    #[arg(long, value_name = "SECS", value_parser = seconds, allow_negative_numbers = true)]
    pub duration: Option<Duration>,

    /// End after this many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
          allow_negative_numbers = true)]
    pub count: Option<u64>,

    /// Write the events to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

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
}

const REPLAY_EXAMPLES: &str = "\
Examples:
  tuxscope replay events.jsonl                as the table it could have been
  tuxscope replay --format json --comm make --event exec events.jsonl.zst
  ssh host sudo tuxscope proc --wide --format json | tuxscope replay -

Exit status: 0 success, 1 failure, 2 usage, 3 the capture lost events (--strict).";

/// `tuxscope replay`
#[derive(Debug, Args)]
#[command(after_help = REPLAY_EXAMPLES)]
pub struct Replay {
    /// The capture: JSON lines of either view, also gzip or zstd of them; - is standard input
    #[arg(value_name = "FILE")]
    pub input: PathBuf,

    /// How to print the events
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Which events.
    #[command(flatten)]
    pub choose: Choose,

    /// Exit with status 1 if a line could not be read, 3 if the capture had lost events
    #[arg(long)]
    pub strict: bool,
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

    /// Only events of processes with these names
    #[arg(long = "comm", value_name = "NAME", value_delimiter = ',')]
    pub comms: Vec<String>,

    /// Only events of these users, by number
    #[arg(long = "uid", value_name = "UID", value_delimiter = ',')]
    pub uids: Vec<u32>,

    /// Only events of these kinds: fork, exec, exit
    #[arg(short = 'e', long = "event", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kinds: Vec<EventKind>,

    /// Only events in these cgroups and those below them
    #[arg(long = "cgroup", value_name = "PATH")]
    pub cgroups: Vec<String>,

    /// Only ends of processes that failed: with a status other than 0, or by a signal
    #[arg(long)]
    pub failed: bool,

    /// Only events whose process name or argument list this regular expression matches
    #[arg(long = "match", value_name = "REGEX")]
    pub pattern: Option<Regex>,
}

impl From<Choose> for Conditions {
    fn from(choose: Choose) -> Self {
        let Choose { pids, follow, ppids, comms, uids, kinds, cgroups, failed, pattern } = choose;
        Self { pids, follow, ppids, comms, uids, kinds, cgroups, failed, pattern }
    }
}

/// The output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns
    Table,
    /// One JSON object a line
    Json,
    /// The tree of processes, at the end
    Tree,
    /// A picture (SVG) of processes over time, at the end
    Timeline,
    /// One plain sentence an event
    Explain,
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

fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    match duration {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a duration is a positive number of seconds, such as 10 or 0.5".to_owned()),
    }
}

fn buffer_size(text: &str) -> Result<u32, String> {
    let wrong = || "a size is a number of bytes, or one with K, M or G, such as 4M".to_owned();
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number.saturating_mul(unit);
    if bytes == 0 {
        return Err("a ring buffer of 0 bytes holds nothing".to_owned());
    }
    if bytes > MAX_BUFFER_SIZE {
        return Err("the kernel takes no ring buffer over 2G".to_owned());
    }
    // The kernel wants a power of two that is a multiple of the page size, itself one.
    let size = bytes.next_power_of_two().max(rustix::param::page_size() as u64);
    u32::try_from(size).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Proc, clap::Error> {
        let args = ["tuxscope", "proc"].iter().chain(args);
        match Cli::try_parse_from(args)?.command {
            Command::Proc(proc) => Ok(proc),
            Command::Replay(_) => unreachable!("the subcommand is proc"),
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
        assert_eq!(proc.pids, [1, 4_194_304, 7]);
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
        ];
        for args in bad {
            let error = parse(&args).expect_err(&format!("{args:?} must be refused"));
            assert_eq!(error.exit_code(), 2, "{args:?}");
        }
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
