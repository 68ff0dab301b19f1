// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mounts and process ids that only one program sees.

use std::process::Command;

/// Keeps what is mounted from the host. In a chroot whose root is no mount point "/" can't be made
/// private, which is also why unshare(1) can't be left to do it; each mount that is seen can.
const PRIVATE: &str = "mount --make-rprivate / 2>/dev/null || \
     cut -d' ' -f5 /proc/self/mountinfo | while read -r m; do mount --make-private \"$m\"; done";

/// A command that runs `program` after the shell commands `prepare`, in a mount namespace of its
/// own: what they mount is gone with it. `prepare` sees `extra` as "$1".
pub fn command(prepare: &str, extra: &str, program: &Command) -> Command {
    let script = format!("set -e; {PRIVATE}; {prepare}; shift; exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "unchanged", "sh", "-c", &script, "sh", extra]);
    command.arg(program.get_program()).args(program.get_args());
    command
}

/// A command that runs `program` as the first process of a PID namespace that its /proc shows.
pub fn of_pids(program: &Command) -> Command {
    let mut inner = Command::new("unshare");
    let script = "mount -t proc none /proc && exec \"$@\"";
    inner.args(["--pid", "--fork", "sh", "-c", script, "sh"]);
    inner.arg(program.get_program()).args(program.get_args());
    command("true", "", &inner)
}

/// The mounts of type tracefs that a process sees.
pub fn tracefs_mounts(pid: &str) -> Vec<String> {
    let mounts = std::fs::read_to_string(format!("/proc/{pid}/mountinfo")).expect("mountinfo");
    mounts.lines().filter(|line| line.contains(" - tracefs ")).map(str::to_owned).collect()
}
