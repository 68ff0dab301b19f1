// SPDX-License-Identifier: MIT OR Apache-2.0
//! Filters over a capture.

use crate::program::{META, end, line, replay, wide};

const FORK: &str = "\"thread\":false,\"parent_tid\":1";
const DONE: &str = "\"thread\":false,\"exit_code\":0,\"duration_ns\":5";
const FAILED: &str =
    "\"thread\":false,\"signal\":\"SIGSEGV\",\"core_dumped\":true,\"duration_ns\":5";

/// A make (100) of a shell (10), its cc (101) and the cc's as (102); a sed (200) of the shell.
fn capture() -> String {
    let exec = |args: &str| format!("\"filename\":\"/x\",\"args\":[{args}]");
    [
        wide("fork", 100, 10, "sh", 1, 1, FORK),
        wide("exec", 100, 10, "make", 2, 1, &exec("\"make\",\"-j\",\"8\"")),
        wide("fork", 101, 100, "make", 3, 3, FORK),
        wide("fork", 200, 10, "sh", 4, 4, FORK),
        wide("exec", 101, 100, "cc", 5, 3, &exec("\"cc\",\"a b.c\"")),
        wide("fork", 102, 101, "cc", 6, 6, FORK),
        wide("exit", 102, 101, "as", 7, 6, FAILED),
        wide("exec", 200, 10, "sed", 8, 4, &exec("\"sed\"")),
        wide("exit", 101, 100, "cc", 9, 3, FAILED),
        wide("exit", 100, 10, "make", 10, 1, DONE),
        wide("exit", 200, 10, "sed", 11, 4, DONE),
        // Their ids come back.
        wide("fork", 101, 10, "sh", 12, 12, FORK),
        wide("exit", 101, 10, "sh", 13, 12, DONE),
    ]
    .concat()
}

/// The times of the events that are left.
fn left(args: &[&str]) -> Vec<u64> {
    let ran = replay(capture().as_bytes(), &[args, &["--format", "json"]].concat());
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{args:?}");
    let times = ran.out.lines().filter_map(|line| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["timestamp_ns"].as_u64()
    });
    times.collect()
}

#[test]
fn each_filter_keeps_what_it_says() {
    assert_eq!(left(&[]), (1..=13).collect::<Vec<_>>());
    assert_eq!(left(&["--pid", "101"]), [3, 5, 9, 12, 13]);
    assert_eq!(left(&["-p", "102,200"]), [4, 6, 7, 8, 11]);
    assert_eq!(left(&["--ppid", "101", "-P", "100"]), [3, 5, 6, 7, 9]);
    assert_eq!(left(&["--comm", "cc"]), [5, 6, 9]);
    assert_eq!(left(&["--uid", "2"]), [6, 7]);
    assert_eq!(left(&["-e", "exec"]), [2, 5, 8]);
    assert_eq!(left(&["--event", "fork,exit", "--pid", "200"]), [4, 11]);
    assert_eq!(left(&["--failed"]), [7, 9]);
    assert_eq!(left(&["--match", "^make -j [0-9]$"]), [2]);
    assert_eq!(left(&["--match", "a b|^s"]), [1, 4, 5, 8, 11, 12, 13]);
    assert_eq!(left(&["--cgroup", "/a"]), (1..=13).collect::<Vec<_>>());
    assert_eq!(left(&["--cgroup", "/a/b/"]), (1..=13).collect::<Vec<_>>());
    assert_eq!(left(&["--cgroup", "a/b"]), (1..=13).collect::<Vec<_>>());
    assert_eq!(left(&["--cgroup", "/sys/fs/cgroup/a"]), (1..=13).collect::<Vec<_>>());
    assert_eq!(left(&["--cgroup", "/a/b/c"]), [0; 0]);
    assert_eq!(left(&["--cgroup", "/a/bb"]), [0; 0]);
}

/// By the keys, and by the path where a container lies in another one.
#[test]
fn by_unit_and_by_container() {
    let id = "0123456789abcdef".repeat(4);
    let outer = id.replace('0', "f");
    let places = [
        "\"/system.slice/cron.service\",\"unit\":\"cron.service\"".to_owned(),
        "\"/user.slice/user@7.service/a.scope\",\"unit\":\"user@7.service\",\
         \"user_unit\":\"a.scope\""
            .to_owned(),
        format!("\"/x/y\",\"container\":\"{id}\",\"runtime\":\"docker\""),
        format!("\"/docker/{outer}/docker/{id}\",\"container\":\"{id}\",\"runtime\":\"docker\""),
        "\"/lxc.payload.web/a\",\"container\":\"web\",\"runtime\":\"lxc\"".to_owned(),
        "null".to_owned(),
        // As 0.1.0 wrote it.
        "\"/system.slice/cron.service/below\"".to_owned(),
    ];
    let lines = places.iter().enumerate().map(|(i, place)| {
        wide("fork", 100, 10, "sh", i as u64, 1, FORK).replace("\"/a/b\"", place)
    });
    let capture: String = lines.collect();
    let left = |args: &[&str]| -> Vec<u64> {
        let ran = replay(capture.as_bytes(), &[args, &["--format", "json"]].concat());
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{args:?}");
        let times = ran.out.lines().filter_map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            record["timestamp_ns"].as_u64()
        });
        times.collect()
    };
    assert_eq!(left(&["--unit", "cron"]), [0, 6]);
    assert_eq!(left(&["--unit", "cron.service"]), [0, 6]);
    assert_eq!(left(&["--unit", "a.scope"]), [1]);
    assert_eq!(left(&["--unit", "user@7"]), [1]);
    assert_eq!(left(&["--unit", "none"]), [0; 0]);
    assert_eq!(left(&["--container", &id]), [2, 3]);
    assert_eq!(left(&["--container", &id[..12]]), [2, 3]);
    assert_eq!(left(&["--container", &id[..11]]), [0; 0]);
    assert_eq!(left(&["--container", &outer[..12]]), [3]);
    assert_eq!(left(&["--container", "web"]), [4]);
    assert_eq!(left(&["--container", "we"]), [0; 0]);
}

#[test]
fn a_capture_that_was_filtered_again_says_so() {
    let meta = META.replace("[]", "[\"--uid=1\"]");
    let ran = replay((meta + &end(true, 0)).as_bytes(), &["--pid", "7", "--format", "json"]);
    let filters = "\"filters\":[\"--uid=1\",\"--pid=7\"]";
    assert!(ran.out.contains(filters), "{}", ran.out);
}

#[test]
fn following_takes_descendants_and_not_those_who_get_their_ids() {
    assert_eq!(left(&["--pid", "100", "--follow"]), [1, 2, 3, 5, 6, 7, 9, 10]);
    assert_eq!(left(&["--pid", "100", "-f", "-e", "exec"]), [2, 5]);
    // The one that is named is the one that is meant, whoever it is.
    assert_eq!(left(&["--pid", "101", "--follow"]), [3, 5, 6, 7, 9, 12, 13]);
}

#[test]
fn following_in_the_basic_mode_goes_by_task() {
    let capture = [
        line("fork", 100, 10, "sh", 1),
        line("exec", 100, 0, "a", 2),
        // A thread of 100, and a child of that thread.
        line("fork", 101, 100, "a", 3),
        line("fork", 102, 101, "a", 4),
        line("exit", 100, 0, "a", 5),
        line("exec", 102, 0, "b", 6),
        line("exit", 102, 0, "b", 7),
        line("fork", 102, 10, "sh", 8),
        line("exec", 102, 0, "c", 9),
    ];
    let args = ["--pid", "100", "--follow", "--format", "json"];
    let ran = replay(capture.concat().as_bytes(), &args);
    assert_eq!(ran.out, capture[..7].concat());
}

#[test]
fn the_basic_mode_says_what_it_cannot_answer() {
    let capture = line("exec", 1, 0, "a", 1);
    for args in [
        &["--ppid", "1"][..],
        &["--uid", "0"],
        &["--cgroup", "/"],
        &["--unit", "cron"],
        &["--container", "web"],
        &["--failed"],
    ] {
        let ran = replay(capture.as_bytes(), args);
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(&format!("{} can't be applied", args[0])), "{}", ran.err);
    }
    let ran = replay(capture.as_bytes(), &["--match", "^a$", "--format", "json"]);
    assert_eq!(ran.out, capture);
}

#[test]
fn bad_filters_are_usage_errors() {
    for args in [
        &["--match", "("][..],
        &["-e", "clone"],
        &["--follow"],
        &["--pid", "0"],
        &["--unit", "a.slice"],
        &["--container", "a/b"],
    ] {
        let ran = replay(b"", args);
        assert_eq!(ran.status, 2, "{args:?}: {}", ran.err);
    }
}

/// Threads may make siblings of their process (`CLONE_PARENT`): live, they are descendants, too.
#[test]
fn what_a_thread_makes_is_followed() {
    let thread = "\"thread\":true,\"parent_tid\":100";
    let with_tid =
        |line: String, tid: u32| line.replace("\"tid\":100,", &format!("\"tid\":{tid},"));
    let ended = "\"thread\":true,\"exit_code\":0,\"duration_ns\":5";
    let capture = [
        with_tid(wide("fork", 100, 10, "make", 1, 1, thread), 105),
        wide("fork", 106, 10, "make", 2, 2, "\"thread\":false,\"parent_tid\":105"),
        with_tid(wide("exit", 100, 10, "make", 3, 1, ended), 105),
        // The id comes back, as that of a stranger's thread.
        wide("fork", 107, 10, "sh", 4, 4, "\"thread\":false,\"parent_tid\":105"),
    ]
    .concat();
    let ran = replay(capture.as_bytes(), &["--pid", "100", "--follow", "--format", "json"]);
    let pids: Vec<u64> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|record| record["pid"].as_u64())
        .collect();
    assert_eq!(pids, [100, 106, 100], "{}", ran.err);
}

/// A capture without threads names the process of the one that made it.
#[test]
fn what_a_thread_makes_is_followed_without_threads() {
    let fork = |pid, maker, more: &str| {
        let keys = format!("\"thread\":false,\"parent_tid\":{maker}{more}");
        wide("fork", pid, 10, "make", 2, 2, &keys)
    };
    let capture = [fork(106, 105, ",\"made_by\":100"), fork(107, 105, ",\"made_by\":99")].concat();
    let ran = replay(capture.as_bytes(), &["--pid", "100", "--follow", "--format", "json"]);
    assert!(ran.out.contains("\"pid\":106") && !ran.out.contains("\"pid\":107"), "{}", ran.out);
}
