// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the wide mode needs, and what is given up once it is attached.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use crate::environment::{for_everyone, with_capabilities};
use crate::program::{BINARY, Tuxscope};
use crate::wide::Capture;
use crate::{machine, process, worker};

fn traces(command: Command) {
    let mut tuxscope = Tuxscope::spawn(command);
    tuxscope.await_tracing();
    let life = worker::case("fork").remove(0);
    let capture = Capture::complete(&tuxscope.stop());
    assert_eq!(capture.one("exit", life.pid).exit_code, Some(7));
}

#[test]
fn two_capabilities_suffice_for_the_wide_mode() {
    let Some(_machine) = machine::shared() else { return };
    let (_dir, program) = for_everyone();
    let mut command = with_capabilities(&program, "+bpf,+perfmon");
    command.arg("--wide");
    traces(command);
}

#[test]
fn file_capabilities_suffice_too() {
    let Some(_machine) = machine::shared() else { return };
    let (_dir, program) = for_everyone();
    process::output(Command::new("setcap").args(["cap_bpf,cap_perfmon=ep", &program]));
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.args([&program, "proc", "--format", "json", "--wide"]);
    traces(command);
}

/// Every user gets the capabilities of the file, and the ring buffer is the kernel's memory. A
/// service has been given its own, and may take more.
#[test]
fn file_capabilities_limit_the_ring_buffer() {
    let Some(_machine) = machine::shared() else { return };
    let (_dir, program) = for_everyone();
    let mut service = with_capabilities(&program, "+bpf,+perfmon");
    service.args(["--wide", "--buffer-size", "128M"]);
    traces(service);

    process::output(Command::new("setcap").args(["cap_bpf,cap_perfmon=ep", &program]));
    let nobody = |size: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args([&program, "proc", "--format", "json", "--wide", "--buffer-size", size]);
        command
    };
    traces(nobody("64M"));
    Tuxscope::spawn(nobody("65M")).end().refused(77, &["--buffer-size", "64M", "root"]);
}

#[test]
fn one_capability_does_not() {
    let Some(_machine) = machine::shared() else { return };
    let (_dir, program) = for_everyone();
    for name in ["+bpf", "+perfmon"] {
        let mut command = with_capabilities(&program, name);
        command.arg("--wide");
        Tuxscope::spawn(command).end().refused(77, &["CAP_BPF", "CAP_PERFMON", "root"]);
    }
}

/// Of each thread.
fn rights_of(pid: u32) -> Vec<HashMap<String, String>> {
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let fields = text.lines().filter_map(|line| line.split_once(":\t"));
        fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.map(|task| read(task.unwrap().path().join("status"))).collect()
}

#[test]
fn nothing_is_left_after_the_attach() {
    let Some(_machine) = machine::shared() else { return };
    let me = std::process::id().to_string();
    for options in [
        &[][..],
        &["--wide"],
        &["--follow", "--pid", &me],
        &["--wide", "--follow", "--pid", &me],
        &["--wide", "--uid", "0", "--cgroup", "/"],
    ] {
        // Root alone would have none to inherit, whatever the program does.
        let more = "+bpf,+perfmon";
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps", more, "--ambient-caps", more, BINARY, "proc"]).args(options);
        let mut tuxscope = Tuxscope::spawn(command);
        tuxscope.await_tracing();
        let tasks = rights_of(tuxscope.pid().as_raw_nonzero().get() as u32);
        assert!(tasks.len() >= 2, "the signal handler has a thread of its own");
        for task in tasks {
            for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(task[name], "0000000000000000", "{options:?}: {name}");
            }
            assert_eq!(task["NoNewPrivs"], "1", "{options:?}");
        }
        tuxscope.stop().success();
    }
}

/// All that a run keeps is what SIGTERM for the command may take.
#[test]
fn a_run_keeps_the_right_to_signal_and_the_command_keeps_all() {
    let Some(_machine) = machine::shared() else { return };
    let script = "grep -E 'Cap(Prm|Eff)|NoNewPrivs' /proc/$PPID/status /proc/self/status";
    let command = crate::program::command(&["-o", "/dev/null", "--", "sh", "-c", script]);
    let run = Tuxscope::spawn(command).end();
    let text = String::from_utf8(run.stdout).unwrap();
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    let value = |path: &str, name: &str| {
        let start = format!("{path}/status:{name}:\t");
        let line = text.lines().find(|l| l.starts_with("/proc/") && l.contains(&start));
        line.unwrap_or_else(|| panic!("{start} in {text}")).rsplit('\t').next().unwrap().to_owned()
    };
    assert_eq!([value("self", "CapEff"), value("self", "NoNewPrivs")], [own, "0"]);
    let tracer = text.lines().find(|line| !line.starts_with("/proc/self")).unwrap();
    let tracer = tracer.strip_prefix("/proc/").unwrap().split('/').next().unwrap();
    for name in ["CapPrm", "CapEff"] {
        assert_eq!(value(tracer, name), format!("{:016x}", 1 << 5), "CAP_KILL alone");
    }
    assert_eq!(value(tracer, "NoNewPrivs"), "1");
}
