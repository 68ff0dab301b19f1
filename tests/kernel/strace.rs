// SPDX-License-Identifier: MIT OR Apache-2.0
//! The turns of a tuxscope's loop, as strace(1) sees them: how long it is ready to wait, whether it
//! was woken, and what it wrote then.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::time::{ClockId, clock_gettime};

use crate::events::{self, Event};
use crate::process;
use crate::program::Tuxscope;

/// A wait for events and what followed until the next one.
#[derive(Debug)]
pub struct Turn {
    /// When the wait began, on the clock of the events.
    pub began_ns: u64,
    /// After which it ends by itself.
    pub timeout_ms: u64,
    /// Something was ready: the timeout didn't end it.
    pub woken: bool,
    /// The events that were written, where these are JSON.
    pub wrote: Vec<Event>,
}

/// A strace of a tuxscope, until that ends.
pub struct Strace {
    child: Child,
    log: tempfile::NamedTempFile,
    /// From the wall clock, which strace prints, to the monotonic one of the events.
    ahead_ns: i128,
}

impl Strace {
    /// Returns once strace is attached.
    pub fn attach(tuxscope: &Tuxscope) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let pid = tuxscope.pid().as_raw_nonzero().to_string();
        let mut command = Command::new("strace");
        command.args(["-ttt", "-s", "1000000", "-e", "trace=/^(epoll_p?wait2?|write)$"]);
        command.arg("-o").arg(log.path()).args(["-p", &pid]).stderr(Stdio::piped());
        let mut child = process::started(&mut command);
        let mut said = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert!(said.contains("attached"), "strace says {said}");
        let now = |clock| {
            let now = clock_gettime(clock);
            i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
        };
        let ahead_ns = now(ClockId::Realtime) - now(ClockId::Monotonic);
        Self { child, log, ahead_ns }
    }

    /// After the end of the tuxscope.
    pub fn turns(mut self) -> Vec<Turn> {
        assert!(process::wait(&mut self.child).success());
        let mut turns: Vec<Turn> = Vec::new();
        for line in std::fs::read_to_string(self.log.path()).unwrap().lines() {
            let Some((time, call)) = line.split_once(' ') else { continue };
            let Some((name, rest)) = call.split_once('(') else { continue };
            if name.starts_with("epoll") {
                turns.extend(self.wait(time, rest));
            } else if let Some(turn) = turns.last_mut() {
                turn.wrote.extend(written(rest));
            }
        }
        turns
    }

    /// `5, [], 3, 90, NULL, 0) = 0`; None where a signal ended it.
    fn wait(&self, time: &str, rest: &str) -> Option<Turn> {
        let (arguments, result) = rest.rsplit_once(") = ")?;
        let ready: u32 = result.parse().ok()?;
        let (_, behind) = arguments.split_once("], ")?;
        let timeout = behind.split(", ").nth(1).expect("a timeout");
        let (secs, micros) = time.split_once('.').expect("seconds and microseconds");
        let micros = secs.parse::<i128>().unwrap() * 1_000_000 + micros.parse::<i128>().unwrap();
        Some(Turn {
            began_ns: (micros * 1000 - self.ahead_ns).try_into().unwrap(),
            timeout_ms: timeout.parse().expect("a finite timeout"),
            woken: ready > 0,
            wrote: Vec::new(),
        })
    }
}

/// `1, "{\"pid\":1,...}\n", 256) = 256`
fn written(rest: &str) -> Vec<Event> {
    let text = rest.split_once('"').and_then(|(_, rest)| rest.rsplit_once('"'));
    let text = text.map_or("", |(text, _)| text);
    if !text.starts_with('{') {
        return Vec::new();
    }
    events::from_json(text.replace("\\n", "\n").replace("\\\"", "\"").as_bytes())
}
