// SPDX-License-Identifier: MIT OR Apache-2.0
//! The figures of a summary, in both their forms.

use std::collections::HashMap;

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use tuxscope::model::event::{Event, EventKind, Totals};
use tuxscope::text::style::Style;
use tuxscope::view::{Ranking, Sink as _, Summary};

use crate::events;
use crate::program::{META, end, line, replay, wide};

const FORK: &str = "\"thread\":false,\"parent_tid\":1";

fn exec(arg: &str) -> String {
    format!("\"filename\":\"/bin/{arg}\",\"args\":[\"{arg}\",\"-x y\"]")
}

fn exit(status: &str, ns: u64) -> String {
    format!("\"thread\":false,{status},\"duration_ns\":{ns}")
}

/// Two commands, one of which fails and one of which execs twice; a fork without an exec; a
/// thread; a process from before and one that is still there.
fn capture() -> String {
    let segv = "\"signal\":\"SIGSEGV\",\"core_dumped\":true";
    [
        META.to_owned(),
        wide("exec", 50, 1, "old", 500, 100, &exec("old")),
        wide("fork", 100, 10, "sh", 1_000, 990, FORK),
        wide("exec", 100, 10, "ls", 3_000, 990, &exec("ls")),
        wide("fork", 100, 10, "ls", 3_100, 990, "\"thread\":true,\"parent_tid\":100"),
        wide("exit", 100, 10, "ls", 4_990, 990, &exit("\"exit_code\":2", 4_000)),
        wide("fork", 101, 10, "sh", 5_000, 4_990, FORK),
        wide("exec", 101, 10, "env", 9_000, 4_990, &exec("env")),
        wide("exec", 101, 10, "ls", 9_500, 4_990, &exec("ls")),
        wide("exit", 101, 10, "ls", 12_990, 4_990, &exit(segv, 8_000)),
        wide("fork", 102, 10, "sh", 13_000, 12_990, FORK),
        wide("exit", 102, 10, "sh", 13_990, 12_990, &exit("\"exit_code\":0", 1_000)),
        // The same id again, and a fork whose exec is still to come.
        wide("fork", 102, 10, "sh", 14_000, 13_990, FORK),
        end(true, 0),
    ]
    .concat()
}

fn figures(capture: &str) -> Value {
    let ran = replay(capture.as_bytes(), &["--format", "summary-json"]);
    assert_eq!((ran.status, ran.out.lines().count()), (0, 1), "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn counts_what_happened() {
    let got = figures(&capture());
    let want = json!({
        "schema": 1, "view": "wide", "complete": true, "elapsed_ns": 2_000_000_000_u64,
        "events": {"count": 12, "per_second": 6.0},
        "fork": {"count": 4, "per_second": 2.0},
        "exec": {"count": 4, "per_second": 2.0},
        "exit": {"count": 3, "per_second": 1.5},
        "threads": {"started": 1, "ended": 0},
        "lost": {"fork": 0, "exec": 0, "exit": 0, "exec_failed": 0},
        "never_execed": {"ended": 1, "not_yet": 1, "comms": [{"comm": "sh", "count": 1}]},
        "other_execs": {"repeated": 1, "without_fork": 1},
        "failures": [
            {"comm": "ls", "exit_code": 2, "count": 1},
            {"comm": "ls", "signal": "SIGSEGV", "count": 1},
        ],
        "backwards": 0, "dropped": 0,
    });
    for (key, value) in want.as_object().unwrap() {
        assert_eq!(&got[key], value, "{key}");
    }
    let bins = json!([{"from_ns": 1024, "count": 1}, {"from_ns": 2048, "count": 1}]);
    let fork_to_exec = &got["fork_to_exec"];
    assert_eq!(fork_to_exec["histogram"], bins);
    assert_eq!([&fork_to_exec["min_ns"], &fork_to_exec["max_ns"]], [2000, 4000]);
    let commands: Vec<_> = got["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| {
            let text = command["comm"].as_str().unwrap();
            (
                text,
                command["execs"].as_u64().unwrap(),
                command["fork_to_exec"]["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(commands, [("ls", 2, 1), ("env", 1, 1), ("old", 1, 0)]);
    assert_eq!(got["run_time"]["count"], 3);
    assert_eq!(got["run_time"]["max_ns"], 8000);
    let longest: Vec<_> = got["longest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (run["pid"].as_u64().unwrap(), run["run_time_ns"].as_u64().unwrap()))
        .collect();
    assert_eq!(longest, [(50, 13_900), (101, 8000), (100, 4000), (102, 1000), (102, 10)]);
    assert_eq!(got["longest"][0]["args"], json!(["old", "-x y"]));
    assert_eq!(got["longest"][1]["signal"], "SIGSEGV");
    assert_eq!(got["longest"][2]["exit_code"], 2);
    assert_eq!(
        (&got["longest"][0]["exit_code"], &got["longest"][0]["signal"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn a_sum_that_lacks_what_some_used_says_so() {
    let exit = |pid, cpu: &str| {
        let more = format!("\"thread\":false,\"exit_code\":0,\"duration_ns\":9000{cpu}");
        wide("exit", pid, 1, "cc", 10_000, 1_000, &more)
    };
    let lines = |costs: [&str; 2]| META.to_owned() + &exit(5, costs[0]) + &exit(6, costs[1]);
    for (costs, want) in [
        ([",\"cpu_ns\":2000", ",\"cpu_ns\":3000"], "  5.00 us"),
        ([",\"cpu_ns\":2000", ""], " >2.00 us"),
        (["", ""], "        -"),
    ] {
        let ran = replay(lines(costs).as_bytes(), &["--format", "summary"]);
        let row = ran.out.lines().find(|line| line.ends_with("  cc")).unwrap();
        assert!(row.starts_with(want), "{row}");
    }
}

#[test]
fn the_text_shows_the_same() {
    let ran = replay(capture().as_bytes(), &["--format", "summary"]);
    let want = "\
12 events of the wide mode in 2.00 s, none lost

                  count      a second
  fork                4           2.0
  exec                4           2.0
  exit                3           1.5
  and of threads: 1 started, 0 ended

CPU time of processes that ended: 0 ns
  and of 3 processes it isn't known
  at most 2 processes at once

By command, the most CPU time first
      CPU   CPU%     WAIT    PROCS    EXECS  FAILED      P50      P99    RSS    I/O  COMMAND
        -      -     0 ns        2        2       2  4.01 us  8.00 us      -      0  ls
        -      -     0 ns        2        0       0  1.00 us  1.00 us      -      0  sh
     0 ns      -     0 ns        1        1       0        -        -      -      0  old
     0 ns      -     0 ns        0        1       0        -        -      -      0  env
  of these, 2 processes still ran at the end: not their CPU time

From fork to exec
  count 2   p50 2.00 us   p90 4.00 us   p99 4.00 us   max 4.00 us

   1.02 us+ ████████████████████████████████████████ 1
   2.04 us+ ████████████████████████████████████████ 1

Most frequent commands, and their time from fork to exec
  COMMAND                EXECS       P50       P90       P99       MAX  1.02 us to 4.09 us
  ls                         2   2.00 us   2.00 us   2.00 us   2.00 us  █
  env                        1   4.00 us   4.00 us   4.00 us   4.00 us   █
  old                        1         -         -         -         -

Forked without exec: 1 ended, 1 may still exec
  sh 1

Run time
  count 3   p50 4.00 us   p90 8.00 us   p99 8.00 us   max 8.00 us

    512 ns+ ████████████████████████████████████████ 1
";
    assert_eq!(ran.out[..want.len().min(ran.out.len())], *want);
    let end = "
Failed (2)
  COMMAND                COUNT  STATUS
  ls                         1  2
  ls                         1  SIGSEGV

Ran longest
   RUN TIME      PID  STATUS     COMMAND
    13.9 us       50  running    old '-x y'
    8.00 us      101  SIGSEGV    ls
    4.00 us      100  2          ls
    1.00 us      102  0          sh
      10 ns      102  running    sh

Execs beyond a process' first: 1
First execs of processes whose fork is not in the capture: 1
";
    assert!(ran.out.ends_with(end), "{}", ran.out);
}

#[test]
fn the_basic_mode_says_what_it_does_not_tell() {
    let capture = [
        line("fork", 2, 1, "sh", 1_000),
        line("exec", 2, 0, "ls", 3_000),
        // A thread, whose exit has its process' id.
        line("fork", 3, 2, "ls", 4_000),
        line("exit", 2, 0, "ls", 5_000),
        line("exit", 2, 0, "ls", 6_000),
    ];
    let got = figures(&capture.concat());
    assert_eq!(got["view"], "basic");
    assert_eq!(got["fork_to_exec"]["max_ns"], 2000);
    assert_eq!(got["elapsed_ns"], 5000);
    for key in ["run_time", "failures", "longest", "threads"] {
        assert_eq!(got[key], Value::Null, "{key}");
    }
    let ran = replay(capture.concat().as_bytes(), &["--format", "summary"]);
    assert!(ran.out.contains("\nBasic mode does not tell threads from processes"), "{}", ran.out);
}

#[test]
fn a_clock_that_goes_backwards_is_no_latency() {
    let capture = line("fork", 2, 1, "sh", 5_000) + &line("exec", 2, 0, "ls", 3_000);
    let got = figures(&capture);
    assert_eq!((&got["fork_to_exec"]["count"], &got["backwards"]), (&json!(0), &json!(1)));
}

#[test]
fn losses_cannot_be_missed() {
    let end = end(true, 1234).replace("\"printed\":1", "\"printed\":0");
    let ran = replay((META.to_owned() + &end).as_bytes(), &["--format", "summary"]);
    assert_eq!(ran.out, "0 events of the wide mode in 2.00 s, 1,234 LOST and not counted below\n");
}

#[test]
fn a_capture_that_was_cut_off_is_not_complete() {
    let lost = "{\"event_type\":\"lost\",\"time\":\"2026-01-01T00:00:00.000000000Z\",\
                \"lost\":{\"fork\":7,\"exec\":0,\"exit\":0}}\n";
    let ran = replay((META.to_owned() + lost).as_bytes(), &["--format", "summary"]);
    let said = "0 events of the wide mode in 0 ns (not complete), 7 LOST and not counted below\n";
    assert_eq!(ran.out, said);
}

#[test]
fn memory_is_bounded_however_many_names_and_processes_there_are() {
    let mut summary = Summary::json(Ranking::default());
    let mut out = Vec::new();
    let event = |kind, pid, ns| Event {
        kind,
        pid,
        ppid: 1,
        comm: tuxscope::model::event::Comm::new(pid.to_string().as_bytes()),
        timestamp_ns: ns,
        wide: None,
    };
    for pid in 1..300_000 {
        summary.event(&event(EventKind::Fork, pid, u64::from(pid)), &mut out);
    }
    // Where there were 100,000, the older half was dropped; these were not.
    for pid in 290_000..291_000 {
        summary.event(&event(EventKind::Exec, pid, u64::from(pid) + 7), &mut out);
    }
    summary.end(&Totals::default(), &mut out);
    let got: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(got["fork_to_exec"]["count"], 1000);
    assert_eq!(got["dropped"], 200_000);
    let commands = got["commands"].as_array().unwrap();
    assert_eq!(
        (commands.len(), &commands[0]["comm"], &commands[0]["execs"]),
        (1, &Value::Null, &json!(1000))
    );
}

/// All times from a fork to its process' first exec, worked out again in another way.
fn latencies(events: &[Event]) -> Vec<u64> {
    struct Fork {
        at: u64,
        start_ns: u64,
    }
    // To two of /proc's ticks; 0 is unknown.
    let alike = |a: u64, b: u64| a == 0 || b == 0 || a.abs_diff(b) <= 20_000_000;
    let mut forks: HashMap<u32, Fork> = HashMap::new();
    let mut latencies = Vec::new();
    for event in events {
        let detail = event.wide.as_deref().map(|wide| (wide.start_ns, &wide.detail));
        match (event.kind, detail) {
            (_, Some((_, detail))) if detail.is_of_thread() => {}
            (EventKind::Fork, detail) => {
                // Of the basic mode, none has a start but the fork's time.
                let start_ns = detail.map_or(event.timestamp_ns, |(start_ns, _)| start_ns);
                forks.insert(event.pid, Fork { at: event.timestamp_ns, start_ns });
            }
            (EventKind::Exec, detail) => {
                let fork = forks.remove(&event.pid);
                let same =
                    |fork: &Fork| detail.is_none_or(|(start_ns, _)| alike(fork.start_ns, start_ns));
                if let Some(fork) = fork.filter(same) {
                    latencies.extend(event.timestamp_ns.checked_sub(fork.at));
                }
            }
            (EventKind::ExecFailed, _) => {}
            (EventKind::Exit, _) => _ = forks.remove(&event.pid),
        }
    }
    latencies
}

#[test]
fn failed_execs_are_counted_by_file_and_error() {
    let failed = |file: &str, errno: &str| {
        format!("\"filename\":\"{file}\",\"args\":[\"x\"],\"errno\":\"{errno}\",\"tried\":3")
    };
    let capture = [
        META.to_owned(),
        wide("exec_failed", 100, 10, "sh", 1_000, 990, &failed("/bin/no", "ENOENT")),
        wide("exec_failed", 101, 10, "sh", 2_000, 990, &failed("/bin/mine", "EACCES")),
        wide("exec_failed", 102, 10, "sh", 3_000, 990, &failed("/bin/no", "ENOENT")),
        "{\"event_type\":\"summary\",\"complete\":false,\"printed\":3,\"lost\":{\"fork\":0,\"exec\":0,\
         \"exit\":0,\"exec_failed\":2},\"elapsed_ns\":2000000000}\n"
            .to_owned(),
    ]
    .concat();
    let figures = figures(&capture);
    assert_eq!(figures["exec_failed"]["count"], 3);
    assert_eq!(figures["lost"]["exec_failed"], 2);
    let files = json!([
        { "filename": "/bin/no", "errno": "ENOENT", "count": 2 },
        { "filename": "/bin/mine", "errno": "EACCES", "count": 1 },
    ]);
    assert_eq!(figures["failed_execs"], files);
    let text = replay(capture.as_bytes(), &["--format", "summary"]).out;
    for line in [
        "2 LOST",
        "  and failed: 3 execs\n",
        "Execs that failed (3)\n",
        "  ENOENT         /bin/no\n",
    ] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
    let chosen =
        replay(capture.as_bytes(), &["--format", "json", "--failed", "-e", "exec_failed"]).out;
    assert_eq!(chosen.matches("\"event_type\":\"exec_failed\"").count(), 3, "{chosen}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..Default::default() })]

    #[test]
    fn no_order_of_events_gives_nonsense(events in events::disordered()) {
        let mut json = Summary::json(Ranking::default());
        let mut text = Summary::text(Style::default(), Ranking::default());
        let (mut out, mut page) = (Vec::new(), Vec::new());
        for event in &events {
            json.event(event, &mut out);
            text.event(event, &mut page);
        }
        json.end(&Totals::default(), &mut out);
        text.end(&Totals::default(), &mut page);
        prop_assert!(page.iter().all(|&byte| byte == b'\n' || (b' '..=b'~').contains(&byte)
            || byte >= 0x80));

        let got: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(&got["events"]["count"], events.len());
        let spread = &got["fork_to_exec"];
        let number = |key: &str| spread[key].as_u64().unwrap();
        let want = latencies(&events);
        prop_assert_eq!(number("count"), want.len() as u64);
        prop_assert_eq!(number("min_ns"), want.iter().copied().min().unwrap_or(0));
        prop_assert_eq!(number("max_ns"), want.iter().copied().max().unwrap_or(0));
        let order = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns"].map(number);
        prop_assert!(order.is_sorted(), "{:?}", order);
        let bins = spread["histogram"].as_array().unwrap();
        let binned: u64 = bins.iter().map(|bin| bin["count"].as_u64().unwrap()).sum();
        prop_assert_eq!(binned, want.len() as u64);
    }
}
