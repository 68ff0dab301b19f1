// SPDX-License-Identifier: MIT OR Apache-2.0
//! Child processes that end in bounded time, or the test fails.

use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes here, however busy the machine.
pub const LIMIT: Duration = Duration::from_secs(240);

/// Waits for a child; kills it and fails when it doesn't end.
pub fn wait(child: &mut Child) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            return status;
        }
        if began.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("process {} has not ended in {LIMIT:?}", child.id());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until something is so.
pub fn eventually(mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < LIMIT, "not so after {LIMIT:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Starts a program, or fails and says which one is missing.
pub fn started(command: &mut Command) -> Child {
    let child = command.spawn();
    child.unwrap_or_else(|error| panic!("this test needs {:?}: {error}", command.get_program()))
}

/// Runs a program that must succeed, and returns what it wrote to standard output.
pub fn output(command: &mut Command) -> String {
    let mut stdout = tempfile::tempfile().expect("a temporary file");
    let handle = stdout.try_clone().expect("a descriptor");
    let mut child = started(command.stdin(Stdio::null()).stdout(handle));
    let status = wait(&mut child);
    assert!(status.success(), "{command:?}: {status}");
    let mut text = String::new();
    stdout.rewind().expect("seeking");
    stdout.read_to_string(&mut text).expect("reading what a program printed");
    text
}
