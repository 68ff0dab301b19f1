// SPDX-License-Identifier: MIT OR Apache-2.0
//! Spans of OpenTelemetry against the lines that they are made of.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use crate::program::{META, end, replay, wide};

const TRACED: &str = "{\"event_type\":\"meta\",\"tool\":\"tuxscope\",\"version\":\"0.1.0\",\"schema\":1,\
     \"kernel\":\"6.1\",\"host\":\"h\",\"boot_id\":\"b\",\"filters\":[],\"clock_offset_ns\":5,\
     \"command_pid\":100,\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\
     \"span_id\":\"00f067aa0ba902b7\",\"parent_span_id\":\"b7ad6b7169203331\"}\n";

fn born(pid: u32, ppid: u32, comm: &str, ns: u64) -> String {
    let keys = format!("\"thread\":false,\"parent_tid\":{ppid}");
    wide("fork", pid, ppid, comm, ns, ns, &keys)
}

fn execed(pid: u32, ppid: u32, comm: &str, ns: u64, start: u64) -> String {
    let keys = format!("\"filename\":\"/bin/{comm}\",\"args\":[\"{comm}\",\"--secret\"]");
    wide("exec", pid, ppid, comm, ns, start, &keys)
}

fn ended(pid: u32, ppid: u32, comm: &str, ns: u64, start: u64, how: &str) -> String {
    let keys = format!("\"thread\":false,{how},\"duration_ns\":{},\"cpu_ns\":7", ns - start);
    wide("exit", pid, ppid, comm, ns, start, &keys)
}

/// `make` runs a compiler that works, and one that is killed.
fn capture(meta: &str) -> String {
    [
        meta.to_owned(),
        execed(100, 9, "make", 2_000, 1_000),
        born(101, 100, "make", 3_000),
        execed(101, 100, "cc", 4_000, 3_000),
        ended(101, 100, "cc", 5_000, 3_000, "\"exit_code\":0"),
        born(102, 100, "make", 6_000),
        execed(102, 100, "ld", 6_500, 6_000),
        ended(102, 100, "ld", 7_000, 6_000, "\"signal\":\"SIGKILL\""),
        ended(100, 9, "make", 9_000, 1_000, "\"exit_code\":2"),
        end(true, 0),
    ]
    .concat()
}

fn spans(out: &str) -> Vec<Value> {
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let spans = lines.map(|line| line["resourceSpans"][0]["scopeSpans"][0]["spans"].clone());
    spans.flat_map(|spans| spans.as_array().unwrap().clone()).collect()
}

fn attribute(span: &Value, key: &str) -> Value {
    let list = span["attributes"].as_array().unwrap();
    let found = list.iter().find(|attribute| attribute["key"] == key);
    found.map_or(Value::Null, |attribute| attribute["value"].clone())
}

#[test]
fn a_process_is_a_span() {
    let ran = replay(capture(TRACED).as_bytes(), &["--format", "otlp"]);
    let spans = spans(&ran.out);
    let of = |pid: u32| {
        let has_pid = |span: &&Value| {
            attribute(span, "process.pid") == json!({ "intValue": pid.to_string() })
        };
        spans.iter().find(has_pid).unwrap_or_else(|| panic!("{pid}: {spans:#?}"))
    };
    let [make, cc, ld] = [of(100), of(101), of(102)];
    assert_eq!(spans.len(), 3);
    for span in &spans {
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(span["kind"], 1);
    }
    assert_eq!(
        (&make["spanId"], &make["parentSpanId"]),
        (&json!("00f067aa0ba902b7"), &json!("b7ad6b7169203331"))
    );
    assert_eq!(cc["parentSpanId"], make["spanId"]);
    assert_eq!(ld["parentSpanId"], make["spanId"]);
    assert_ne!(cc["spanId"], ld["spanId"]);
    assert_eq!(
        (&cc["startTimeUnixNano"], &cc["endTimeUnixNano"]),
        (&json!("3005"), &json!("5005"))
    );
    assert_eq!(cc["status"], json!({}));
    assert_eq!(ld["status"], json!({ "code": 2, "message": "killed by SIGKILL" }));
    assert_eq!(make["status"], json!({ "code": 2, "message": "exit status 2" }));
    let text = |text: &str| json!({ "stringValue": text });
    assert_eq!(attribute(ld, "error.type"), text("SIGKILL"));
    assert_eq!(attribute(make, "error.type"), text("2"));
    assert_eq!(attribute(make, "process.exit.code"), json!({ "intValue": "2" }));
    assert_eq!(attribute(ld, "process.exit.code"), Value::Null);
    assert_eq!(attribute(cc, "process.executable.name"), text("cc"));
    assert_eq!(attribute(cc, "process.executable.path"), text("/bin/cc"));
    assert_eq!(attribute(cc, "process.parent_pid"), json!({ "intValue": "100" }));
    assert_eq!(attribute(cc, "process.real_user.id"), json!({ "intValue": "1" }));
    assert_eq!(attribute(cc, "process.linux.cgroup"), text("/a/b"));
    assert_eq!(attribute(cc, "process.creation.time"), text("1970-01-01T00:00:00.000003005Z"));
    assert_eq!(attribute(cc, "tuxscope.cpu_ns"), json!({ "intValue": "7" }));
}

/// The command's id is that of the namespace: there others have it in a namespace below, and outside.
#[test]
fn the_command_is_the_root_in_a_pid_namespace_too() {
    let exited = "\"exit_code\":0";
    let of = |ns_pid: u32, line: String| {
        line.replace("\"tid\"", &format!("\"ns_pid\":{ns_pid},\"tid\""))
    };
    let capture = [
        TRACED.to_owned(),
        of(100, execed(900, 9, "make", 2_000, 1_000)),
        of(100, born(901, 900, "make", 3_000)),
        of(100, execed(901, 900, "init", 4_000, 3_000)),
        of(100, ended(901, 900, "init", 5_000, 3_000, exited)),
        of(7, born(100, 900, "make", 6_000)),
        of(7, ended(100, 900, "make", 7_000, 6_000, exited)),
        of(100, ended(900, 9, "make", 9_000, 1_000, exited)),
        end(true, 0),
    ];
    let all = spans(&replay(capture.concat().as_bytes(), &["--format", "otlp"]).out);
    assert_eq!(all.len(), 3);
    for span in &all {
        let [id, parent] = [&span["spanId"], &span["parentSpanId"]];
        match attribute(span, "process.pid")["intValue"].as_str() {
            Some("900") => {
                assert_eq!((id, parent), (&json!("00f067aa0ba902b7"), &json!("b7ad6b7169203331")))
            }
            _ => assert_eq!(parent, "00f067aa0ba902b7", "{span}"),
        }
    }
}

#[test]
fn arguments_are_told_only_when_they_are_asked_for() {
    let of = |options: &[&str]| replay(capture(TRACED).as_bytes(), options).out;
    assert!(!of(&["--format", "otlp"]).contains("secret"));
    let with = of(&["--format", "otlp", "--otlp-args"]);
    let all = spans(&with);
    let cc = all.iter().find(|span| span["name"] == "cc").unwrap();
    let values = json!([{ "stringValue": "cc" }, { "stringValue": "--secret" }]);
    let args = attribute(cc, "process.command_args");
    assert_eq!(args, json!({ "arrayValue": { "values": values } }));
    assert!(!of(&["--format", "otlp", "--otlp-args", "--no-args"]).contains("secret"));
}

#[test]
fn a_replay_gives_the_same_ids() {
    for meta in [TRACED, META] {
        let [first, second] =
            [(); 2].map(|()| replay(capture(meta).as_bytes(), &["--format", "otlp"]).out);
        assert_eq!(first, second);
    }
    // Without a command there is no root: whoever has no parent in the capture is one.
    let all = spans(&replay(capture(META).as_bytes(), &["--format", "otlp"]).out);
    let roots: Vec<_> = all.iter().filter(|span| span["parentSpanId"].is_null()).collect();
    assert_eq!(roots.len(), 1);
    assert_ne!(roots[0]["traceId"], "00000000000000000000000000000000");
}

/// Three thousand short ones below a make, and a few long ones.
#[test]
fn short_processes_share_a_span_where_there_are_too_many() {
    let mut lines = vec![TRACED.to_owned(), execed(100, 9, "make", 2_000, 1_000)];
    let mut failed = 0;
    for i in 0..3_000_u32 {
        let (pid, begin) = (1_000 + i, 10_000 + 1_000 * u64::from(i));
        lines.push(born(pid, 100, "make", begin));
        let comm = if i % 3 == 0 { "sed" } else { "sh" };
        lines.push(execed(pid, 100, comm, begin + 100, begin));
        failed += u64::from(comm == "sed" && i % 2 == 0);
        let how = if i % 2 == 0 { "\"exit_code\":1" } else { "\"exit_code\":0" };
        let length = if i % 100 == 7 { 900 } else { 200 };
        lines.push(ended(pid, 100, comm, begin + length, begin, how));
    }
    lines.push(ended(100, 9, "make", 9_000_000, 1_000, "\"exit_code\":0"));
    lines.push(end(true, 0));
    let capture = lines.concat();
    for max in [3, 10, 500, 2_000] {
        let options = ["--format", "otlp", "--otlp-max-spans", &max.to_string()];
        let all = spans(&replay(capture.as_bytes(), &options).out);
        assert!(all.len() <= max, "{max}: {}", all.len());
        let number = |span: &Value, key: &str| -> u64 {
            attribute(span, key)["intValue"].as_str().map_or(0, |text| text.parse().unwrap())
        };
        let shared: u64 = all.iter().map(|span| number(span, "tuxscope.processes")).sum();
        let own = all.iter().filter(|span| attribute(span, "process.pid") != Value::Null).count();
        assert_eq!(shared + own as u64, 3_001, "{max}");
        let cpu_ns: u64 = all.iter().map(|span| number(span, "tuxscope.cpu_ns")).sum();
        assert_eq!(cpu_ns, 3_001 * 7, "{max}");
        if max == 3 {
            let sed = all.iter().find(|span| span["name"] == "sed (1000 processes)").unwrap();
            assert_eq!(number(sed, "tuxscope.failures"), failed);
            assert_eq!(sed["status"]["code"], 2);
        }
        if max == 500 {
            let long = all.iter().filter(|span| {
                let time = |key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
                time("endTimeUnixNano") - time("startTimeUnixNano") == 900
            });
            assert_eq!(long.count(), 30, "the longest keep a span of their own");
        }
    }
    // Lines are such that a receiver takes them, and no id occurs twice.
    let options = ["--format", "otlp", "--otlp-args", "--otlp-max-spans", "100000"];
    let ran = replay(capture.as_bytes(), &options);
    assert!(ran.out.lines().count() > 1);
    assert!(ran.out.lines().all(|line| line.len() < 1 << 20));
    let all = spans(&ran.out);
    let ids: HashSet<_> = all.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3_001);
}

#[test]
fn what_is_missing_is_said() {
    let cut =
        capture(TRACED).lines().take(4).map(|line| line.to_owned() + "\n").collect::<String>();
    let lost = "{\"event_type\":\"lost\",\"time\":\"2026-01-01T00:00:00Z\",\"lost\":{\"fork\":3,\"exec\":0,\"exit\":0}}\n";
    let ran = replay((cut + lost).as_bytes(), &["--format", "otlp"]);
    let line: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    let resource = &line["resourceSpans"][0]["resource"];
    assert_eq!(attribute(resource, "tuxscope.complete"), json!({ "boolValue": false }));
    assert_eq!(attribute(resource, "tuxscope.lost_events"), json!({ "intValue": "3" }));
    let names: HashMap<_, _> =
        spans(&ran.out).into_iter().map(|span| (span["name"].to_string(), span)).collect();
    for span in names.values() {
        assert_eq!(attribute(span, "tuxscope.still_running"), json!({ "boolValue": true }));
    }
    let empty = replay([META, &end(true, 0)].concat().as_bytes(), &["--format", "otlp"]);
    assert!(spans(&empty.out).is_empty());
}
