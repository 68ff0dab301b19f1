// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records about the capture, and the schema that every line keeps to.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{BINARY, Tuxscope, command};
use crate::wide::Capture;
use crate::{machine, process, worker};

fn schema() -> Value {
    let text = process::output(Command::new(BINARY).arg("schema"));
    serde_json::from_str(&text).expect("the schema is JSON")
}

/// The keys that the schema describes for lines of this kind.
fn described(schema: &Value, definition: &str) -> BTreeSet<String> {
    let definition = &schema["$defs"][definition];
    let own = definition["properties"].as_object().expect("properties");
    let mut keys: BTreeSet<_> = own.keys().cloned().collect();
    if let Some(base) = definition["$ref"].as_str() {
        keys.extend(described(schema, base.rsplit('/').next().unwrap()));
    }
    keys
}

/// Each line is what the schema says, and has no key that it doesn't know. Returns the kinds.
fn check(output: &[u8], wide: bool) -> BTreeSet<String> {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
    let mut kinds = BTreeSet::new();
    for line in std::str::from_utf8(output).unwrap().lines() {
        let value: Value = serde_json::from_str(line).expect(line);
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:?}");
        let kind = value["event_type"].as_str().unwrap().to_owned();
        let known = described(&schema, if wide { &kind } else { "basic" });
        let keys = value.as_object().unwrap().keys();
        let unknown: Vec<_> = keys.filter(|key| !known.contains(*key)).collect();
        assert!(unknown.is_empty(), "{line}: {unknown:?} are not in the schema");
        kinds.insert(kind);
    }
    kinds
}

fn kinds(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn the_schema_holds_for_every_line() {
    let Some(_machine) = machine::shared() else { return };
    let wide = Tuxscope::start(&[
        "--wide",
        "--threads",
        "--format",
        "json",
        "--max-args",
        "20",
        "--buffer-size",
        "16M",
    ]);
    let basic = Tuxscope::start(&["--format", "json", "--buffer-size", "16M"]);
    worker::case("all");
    worker::storm("vfork-exec", 100, 2);
    let (wide, basic) = (wide.stop(), basic.stop());
    assert_eq!(check(&wide.stdout, true), kinds(&["meta", "fork", "exec", "exit", "summary"]));
    assert_eq!(check(&basic.stdout, false), kinds(&["fork", "exec", "exit"]));
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let schema = schema();
    let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
    let exit = "{\"pid\":7,\"ppid\":1,\"comm\":\"sh\",\"event_type\":\"exit\",\"timestamp_ns\":1,\
        \"time\":\"2026-11-22T10:00:00.000000001Z\",\"tid\":7,\"uid\":0,\"start_ns\":1,\
        \"cgroup_id\":1,\"cgroup\":null,\"thread\":false,\"exit_code\":0,\"duration_ns\":0}";
    let exit: Value = serde_json::from_str(exit).unwrap();
    assert!(validator.is_valid(&exit));
    let wrong: [fn(&mut Value); 7] = [
        |value| value["signal"] = "SIGTERM".into(),
        |value| value["exit_code"] = 256.into(),
        |value| value["event_type"] = "clone".into(),
        |value| value["time"] = "yesterday".into(),
        |value| value["comm"] = "sixteen letters.".into(),
        |value| value["cgroup"] = "no path".into(),
        |value| value["args_truncated"] = false.into(),
    ];
    for (i, spoil) in wrong.iter().enumerate() {
        let mut value = exit.clone();
        spoil(&mut value);
        assert!(!validator.is_valid(&value), "{i}: {value}");
    }
}

#[test]
fn the_first_record_says_how_the_capture_was_made() {
    let Some(_machine) = machine::shared() else { return };
    let args = ["--wide", "--format", "json", "--comm", "a b", "--uid", "root", "-e", "exit"];
    let capture = Capture::complete(&Tuxscope::start(&args).stop());
    let meta = &capture.meta;
    let read = |path| fs::read_to_string(path).unwrap().trim().to_owned();
    assert_eq!(meta["tool"], "tuxscope");
    assert_eq!(meta["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(meta["kernel"], read("/proc/sys/kernel/osrelease"));
    assert_eq!(meta["host"], read("/proc/sys/kernel/hostname"));
    assert_eq!(meta["boot_id"], read("/proc/sys/kernel/random/boot_id"));
    assert_eq!(meta["filters"], serde_json::json!(["--comm=a b", "--uid=0", "--event=exit"]));
}

#[test]
fn losses_are_recorded_where_they_happened() {
    let Some(_machine) = machine::alone() else { return };
    let args = ["--wide", "--format", "json", "--buffer-size", "4096"];
    let mut tuxscope = Tuxscope::start(&args);
    tuxscope.signal(Signal::STOP);
    worker::storm("vfork-exec", 300, 2);
    tuxscope.signal(Signal::CONT);
    tuxscope.await_line("events lost so far");
    let run = tuxscope.stop();
    assert_eq!(run.code, Some(0));
    check(&run.stdout, true);
    let capture = Capture::parse(&run.stdout);
    let closing = run.closing();
    let numbers = |lost: &Value| ["fork", "exec", "exit"].map(|kind| lost[kind].as_u64().unwrap());
    let summary = capture.summary.expect("a summary");
    assert_eq!(numbers(&summary["lost"]), closing.lost);
    assert_eq!(
        (&summary["complete"], summary["printed"].as_u64()),
        (&false.into(), Some(closing.printed))
    );
    assert!(closing.lost.iter().all(|&lost| lost > 100), "{closing:?}");
    let told: Vec<[u64; 3]> = capture.lost.iter().map(|lost| numbers(&lost["lost"])).collect();
    assert!(!told.is_empty() && told.is_sorted(), "{told:?}");
    assert!((0..3).all(|kind| told.last().unwrap()[kind] <= closing.lost[kind]));
}

/// docs/json.md: each kind of record has its example there, and each key its line.
#[test]
fn the_documentation_has_every_record_and_key() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md")).unwrap();
    let examples: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"pid\"")).collect();
    let records: Vec<&str> =
        text.lines().filter(|line| line.starts_with("{\"event_type\"")).collect();
    let (basic, wide): (Vec<&str>, _) =
        examples.iter().partition(|line| !line.contains("\"time\""));
    let all = |lines: &[&str], wide| check(lines.join("\n").as_bytes(), wide);
    assert_eq!(all(&basic, false), kinds(&["fork", "exec", "exit"]));
    assert_eq!(
        all(&[wide, records].concat(), true),
        kinds(&["meta", "fork", "exec", "exit", "lost", "summary"])
    );
    let schema = schema();
    for definition in ["basic", "fork", "exec", "exit", "meta", "lost", "summary"] {
        for key in described(&schema, definition) {
            assert!(text.contains(&format!("| `{key}`")), "docs/json.md lacks {key}");
        }
    }
}

#[test]
fn each_event_names_its_host_and_boot_where_that_is_asked_for() {
    let Some(_machine) = machine::shared() else { return };
    let read = |path: &str| fs::read_to_string(path).unwrap().trim().to_owned();
    let (host, boot) = (read("/proc/sys/kernel/hostname"), read("/proc/sys/kernel/random/boot_id"));
    for (options, named) in [(&["--host-fields"][..], true), (&["--wide"][..], false)] {
        let args = [options, &["--format", "json", "-o", "/dev/stdout", "--", "true"]].concat();
        let lines = process::output(&mut command(&args));
        let all = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        let events: Vec<Value> = all.filter(|line: &Value| line.get("pid").is_some()).collect();
        assert!(events.len() >= 2, "{lines}");
        check(lines.as_bytes(), true);
        for event in &events {
            assert_eq!(event["host"] == host.as_str(), named, "{event}");
            assert_eq!(event["boot_id"] == boot.as_str(), named, "{event}");
        }
    }
}
