// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the end waited for, proved by intervention: a delay in a process on the chain makes the whole
//! longer by that, one in a process off the chain, while it fits into the slack that is shown, by
//! nothing.

use std::fs;
use std::path::Path;

use crate::program::command;
use crate::{machine, process};

/// How long the sleep on the chain takes, the one off it, and the delay.
const ON: f64 = 1.2;
const OFF: f64 = 0.3;
const DELAY: f64 = 0.5;
/// What a busy machine may add or hide.
const NOISE: f64 = 0.2;

/// The view of a run in which these two sleep for so long.
fn path(dir: &Path, what: &[&str], on: f64, off: f64) -> String {
    let view = dir.join("view");
    let args = ["--format", "path", "-o", view.to_str().unwrap(), "--"];
    let mut run = command(&[&args, what].concat());
    run.current_dir(dir).env("ON", on.to_string()).env("OFF", off.to_string());
    process::output(&mut run);
    fs::read_to_string(view).unwrap()
}

/// Seconds, as they are shown.
fn seconds(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let unit = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" => 1e-6,
        _ => 1e-9,
    };
    Some(number.parse::<f64>().ok()? * unit)
}

/// How long the whole took.
fn whole(view: &str) -> f64 {
    let line = view.lines().find(|line| line.starts_with("The end of")).unwrap();
    seconds(line.split_once(", after ").unwrap().1.split_once(": ").unwrap().0).unwrap()
}

/// The slack of the sleep that isn't on the chain.
fn slack(view: &str, off: f64) -> f64 {
    let (_, table) = view.split_once("Not waited for").unwrap();
    let is_it = |line: &&str| line.ends_with(&format!("sleep {off}"));
    let row = table.lines().find(is_it).unwrap_or_else(|| panic!("{view}"));
    // LENGTH, its part, CPU, SLACK.
    seconds(row.get(25..34).unwrap()).unwrap_or_else(|| panic!("{row}"))
}

fn intervene(dir: &Path, what: &[&str]) {
    let plain = path(dir, what, ON, OFF);
    let slack = slack(&plain, OFF);
    assert!(slack > DELAY && slack < ON, "{plain}");
    let longer = whole(&path(dir, what, ON + DELAY, OFF)) - whole(&plain);
    assert!(longer > DELAY - NOISE, "{longer} of {DELAY}: {plain}");
    let later = path(dir, what, ON, OFF + DELAY);
    let longer = whole(&later) - whole(&plain);
    assert!(longer < DELAY - NOISE, "{longer} of none: {later}");
}

#[test]
fn the_chain_of_a_parallel_make_is_what_its_end_waits_for() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let makefile = "all: on off\non:\n\t@sleep $(ON)\noff:\n\t@sleep $(OFF)\n";
    fs::write(dir.path().join("Makefile"), makefile).unwrap();
    intervene(dir.path(), &["make", "-j2", "all"]);
}

#[test]
fn the_chain_of_nested_makes_goes_into_them() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let outer = "all: inner other\ninner:\n\t@$(MAKE) -f inner.mk\nother:\n\t@sleep 0.05\n";
    let inner = "all: on off\non:\n\t@sleep $(ON)\noff:\n\t@sleep $(OFF)\n";
    fs::write(dir.path().join("Makefile"), outer).unwrap();
    fs::write(dir.path().join("inner.mk"), inner).unwrap();
    intervene(dir.path(), &["make", "-j3", "all"]);
}

#[test]
fn the_chain_of_a_pipeline_is_the_process_that_ends_last() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    intervene(dir.path(), &["sh", "-c", "sleep $OFF | sleep $ON"]);
}
