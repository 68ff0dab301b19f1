// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the program says on standard error.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::runtime::unblocked::Unblocked;
use crate::text::misleads;

/// How long a message waits for a reader that has fallen behind.
const PATIENCE: Duration = Duration::from_secs(1);

/// Standard error, or nothing where it is closed.
static STDERR: OnceLock<Option<Unblocked>> = OnceLock::new();
/// A message was dropped: the next one doesn't wait.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Opens standard error; to be called before a sandbox forbids it. Else the first message does.
pub fn prepare() {
    STDERR.get_or_init(|| Unblocked::inherited(io::stderr().as_fd()).ok());
}

/// Writes `tuxscope: MESSAGE`, each line marked so. Names in it that others chose don't steer the
/// terminal. A standard error that is closed or full, or that nobody reads for a second, can't be
/// told of it, and is no cause to end or to hold up a capture.
pub fn say(message: impl Display) {
    say_while(message, |stderr| {
        !UNREAD.load(Ordering::Relaxed) && {
            let patience = Timespec::try_from(PATIENCE).ok();
            poll(&mut [PollFd::from_borrowed_fd(stderr, PollFlags::OUT)], patience.as_ref())
                .is_ok_and(|ready| ready > 0)
        }
    });
}

/// The same, but `wait` decides how long a reader is waited for: it returns false when the
/// message is to be dropped.
pub fn say_while(message: impl Display, wait: impl FnMut(BorrowedFd<'_>) -> bool) {
    // One write, so that lines of several programs on one terminal don't mix.
    let arrived = write(marked(&message.to_string()).as_bytes(), wait);
    UNREAD.store(!arrived, Ordering::Relaxed);
}

/// Writes an error.
pub fn error(error: &anyhow::Error) {
    say(format_args!("{error:#}"));
}

/// Writes these bytes, unless nobody reads them now: for what is renewed soon.
pub fn show(bytes: &[u8]) {
    write(bytes, |_| false);
}

/// Returns whether a reader took them all; one that is gone counts as one.
fn write(mut bytes: &[u8], mut wait: impl FnMut(BorrowedFd<'_>) -> bool) -> bool {
    prepare();
    let Some(Some(stderr)) = STDERR.get() else { return true };
    while !bytes.is_empty() {
        match stderr.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if !wait(stderr.as_fd()) {
                    return false;
                }
            }
            Err(_) => return true,
        }
    }
    true
}

fn marked(message: &str) -> String {
    let mut text = String::new();
    for line in message.lines() {
        text.push_str("tuxscope: ");
        for c in line.chars() {
            match misleads(c) {
                true => text.extend(c.escape_unicode()),
                false => text.push(c),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_marked_and_steers_no_terminal() {
        assert_eq!(
            marked("a\\b \x1b[2J\u{202e}\nc"),
            "tuxscope: a\\b \\u{1b}[2J\\u{202e}\ntuxscope: c\n"
        );
    }
}
