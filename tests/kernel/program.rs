// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the program as its users do.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::events::{self, Closing, Event};
use crate::process::{self, LIMIT};

/// A pid that no kernel gives: they all lie below.
pub const NEVER: &str = "4194304";

/// The program itself.
pub const BINARY: &str = env!("CARGO_BIN_EXE_tuxscope");

/// `tuxscope proc` with these arguments.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("proc").args(args);
    command
}

/// A tuxscope that runs; dropped, it is killed.
pub struct Tuxscope {
    child: Child,
    stdout: Option<File>,
    stderr: Receiver<String>,
    said: Vec<String>,
}

impl Tuxscope {
    /// Starts it with standard output into a file; returns once it traces.
    pub fn start(args: &[&str]) -> Self {
        let mut tuxscope = Self::spawn(command(args));
        tuxscope.await_tracing();
        tuxscope
    }

    /// Starts it with standard output into a pipe; returns once it traces.
    pub fn start_piped(args: &[&str]) -> (Self, ChildStdout) {
        let mut tuxscope = Self::spawn_to(command(args), Stdio::piped());
        tuxscope.await_tracing();
        let pipe = tuxscope.child.stdout.take().expect("a pipe");
        (tuxscope, pipe)
    }

    /// Starts a command that is or becomes tuxscope, with standard output into a file.
    pub fn spawn(command: Command) -> Self {
        let file = tempfile::tempfile().expect("a temporary file");
        let stdout = file.try_clone().expect("a descriptor");
        let mut tuxscope = Self::spawn_to(command, stdout.into());
        tuxscope.stdout = Some(file);
        tuxscope
    }

    /// Starts a command that is or becomes tuxscope.
    pub fn spawn_to(mut command: Command, stdout: Stdio) -> Self {
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let mut child = process::started(&mut command);
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, stdout: None, stderr: receiver, said: Vec::new() }
    }

    /// Waits for the line that tells that tracing has begun.
    pub fn await_tracing(&mut self) {
        self.await_line("tuxscope: tracing");
    }

    /// Waits for a line on standard error that holds these words.
    pub fn await_line(&mut self, words: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line);
                    if self.said.last().is_some_and(|line| line.contains(words)) {
                        return;
                    }
                }
                Err(error) => panic!("no line with {words:?} ({error}), only {:#?}", self.said),
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("signalling tuxscope");
    }

    /// Ends it as Ctrl-C does.
    pub fn stop(self) -> Ended {
        self.signal(Signal::INT);
        self.end()
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let status = process::wait(&mut self.child);
        loop {
            match self.stderr.recv_timeout(LIMIT) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("standard error stays open"),
            }
        }
        let mut stdout = Vec::new();
        if let Some(file) = &mut self.stdout {
            file.rewind().expect("seeking");
            file.read_to_end(&mut stdout).expect("reading the output");
        }
        Ended { code: status.code(), stdout, stderr: std::mem::take(&mut self.said) }
    }
}

impl Drop for Tuxscope {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a tuxscope left.
#[derive(Debug)]
pub struct Ended {
    /// None: a signal killed it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    /// In lines.
    pub stderr: Vec<String>,
}

impl Ended {
    /// The closing line, which is the last.
    pub fn closing(&self) -> Closing {
        Closing::parse(self.stderr.last().expect("something on standard error"))
    }

    /// The events of a capture that must have gone well: exit status 0, the tracing line and the
    /// closing line and no other, nothing lost, and as many JSON lines as the closing line says.
    pub fn complete(&self) -> Vec<Event> {
        self.success();
        let events = events::from_json(&self.stdout);
        let closing = self.closing();
        assert_eq!((closing.printed, closing.lost), (events.len() as u64, [0; 3]));
        events
    }

    /// Checks for exit status 0 and that only the tracing and the closing line were said.
    pub fn success(&self) {
        assert_eq!(self.code, Some(0), "{:#?}", self.stderr);
        // A pid that comes later is warned of.
        let warned = usize::from(self.stderr[0].contains("no process has pid"));
        assert_eq!(self.stderr.len(), 2 + warned, "{:#?}", self.stderr);
        assert!(self.stderr[warned].starts_with("tuxscope: tracing"), "{:#?}", self.stderr);
        self.closing();
    }

    /// Checks a failure before tracing: this exit status, no output, and one or two plain lines
    /// which hold all of `words`.
    pub fn refused(&self, code: i32, words: &[&str]) {
        let said = self.stderr.join("\n");
        assert_eq!(self.code, Some(code), "{said}");
        assert!(self.stdout.is_empty(), "something was printed");
        assert!((1..=2).contains(&self.stderr.len()), "one or two lines: {said}");
        assert!(self.stderr.iter().all(|line| line.starts_with("tuxscope: ")), "{said}");
        assert!(!said.contains("panicked") && !said.contains("libbpf:"), "{said}");
        for word in words {
            assert!(said.contains(word), "no {word:?} in: {said}");
        }
    }
}
