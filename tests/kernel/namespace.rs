// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounts that only one program sees.

use std::process::Command;

/// A command that runs `program` after the shell commands `prepare`, in a mount namespace of its
/// own: what they mount is gone with it. `prepare` sees `extra` as "$1".
pub fn command(prepare: &str, extra: &str, program: &Command) -> Command {
    let script = format!("set -e; {prepare}; shift; exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "sh", extra]);
    command.arg(program.get_program()).args(program.get_args());
    command
}

/// The mounts of type tracefs that a process sees.
pub fn tracefs_mounts(pid: &str) -> Vec<String> {
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("mountinfo");
    mounts.lines().filter(|line| line.contains(" - tracefs ")).map(str::to_owned).collect()
}
