// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernels and rights that lack something: what still works, and what is said where it doesn't.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::namespace::{self, tracefs_mounts};
use crate::program::{self, Tuxscope};
use crate::{machine, process, worker};

const NOBODY: u32 = 65534;
/// Hides what may be mounted; to hide is to mount something empty over it.
const NO_TRACEFS: &str =
    "for d in /sys/kernel/tracing /sys/kernel/debug; do mount -t tmpfs none $d; done";
const TRACEFS: &str = "mount -t tracefs none /sys/kernel/tracing";

/// Runs a tuxscope that must trace, and returns it once it has seen a process.
fn traces(command: Command) -> Tuxscope {
    let mut tuxscope = Tuxscope::spawn(command);
    tuxscope.await_tracing();
    tuxscope
}

fn sees_a_process(tuxscope: Tuxscope) {
    let life = worker::case("fork").remove(0);
    let events = tuxscope.stop().complete();
    assert!(events.iter().any(|event| event.is("exit", life.pid)));
}

/// The program where every user can run it.
pub fn for_everyone() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("tuxscope");
    // By another process: a descriptor for writing that a child of another test inherits makes
    // the copy "text file busy".
    process::output(Command::new("cp").arg(program::BINARY).arg(&path));
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

/// `tuxscope proc --format json` as nobody with only these capabilities.
pub fn with_capabilities(program: &str, names: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.args(["--inh-caps", names, "--ambient-caps", names]);
    command.args([program, "proc", "--format", "json"]);
    command
}

#[test]
fn without_tracefs() {
    let Some(_machine) = machine::shared() else { return };
    let before = tracefs_mounts("self");
    let program = program::command(&["--format", "json"]);
    let tuxscope = traces(namespace::command(NO_TRACEFS, "", &program));
    // What the host has mounted is hidden, but listed; nothing has come to it.
    let its = tracefs_mounts(&tuxscope.pid().as_raw_nonzero().to_string());
    assert_eq!(its.len(), before.len());
    sees_a_process(tuxscope);
    assert_eq!(tracefs_mounts("self"), before);
}

#[test]
fn with_tracefs() {
    let Some(_machine) = machine::shared() else { return };
    let before = tracefs_mounts("self");
    let program = program::command(&["--format", "json"]);
    sees_a_process(traces(namespace::command(TRACEFS, "", &program)));
    assert_eq!(tracefs_mounts("self"), before);
}

#[test]
fn without_btf() {
    let Some(_machine) = machine::shared() else { return };
    let hide = "mount -t tmpfs none /sys/kernel/btf";
    let command = namespace::command(hide, "", &program::command(&[]));
    Tuxscope::spawn(command)
        .end()
        .refused(69, &["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"]);
}

#[test]
fn without_memlock() {
    let Some(_machine) = machine::shared() else { return };
    let program = program::command(&["--format", "json"]);
    let mut command = Command::new("prlimit");
    command.arg("--memlock=0:0").arg(program.get_program()).args(program.get_args());
    sees_a_process(traces(command));
}

#[test]
fn without_root() {
    let (_dir, program) = for_everyone();
    let mut command = Command::new(program);
    command.arg("proc");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    Tuxscope::spawn(command).end().refused(77, &["CAP_BPF", "CAP_PERFMON", "root"]);
}

/// A handful of capabilities is not root: tracefs is root's.
#[test]
fn with_bpf_capabilities_alone() {
    let Some(_machine) = machine::shared() else { return };
    let (_dir, program) = for_everyone();
    let program = with_capabilities(&program, "+bpf,+perfmon");
    for prepare in [NO_TRACEFS, TRACEFS] {
        let command = namespace::command(prepare, "", &program);
        Tuxscope::spawn(command).end().refused(77, &["tracefs", "root"]);
    }
}

/// What reading tracefs takes makes it enough.
#[test]
fn with_bpf_capabilities_and_a_readable_tracefs() {
    let Some(_machine) = machine::shared() else { return };
    let (_dir, program) = for_everyone();
    let program = with_capabilities(&program, "+bpf,+perfmon,+dac_read_search");
    sees_a_process(traces(namespace::command(TRACEFS, "", &program)));
}

#[test]
fn libbpf_speaks_only_when_asked() {
    let Some(_machine) = machine::shared() else { return };
    let quiet = Tuxscope::start(&["--duration", "0.1"]).end();
    quiet.success();
    let run = Tuxscope::start(&["--duration", "0.1", "--verbose"]).end();
    assert!(run.stderr.iter().any(|line| line.starts_with("tuxscope: libbpf: ")));
    assert_eq!(run.code, Some(0));
}
