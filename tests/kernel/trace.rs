// SPDX-License-Identifier: MIT OR Apache-2.0
//! A command's place in a distributed trace: what it is told, and what the capture tells.

use std::fs;

use serde_json::Value;

use crate::{machine, process, program};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What the command found in its environment, and the capture.
fn run(format: &str, traceparent: Option<&str>) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    let mut command = program::command(&["--wide", "--format", format, "-o"]);
    command.arg(&path).args(["--", "sh", "-c", "echo ${TRACEPARENT-none}; /bin/true"]);
    command.env_remove("TRACEPARENT");
    command.envs(traceparent.map(|value| ("TRACEPARENT", value)));
    let told = process::output(&mut command);
    (told.trim().to_owned(), fs::read_to_string(path).unwrap())
}

/// Names and ids of the spans.
fn spans(otlp: &str) -> Vec<[String; 4]> {
    let line: Value = serde_json::from_str(otlp.lines().next().unwrap()).unwrap();
    let spans = line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let text = |span: &Value, key: &str| span[key].as_str().unwrap_or_default().to_owned();
    spans
        .iter()
        .map(|span| ["name", "traceId", "spanId", "parentSpanId"].map(|key| text(span, key)))
        .collect()
}

#[test]
fn the_command_continues_the_trace_that_is_there() {
    let Some(_machine) = machine::shared() else { return };
    let given = format!("00-{TRACE}-b7ad6b7169203331-01");
    let (told, otlp) = run("otlp", Some(&given));
    let spans = spans(&otlp);
    let [name, trace, root, parent] = &spans[0];
    assert_eq!((name.as_str(), trace.as_str(), parent.as_str()), ("sh", TRACE, "b7ad6b7169203331"));
    assert_eq!(told, format!("00-{TRACE}-{root}-01"));
    assert!(spans[1..].iter().all(|[_, trace, _, parent]| trace == TRACE && parent == root));
    assert_eq!(spans.len(), 2);
}

#[test]
fn without_one_a_trace_begins() {
    let Some(_machine) = machine::shared() else { return };
    let (told, otlp) = run("otlp", None);
    let [_, trace, root, parent] = &spans(&otlp)[0];
    assert_eq!(told, "none", "its environment is as without tuxscope");
    assert_eq!((trace.len(), root.len(), parent.as_str()), (32, 16, ""));
    assert_ne!(&spans(&run("otlp", None).1)[0][1], trace, "another one each time");
}

/// Only with the format of traces a command's environment is another than without tuxscope.
#[test]
fn a_capture_tells_the_ids_that_a_replay_gives() {
    let Some(_machine) = machine::shared() else { return };
    assert_eq!(run("json", None).0, "none");
    let given = format!("00-{TRACE}-b7ad6b7169203331-01");
    let (told, capture) = run("json", Some(&given));
    assert_eq!(told, given);
    let meta: Value = serde_json::from_str(capture.lines().next().unwrap()).unwrap();
    assert_eq!(
        (meta["trace_id"].as_str(), meta["parent_span_id"].as_str()),
        (Some(TRACE), Some("b7ad6b7169203331"))
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture");
    fs::write(&path, &capture).unwrap();
    let mut replay = std::process::Command::new(program::BINARY);
    let otlp = process::output(replay.args(["replay", "--format", "otlp"]).arg(&path));
    let [_, trace, root, _] = &spans(&otlp)[0];
    assert_eq!(
        (Some(trace.as_str()), Some(root.as_str())),
        (Some(TRACE), meta["span_id"].as_str())
    );
}
