// SPDX-License-Identifier: MIT OR Apache-2.0
//! The counters of `--metrics` against the lines of the same capture.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::program::{self, Tuxscope};
use crate::{environment, machine, process, worker};

/// The sum of a metric's samples whose labels have this text.
fn sum(metrics: &str, name: &str, label: &str) -> f64 {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let of_name = samples.filter_map(|line| line.strip_prefix(&format!("tuxscope_{name}")));
    let samples = of_name.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label));
    samples.map(|rest| rest.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
}

#[test]
fn they_are_what_the_lines_add_up_to() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metrics.prom");
    let tuxscope = Tuxscope::start(&[
        "--format",
        "json",
        "--failed-execs",
        "--metrics",
        path.to_str().unwrap(),
    ]);
    process::eventually(|| path.exists());
    worker::tally(200, 2);
    let _ = Command::new("env").arg("/nonexistent/program").status();
    sleep(Duration::from_millis(300));
    let run = tuxscope.stop();
    let lines = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metrics = fs::read_to_string(&path).unwrap();
    let of = |kind: &str| -> Vec<&Value> {
        let is_it = |line: &&Value| line["event_type"] == kind && line["thread"] != true;
        lines.iter().filter(is_it).collect()
    };
    let exits = of("exit");
    assert!(exits.len() >= 200);
    let failed = exits.iter().filter(|line| line["exit_code"].as_u64().is_some_and(|n| n > 0));
    let killed = exits.iter().filter(|line| line["signal"].is_string());
    for (name, label, count) in [
        ("processes_started_total", "", of("fork").len()),
        ("processes_ended_total", "", exits.len()),
        ("processes_failed_total", "reason=\"exit\"", failed.count()),
        ("processes_failed_total", "reason=\"signal\"", killed.count()),
        ("execs_failed_total", "", of("exec_failed").len()),
        ("events_lost_total", "", 0),
        ("buffer_bytes", "", 4 << 20),
    ] {
        assert_eq!(sum(&metrics, name, label), count as f64, "{name} {label}: {metrics}");
    }
    assert!(sum(&metrics, "execs_failed_total", "") >= 1.0);
    let cpu_ns: u64 = exits.iter().filter_map(|line| line["cpu_ns"].as_u64()).sum();
    let cpu = sum(&metrics, "processes_cpu_seconds_total", "");
    let more = cpu - cpu_ns as f64 / 1e9;
    // Somebody's cost may have come too late for its line, but not for the metrics.
    let late = exits.iter().any(|line| line["cpu_ns"].is_null());
    assert!(more.abs() < 1e-6 || (late && more > 0.0), "{cpu} {cpu_ns}");
    assert!(sum(&metrics, "cpu_seconds_total", "") > 0.0);
    assert!(sum(&metrics, "resident_memory_bytes", "") > 1e6);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished is left");
}

/// The CPU time in seconds of a process that has ended, and that nobody has waited for yet.
fn cpu_of_zombie(pid: u32) -> f64 {
    let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    process::eventually(|| stat().contains(") Z "));
    let stat = stat();
    // utime and stime are the 14th and 15th field, and the 3rd comes first here.
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
    fields.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Neither the event itself, nor what it has cost when that comes later.
#[test]
fn what_a_pattern_leaves_out_is_not_counted() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.prom");
    let name = path.to_str().unwrap();
    let pattern = "this one counts$";
    let args = ["--format", "json", "-e", "exit", "--match", pattern, "--metrics", name];
    let tuxscope = Tuxscope::start(&args);
    let spin = "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; exit 3";
    let start =
        |script: &str, name: &str| process::started(Command::new("sh").args(["-c", script, name]));
    let mut other = start(spin, "this one doesn't");
    let mut counted = start("exit 3", "this one counts");
    let others_cpu = cpu_of_zombie(other.id());
    cpu_of_zombie(counted.id());
    // Longer than a line waits for its cost.
    sleep(Duration::from_millis(300));
    process::wait(&mut other);
    process::wait(&mut counted);
    sleep(Duration::from_millis(300));
    let run = tuxscope.stop();
    let lines = String::from_utf8(run.stdout).unwrap();
    assert_eq!(lines.matches("\"event_type\":\"exit\"").count(), 1, "{lines}");
    assert!(!lines.contains("cpu_ns"), "its cost came late: {lines}");
    let metrics = fs::read_to_string(&path).unwrap();
    for (name, label) in [("processes_ended_total", ""), ("processes_failed_total", "\"exit\"")] {
        assert_eq!(sum(&metrics, name, label), 1.0, "{name}: {metrics}");
    }
    let cpu = sum(&metrics, "processes_cpu_seconds_total", "");
    assert!(0.0 < cpu && cpu < others_cpu / 2.0, "{cpu} {others_cpu}");
}

/// With two capabilities alone, and in the sandbox.
#[test]
fn a_file_that_cannot_be_written_is_said_and_the_capture_goes_on() {
    let Some(_machine) = machine::shared() else { return };
    const NOBODY: u32 = 65534;
    let (_program_dir, program) = environment::for_everyone();
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(NOBODY), None).unwrap();
    let metrics = |dir: &Path| {
        let mut command = environment::with_capabilities(&program, "+bpf,+perfmon");
        command.args(["--wide", "--metrics"]).arg(dir.join("m.prom"));
        command
    };
    let mut tuxscope = Tuxscope::spawn(metrics(dir.path()));
    tuxscope.await_tracing();
    process::eventually(|| dir.path().join("m.prom").exists());
    tuxscope.stop().success();

    let mut tuxscope = Tuxscope::spawn(metrics(dir.path()));
    tuxscope.await_tracing();
    chown(dir.path(), Some(0), None).unwrap();
    let life = worker::case("fork").remove(0);
    let run = tuxscope.stop();
    assert_eq!(run.code, Some(0));
    let said = run.stderr.join("\n");
    assert_eq!(said.matches("can't write the metrics").count(), 1, "{said}");
    assert!(String::from_utf8(run.stdout).unwrap().contains(&format!("\"pid\":{},", life.pid)));
}

/// What would be said every time, and never work: root writes there, but has given up its rights by then.
#[test]
fn a_directory_in_which_nothing_can_be_replaced_is_refused_at_the_start() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    chown(dir.path(), Some(65534), None).unwrap();
    let path = dir.path().join("m.prom");
    let args = ["--metrics", path.to_str().unwrap(), "--duration", "0.1"];
    let run = Tuxscope::spawn(program::command(&args)).end();
    run.refused(2, &["m.prom can't be used for --metrics", "omit --metrics"]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing was made");
    chown(dir.path(), Some(0), None).unwrap();
    Tuxscope::start(&args).end().success();
    assert!(path.exists());
}

#[test]
fn a_name_that_the_collector_does_not_read_is_refused() {
    let Some(_machine) = machine::shared() else { return };
    let output = program::command(&["--metrics", "/tmp/metrics.txt"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("ends in .prom"));
}
