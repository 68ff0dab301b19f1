// SPDX-License-Identifier: MIT OR Apache-2.0
//! What views keep of each process, as the kernel counts it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use rustix::io::ioctl_fionread;
use rustix::pipe::fcntl_setpipe_size;

use crate::program::{spawn, wide};

/// `true`, run so many times.
fn storm(processes: u32) -> Vec<u8> {
    let mut capture = String::new();
    for i in 0..processes {
        let (pid, at) = (1_000 + i, 100_000_000 + u64::from(i) * 1_000);
        let fork = "\"thread\":false,\"parent_tid\":9";
        capture += &wide("fork", pid, 9, "bash", at, at, fork);
        let exec = "\"filename\":\"/bin/true\",\"args\":[\"true\"]";
        capture += &wide("exec", pid, 9, "true", at + 300, at, exec);
        let exit = "\"thread\":false,\"exit_code\":0,\"duration_ns\":900,\"args\":[\"true\"]";
        capture += &wide("exit", pid, 9, "true", at + 900, at, exit);
    }
    capture.into_bytes()
}

/// The most memory that a view of a capture took, in bytes. It is looked at when all is drawn, but
/// more than a pipe of one page holds is still to be written.
fn peak(view: &str, capture: &[u8]) -> u64 {
    let mut child = spawn(&["--format", view, "-"]);
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    fcntl_setpipe_size(&stdout, 4096).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(capture).unwrap());
        stdout.read_exact(&mut [0]).unwrap();
        let peak = status(child.id(), "VmHWM:");
        stdout.read_to_end(&mut Vec::new()).unwrap();
        assert!(child.wait().unwrap().success());
        peak
    })
}

/// Of /proc/PID/status, in bytes.
fn status(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
    let kib: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib << 10
}

/// The memory that a view takes when it has seen all of a capture that goes on, in bytes.
fn held(view: &str, capture: &[u8]) -> u64 {
    let mut child = spawn(&["--format", view, "-"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(capture).unwrap();
    // What is in the program's buffer by then is some hundred events.
    while ioctl_fionread(&stdin).unwrap() > 0 {
        assert!(child.try_wait().unwrap().is_none(), "it reads to the end");
        thread::sleep(Duration::from_millis(1));
    }
    let held = status(child.id(), "VmRSS:");
    drop(stdin);
    assert!(child.wait_with_output().unwrap().status.success());
    held
}

/// What all processes take less what a quarter of them do, for one.
fn each(takes: fn(&str, &[u8]) -> u64, view: &str) -> u64 {
    const FEW: u32 = 10_000;
    static STORMS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [storm(FEW), storm(4 * FEW)]);
    let [few, many] = &*STORMS;
    (takes(view, many) - takes(view, few)) / u64::from(3 * FEW)
}

#[test]
fn a_process_of_a_storm_takes_200_bytes_at_most() {
    for view in ["path", "html", "tree", "timeline"] {
        let each = each(held, view);
        assert!((50..=200).contains(&each), "{view}: {each} bytes");
    }
}

#[test]
fn a_process_that_is_drawn_takes_half_a_kilobyte_at_most() {
    for view in ["html", "tree", "timeline"] {
        let each = each(peak, view);
        assert!((50..512).contains(&each), "{view}: {each} bytes");
    }
}
