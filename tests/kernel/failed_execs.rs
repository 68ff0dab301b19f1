// SPDX-License-Identifier: MIT OR Apache-2.0
//! Execs that failed: what the caller got back, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use rustix::process::Signal;

use crate::program::{self, Tuxscope};
use crate::wide::{Capture, Event};
use crate::{machine, process, worker};

/// The number of an error by its name, as the C library has it; nothing of the program's own.
fn number(name: &str) -> i32 {
    const NAMES: [(&str, i32); 11] = [
        ("ENOENT", libc::ENOENT),
        ("E2BIG", libc::E2BIG),
        ("ENOEXEC", libc::ENOEXEC),
        ("EACCES", libc::EACCES),
        ("EFAULT", libc::EFAULT),
        ("EINVAL", libc::EINVAL),
        ("ENOMEM", libc::ENOMEM),
        ("ENOTDIR", libc::ENOTDIR),
        ("ETXTBSY", libc::ETXTBSY),
        ("ENAMETOOLONG", libc::ENAMETOOLONG),
        ("ELOOP", libc::ELOOP),
    ];
    let found = NAMES.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("unknown error {name}")).1
}

fn capture<T>(args: &[&str], run: impl FnOnce() -> T) -> (Capture, T) {
    let tuxscope = Tuxscope::start(&[&["--format", "json"], args].concat());
    let made = run();
    (Capture::complete(&tuxscope.stop()), made)
}

fn failures(capture: &Capture, pid: u32) -> Vec<&Event> {
    capture.of(pid).into_iter().filter(|event| event.event_type == "exec_failed").collect()
}

#[test]
fn each_failure_is_told_once_and_as_its_caller_got_it() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    let (capture, made) =
        capture(&["--failed-execs"], || worker::failed_execs(path.to_str().unwrap()));
    assert!(made.len() >= 21, "{made:?}");
    for tried in &made {
        let name = &tried.failed;
        let of_it = |event: &&Event| {
            let same = tried.filename.is_none() || event.filename == tried.filename;
            same && event.tid == tried.tid
        };
        let told: Vec<_> = failures(&capture, tried.pid).into_iter().filter(of_it).collect();
        assert_eq!(told.len(), 1, "{tried:?} {told:?}");
        for event in told {
            assert_eq!(event.filename, tried.filename, "{tried:?}");
            let errno = event.errno.as_deref().map(number);
            assert!(
                errno.is_some() && (tried.errno.is_none() || errno == tried.errno),
                "{event:?}"
            );
            assert_eq!(event.tried, Some(tried.tried), "{event:?}");
            let args = event.args.as_deref().unwrap();
            match name.as_str() {
                "arguments" => {
                    assert!(event.args_truncated && args.len() == 1, "{tried:?}");
                    assert!(args[0].len() == 4096 && args[0].bytes().all(|byte| byte == b'x'));
                }
                "nothing-among-arguments" => assert_eq!(args, ["a", "", "b"], "{event:?}"),
                "beyond" => assert!(args.is_empty() && event.args_truncated, "{event:?}"),
                _ => {
                    assert_eq!(args, ["worker", "exit", "0"], "{event:?}");
                    assert!(!event.args_truncated, "{event:?}");
                }
            }
        }
    }
    // None beside them: of the search that found its file, or of a program that runs.
    let parent = failures(&capture, made[0].pid)[0].ppid;
    let all = capture.events.iter().filter(|event| event.ppid == parent);
    assert_eq!(all.filter(|event| event.event_type == "exec_failed").count(), made.len());
    // In the order of their times, all of them.
    assert!(capture.events.is_sorted_by_key(|event| event.timestamp_ns));
}

/// strace sees each call, its error, and how many there were.
#[test]
fn searches_come_to_what_strace_shows() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    // env(1) searches by execvp, in so many places; its own start is one of strace's.
    let path = "/nowhere/a:/nowhere/a:/etc:/usr/bin:/bin";
    let script = format!("PATH={path} env no-such-program; PATH={path} env true; exit 0");
    let (capture, ()) = capture(&["-e", "exec_failed"], || {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=execve", "-o"]).arg(&log).args(["sh", "-c", &script]);
        process::output(&mut strace);
    });
    let log = fs::read_to_string(&log).unwrap();
    let failed = |name: &str| {
        let tries = log.lines().filter(|line| line.contains(name) && line.contains("= -1 "));
        tries.filter(|line| !line.contains("[\"env\"")).count()
    };
    let event = |name: &str| {
        let of_it = |event: &&Event| {
            event.filename.as_deref().is_some_and(|file| file.ends_with(&format!("/{name}")))
        };
        capture.events.iter().find(of_it)
    };
    let told = event("no-such-program").unwrap_or_else(|| panic!("{log}"));
    assert_eq!(told.tried, Some(failed("/no-such-program\"") as u32), "{log}");
    assert_eq!((told.tried, told.errno.as_deref()), (Some(5), Some("ENOENT")), "{log}");
    assert_eq!(told.filename.as_deref(), Some("/bin/no-such-program"));
    assert!(failed("/true\"") >= 3, "{log}");
    assert_eq!(event("true").map(|event| &event.filename), None, "it was found: {log}");
    assert!(capture.events.iter().all(|event| event.event_type == "exec_failed"));
}

#[test]
fn what_fails_is_told_with_failed_and_by_each_filter() {
    let Some(_machine) = machine::shared() else { return };
    let script = "setpriv --reuid=4242 --clear-groups ./no-such; ./nor-such; true";
    let run = || process::output(Command::new("sh").args(["-c", script]));
    let files = |args: &[&str]| {
        let (capture, _) = capture(args, run);
        let own = |event: &&Event| {
            event
                .filename
                .as_deref()
                .is_some_and(|f| f.ends_with("r-such") || f.ends_with("no-such"))
        };
        let mut kinds: Vec<_> =
            capture.events.iter().map(|event| event.event_type.clone()).collect();
        kinds.sort();
        kinds.dedup();
        let files = capture.events.iter().filter(own).map(|event| event.filename.clone().unwrap());
        (files.collect::<Vec<_>>(), kinds)
    };
    let (told, kinds) = files(&["--failed-execs", "--failed"]);
    assert_eq!(told, ["./no-such", "./nor-such"]);
    assert_eq!(kinds, ["exec_failed", "exit"]);
    assert_eq!(files(&["-e", "exec_failed", "--uid", "4242"]).0, ["./no-such"]);
    assert_eq!(files(&["-e", "exec_failed", "--match", "nor-such"]).0, ["./nor-such"]);
    assert_eq!(files(&["-e", "exec_failed,fork", "--comm", "sh"]).0, ["./nor-such"]);
    assert_eq!(files(&["-e", "exec_failed", "--comm", "nobody"]).0, [""; 0]);
}

/// With -- COMMAND, whose family alone is traced.
#[test]
fn a_command_and_its_family_are_told_apart_from_all_others() {
    let Some(_machine) = machine::shared() else { return };
    let output = program::command(&[
        "--failed-execs",
        "--format",
        "explain",
        "--",
        "sh",
        "-c",
        "./no-such; exit 0",
    ])
    .output()
    .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let told = "could not exec ./no-such: ENOENT (No such file or directory)";
    assert_eq!(text.matches(told).count(), 1, "{text}");
    let slows = "slows each system call of";
    let check = process::output(Command::new(env!("CARGO_BIN_EXE_tuxscope")).arg("check"));
    assert_eq!(text.contains(slows), check.contains(slows), "{text}{check}");
}

fn programs() -> String {
    process::output(Command::new("bpftool").args(["prog", "list"]))
}

/// It costs all of the machine something, so nothing of it is there unless it is asked for.
#[test]
fn nothing_of_it_is_loaded_unless_asked_for() {
    let Some(_machine) = machine::alone() else { return };
    // Whichever way they are seen; the kernel keeps 15 bytes of a name.
    let is_loaded = || {
        let programs = programs();
        ["name wide_exec_faile", "name wide_execve "].iter().any(|name| programs.contains(name))
    };
    // The kernel frees a program some time after its last user has gone: an earlier test's.
    process::eventually(|| !is_loaded());
    for (args, loaded) in
        [(&["--wide"][..], false), (&["--failed-execs"], true), (&["-e", "exec_failed"], true)]
    {
        let tuxscope = Tuxscope::start(args);
        assert_eq!(is_loaded(), loaded, "{args:?}");
        assert!(programs().contains("name wide_fork"), "{args:?}");
        tuxscope.stop().success();
    }
    process::eventually(|| !is_loaded());
}

/// On the smallest ring, with a reader that stands still: printed + lost = made.
#[test]
fn each_lost_failure_is_counted() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let shell = dir.path().join("loses-execs");
    symlink("/bin/sh", &shell).unwrap();
    let tuxscope = Tuxscope::start(&[
        "-e",
        "exec_failed",
        "--format",
        "json",
        "--buffer-size",
        "4096",
        "--comm",
        "loses-execs",
    ]);
    tuxscope.signal(Signal::STOP);
    let script = "for i in $(seq 100); do ./no-such-$i; done 2>&1; true";
    process::output(Command::new(shell).args(["-c", script]));
    tuxscope.signal(Signal::CONT);
    let ended = tuxscope.stop();
    assert_eq!(ended.code, Some(0), "{:?}", ended.stderr);
    let capture = Capture::parse(&ended.stdout);
    let summary = capture.summary.as_ref().unwrap();
    let lost = summary["lost"]["exec_failed"].as_u64().unwrap();
    assert_eq!(summary["complete"], false);
    assert_eq!(capture.events.len() as u64 + lost, 100, "{summary}");
    assert!(lost > 80, "{summary}");
    assert!(ended.stderr.iter().any(|line| line.contains(&format!("exec_failed {lost}"))));
}
