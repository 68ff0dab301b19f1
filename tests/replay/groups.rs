// SPDX-License-Identifier: MIT OR Apache-2.0
//! The groups of a summary against a plain recount of the lines of the same capture.

use std::collections::HashMap;

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use tuxscope::model::event::{Event, Totals};
use tuxscope::view::{By, Json, Ranking, Sink as _, Summary};

use crate::events;
use crate::program::{META, end, replay, wide};

const SUMS: [&str; 8] = [
    "execs",
    "failures",
    "failed_execs",
    "cost_unknown",
    "cpu_ns",
    "cpu_wait_ns",
    "read_bytes",
    "write_bytes",
];

/// What the lines say of each group, and how many of it ended.
fn recount(lines: &str, key: impl Fn(&Value) -> Value) -> HashMap<String, HashMap<&str, u64>> {
    let mut groups: HashMap<String, HashMap<&str, u64>> = HashMap::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["thread"] == true {
            continue;
        }
        let kind = line["event_type"].as_str().unwrap();
        if kind == "fork" {
            continue;
        }
        let group = groups.entry(key(&line).to_string()).or_default();
        let mut add = |name: &'static str, more: u64| {
            let sum = group.entry(name).or_default();
            *sum = sum.saturating_add(more);
        };
        match kind {
            "exec" => add("execs", 1),
            "exec_failed" => add("failed_execs", 1),
            _ => {
                add("ended", 1);
                add("failures", u64::from(line["exit_code"] != 0));
                add("cost_unknown", u64::from(line["cpu_ns"].is_null()));
                for sum in ["cpu_ns", "cpu_wait_ns", "read_bytes", "write_bytes"] {
                    add(sum, line[sum].as_u64().unwrap_or(0));
                }
                let rss = line["max_rss_bytes"].as_u64().unwrap_or(0);
                let most = group.entry("max_rss_bytes").or_default();
                *most = rss.max(*most);
            }
        }
    }
    groups
}

fn place_key(line: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| line[*key].clone()).find(|value| !value.is_null()).unwrap_or_default()
}

fn figures(events: &[Event], by: By) -> Value {
    let mut summary = Summary::json(Ranking { by, ..Ranking::default() });
    let mut out = Vec::new();
    events.iter().for_each(|event| summary.event(event, &mut out));
    summary.end(&Totals::default(), &mut out);
    serde_json::from_slice(&out).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..Default::default() })]

    #[test]
    fn groups_are_what_the_lines_come_to(events in events::disordered()) {
        let events: Vec<Event> = events.into_iter().filter(|event| event.wide.is_some()).collect();
        let mut lines = Vec::new();
        let mut json = Json::new(true);
        events.iter().for_each(|event| json.event(event, &mut lines));
        let lines = String::from_utf8(lines).unwrap();
        type Way = (By, &'static str, fn(&Value) -> Value);
        let ways: [Way; 4] = [
            (By::Command, "comm", |line| line["comm"].clone()),
            (By::User, "uid", |line| line["uid"].clone()),
            (By::Unit, "unit", |line| place_key(line, &["user_unit", "unit"])),
            (By::Container, "container", |line| place_key(line, &["container"])),
        ];
        for (by, name, key) in ways {
            let got = figures(&events, by);
            let mut want = recount(&lines, key);
            for group in got["groups"].as_array().unwrap() {
                let number = |key: &str| group[key].as_u64().unwrap();
                let ended = number("processes") - number("running");
                let want = want.remove(&group[name].to_string()).unwrap_or_default();
                prop_assert_eq!(ended, want.get("ended").copied().unwrap_or(0), "{} {}", name, group);
                for sum in SUMS {
                    let want = want.get(sum).copied().unwrap_or(0);
                    prop_assert_eq!(number(sum), want, "{} {}", sum, group);
                }
                let most = want.get("max_rss_bytes").copied().unwrap_or(0);
                prop_assert_eq!(group["max_rss_bytes"].as_u64().unwrap_or(0), most);
            }
            prop_assert!(want.is_empty(), "{}: {:?}", name, want);
        }
    }
}

/// make starts three cc, one of which fails and one of which still runs.
fn capture(end: &str) -> String {
    let fork = "\"thread\":false,\"parent_tid\":1";
    let exec = |arg: &str| format!("\"filename\":\"/bin/cc\",\"args\":[\"cc\",\"{arg}\"]");
    let exit = |code: u8, ns: u64, cpu: u64| {
        format!(
            "\"thread\":false,\"exit_code\":{code},\"duration_ns\":{ns},\"cpu_ns\":{cpu},\
             \"cpu_wait_ns\":{},\"max_rss_bytes\":{},\"read_bytes\":512,\"write_bytes\":0",
            cpu / 2,
            cpu * 1024,
        )
    };
    let mut lines = vec![META.replace("\"clock_offset_ns\":5", "\"clock_offset_ns\":5,\"cpus\":2")];
    for (pid, arg) in [(101, "a.c"), (102, "b.c"), (103, "a.c")] {
        let ns = u64::from(pid) * 1_000;
        lines.push(wide("fork", pid, 10, "make", ns, ns, fork));
        lines.push(wide("exec", pid, 10, "cc", ns + 100, ns, &exec(arg)));
    }
    lines.push(wide("exit", 101, 10, "cc", 900_000, 101_000, &exit(0, 799_000, 500_000_000)));
    lines.push(wide("exit", 102, 10, "cc", 950_000, 102_000, &exit(1, 848_000, 1_500_000_000)));
    lines.push(end.to_owned());
    lines.concat()
}

fn groups(capture: &str, by: &str) -> Value {
    let ran = replay(capture.as_bytes(), &["--format", "summary-json", "--by", by]);
    serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|_| panic!("{}", ran.err))
}

#[test]
fn each_way_of_grouping_has_its_key() {
    let got = groups(&capture(&end(true, 0)), "parent");
    assert_eq!((&got["by"], got["groups"].as_array().unwrap().len()), (&json!("parent"), 1));
    let want = json!({
        "parent": "make", "processes": 3, "running": 1, "execs": 3, "failures": 1,
        "failed_execs": 0, "cost_unknown": 0, "cpu_ns": 2_000_000_000_u64, "cpu_share": 1.0,
        "cpu_wait_ns": 1_000_000_000, "run_time_ns": 1_647_000, "max_rss_bytes": 1_536_000_000_000_u64,
        "read_bytes": 1024, "write_bytes": 0,
    });
    for (key, want) in want.as_object().unwrap() {
        assert_eq!(&got["groups"][0][key], want, "{key}");
    }
    let got = groups(&capture(&end(true, 0)), "args");
    let args =
        |nth: usize| (got["groups"][nth]["args"].clone(), got["groups"][nth]["running"].clone());
    assert_eq!(args(0), (json!(["cc", "b.c"]), json!(0)), "the most CPU time first");
    assert_eq!(args(1), (json!(["cc", "a.c"]), json!(1)));
    // 2 s of what 2 CPUs had in 2 s.
    assert_eq!(
        (&got["cpu"]["used_ns"], &got["cpu"]["share"]),
        (&json!(2_000_000_000), &json!(0.5))
    );
    assert_eq!((&got["cpu"]["cpus"], &got["cpu"]["most_at_once"]), (&json!(2), &json!(3)));
}

#[test]
fn the_text_ranks_and_sums_up_what_it_cuts() {
    let ran = replay(
        capture(&end(true, 0)).as_bytes(),
        &["--format", "summary", "--by", "args", "--sort", "count", "--top", "1"],
    );
    let want = "\
CPU time of processes that ended: 2.00 s, 50.0% of what 2 CPUs had
  at most 3 processes at once

By args, the most processes first
      CPU   CPU%     WAIT    PROCS    EXECS  FAILED      P50      P99    RSS    I/O  ARGS
   500 ms  25.0%   250 ms        2        2       0   799 us   799 us   477G    512  cc a.c
   1.50 s  75.0%   750 ms        1        1       1   848 us   848 us   1.4T    512  (1 other)
  of these, 1 process still ran at the end: not their CPU time
";
    assert!(ran.out.contains(want), "{}", ran.out);
}

#[test]
fn losses_and_options_of_others_are_told() {
    let got = groups(&capture(&end(true, 7)), "command");
    assert_eq!((&got["complete"], &got["lost"]["fork"]), (&json!(false), &json!(7)));
    let ran = replay(META.as_bytes(), &["--format", "summary-json", "--sort", "cpu"]);
    assert_eq!(ran.status, 2, "{}", ran.err);
}

/// Each period's figures, and that they add up to those of the whole.
#[test]
fn periods_add_up_to_the_whole() {
    let began = "\"clock_offset_ns\":1767225600000000000,\"timestamp_ns\":100000";
    let meta = META.replace("\"clock_offset_ns\":5", began);
    let whole = capture(&end(true, 3)).lines().skip(1).fold(meta, |all, line| all + line + "\n");
    let lines = |every: &[&str]| {
        let args = [&["--format", "summary-json"], every].concat();
        let ran = replay(whole.as_bytes(), &args);
        assert_eq!(ran.status, 0, "{}", ran.err);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let all = &lines(&[])[0];
    let parts = lines(&["--every", "400us"]);
    let times: Vec<_> = parts.iter().map(|part| part["time"].as_str().unwrap()).collect();
    // Forks and execs, then nothing, then the exits.
    assert_eq!(times, ["2026-01-01T00:00:00.000100000Z", "2026-01-01T00:00:00.000900000Z"]);
    assert_eq!(all["time"], Value::Null);
    let sum = |key: fn(&Value) -> u64| parts.iter().map(key).sum::<u64>();
    let figures: [fn(&Value) -> u64; 5] = [
        |part| part["exec"]["count"].as_u64().unwrap(),
        |part| part["exit"]["count"].as_u64().unwrap(),
        |part| part["cpu"]["used_ns"].as_u64().unwrap(),
        |part| part["lost"]["fork"].as_u64().unwrap(),
        |part| {
            part["groups"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| group["failures"].as_u64().unwrap())
                .sum()
        },
    ];
    for figure in figures {
        assert_eq!(sum(figure), figure(all), "{parts:?}");
    }
    let cc = |part: &Value| part["groups"][0]["running"].clone();
    assert_eq!((cc(&parts[0]), cc(&parts[1])), (json!(3), json!(1)), "those alive stay known");
}
