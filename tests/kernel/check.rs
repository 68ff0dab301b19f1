// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope check`: both modes work here, and what is said where they don't.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::BINARY;
use crate::{machine, namespace};

fn check(format: &str) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["check", "--format", format]);
    command
}

/// The output that must be JSON, and the exit status.
fn report(mut command: Command) -> (Value, Option<i32>) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (serde_json::from_slice(&stdout).unwrap(), status.code())
}

fn answer<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap()
}

#[test]
fn both_modes_work() {
    let Some(_machine) = machine::shared() else { return };
    let (report, code) = report(check("json"));
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((&report["basic_view"], &report["wide_view"]), (&true.into(), &true.into()));
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["answer"] != "no"), "{report}");

    let run = check("table").output().unwrap();
    assert_eq!(run.status.code(), Some(0));
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), checks.len());
}

#[test]
fn both_modes_work_in_a_pid_namespace() {
    let Some(_machine) = machine::shared() else { return };
    let (report, code) = report(namespace::of_pids(&check("json")));
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(answer(&report, "pid namespace")["answer"], "note");
}

#[test]
fn a_kernel_without_btf_is_status_69() {
    let Some(_machine) = machine::shared() else { return };
    let hide = "mount -t tmpfs none /sys/kernel/btf";
    let (report, code) = report(namespace::command(hide, "", &check("json")));
    assert_eq!(code, Some(69), "{report}");
    let btf = answer(&report, "kernel types");
    assert_eq!(btf["answer"], "no");
    assert!(btf["remedy"].as_str().unwrap().contains("CONFIG_DEBUG_INFO_BTF"));
    assert_eq!(answer(&report, "wide view")["answer"], "no");
}

#[test]
fn missing_rights_are_status_77() {
    let (_dir, program) = crate::environment::for_everyone();
    let mut command = Command::new(program);
    command.args(["check", "--format", "json"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let (report, code) = report(command);
    assert_eq!(code, Some(77), "{report}");
    let rights = answer(&report, "capabilities");
    assert_eq!(rights["answer"], "no");
    assert!(rights["remedy"].as_str().unwrap().contains("sudo"));
    assert_eq!(answer(&report, "ring buffer")["answer"], "unknown");
}
