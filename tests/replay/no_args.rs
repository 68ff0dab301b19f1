// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--no-args`: nothing that a program was given gets into any output.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::program::replay;

const FORMATS: [&str; 11] = [
    "table",
    "json",
    "summary",
    "summary-json",
    "tree",
    "timeline",
    "perfetto",
    "html",
    "path",
    "folded",
    "explain",
];

/// A shell runs `curl`, which fails; an exec that fails; a process with a title of its own.
fn capture() -> String {
    let line = |more: Value| {
        let mut line = json!({
            "pid": 4521, "ppid": 77, "comm": "curl", "timestamp_ns": 5_000, "tid": 4521,
            "time": "2026-01-02T03:04:05.678901234Z", "uid": 0, "start_ns": 1_000, "cgroup_id": 9,
            "cgroup": null,
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string() + "\n"
    };
    let args = json!(["/usr/bin/curl", "-u", "me:secret"]);
    [
        line(json!({"event_type": "fork", "comm": "sh", "parent_tid": 77, "thread": false})),
        line(json!({"event_type": "exec", "filename": "/usr/bin/curl", "args": args})),
        line(json!({"event_type": "exec_failed", "filename": "/bin/wget", "errno": "ENOENT",
                    "args": ["wget", "secret"], "tried": 1})),
        line(json!({"event_type": "exit", "exit_code": 22, "thread": false, "duration_ns": 4_000,
                    "cpu_ns": 3_000, "args": args})),
        line(json!({"event_type": "exit", "pid": 9, "tid": 9, "comm": "postgres", "exit_code": 1,
                    "thread": false, "duration_ns": 4_000, "args": ["postgres: me secret idle"]})),
    ]
    .concat()
}

/// All that a document tells: what a page has packed, too.
fn told(out: &str) -> String {
    let Some((_, data)) = out.split_once("id=\"data\">") else { return out.to_owned() };
    let (data, _) = data.split_once('<').unwrap();
    let packed = data_encoding::BASE64.decode(data.trim().as_bytes()).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    text + out
}

#[test]
fn no_format_tells_what_programs_were_given() {
    for format in FORMATS {
        let by_args = ["--format", format, "--by", "args"];
        let options = if format.starts_with("summary") { &by_args[..] } else { &by_args[..2] };
        let with = told(&replay(capture().as_bytes(), options).out);
        let without = replay(capture().as_bytes(), &[options, &["--no-args"]].concat());
        let without = told(&without.out);
        assert!(!without.contains("secret"), "{format}: {without}");
        assert!(without.contains("curl"), "{format}: {without}");
        // Else this would show nothing. Stacks are of names alone.
        assert!(with.contains("secret") || format == "folded", "{format}: {with}");
    }
}

#[test]
fn lines_say_that_arguments_are_missing_and_replay_knows() {
    let ran = replay(capture().as_bytes(), &["--format", "json", "--no-args"]);
    let lines: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["no_args"], true);
    assert_eq!(lines[2]["args"], json!(["/usr/bin/curl"]));
    assert_eq!(lines[2]["args_truncated"], true);
    assert_eq!(lines[5]["args"], json!(["postgres:"]));
    let again = replay(ran.out.as_bytes(), &["--match", "secret"]);
    assert!(again.err.contains("the capture has no arguments"), "{}", again.err);
    let page = replay(ran.out.as_bytes(), &["--format", "html"]);
    assert!(page.out.contains("<p>arguments left out</p>"));
    let page = replay(capture().as_bytes(), &["--format", "html"]);
    assert!(page.out.contains("<p>with arguments</p>"));
    let trace = replay(ran.out.as_bytes(), &["--format", "perfetto"]);
    let trace: Value = serde_json::from_str(&trace.out).unwrap();
    assert_eq!(trace["otherData"]["arguments"], false);
}

/// Rules see them all the same.
#[test]
fn who_breaks_a_rule_is_named_without_arguments() {
    let rules = ["--expect", "execs[match=secret] = 0", "--expect", "failures = 0", "--no-args"];
    let ran = replay(capture().as_bytes(), &rules);
    assert!(ran.err.contains("/usr/bin/curl"), "{}", ran.err);
    let told = ran.err.replace("match=secret", "");
    assert!(!told.contains("secret"), "{}", ran.err);
    assert!(ran.err.contains("1 exec, first"), "{}", ran.err);
}
