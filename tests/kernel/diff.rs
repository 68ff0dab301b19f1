// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope diff` of two real builds between which one thing was changed.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{self, BINARY};
use crate::{machine, process};

/// Steps that are shells of their own name and count so far.
fn build(dir: &Path, name: &str, link: u32) -> String {
    let step = |tool: &str, to: u32| {
        format!("\t@./{tool} -c 'i=0; while [ $$i -lt {to} ]; do i=$$((i+1)); done'\n")
    };
    let makefile = format!(
        "all: a b\n{}a:\n{}b:\n{}",
        step("link", link),
        step("compile", 40_000),
        step("compile", 40_000)
    );
    fs::write(dir.join("Makefile"), makefile).unwrap();
    let capture = dir.join(name);
    let mut command = program::command(&["--wide", "--format", "json", "-o"]);
    command.arg(&capture).args(["--", "make", "-s", "-j2", "-C"]).arg(dir);
    process::output(&mut command);
    capture.to_str().unwrap().to_owned()
}

#[test]
fn the_step_that_was_changed_is_named_first() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    for tool in ["link", "compile"] {
        process::output(Command::new("cp").arg("/bin/sh").arg(dir.path().join(tool)));
    }
    let before: Vec<_> = (0..3).map(|i| build(dir.path(), &format!("before{i}"), 40_000)).collect();
    let after: Vec<_> = (0..3).map(|i| build(dir.path(), &format!("after{i}"), 200_000)).collect();
    let output = Command::new(BINARY)
        .args(["diff", "--format", "json"])
        .args(&before)
        .arg("--")
        .args(&after)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &report["groups"][0];
    assert_eq!((&first["name"], &first["state"]), (&"link".into(), &"changed".into()), "{report}");
    let cpu = &first["cpu_ns"];
    let [was, is] = ["before", "after"].map(|key| cpu[key].as_u64().unwrap());
    // Not five times as much: a CPU isn't as fast at all times.
    assert!(2 * is > 3 * was, "five times as much to do: {cpu}");
    assert_eq!(first["count"]["changed"], false);
    assert_eq!(report["chain"][0]["command"], "link", "the end waits for it");
}
