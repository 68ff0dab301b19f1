// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Google's "Trace Event Format" asks of the events that are used here.

use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::model::event::{Detail, EventKind};
use crate::view::fixtures::{self, Random, Story, basic, run};

fn trace(events: &[Event]) -> Vec<Value> {
    let text = run(Perfetto::default(), events);
    let trace: Value = serde_json::from_str(&text).expect("valid JSON");
    assert!(trace["displayTimeUnit"] == "ms" || trace["displayTimeUnit"] == "ns");
    assert!(trace["otherData"].is_object());
    trace["traceEvents"].as_array().expect("the object form has an array").clone()
}

fn of<'a>(events: &'a [Value], phase: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["ph"] == phase).collect()
}

fn start(event: &Value) -> f64 {
    event["ts"].as_f64().expect("ts is a number")
}

fn end(event: &Value) -> f64 {
    start(event) + event["dur"].as_f64().expect("dur is a number")
}

fn track(event: &Value) -> (u64, u64) {
    let id = |key: &str| event[key].as_u64().expect("pid and tid are whole numbers");
    (id("pid"), id("tid"))
}

/// A double tells times near 2^64 ns by some microseconds only.
fn slack(ts: f64) -> f64 {
    0.0001 + ts * 1e-14 * 100.0
}

fn check(events: &[Value]) {
    for event in events {
        assert!(event["name"].is_string(), "{event}");
        track(event);
        match event["ph"].as_str() {
            Some("M") => match event["name"].as_str() {
                Some("process_name" | "thread_name") => {
                    assert!(event["args"]["name"].is_string(), "{event}");
                }
                Some("thread_sort_index") => {
                    assert!(event["args"]["sort_index"].is_u64(), "{event}");
                }
                _ => panic!("no metadata has this name: {event}"),
            },
            Some("X") => {
                assert!(event["cat"].is_string() && event["args"].is_object(), "{event}");
                assert!(start(event) >= 0.0 && end(event) >= start(event), "{event}");
            }
            Some("C") => {
                let known = ["processes running", "CPUs used by those that ended"];
                assert!(known.contains(&event["name"].as_str().expect("a name")), "{event}");
                assert!(start(event) >= 0.0, "{event}");
                assert!(event["args"]["value"].as_f64().is_some_and(|n| n >= 0.0), "{event}");
            }
            Some("s" | "f") => {
                assert!(event["cat"].is_string() && event["id"].is_u64(), "{event}");
                assert!(start(event) >= 0.0, "{event}");
            }
            _ => panic!("no such phase: {event}"),
        }
    }
    check_flows(events);
    check_nesting(events);
}

/// Each flow begins once and ends once, not before it began, in the slice around that time.
fn check_flows(events: &[Value]) {
    let mut ends: HashMap<u64, &Value> = HashMap::new();
    for end in of(events, "f") {
        assert_eq!(end["bp"], "e", "{end}");
        let before = ends.insert(end["id"].as_u64().expect("an id"), end);
        assert!(before.is_none(), "{end}");
    }
    for begin in of(events, "s") {
        let end = ends.remove(&begin["id"].as_u64().expect("an id")).expect("an end");
        assert_eq!((&begin["cat"], &begin["name"]), (&end["cat"], &end["name"]));
        assert!(start(begin) <= start(end), "{begin} {end}");
    }
    assert!(ends.is_empty(), "{ends:?}");
}

/// Slices of a track lie within or beside each other.
fn check_nesting(events: &[Value]) {
    let mut tracks: HashMap<_, Vec<&Value>> = HashMap::new();
    for slice in of(events, "X") {
        tracks.entry(track(slice)).or_default().push(slice);
    }
    for slices in tracks.values_mut() {
        slices.sort_by(|a, b| start(a).total_cmp(&start(b)).then(end(b).total_cmp(&end(a))));
        let mut open: Vec<f64> = Vec::new();
        for slice in slices {
            let (start, end) = (start(slice), end(slice));
            open.retain(|&outer| outer > start + slack(start));
            assert!(open.iter().all(|&outer| end <= outer + slack(end)), "{slice}");
            open.push(end);
        }
    }
}

/// Each end of an arrow lies on a slice.
fn check_arrows(events: &[Value]) {
    let slices = of(events, "X");
    for arrow in of(events, "s").into_iter().chain(of(events, "f")) {
        let on = |slice: &&&Value| {
            let at = start(arrow);
            track(slice) == track(arrow) && start(slice) <= at && at <= end(slice)
        };
        assert!(slices.iter().any(|slice| on(&slice)), "{arrow}");
    }
}

#[test]
fn a_pipeline_has_its_slices_and_arrows() {
    let events = trace(&fixtures::pipeline());
    check(&events);
    check_arrows(&events);
    let grep: Vec<_> = of(&events, "X").into_iter().filter(|e| e["args"]["pid"] == 4523).collect();
    assert_eq!(grep.len(), 2);
    assert_eq!((&grep[0]["name"], &grep[0]["ts"]), (&"fork to exec".into(), &1_001_300.0.into()));
    assert_eq!((&grep[1]["name"], &grep[1]["dur"]), (&"grep".into(), &900.0.into()));
    assert_eq!(grep[1]["args"]["command"], "grep root");
    assert_eq!(grep[1]["args"]["exit_code"], 1);
    assert_eq!(grep[1]["cname"], "terrible");
    let lanes: Vec<_> = of(&events, "s").iter().map(|event| track(event).1).collect();
    assert_eq!(lanes, [2, 2, 1], "below who was there before, and below the shell");
}

#[test]
fn a_daemon_runs_to_the_end_of_the_capture() {
    let events = trace(&fixtures::daemon());
    check(&events);
    check_arrows(&events);
    let last =
        of(&events, "X").into_iter().find(|event| event["args"]["pid"] == 5004).expect("it is");
    assert_eq!(end(last), 1_020_000.0);
    assert_eq!(last["args"]["note"], "still running at the end of the capture");
    let work = of(&events, "X").into_iter().find(|event| event["name"] == "work");
    assert_eq!(work.expect("it is")["args"]["signal"], "SIGSEGV");
}

#[test]
fn who_ran_before_is_drawn_from_the_beginning_of_the_capture() {
    let mut story = Story::default();
    story.exit(3_000, 77, 9, 0).fork(4_000, 10, 9);
    let mut sink = Perfetto::default();
    let mut out = Vec::new();
    sink.begin(&Meta { began_ns: 1_000_000_000, ..Meta::default() }, &mut out);
    story.events.iter().for_each(|event| sink.event(event, &mut out));
    sink.end(&Totals { elapsed_ns: 5_000_000, ..Totals::default() }, &mut out);
    let trace: Value = serde_json::from_slice(&out).expect("valid JSON");
    let events = trace["traceEvents"].as_array().expect("an array");
    check(events);
    check_arrows(events);
    let times = |pid| {
        let slice = of(events, "X").into_iter().find(|event| event["args"]["pid"] == pid);
        slice.map(|slice| (start(slice), end(slice)))
    };
    assert_eq!(times(77), Some((1_000_000.0, 1_003_000.0)), "its end is the first event");
    assert_eq!(times(10), Some((1_004_000.0, 1_005_000.0)), "it runs to the end of the capture");
}

#[test]
fn as_many_lanes_as_are_alive_at_a_time() {
    let lanes = |story: &Story| {
        let events = trace(&story.events);
        check(&events);
        check_arrows(&events);
        of(&events, "X").into_iter().map(track).collect::<HashSet<_>>().len()
    };
    let (mut row, mut heap, mut basic) = (Story::default(), Story::default(), Story::default());
    for i in 0..500 {
        let (us, pid) = (u64::from(i) * 10, 10 + i % 100);
        row.fork(us, pid, 9).exec(us + 2, pid, 9, &["true"]).exit(us + 5, pid, 9, 0);
    }
    for i in 0..20 {
        heap.fork(i * 10, 100 + i as u32, 9);
    }
    for i in 0..20 {
        heap.exit(1_000 + i * 10, 100 + i as u32, 9, 0);
    }
    assert_eq!((lanes(&row), lanes(&heap)), (2, 21), "and the parent's own");
    basic.events = row.events.into_iter().map(|event| Event { wide: None, ..event }).collect();
    assert_eq!(lanes(&basic), 2);
}

#[test]
fn a_process_is_written_and_forgotten_when_it_ends() {
    let mut sink = Perfetto::default();
    let mut out = Vec::new();
    fixtures::pipeline().iter().for_each(|event| sink.event(event, &mut out));
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    let counters = text.lines().filter(|line| line.contains("\"ph\":\"C\"")).count();
    assert_eq!(text.matches('\n').count() - counters, 4 * 2 + 1 + 3 * 4);
    assert_eq!(sink.lives.iter().count(), 1, "the shell that was there before");
    assert_eq!(sink.tracks.len(), 1);
}

#[test]
fn the_basic_mode_has_slices_too() {
    use EventKind::{Exec, Exit, Fork};
    let events = [
        basic(Fork, 0, 10, 9, "bash"),
        basic(Exec, 100, 10, 0, "prog"),
        basic(Fork, 200, 11, 10, "prog"),
        basic(Exit, 300, 10, 0, "worker"),
        basic(Exit, 400, 10, 0, "prog"),
    ];
    let events = trace(&events);
    check(&events);
    check_arrows(&events);
    let prog = of(&events, "X").into_iter().find(|event| event["name"] == "prog");
    assert_eq!(prog.expect("it is")["args"]["more_threads"], 1);
    assert!(!of(&events, "X").iter().any(|event| event["args"]["pid"] == 11));
}

#[test]
fn takes_any_events() {
    check(&trace(&[]));
    for seed in 1..300 {
        check(&trace(&Random(seed).capture()));
    }
}

#[test]
fn the_last_slice_tells_what_the_process_cost() {
    let mut story = Story::default();
    story.fork(0, 10, 9).exec(600, 10, 9, &["make"]).exit(2_000, 10, 9, 0);
    let last = story.events.last_mut().and_then(|event| event.wide.as_mut());
    let Some(Detail::Exit(ended)) = last.map(|wide| &mut wide.detail) else { panic!("an exit") };
    (ended.cpu_ns, ended.max_rss_bytes) = (Some(812_000), Some(4096));
    let events = trace(&story.events);
    let told: Vec<_> = of(&events, "X")
        .iter()
        .map(|slice| (slice["args"]["cpu_ns"].as_u64(), slice["args"]["max_rss_bytes"].as_u64()))
        .filter(|told| *told != (None, None))
        .collect();
    assert_eq!(told, [(Some(812_000), Some(4096))]);
}

#[test]
fn a_command_that_is_not_there_is_told_by_a_click() {
    let events = trace(&fixtures::not_found());
    let slice = of(&events, "X").into_iter().find(|slice| slice["args"]["pid"] == 4522);
    let details = &slice.expect("a slice")["args"];
    assert_eq!(
        (&details["failed_execs"], &details["failed_exec"]),
        (&1.into(), &"/bin/no: ENOENT".into())
    );
}

/// As many as live at each time, and the CPU time of those that ended.
#[test]
fn counters_tell_who_runs_and_what_was_used() {
    let mut story = Story::default();
    story.fork(0, 10, 1).fork(2_000, 11, 10).exit(4_000, 11, 10, 0).costs(1_000, None);
    story.exit(6_000, 10, 1, 0).costs(3_000, None);
    let events = trace(&story.events);
    let counters = |name: &str| -> Vec<(f64, f64)> {
        let named = of(&events, "C").into_iter().filter(|event| event["name"] == name);
        named.map(|event| (start(event), event["args"]["value"].as_f64().expect("n"))).collect()
    };
    let at = |ms: f64| 1_000_000.0 + ms * 1_000.0;
    let running = [(at(0.0), 1.0), (at(2.0), 2.0), (at(4.0), 1.0), (at(6.0), 0.0)];
    assert_eq!(counters("processes running"), running);
    let used = counters("CPUs used by those that ended");
    // The CPUs of each ms, which add up to 4 ms.
    let all: f64 = used.windows(2).map(|two| two[0].1 * (two[1].0 - two[0].0)).sum();
    assert!((all - 4_000.0).abs() < 1.0, "{used:?}");
}
