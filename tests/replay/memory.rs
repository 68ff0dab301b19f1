// SPDX-License-Identifier: MIT OR Apache-2.0
//! What views keep of each process, as the kernel counts it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::thread;

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
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        stdout.read_to_end(&mut Vec::new()).unwrap();
        assert!(child.wait().unwrap().success());
        kib << 10
    })
}

#[test]
fn a_process_of_a_storm_takes_half_a_kilobyte_at_most() {
    const FEW: u32 = 5_000;
    let (few, many) = (storm(FEW), storm(4 * FEW));
    for view in ["tree", "timeline"] {
        let each = (peak(view, &many) - peak(view, &few)) / u64::from(3 * FEW);
        assert!(each < 512, "{view}: {each} bytes");
    }
}
