// SPDX-License-Identifier: MIT OR Apache-2.0
//! A build of a C program of 30 files: as many processes, and programs that ran, as strace(1) sees.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::BINARY;
use crate::wide::Capture;
use crate::{machine, process};

const FILES: usize = 30;

fn project(dir: &Path) {
    let mut calls = String::new();
    for i in 0..FILES {
        fs::write(dir.join(format!("f{i}.c")), format!("int f{i}(void) {{ return {i}; }}\n"))
            .unwrap();
        calls += &format!("int f{i}(void); ");
    }
    fs::write(dir.join("main.c"), format!("{calls}\nint main(void) {{ return f7() - 7; }}\n"))
        .unwrap();
    let makefile = "prog: $(patsubst %.c,%.o,$(wildcard *.c))\n\tcc -o $@ $^\n\
                    %.o: %.c\n\t@echo building $@ | cat\n\tcc -O1 -c -o $@ $<\n\
                    clean:\n\trm -f *.o prog\n";
    fs::write(dir.join("Makefile"), makefile).unwrap();
}

fn build(dir: &Path, program: &str, args: &[&str]) {
    let make =
        |target: &str| ["make", "-j3", "-C", dir.to_str().unwrap(), target].map(str::to_owned);
    process::output(Command::new("make").args(&make("clean")[1..]));
    let mut command = Command::new(program);
    command.args(args).args(make("prog")).stderr(Stdio::null());
    process::output(&mut command);
    process::output(&mut Command::new(dir.join("prog")));
}

#[test]
fn a_build_has_as_many_processes_as_strace_sees() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    project(dir.path());
    let (log, events) = (dir.path().join("strace.log"), dir.path().join("events"));
    // Each process that strace saw is told to have exited; each image is an execve that returned 0.
    let calls = "trace=execve,execveat,exit_group,clone,clone3,fork,vfork";
    build(dir.path(), "strace", &["-f", "-e", calls, "-o", log.to_str().unwrap()]);
    let text = fs::read_to_string(&log).unwrap();
    let exits = text
        .lines()
        .filter(|line| line.contains("+++ exited with") || line.contains("+++ killed by"));
    let done = |line: &&str| line.contains("execve") && line.ends_with("= 0");
    let (processes, images) = (exits.count(), text.lines().filter(done).count());
    assert!(processes > 3 * FILES, "strace saw {processes}");

    build(
        dir.path(),
        BINARY,
        &["proc", "--wide", "--format", "json", "-o", events.to_str().unwrap(), "--"],
    );
    let capture = Capture::parse(&fs::read(&events).unwrap());
    assert_eq!(capture.summary.as_ref().unwrap()["complete"], true);
    let count = |kind: &str| capture.events.iter().filter(|event| event.event_type == kind).count();
    assert_eq!((count("exit"), count("exec")), (processes, images));
    assert_eq!(count("fork") + 1, processes);
}
