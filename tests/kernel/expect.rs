// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules about a command: for each measure a job that keeps its rule, and one that breaks it by one.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Output, Stdio};

use rustix::pipe::{PipeFlags, pipe_with};

use crate::killed::MemoryCgroup;
use crate::program::{BINARY, command};
use crate::{machine, worker};

/// Runs a script under rules.
fn run(rules: &[&str], options: &[&str], script: &str) -> Output {
    let rules = rules.iter().flat_map(|rule| ["--expect", rule]);
    let args: Vec<&str> = rules.chain(options.iter().copied()).collect();
    command(&args).args(["--", "/bin/sh", "-c", script]).output().unwrap()
}

/// The verdict on the only rule.
fn verdict(rule: &str, script: &str) -> (String, Option<i32>) {
    let output = run(&[rule], &[], script);
    let said = String::from_utf8(output.stderr).unwrap();
    let line = said.lines().find(|line| line.contains(&format!(": {rule}: ")));
    let line = line.unwrap_or_else(|| panic!("{rule}: {said}"));
    (line.split(':').next().unwrap().to_owned(), output.status.code())
}

#[test]
fn each_rule_is_kept_by_one_job_and_broken_by_the_next() {
    let Some(_machine) = machine::shared() else { return };
    let sleep = "sleep 1 >/dev/null 2>&1 </dev/null &";
    let kill = "sh -c 'kill -9 $$';";
    for (rule, one, jobs) in [
        ("failures = 1", "/bin/false;", 1),
        ("failures[comm=false] = 1", "/bin/false; sh -c 'exit 3';", 1),
        ("execs[comm=true] <= 2", "/bin/true;", 2),
        ("execs[match=^/bin/true x$] <= 1", "/bin/true x; /bin/true y;", 1),
        ("failed-execs <= 1", "(exec /nonexistent/x) 2>/dev/null;", 1),
        ("failed-execs[match=nonexistent/x] = 2", "(exec /nonexistent/x) 2>/dev/null;", 2),
        ("processes <= 3", "/bin/true;", 2),
        ("leftovers < 2", sleep, 1),
        ("killed = 1", kill, 1),
    ] {
        let job = |jobs: usize| one.repeat(jobs) + " :";
        assert_eq!(verdict(rule, &job(jobs)), ("ok".to_owned(), Some(0)), "{rule}");
        assert_eq!(verdict(rule, &job(jobs + 1)), ("FAILED".to_owned(), Some(4)), "{rule}");
    }
    for (rule, keeps, breaks) in [
        ("wall <= 700ms", ":", "sleep 0.8"),
        ("cpu <= 400ms", ":", "timeout 3 sh -c 'while :; do :; done'; :"),
        ("max-rss <= 64M", ":", "head -c 100M /dev/zero | tail | wc -c >/dev/null"),
    ] {
        assert_eq!(verdict(rule, keeps), ("ok".to_owned(), Some(0)), "{rule}");
        assert_eq!(verdict(rule, breaks), ("FAILED".to_owned(), Some(4)), "{rule}");
    }
}

#[test]
fn the_oom_killers_victims_are_counted() {
    let Some(_machine) = machine::shared() else { return };
    let group = MemoryCgroup::make();
    let hungry = format!(
        "sh -c 'echo $$ > {}/cgroup.procs; exec tail /dev/zero' 2>/dev/null;",
        group.0.display()
    );
    let job = |times: usize| hungry.repeat(times) + " :";
    assert_eq!(verdict("oom <= 1", &job(1)), ("ok".to_owned(), Some(0)));
    assert_eq!(verdict("oom <= 1", &job(2)), ("FAILED".to_owned(), Some(4)));
}

/// It has used 50 ms and is a zombie for the next 400.
#[test]
fn a_cost_that_comes_late_counts() {
    let Some(_machine) = machine::shared() else { return };
    let zombie = format!("sleep 0.4 | {} zombie >/dev/null; sleep 0.3", worker::path().display());
    for (rule, kept) in [("cpu[comm=worker] > 49ms", true), ("cpu[comm=worker] < 49ms", false)] {
        let status = if kept { ("ok".to_owned(), Some(0)) } else { ("FAILED".to_owned(), Some(4)) };
        assert_eq!(verdict(rule, &zombie), status);
    }
}

/// The capture ends before what it was to wait for.
#[test]
fn who_is_waited_for_and_not_seen_to_its_end_leaves_a_rule_unknown() {
    let Some(_machine) = machine::shared() else { return };
    let job = "sleep 1 & :";
    for rule in ["failures = 0", "killed = 0", "execs <= 5", "processes <= 5"] {
        let output = run(&[rule], &["--wait", "all", "--duration", "0.4"], job);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("unknown: {rule}: a process still ran")), "{said}");
        assert_eq!(output.status.code(), Some(4));
        assert_eq!(run(&[rule], &["--wait", "all"], job).status.code(), Some(0), "{rule}");
    }
}

#[test]
fn the_commands_own_status_comes_first() {
    let Some(_machine) = machine::shared() else { return };
    assert_eq!(run(&["failures = 0"], &[], "exit 7").status.code(), Some(7));
    assert_eq!(run(&["failures = 1"], &[], "exit 7").status.code(), Some(7));
    let ended_early = run(&["failures = 0"], &["--duration", "0.1"], "sleep 0.5");
    let said = String::from_utf8(ended_early.stderr).unwrap();
    assert!(
        said.contains("unknown: failures = 0: the command's end is not in the capture"),
        "{said}"
    );
    assert_eq!(ended_early.status.code(), Some(4));
}

/// Nobody reads standard error, where messages and verdicts go, and else nothing.
#[test]
fn a_closed_standard_error_changes_no_status() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (report, junit, events) = (file("report"), file("junit"), file("events"));
    let status = |rule: &str, options: &[&str], script: &str| {
        let (reader, closed) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        drop(reader);
        let args = [&["--expect", rule], options, &["--", "/bin/sh", "-c", script]].concat();
        command(&args).stderr(closed).stdout(Stdio::null()).status().unwrap().code()
    };
    assert_eq!(status("failures >= 0", &[], "exit 7"), Some(7));
    assert_eq!(status("failures = 0", &["-w", "-o", &events], "exit 0"), Some(0));
    // The capture goes on to the command's end, or its exit would be missing.
    let options = ["--expect-output", &report];
    assert_eq!(status("failures = 0", &options, "sleep 0.5; exit 0"), Some(0));
    assert_eq!(fs::read_to_string(&report).unwrap(), "ok: failures = 0: 0 failures\n");
    assert_eq!(status("failures = 0", &["--junit", &junit], "/bin/false; exit 0"), Some(4));
    assert!(fs::read_to_string(&junit).unwrap().contains("<failure"));
}

#[test]
fn verdicts_that_can_not_be_written_leave_the_commands_status() {
    let Some(_machine) = machine::shared() else { return };
    for (script, code) in [("exit 7", 7), ("exit 0", 1)] {
        let output = run(&["failures >= 0"], &["--expect-output", "/dev/full"], script);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("can't write /dev/full"), "{said}");
        assert_eq!(output.status.code(), Some(code), "{said}");
    }
}

/// A reader that reads too late, and a ring of one page.
#[test]
fn no_rule_passes_where_it_could_have_been_broken_unseen() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("report");
    let rules = ["processes <= 100000", "failures = 0", "cpu <= 1h", "lost = 0", "wall <= 1h"];
    let expect = rules.map(|rule| format!("--expect '{rule}'")).join(" ");
    let script = format!(
        "{BINARY} proc --format json -o /dev/stdout --buffer-size 4K {expect} --expect-output {} \
         -- {} storm fork 4000 2 2>/dev/null | (sleep 1.5; cat >/dev/null)",
        report.display(),
        worker::command(&[]).get_program().to_str().unwrap(),
    );
    let status = Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(status.success());
    let said = fs::read_to_string(report).unwrap();
    let verdicts: Vec<_> = said.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(verdicts[..4], ["unknown", "unknown", "unknown", "FAILED"], "{said}");
    assert_ne!(verdicts[4], "FAILED", "{said}");
}

/// What docs/ci.md has for the shell, with a make that does nothing and a sudo that changes nothing.
#[test]
fn the_documented_jobs_run() {
    let Some(_machine) = machine::shared() else { return };
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tool = |name: &str, script: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    symlink(BINARY, dir.path().join("tuxscope")).unwrap();
    tool("sudo", "case $1 in --*) shift;; esac\nexec \"$@\"");
    tool("make", ":");
    tool("git", ":");
    let mut jobs = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        jobs.push(block.split("```").next().unwrap().to_owned());
    }
    // In YAML, what `run` and `script` have.
    let (_, github) = text.split_once("run: |\n").unwrap();
    jobs.push(github.split("```").next().unwrap().to_owned());
    let (_, gitlab) = text.split_once("script:\n    - ").unwrap();
    jobs.push(gitlab.lines().next().unwrap().to_owned());
    assert_eq!(jobs.len(), 7);
    for job in jobs {
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", dir.path().display());
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &job]).current_dir(dir.path()).env("PATH", path);
        let output = command.env("USER", "root").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{job}: {said}");
        assert!(!said.contains("FAILED") && !said.contains("unknown:"), "{job}: {said}");
    }
    assert!(dir.path().join("tuxscope.xml").exists());
}
