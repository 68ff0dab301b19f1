// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures that don't fit together by themselves: of hosts that booted at different times, of a host
//! before and after a restart, joined in one file or out of order.

use serde_json::Value;

use crate::captures::{FORK, at, events, exit, meta, process, run, summary, write};
use crate::program::replay;

const S: u64 = 1_000_000_000;

fn figures(args: &[&str]) -> Vec<Value> {
    let ran = run(&[&["--format", "summary-json"], args].concat());
    assert_eq!(ran.status, 0, "{}", ran.err);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each event names its host and its boot, as with `--host-fields`.
fn named(text: &str, host: &str) -> String {
    let names = format!(",\"host\":\"{host}\",\"boot_id\":\"boot-{host}\"}}");
    let name = |line: &str| match line.strip_suffix('}') {
        Some(event) if line.contains("\"pid\":") => format!("{event}{names}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(name).collect()
}

/// A process ends a minute after the beginning of 2026 that had begun before another host booted.
#[test]
fn what_was_before_the_first_host_booted_counts() {
    let dir = tempfile::tempdir().unwrap();
    let two = |host: &str, boot_s: i64, first: u64, last: u64, cpu_ns: u64| {
        let [from, to] = [first * S, last * S];
        let began_ns = from.checked_add_signed(boot_s * S as i64).unwrap();
        let end = at(boot_s, to, "exit", 7, from, &exit(to - from, cpu_ns, 0));
        meta(host, boot_s, began_ns) + &end + &summary(1)
    };
    let old = two("old", 1_000, 1, 60, 30 * S);
    let new = two("new", -50, 51, 59, 1_000);
    let [old_file, new_file] =
        [("o", &old), ("n", &new)].map(|(name, text)| write(&dir, name, text));
    let joined = write(&dir, "j", &(named(&new, "new") + &named(&old, "old")));
    let alone = &figures(&[&old_file])[0];
    assert_eq!(alone["longest"][0]["run_time_ns"], 59 * S);
    for files in [&[&*new_file, &old_file][..], &[&old_file, &new_file], &[&joined]] {
        let both = &figures(files)[0];
        assert_eq!(both["longest"][0]["run_time_ns"], 59 * S, "{files:?}");
        let used = |figures: &Value| -> f64 {
            let busy = figures["cpu"]["busy"].as_array().unwrap();
            busy.iter().map(|cpus| cpus.as_f64().unwrap()).sum::<f64>()
                * figures["cpu"]["span_ns"].as_f64().unwrap()
        };
        let part = used(both) / used(alone);
        // Which of those that were joined began first isn't known when the first one begins.
        let least = if files.len() == 1 { 0.1 } else { 0.9 };
        assert!((least..1.1).contains(&part), "{files:?}: {part}");
        let periods = figures(&[&["--every", "1h"], files].concat());
        assert_eq!(periods[0]["time"].as_str().unwrap()[..10], *"2026-01-01", "{periods:?}");
        let folded = run(&[&["--format", "folded", "--weight", "duration"], files].concat()).out;
        let sum: u64 =
            folded.lines().map(|l| l.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert!(sum == 67 * S || files.len() == 1 && sum < 67 * S, "{folded}");
    }
}

/// A host where nothing happened, and one that had booted later or long before.
#[test]
fn a_quiet_host_leaves_the_others_periods_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let lines = (0..4_u64).map(|minute| {
        let from = (minute * 60 + 30) * S;
        process(500, from, from + S, 7, 1_000, 0).concat()
    });
    let busy = meta("busy", 500, 500 * S) + &lines.collect::<String>() + &summary(8);
    let busy = write(&dir, "busy", &busy);
    let alone: Vec<Value> =
        figures(&["--every", "1m", &busy]).into_iter().map(|p| p["time"].clone()).collect();
    assert_eq!(alone.len(), 4);
    for boot_s in [500_000, 0] {
        let quiet = meta("quiet", boot_s, boot_s as u64 * S + 10 * S) + &summary(0);
        let quiet = write(&dir, "quiet", &quiet);
        for files in [[&*busy, &quiet], [&quiet, &busy]] {
            let periods = figures(&[&["--every", "1m"], &files[..]].concat());
            let times: Vec<Value> = periods.iter().map(|period| period["time"].clone()).collect();
            assert_eq!(times, alone, "{boot_s}");
            assert!(periods.iter().all(|period| period["fork"]["count"] == 1), "{periods:?}");
        }
    }
}

/// Captures joined in whatever order: all that lies in the time is shown.
#[test]
fn a_time_is_looked_for_in_all_captures_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let capture = |host: &str, first: u64| {
        let lines = (0..10_u64).map(|i| {
            let from = (first + i * 60) * S;
            process(5, from, from + S, 7, 1_000, 0).concat()
        });
        meta(host, 5, (5 + first) * S) + &lines.collect::<String>() + &summary(20)
    };
    let until = ["--format", "json", "--until", "2026-01-01T00:01:30Z"];
    for hosts in [["a", "b"], ["a", "a"]] {
        for named_too in [false, true] {
            let text = hosts.map(|host| match named_too {
                true => named(&capture(host, 0), host),
                false => capture(host, 0),
            });
            let path = write(&dir, "both", &text.concat());
            let ran = run(&[&until[..], &[&path]].concat());
            assert_eq!(events(&ran).len(), 8, "{hosts:?} {named_too}: {}", ran.err);
        }
    }
    // The later one first, whose end then is not what was left.
    let path = write(&dir, "both", &(capture("a", 36_000) + &capture("a", 0)));
    let ran = run(&[&until[..], &[&path]].concat());
    assert_eq!(events(&ran).len(), 4, "{}", ran.err);
    // A receiver's files: a host's lines came late, the other's in time.
    let since = ["--format", "json", "--since", "2026-01-01T00:08:30Z"];
    let first = named(&capture("b", 0), "b");
    let second = named(&capture("a", 0), "a");
    let [older, newer] =
        [("r.1", first), ("r", second)].map(|(name, text)| write(&dir, name, &text));
    let ran = run(&[&since[..], &[&newer, &older]].concat());
    let of = |host: &str| events(&ran).iter().filter(|event| event["host"] == host).count();
    assert_eq!([of("a"), of("b")], [2, 2], "{}", ran.err);
}

/// A service goes on with its file after a restart of the machine, where ids and clocks begin anew.
#[test]
fn what_was_before_and_after_a_restart_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let alive = at(90_000, S, "fork", 7, S, FORK);
    let before = meta("a", 90_000, 90_000 * S) + &alive;
    let [fork, exit] = process(-3_600, 3_700 * S, 3_760 * S, 7, 1_000, 0);
    let after = meta("a", -3_600, 50 * S).replace("boot-a", "boot-z") + &fork + &exit + &summary(2);
    let path = write(&dir, "e", &(before + &after));
    for format in ["tree", "timeline", "html", "path", "perfetto", "otlp", "explain"] {
        let ran = run(&["--format", format, &path]);
        assert_eq!(ran.status, 2, "{format}: {}", ran.err);
        let time = "2026-01-01T01:01:40.000000000Z";
        let remedy = format!("choose with --until {time} or --since {time}");
        assert!(ran.err.contains("two boots") && ran.err.contains(&remedy), "{}", ran.err);
        for (option, shown) in [("--until", 1), ("--since", 2)] {
            let ran = run(&["--format", format, option, time, &path]);
            assert_eq!(ran.status, 0, "{format} {option}: {}", ran.err);
            let ran = run(&["--format", "json", option, time, &path]);
            assert_eq!(events(&ran).len(), shown, "{option}");
        }
    }
    // What is shown has the clock of its own boot.
    let ran = run(&["--format", "otlp", "--since", "2026-01-01T01:01:40Z", &path]);
    let began = 1_767_225_600 + 3_700;
    assert!(ran.out.contains(&format!("\"startTimeUnixNano\":\"{began}")), "{}", ran.out);
    assert!(ran.out.contains("boot-z") && !ran.out.contains("boot-a"), "{}", ran.out);
    // What is printed as lines is told apart by them.
    let ran = run(&["--format", "json", &path]);
    let boots: Vec<Value> = events(&ran).iter().map(|event| event["boot_id"].clone()).collect();
    assert_eq!(boots, [Value::Null, "boot-z".into(), "boot-z".into()]);
    let again = replay(ran.out.as_bytes(), &["--format", "summary-json"]);
    let again: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(again["longest"][1]["run_time_ns"], 60 * S, "{again}");
    assert_eq!(figures(&[&path])[0]["longest"], again["longest"]);
}

#[test]
fn events_of_two_hosts_in_a_file_name_them() {
    let dir = tempfile::tempdir().unwrap();
    let capture = |host: &str| {
        meta(host, 5, 5 * S) + &process(5, S, 2 * S, 7, 1_000, 0).concat() + &summary(2)
    };
    let path = write(&dir, "two", &(capture("a") + &capture("b")));
    let ran = run(&["--format", "json", &path]);
    let hosts: Vec<Value> = events(&ran).iter().map(|event| event["host"].clone()).collect();
    assert_eq!(
        hosts,
        [Value::Null, Value::Null, "b".into(), "b".into()],
        "the first is the output's"
    );
    let ran = run(&["--columns", "host,pid", &path]);
    let hosts: Vec<&str> =
        ran.out.lines().skip(1).map(|row| row.split(' ').next().unwrap()).collect();
    assert_eq!(hosts, ["a", "a", "b", "b"]);
    // One that has no name is not what can be chosen.
    let nameless = capture("").replace(",\"host\":\"\"", "");
    let path = write(&dir, "two", &(nameless + &capture("b")));
    let ran = run(&["--format", "tree", &path]);
    assert!(ran.err.contains("choose with --host b\n"), "{}", ran.err);
}

/// Where nothing was captured for an hour, and with losses of several captures.
#[test]
fn periods_have_the_length_and_the_losses_of_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let capture = |host: &str, first: u64, lost: [u64; 2]| {
        let lines = [0, 1].map(|minute| {
            let from = (first + minute * 60 + 10) * S;
            let time = format!("2026-01-01T{:02}:{:02}:30Z", first / 3_600, first / 60 % 60 + minute);
            let lost = format!(
                "{{\"event_type\":\"lost\",\"time\":\"{time}\",\"lost\":{{\"fork\":{},\"exec\":0,\"exit\":0}}}}\n",
                lost[minute as usize]
            );
            process(5, from, from + 10 * S, 7, 1_000, 0).concat() + &lost
        });
        let end = summary(4).replace("\"fork\":0", &format!("\"fork\":{}", lost[1]));
        meta(host, 5, (5 + first) * S) + &lines.concat() + &end
    };
    let told = |args: &[&str]| -> Vec<(u64, u64)> {
        let periods = figures(&[&["--every", "1m"], args].concat());
        let number = |value: &Value| value.as_u64().unwrap();
        periods.iter().map(|p| (number(&p["lost"]["fork"]), number(&p["elapsed_ns"]))).collect()
    };
    let [one, other] = [("one", "a", [10, 13]), ("other", "b", [1, 5])]
        .map(|(name, host, lost)| write(&dir, name, &capture(host, 0, lost)));
    let of = |told: Vec<(u64, u64)>| told.into_iter().map(|(lost, _)| lost).collect::<Vec<_>>();
    assert_eq!(of(told(&[&one])), [10, 3]);
    assert_eq!(of(told(&[&one, &other])), [11, 7]);
    let path = write(&dir, "joined", &(capture("a", 0, [10, 13]) + &capture("a", 3_600, [1, 5])));
    let joined = told(&[&path]);
    assert_eq!(of(joined.clone()), [10, 3, 1, 4]);
    assert_eq!(joined[3].1, 20 * S, "until its last event");
}

/// What was lost or damaged later is none of a time that is over by then.
#[test]
fn what_is_behind_the_wanted_time_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let lines = process(5, S, 22 * S, 7, 1_000, 0).concat()
        + &process(5, 3_600 * S, 3_601 * S, 8, 1_000, 0).concat();
    let lost = "{\"event_type\":\"lost\",\"time\":\"2026-01-01T01:00:01Z\",\"lost\":{\"fork\":77,\"exec\":0,\"exit\":0}}\n";
    let until = ["--strict", "--until", "2026-01-01T00:00:30Z"];
    let ends = [
        lost.to_owned() + &summary(4).replace("\"fork\":0", "\"fork\":99"),
        "{\"pid\":9,\"pp".to_owned(),
    ];
    for end in ends {
        let text = meta("a", 5, 5 * S) + &lines + &end;
        let path = write(&dir, "e", &text);
        let ran = run(&[&["--format", "json"], &until[..], &[&path]].concat());
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{end}");
        assert_eq!(events(&ran).len(), 2);
        let piped = replay(text.as_bytes(), &[&["--format", "json"], &until[..]].concat());
        assert_eq!((piped.status, piped.out), (0, ran.out), "{}", piped.err);
    }
}

/// A receiver's file has no order: what another host lost in time comes behind one's late lines.
#[test]
fn what_one_host_tells_too_late_is_no_end_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let early = |pid| at(5, S, "fork", pid, S, FORK);
    let late = at(5, 3_600 * S, "fork", 8, 3_600 * S, FORK);
    let lost = "{\"event_type\":\"lost\",\"time\":\"2026-01-01T00:00:02Z\",\"lost\":{\"fork\":77,\"exec\":0,\"exit\":0}}\n";
    let text = named(&(early(7) + &late), "a") + &named(&early(9), "b") + lost;
    let path = write(&dir, "r", &text);
    let ran = run(&["--format", "json", "--until", "2026-01-01T00:00:30Z", &path]);
    assert_eq!(events(&ran).len(), 2);
    assert!(ran.err.contains("77 events lost"), "{}", ran.err);
}

/// A file of several megabytes, in which another capture begins behind what could be passed over.
#[test]
fn a_capture_is_not_passed_over_with_the_one_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let pad = "x".repeat(1_000);
    let capture = |boot_s: i64, first: u64| {
        let lines = (0..2_000_u64).map(|i| {
            let more = format!("\"filename\":\"/bin/x\",\"args\":[\"{pad}\"]");
            at(boot_s, (first + i) * S, "exec", 7, first * S, &more)
        });
        meta("a", boot_s, (first * S).checked_add_signed(boot_s * S as i64).unwrap())
            + &lines.collect::<String>()
    };
    // In the order of time, after a restart; and in the other one.
    let restarted = capture(50_000, 0) + &capture(-2_500, 3_000).replace("boot-a", "boot-z");
    let path = write(&dir, "e", &restarted);
    let ran = run(&["--format", "json", "--since", "2026-01-01T01:20:00Z", &path]);
    let boots: Vec<Value> = events(&ran).iter().map(|event| event["boot_id"].clone()).collect();
    assert_eq!(boots, vec![Value::from("boot-z"); 200], "{}", ran.err);
    let path = write(&dir, "e", &(capture(5, 36_000) + &capture(5, 0)));
    let ran = run(&["--format", "json", "--since", "2026-01-01T10:30:00Z", &path]);
    assert_eq!(events(&ran).len(), 200, "{}", ran.err);
}
