// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table's columns against the lines that they are made of.

use serde_json::{Value, json};

use crate::program::replay;

/// An exit that tells all, and a fork and an exit that tell as little as they may.
fn capture() -> String {
    let common = json!({
        "pid": 4521, "ppid": 77, "comm": "cc1", "timestamp_ns": 5_000, "tid": 4521,
        "time": "2026-01-02T03:04:05.678901234Z", "uid": 4_000_000_001_u32, "start_ns": 1_000,
        "cgroup_id": 9, "thread": false,
    });
    let with = |more: Value| {
        let mut line = common.clone();
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string() + "\n"
    };
    let full = with(json!({
        "event_type": "exit", "cgroup": "/system.slice/x.service", "unit": "x.service",
        "container": "0123456789abcdef".repeat(4), "ns_pid": 12, "pidns": 4_026_532_000_u32,
        "login_uid": 4_000_000_002_u32, "exit_code": 3, "duration_ns": 4_000, "cpu_ns": 3_000,
        "cpu_wait_ns": 2_000, "max_rss_bytes": 1_048_576, "minor_faults": 100, "major_faults": 23,
        "voluntary_switches": 1, "involuntary_switches": 2, "read_bytes": 512, "write_bytes": 2_048,
        "args": ["cc1", "a b.c"],
    }));
    let fork = with(json!({"event_type": "fork", "cgroup": null, "parent_tid": 77}));
    let exit = with(json!({
        "event_type": "exit", "cgroup": null, "signal": "SIGKILL", "duration_ns": 4_000,
    }));
    [full, fork, exit].concat()
}

fn rows(columns: &str) -> Vec<Vec<String>> {
    let ran = replay(capture().as_bytes(), &["--columns", columns]);
    let rows = ran.out.lines().skip(1);
    rows.map(|row| row.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn each_cell_is_what_the_line_says() {
    let all = "event,pid,ppid,tid,nspid,user,login,status,duration,cpu,wait,rss,faults,read,write,\
               unit,container,cgroup,comm";
    let full = [
        "EXIT",
        "4521",
        "77",
        "4521",
        "12",
        "4000000001",
        "4000000002",
        "3",
        "4.00",
        "us",
        "3.00",
        "us",
        "2.00",
        "us",
        "1.0M",
        "123",
        "512",
        "2.0K",
        "x.service",
        "0123456789ab",
        "/system.slice/x.service",
        "cc1",
    ];
    let fork = ["FORK", "4521", "77", "4521", "-", "4000000001", "-", "-", "-", "-", "cc1"];
    let exit = [
        "EXIT",
        "4521",
        "77",
        "4521",
        "-",
        "4000000001",
        "-",
        "KILL",
        "4.00",
        "us",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "-",
        "cc1",
    ];
    assert_eq!(rows(all), [full.as_slice(), fork.as_slice(), exit.as_slice()]);
}

#[test]
fn they_come_as_they_were_asked_for() {
    assert_eq!(rows("pid,pid,event")[0], ["4521", "4521", "EXIT"]);
    assert_eq!(rows("command,pid")[0], ["cc1", "'a", "b.c'", "4521"]);
    assert_eq!(rows("command")[1], ["[cc1]"]);
    let usual = replay(capture().as_bytes(), &[]).out;
    assert!(usual.lines().next().unwrap().contains(" CPU "), "{usual}");
}

#[test]
fn what_is_no_column_is_a_usage_error_that_names_them_all() {
    let ran = replay(capture().as_bytes(), &["--columns", "pid,rsss"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("rsss") && ran.err.contains("container"), "{}", ran.err);
    let ran = replay(capture().as_bytes(), &["--columns", "pid", "--format", "tree"]);
    let want = "tuxscope: --columns is not for --format tree\n\
                tuxscope: use --format table, or omit --columns\n";
    assert_eq!((ran.status, &*ran.err), (2, want));
}
