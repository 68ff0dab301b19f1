// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this kernel and the caller's rights allow, and whether both modes really work here.

use std::fmt;
use std::io;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, ValueEnum};
use rustix::system::uname;
use serde::Serialize;

use crate::host::running;
use crate::kernel::config::{Config, Mode};
use crate::kernel::failed_execs::Hook;
use crate::kernel::preflight;
use crate::kernel::tracer::{Storage, Tracer};
use crate::kernel::wire::Decoded;
use crate::model::conditions::Conditions;
use crate::model::event::{Detail, Event, EventKind, ExitStatus};
use crate::model::failure::{Exit, Failure};
use crate::output::Output;

const HELP: &str = "\
Exit status: 0 both modes work, 1 a test failed otherwise, 69 missing kernel support, 77 insufficient rights.";

/// `tuxscope check`
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Check {
    /// How to print the answers
    #[arg(long, value_enum, default_value_t = CheckFormat::Table)]
    format: CheckFormat,
}

/// How `tuxscope check` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// One line per check, with the remedy below each no
    Table,
    /// One JSON object
    Json,
}

/// The hidden subcommand of the processes that the self-test looks at.
pub const CHILD: &str = "check-child";
/// Makes a child the last one, the one that makes none itself.
const LAST: &str = "--last";
const STATUS: u8 = 42;

/// Names in JSON, which never change.
const BASIC_MODE: &str = "basic view";
const WIDE_MODE: &str = "wide view";
const FAILED_EXECS: &str = "failed execs";

/// What a process of the self-test does: it makes the last one. Returns its exit status.
///
/// # Errors
/// The last one can't be made.
pub fn child(last: bool) -> Result<u8> {
    if last {
        return Ok(STATUS);
    }
    let status = Command::new("/proc/self/exe").args([CHILD, LAST]).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// How a question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// As it should be.
    Ok,
    /// Not all is possible.
    No,
    /// Possible, but something is to be known.
    Note,
    /// The rights to find out are missing.
    Unknown,
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::No => "no",
            Self::Note => "note",
            Self::Unknown => "?",
        }
    }
}

/// One question and its answer.
#[derive(Debug, Serialize)]
pub struct Line {
    name: &'static str,
    answer: Answer,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip)]
    exit: Option<Exit>,
}

/// All answers. Displayed, a line each, with the remedy below each no.
#[derive(Debug, Serialize)]
pub struct Report {
    checks: Vec<Line>,
    #[serde(rename = "basic_view")]
    basic_mode: bool,
    #[serde(rename = "wide_view")]
    wide_mode: bool,
}

impl Report {
    /// Asks all questions; takes well under a second.
    pub fn make() -> Self {
        let kernel = uname().release().to_string_lossy().into_owned();
        let mut report = Self { checks: Vec::new(), basic_mode: false, wide_mode: false };
        report.add("kernel", Ok(format!("Linux {kernel}")));
        let mut may = report.ask("user namespace", "the initial one", preflight::user_namespace());
        may &= report.ask("capabilities", "sufficient", preflight::capabilities());
        report.ask("kernel types", preflight::KERNEL_BTF, preflight::btf());
        if may {
            report.ask("ring buffer", "BPF_MAP_TYPE_RINGBUF", preflight::ring_buffer());
        } else {
            let detail = "unknown without these rights".to_owned();
            let answer = Answer::Unknown;
            report.push(Line { name: "ring buffer", answer, detail, remedy: None, exit: None });
        }
        report.ask("lockdown", "leaves BPF alone", preflight::lockdown());
        report.ask(
            "tracefs",
            "readable (for the basic mode)",
            preflight::tracefs().map(|_: crate::kernel::tracepoint::Tracefs| ()),
        );
        report.pid_namespace();
        report.basic_mode = report.add(BASIC_MODE, self_test(Mode::Basic));
        let wide = Mode::Wide { threads: false, max_args: 4096 };
        report.wide_mode = report.add(WIDE_MODE, self_test(wide));
        if report.wide_mode {
            report.add(FAILED_EXECS, failed_execs());
        }
        report
    }

    /// 0 where both modes work, else that of the first thing that is missing.
    pub fn exit(&self) -> u8 {
        if self.basic_mode && self.wide_mode {
            return 0;
        }
        self.checks.iter().find_map(|line| line.exit).unwrap_or(Exit::Failed) as u8
    }

    /// One JSON object.
    ///
    /// # Errors
    /// None is known.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    fn push(&mut self, line: Line) {
        self.checks.push(line);
    }

    fn ask(&mut self, name: &'static str, good: &str, result: Result<(), Failure>) -> bool {
        self.add(name, result.map(|()| good.to_owned()).map_err(anyhow::Error::from))
    }

    fn add(&mut self, name: &'static str, result: Result<String>) -> bool {
        let ok = result.is_ok();
        self.push(match result {
            Ok(detail) => Line { name, answer: Answer::Ok, detail, remedy: None, exit: None },
            Err(error) => {
                let exit = Some(Failure::exit_of(&error));
                let said = format!("{error:#}");
                let (detail, remedy) = said.split_once('\n').unwrap_or((&said, ""));
                let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
                Line { name, answer: Answer::No, detail: detail.to_owned(), remedy, exit }
            }
        });
        ok
    }

    fn pid_namespace(&mut self) {
        let initial = running::pids_are_the_kernels();
        self.push(if initial {
            let detail = "the initial one".to_owned();
            Line { name: "pid namespace", answer: Answer::Ok, detail, remedy: None, exit: None }
        } else {
            Line {
                name: "pid namespace",
                answer: Answer::Note,
                detail: "not the initial one: events have the host's pids, ps shows others"
                    .to_owned(),
                remedy: Some("run it outside of the container to see the same pids".to_owned()),
                exit: None,
            }
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { name, answer, detail, remedy, .. } in &self.checks {
            let name = match *name {
                BASIC_MODE => "basic mode",
                WIDE_MODE => "wide mode",
                name => name,
            };
            writeln!(f, "{name:<16}{:<6}{detail}", answer.name())?;
            if let Some(remedy) = remedy {
                writeln!(f, "{:<22}-> {remedy}", "")?;
            }
        }
        Ok(())
    }
}

/// Traces a child that makes another, as a command that is run: this needs no pid, and so works
/// in a PID namespace, too. Of the first child the fork comes before the trace.
fn self_test(mode: Mode) -> Result<String> {
    let config = Config {
        mode,
        choice: Conditions::default(),
        adopt: true,
        buffer_size: 1 << 20,
        verbose: false,
    };
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config)?;
    let mut ring = tracer.ring()?;
    tracer.begin();
    tracer.set_adopting(true);
    let child = Command::new("/proc/self/exe").arg(CHILD).stdin(Stdio::null()).status();
    tracer.set_adopting(false);
    tracer.detach();
    let status = child.context("can't start a process")?;
    if status.code() != Some(STATUS.into()) {
        return Err(anyhow!("the process to be traced ended with {status}"));
    }
    let mut events = Vec::new();
    let keep = |record: &[u8]| {
        let wanted =
            tracer.decode(record).ok().and_then(Decoded::event).filter(|record| !record.hidden);
        events.extend(wanted.map(|record| record.event));
        true
    };
    ring.consume(usize::MAX, keep)?;
    match as_expected(&events) {
        true => Ok("saw a child's fork, exec and exit".to_owned()),
        false => Err(Failure::new(
            Exit::Kernel,
            format!(
                "it traced two of its own processes and saw {}, not exec, fork, exec, exit, exit",
                names(&events)
            ),
            "report this, with the kernel's version",
        )
        .into()),
    }
}

/// Whether the program loads that sees failed execs, and what it costs.
fn failed_execs() -> Result<String> {
    let config = Config {
        mode: Mode::Wide { threads: false, max_args: 4096 },
        choice: Conditions { failed_execs: true, ..Conditions::default() },
        adopt: false,
        buffer_size: 1 << 20,
        verbose: false,
    };
    let mut storage = Storage::uninit();
    let tracer = Tracer::attach(&mut storage, &config)?;
    tracer.detach();
    Ok(match tracer.failed_execs() {
        Hook::EveryCall => "--failed-execs slows each system call of the machine by some 100 ns",
        _ => "--failed-execs slows only execs",
    }
    .to_owned())
}

fn as_expected(events: &[Event]) -> bool {
    use EventKind::{Exec, Exit, Fork};
    let [exec, fork, last_exec, last_exit, exit] = events else { return false };
    let kinds = events.iter().map(|event| event.kind);
    kinds.eq([Exec, Fork, Exec, Exit, Exit])
        && exec.pid == exit.pid
        && exec.pid == fork.ppid
        && [last_exec, last_exit].iter().all(|event| event.pid == fork.pid)
        && events.iter().filter_map(|event| event.wide.as_deref()).all(|wide| match &wide.detail {
            Detail::Exit(ended) => ended.status == ExitStatus::Code(STATUS),
            Detail::Exec { args, .. } => args.iter().any(|word| word == CHILD.as_bytes()),
            Detail::Fork { thread, .. } => !thread,
            Detail::ExecFailed { .. } => false,
        })
}

fn names(events: &[Event]) -> String {
    let names: Vec<_> =
        events.iter().map(|event| format!("{} {}", event.kind.name(), event.pid)).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Prints the answers.
///
/// # Errors
/// Standard output can't be written.
pub fn run(args: &Check) -> Result<ExitCode> {
    let report = Report::make();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(results: Vec<Result<String>>) -> Report {
        let mut report = Report { checks: Vec::new(), basic_mode: false, wide_mode: true };
        for result in results {
            report.add("thing", result);
        }
        report
    }

    #[test]
    fn the_first_that_is_missing_gives_the_exit_status() {
        let no = |exit| Err(Failure::new(exit, "it lacks", "get it").into());
        let good = || Ok("there".to_owned());
        assert_eq!(report(vec![good(), no(Exit::Rights), no(Exit::Kernel)]).exit(), 77);
        assert_eq!(report(vec![no(Exit::Kernel), no(Exit::Rights)]).exit(), 69);
        assert_eq!(report(vec![Err(anyhow!("broke"))]).exit(), 1);
        assert_eq!(Report { basic_mode: true, ..report(vec![no(Exit::Kernel)]) }.exit(), 0);
    }

    #[test]
    fn a_no_has_its_remedy_below() {
        let no = Failure::new(Exit::Kernel, "it lacks", "get it");
        let report = report(vec![Ok("there".to_owned()), Err(no.into())]);
        let indent = " ".repeat(22);
        let wanted = format!(
            "thing           ok    there\nthing           no    it lacks\n{indent}-> get it\n"
        );
        assert_eq!(report.to_string(), wanted);
    }

    #[test]
    fn other_events_are_not_as_expected() {
        use EventKind::{Exec, Exit, Fork};
        let event = |(kind, pid, ppid)| Event {
            kind,
            pid,
            ppid,
            comm: crate::model::event::Comm::new(b"x"),
            timestamp_ns: 0,
            wide: None,
        };
        let good = [(Exec, 7, 0), (Fork, 8, 7), (Exec, 8, 0), (Exit, 8, 0), (Exit, 7, 0)];
        let seen = |events: &[(EventKind, u32, u32)]| {
            as_expected(&events.iter().copied().map(event).collect::<Vec<_>>())
        };
        assert!(seen(&good));
        assert!(!seen(&[]));
        assert!(!seen(&good[1..]));
        let changes = [(0, (Exec, 9, 0)), (1, (Fork, 8, 1)), (2, (Fork, 8, 0)), (3, (Exit, 9, 0))];
        for (place, other) in changes {
            let mut events = good;
            events[place] = other;
            assert!(!seen(&events), "{other:?}");
        }
    }
}
