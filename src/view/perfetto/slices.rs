// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a process' life is cut into, and what a click on each piece shows.

use serde::Serialize;

use crate::model::event::ExitStatus;
use crate::model::signal;
use crate::view::lives::{Exec, FailedExecs, Life};

/// What a click on a slice shows.
#[derive(Default, Serialize)]
pub struct Details {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted_by: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_dumped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_wait_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_rss_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_threads: Option<u32>,
    /// Behind the first one, whose slice they lie in.
    #[serde(skip_serializing_if = "Option::is_none")]
    execs_left_out: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_execs: Option<u32>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_exec: Option<String>,
    /// Processes below it that are not drawn, there being too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    folded: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// A stretch of a process' life.
pub struct Slice<'a> {
    pub name: String,
    pub category: &'static str,
    pub from_ns: u64,
    exec: Option<&'a Exec>,
}

/// From its birth to its first exec, and from each exec to the next or to its end.
pub fn slices<'a>(life: &'a Life, comm: &str, (born, ended): (u64, u64)) -> Vec<Slice<'a>> {
    let mut slices = Vec::new();
    let first_exec = life.execs().next().map(|exec| exec.at_ns().unwrap_or(born));
    // Nothing is known of the time before, where it is of no length.
    if life.fork_seen || first_exec.is_none_or(|at| at > born) {
        let began_before = life.born_ns().is_none_or(|born_ns| born_ns < born);
        let (name, category) = match (life.fork_seen, life.exec_count() == 0) {
            (true, true) => (format!("{comm} (no exec)"), "fork"),
            (false, true) if !began_before => (comm.to_owned(), "fork"),
            (_, false) if life.ran_before().is_none() => ("fork to exec".to_owned(), "fork"),
            _ => {
                let before = life.ran_before().map(|comm| comm.map(|c| c.to_text().into_owned()));
                let name = before.map_or_else(|| comm.to_owned(), text);
                (format!("{name} (began before)"), "before")
            }
        };
        slices.push(Slice { name, category, from_ns: born, exec: None });
    }
    let mut from_ns = born;
    for exec in life.execs() {
        from_ns = exec.at_ns().unwrap_or(born).clamp(from_ns, ended);
        let name = text(Some(exec.comm().to_text().into_owned()));
        slices.push(Slice { name, category: "exec", from_ns, exec: Some(exec) });
    }
    slices
}

pub fn details(life: &Life, slice: &Slice<'_>, last: bool) -> Details {
    let mut details = Details {
        pid: life.pid,
        parent: life.born_to(),
        filename: slice
            .exec
            .and_then(|exec| exec.filename())
            .map(|filename| String::from_utf8_lossy(filename).into_owned()),
        command: slice.exec.filter(|exec| exec.args().is_some()).map(Exec::command_line),
        ..Details::default()
    };
    if last {
        details.adopted_by = life.adopter();
        details.execs_left_out = Some(life.execs_left_out()).filter(|&count| count > 0);
        let failed = life.failed_execs();
        details.failed_execs = failed.map(|failed| failed.count);
        details.failed_exec = failed.map(FailedExecs::last);
        details.folded = Some(life.folded().count).filter(|&count| count > 0);
        details.cpu_ns = life.cpu_ns();
        details.cpu_wait_ns = life.cpu_wait_ns();
        details.max_rss_bytes = life.max_rss_bytes();
        details.more_threads = Some(life.threads()).filter(|&threads| threads > 0);
        match life.status() {
            Some(ExitStatus::Code(code)) => details.exit_code = Some(code),
            Some(ExitStatus::Signal { number, core_dumped }) => {
                details.signal = Some(signal::name(number).into_owned());
                details.core_dumped = Some(core_dumped);
            }
            None => {}
        }
        details.note = match life.end {
            None => Some("still running at the end of the capture"),
            Some(end) if !end.seen => Some("its end was not seen"),
            Some(_) => None,
        };
    }
    details
}

/// A viewer shows nothing for a name that is empty.
pub fn text(name: Option<String>) -> String {
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}
