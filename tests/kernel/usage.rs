// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line, as far as it needs no kernel.

use std::process::{Command, Output};

use crate::program::BINARY;

fn run(args: &[&str]) -> Output {
    Command::new(BINARY).args(args).output().expect("starting tuxscope")
}

#[test]
fn help_shows_examples() {
    let run = run(&["proc", "--help"]);
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(0));
    for words in ["Examples:", "tuxscope proc --pid", "--buffer-size", "--strict", "Exit status"] {
        assert!(text.contains(words), "no {words:?} in: {text}");
    }
}

#[test]
fn version_is_the_packages() {
    let run = run(&["--version"]);
    let wanted = format!("tuxscope {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((run.status.code(), run.stdout), (Some(0), wanted.into_bytes()));
}

#[test]
fn bad_values_are_usage_errors() {
    for args in [
        ["--pid", "0"],
        ["--pid", "-1"],
        ["--pid", "bash"],
        ["--pid", "4194305"], // 2^22 + 1
        ["--pid", "1,,2"],
        ["--buffer-size", "0"],
        ["--buffer-size", "3G"],
        ["--buffer-size", "4X"],
        ["--duration", "0"],
        ["--count", "0"],
        ["--format", "xml"],
        ["--no-such-option", "1"],
    ] {
        let run = run(&[&["proc"], &args[..]].concat());
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{args:?}: {said}");
        assert!(run.stdout.is_empty(), "{args:?}");
        assert!(said.contains(args[0]) && said.contains("--help"), "{args:?}: {said}");
    }
}

/// A script's `-- "$@"` without arguments.
#[test]
fn no_command_where_one_should_be_is_a_usage_error() {
    let run = run(&["proc", "--format", "json", "--"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2), "{said}");
    assert!(said.contains("no COMMAND after --"), "{said}");
}
