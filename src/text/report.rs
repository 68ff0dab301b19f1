// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the program says on standard error.

use std::fmt::Display;
use std::io::Write as _;

use crate::text::misleads;

/// Writes `tuxscope: MESSAGE`, each line marked so. Names in it that others chose don't steer the
/// terminal. A standard error that is closed or full can't be told of it, and is no cause to end
/// a capture.
pub fn say(message: impl Display) {
    // One write, so that lines of several programs on one terminal don't mix.
    let _ = std::io::stderr().write_all(marked(&message.to_string()).as_bytes());
}

/// Writes an error.
pub fn error(error: &anyhow::Error) {
    say(format_args!("{error:#}"));
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
