// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `tuxscope proc -- COMMAND` gives the command, beside what a plain run gives it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::program::{self, NEVER, Tuxscope};
use crate::{machine, process};

/// Two witnesses of what a command is given: its signals and rights; a shell, which blocks signals
/// of its own, for limits, descriptors, group, session, terminal, cgroup and environment.
const WITNESSES: [&[&str]; 2] = [
    &[
        "grep",
        "-E",
        "^(Sig(Blk|Ign|Cgt)|Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups)",
        "/proc/self/status",
    ],
    &[
        "sh",
        "-c",
        "cat /proc/$$/limits /proc/$$/cgroup; ls /proc/$$/fd; cut -d' ' -f5-7 /proc/$$/stat
        umask; pwd; env | sort",
    ],
];

/// Starts it with a signal blocked, one ignored, SIGPIPE as a Rust program has it, and without
/// standard input.
fn oddly(command: &mut Command) -> String {
    // SAFETY: only system calls that a child may make between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let mut mask = std::mem::zeroed();
            libc::sigemptyset(&raw mut mask);
            libc::sigaddset(&raw mut mask, libc::SIGUSR1);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut());
            libc::signal(libc::SIGUSR2, libc::SIG_IGN);
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            match libc::close(0) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    process::output(command.stdin(Stdio::null()).stderr(Stdio::null()))
}

#[test]
fn the_command_gets_what_a_plain_run_gives_it() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    for witness in WITNESSES {
        let plain = oddly(Command::new(witness[0]).args(&witness[1..]));
        assert!(plain.contains("SigIgn") || plain.contains("Max open files"), "{plain}");
        for mode in [&[][..], &["--wide"]] {
            let mut traced = program::command(&["-o"]);
            traced.arg(dir.path().join("events")).args(mode).arg("--").args(witness);
            assert_eq!(oddly(&mut traced), plain);
        }
    }
}

#[test]
fn another_user_has_a_home_a_name_and_a_shell() {
    let Some(_machine) = machine::shared() else { return };
    let script = "echo $USER:$LOGNAME:$HOME:$SHELL:$KEPT";
    let mut command = program::command(&["--user", "nobody", "--", "sh", "-c", script]);
    let said = process::output(command.env("KEPT", "yes").stderr(Stdio::null()));
    let entry = process::output(Command::new("getent").args(["passwd", "nobody"]));
    let fields: Vec<_> = entry.trim().split(':').collect();
    assert_eq!(said.trim(), format!("nobody:nobody:{}:{}:yes", fields[5], fields[6]));
}

#[test]
fn a_script_whose_interpreter_is_missing_is_told_so() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    fs::write(&script, "#! /no/such/interpreter -x\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = program::command(&["--", script.to_str().unwrap()]);
    let run = command.output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("its interpreter /no/such/interpreter is missing"), "{said}");
    assert_eq!(run.status.code(), Some(126), "as bash has it");
}

#[test]
fn a_pid_that_nobody_has_is_warned_of_once() {
    let Some(_machine) = machine::shared() else { return };
    let me = std::process::id().to_string();
    let run = Tuxscope::start(&["--pid", &format!("{me},{NEVER}")]).stop();
    run.success();
    let said = format!("no process has pid {NEVER} now; a later one with that pid is traced");
    let warned = run.stderr.iter().filter(|line| line.ends_with(&said));
    assert_eq!(warned.count(), 1, "{:#?}", run.stderr);
    let run = Tuxscope::start(&["--pid", &me]).stop();
    assert!(!run.stderr[0].contains("no process"), "{:#?}", run.stderr);
}
