// SPDX-License-Identifier: MIT OR Apache-2.0
//! Choosing by time: when it happened, how long it lived, what it used.

use crate::program::{META, line, replay, wide};

/// Exits at 1, 2, ... 5 s, each of what lived as many ms and used as many us.
fn capture() -> String {
    let exit = |n: u64| {
        let more = format!(
            "\"thread\":false,\"exit_code\":0,\"duration_ns\":{},\"cpu_ns\":{}",
            n * 1_000_000,
            n * 1_000,
        );
        wide("exit", n as u32, 1, "ls", n * 100_000_000, 5, &more)
    };
    let forked =
        wide("fork", 9, 1, "sh", 250_000_000, 250_000_000, "\"thread\":false,\"parent_tid\":1");
    let mut lines: Vec<String> = (1..=5).map(exit).collect();
    lines.insert(2, forked);
    META.to_owned() + &lines.concat()
}

fn pids(options: &[&str]) -> Vec<u64> {
    let ran = replay(capture().as_bytes(), &[&["--format", "json"], options].concat());
    assert_eq!(ran.status, 0, "{}", ran.err);
    let lines = ran.out.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter_map(|line: serde_json::Value| line["pid"].as_u64()).collect()
}

#[test]
fn by_the_wall_clock() {
    let all = [1, 2, 9, 3, 4, 5];
    assert_eq!(pids(&[]), all);
    assert_eq!(pids(&["--since", "2026-01-01T00:00:00.25Z"]), all[2..]);
    assert_eq!(pids(&["--until", "2026-01-01T00:00:00.25Z"]), all[..2]);
    let both = ["--since", "2026-01-01T00:00:00.2Z", "--until", "2026-01-01T01:00:00.4+01:00"];
    assert_eq!(pids(&both), all[1..4]);
    assert_eq!(pids(&["--since", "-5h"]), [0; 0]);
    assert_eq!(pids(&["--until", "today"]), all);
    // What a replay tells of its options is what they take.
    let ran = replay(capture().as_bytes(), &["--format", "json", "--since", "@1767225600.25"]);
    assert!(
        ran.out.starts_with(
            &META.replace("\"filters\":[]", "\"filters\":[\"--since=@1767225600.250000000\"]")
        ),
        "{}",
        ran.out
    );
}

#[test]
fn by_what_ended() {
    assert_eq!(pids(&["--min-duration", "3ms"]), [3, 4, 5]);
    assert_eq!(pids(&["--min-cpu", "4us"]), [4, 5]);
    assert_eq!(pids(&["--min-cpu", "2us", "--min-duration", "5ms"]), [5]);
}

#[test]
fn what_is_no_time_and_what_the_basic_mode_does_not_tell() {
    let ran = replay(capture().as_bytes(), &["--since", "soon"]);
    assert!(ran.status == 2 && ran.err.contains("yesterday"), "{}", ran.err);
    let basic = line("exec", 2, 0, "ls", 3_000);
    for option in ["--since", "--until", "--min-duration", "--min-cpu"] {
        let value = if option.starts_with("--min") { "1s" } else { "-1h" };
        let ran = replay(basic.as_bytes(), &[option, value]);
        assert_eq!(ran.status, 2, "{}", ran.err);
        assert!(
            ran.err.contains(&format!("{option} can't be applied to this capture")),
            "{}",
            ran.err
        );
    }
}
