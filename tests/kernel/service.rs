// SPDX-License-Identifier: MIT OR Apache-2.0
//! The systemd unit's command, with the rights that the unit gives.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Command;

use rustix::process::Signal;

use crate::program::Tuxscope;
use crate::{environment, events, machine, process, worker};

const NOBODY: u32 = 65534;

/// The arguments of `ExecStart=`, with the unit's directory in place of the variable.
fn arguments(directory: &str) -> Vec<String> {
    let unit = fs::read_to_string("dist/tuxscope.service").unwrap().replace("\\\n", " ");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/sbin/tuxscope "));
    let words = start.unwrap().split_whitespace();
    let word = |word: &str| {
        let word = word.replace("${LOGS_DIRECTORY}", directory);
        word.replace("${RUNTIME_DIRECTORY}", directory)
    };
    words.map(word).collect()
}

#[test]
fn the_unit_s_command_traces_as_nobody_with_two_capabilities() {
    let Some(_machine) = machine::shared() else { return };
    let (_program_dir, program) = environment::for_everyone();
    let logs = tempfile::tempdir().unwrap();
    chown(logs.path(), Some(NOBODY), None).unwrap();
    let path = logs.path().join("events.jsonl");
    let caps = "-all,+bpf,+perfmon";
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set", caps]);
    command.args(["--inh-caps", caps, "--ambient-caps", caps, &program]);
    command.args(arguments(logs.path().to_str().unwrap()));
    let mut tuxscope = Tuxscope::spawn(command);
    tuxscope.await_tracing();
    worker::case("fork");
    let old = logs.path().join("old");
    fs::rename(&path, &old).unwrap();
    // ExecReload
    tuxscope.signal(Signal::HUP);
    process::eventually(|| path.exists());
    let life = worker::case("fork").remove(0);
    tuxscope.signal(Signal::TERM);
    let run = tuxscope.end();
    run.success();
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(&format!("{{\"pid\":{},", life.pid)), "{text}");
    assert!(fs::read_to_string(old).unwrap().ends_with("}\n"));
    let metrics = fs::read_to_string(logs.path().join("metrics.prom")).unwrap();
    assert!(metrics.contains("tuxscope_processes_ended_total"), "{metrics}");
    assert!(events::from_json(&run.stdout).is_empty());
}
