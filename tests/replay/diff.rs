// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope diff` against captures whose differences are known.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{META, Ran, end, finish, line, wide};

/// A process: name, CPU time and run time in ms, exit status.
type Plan = (&'static str, u64, u64, u8);

const BEFORE: [Plan; 4] =
    [("cc", 100, 120, 0), ("cc", 100, 120, 0), ("sed", 5, 6, 1), ("ld", 50, 60, 0)];

/// `make` runs these one after the other.
fn capture(plans: &[Plan], lost: u64) -> String {
    let mut lines = vec![META.to_owned()];
    let exec = |comm: &str, i: usize| {
        format!("\"filename\":\"/bin/{comm}\",\"args\":[\"{comm}\",\"/tmp/x{i}.c\",\"-O2\"]")
    };
    lines.push(wide("exec", 100, 9, "make", 2_000, 1_000, &exec("make", 0)));
    let mut ns = 10_000;
    for (i, &(comm, cpu_ms, run_ms, code)) in plans.iter().enumerate() {
        let (pid, begin) = (101 + i as u32, ns);
        let fork = "\"thread\":false,\"parent_tid\":100";
        lines.push(wide("fork", pid, 100, "make", begin, begin, fork));
        lines.push(wide("exec", pid, 100, comm, begin + 1, begin, &exec(comm, i)));
        ns += run_ms * 1_000_000;
        let exit = format!(
            "\"thread\":false,\"exit_code\":{code},\"duration_ns\":{},\"cpu_ns\":{},\
             \"max_rss_bytes\":{}",
            run_ms * 1_000_000,
            cpu_ms * 1_000_000,
            cpu_ms << 20
        );
        lines.push(wide("exit", pid, 100, comm, ns, begin, &exit));
    }
    let exit = format!(
        "\"thread\":false,\"exit_code\":0,\"duration_ns\":{},\"cpu_ns\":1000000",
        ns - 1_000
    );
    lines.push(wide("exit", 100, 9, "make", ns, 1_000, &exit));
    lines.push(end(lost == 0, lost));
    lines.concat()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn diff(options: &[&str], before: &[&Path], after: &[&Path]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tuxscope"));
    command.arg("diff").args(options).args(before);
    if before.len() + after.len() > 2 {
        command.arg("--");
    }
    command.args(after).env("LC_ALL", "C.UTF-8");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    finish(command.spawn().unwrap())
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out)
        .unwrap_or_else(|error| panic!("{error}: {} {}", ran.out, ran.err))
}

fn group<'a>(report: &'a Value, name: &str) -> &'a Value {
    let groups = report["groups"].as_array().unwrap();
    groups.iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))
}

#[test]
fn the_same_work_does_not_differ() {
    let files = Files::new();
    let one = files.write("one", &capture(&BEFORE, 0));
    let two = files.write("two", &capture(&BEFORE, 0));
    let ran = diff(&["--args"], &[&one], &[&two]);
    assert_eq!(ran.status, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("Nothing differs"), "{}", ran.out);
}

#[test]
fn a_files_name_steers_nothing() {
    let files = Files::new();
    let text = capture(&BEFORE, 0);
    let [one, two] = ["a\nb\x1b[2J", "\u{202e}c"].map(|name| files.write(name, &text));
    for (before, after) in [(&[&*one][..], &[&*two][..]), (&[&*one, &*two], &[&*two, &*one])] {
        let out = diff(&[], before, after).out;
        assert!(out.contains("/a\\x0ab\\x1b[2J") && out.contains("/\\u{202e}c"), "{out}");
        assert!(!out.contains(['\x1b', '\u{202e}']), "{out}");
        assert_eq!(out.lines().filter(|line| line.contains("[2J")).count(), before.len(), "{out}");
    }
}

#[test]
fn each_kind_of_change_is_found_and_measured() {
    let files = Files::new();
    let before = files.write("before", &capture(&BEFORE, 0));
    let changes: [(&[Plan], &str, &str, Value); 5] = [
        (
            &[("cc", 100, 120, 0), ("cc", 160, 190, 0), BEFORE[2], BEFORE[3]],
            "cc",
            "cpu_ns",
            json!({"before": 200_000_000, "after": 260_000_000, "changed": true}),
        ),
        (
            &[BEFORE[0], BEFORE[1], BEFORE[2], BEFORE[3], BEFORE[3]],
            "ld",
            "count",
            json!({"before": 1, "after": 2, "changed": true}),
        ),
        (
            &[BEFORE[0], ("cc", 100, 120, 1), BEFORE[2], BEFORE[3]],
            "cc",
            "failures",
            json!({"before": 0, "after": 1, "changed": true}),
        ),
        (
            &[BEFORE[0], BEFORE[1], BEFORE[2]],
            "ld",
            "count",
            json!({"before": 1, "after": 0, "changed": true}),
        ),
        (
            &[BEFORE[0], BEFORE[1], BEFORE[2], BEFORE[3], ("git", 1, 1, 0)],
            "git",
            "count",
            json!({"before": 0, "after": 1, "changed": true}),
        ),
    ];
    for (plans, name, figure, change) in changes {
        let after = files.write("after", &capture(plans, 0));
        let ran = diff(&["--format", "json"], &[&before], &[&after]);
        let report = report(&ran);
        assert_eq!(ran.status, 1, "{report}");
        assert_eq!(group(&report, name)[figure], change, "{report}");
        let changed = |group: &&Value| group["state"] != "alike" && group["name"] != "make";
        let names: Vec<_> = report["groups"].as_array().unwrap().iter().filter(changed).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let text = diff(&[], &[&before], &[&after]).out;
        assert!(text.contains(&format!("\n  {name} ")), "{text}");
    }
}

/// 5 % more, which is more than noise.
#[test]
fn the_threshold_is_for_times_and_sizes() {
    let files = Files::new();
    let before = files.write("before", &capture(&BEFORE, 0));
    let after = [("cc", 105, 126, 0), ("cc", 105, 126, 0), BEFORE[2], BEFORE[3]];
    let after = files.write("after", &capture(&after, 0));
    assert_eq!(diff(&[], &[&before], &[&after]).status, 0);
    assert_eq!(diff(&["--threshold", "4"], &[&before], &[&after]).status, 1);
    assert_eq!(diff(&["--threshold", "4x"], &[&before], &[&after]).status, 2);
}

/// One of the runs from before was as slow as those after.
#[test]
fn of_several_runs_a_change_exceeds_the_spread() {
    let files = Files::new();
    let run = |name: &str, cpu: u64| {
        let mut plans = BEFORE;
        (plans[0].1, plans[0].2) = (cpu, cpu + 20);
        files.write(name, &capture(&plans, 0))
    };
    let calm = [run("a", 100), run("b", 102), run("c", 101)];
    let wild = [run("d", 100), run("e", 150), run("f", 101)];
    let slow = [run("g", 140), run("h", 141), run("i", 139)];
    let paths = |files: &[PathBuf; 3]| files.clone();
    let of = |before: &[PathBuf; 3], after: &[PathBuf; 3]| {
        let (before, after) = (paths(before), paths(after));
        let before: Vec<&Path> = before.iter().map(PathBuf::as_path).collect();
        let after: Vec<&Path> = after.iter().map(PathBuf::as_path).collect();
        diff(&["--format", "json"], &before, &after)
    };
    let ran = of(&calm, &slow);
    assert_eq!(ran.status, 1);
    let cc = report(&ran)["groups"].clone();
    let cc = cc.as_array().unwrap().iter().find(|group| group["name"] == "cc").unwrap().clone();
    assert_eq!(cc["cpu_ns"], json!({"before": 201_000_000, "after": 240_000_000, "changed": true}));
    assert_eq!(of(&wild, &slow).status, 0, "within the spread");
    assert_eq!(of(&calm, &calm).status, 0);
}

#[test]
fn command_lines_that_one_side_alone_has_are_named() {
    let files = Files::new();
    let text = capture(&BEFORE, 0);
    let before = files.write("before", &text);
    let after =
        files.write("after", &text.replacen("-O2", "-O3", 2).replace("/tmp/x1.c", "/tmp/ccA7.c"));
    let ran = diff(&["--format", "json", "--args"], &[&before], &[&after]);
    let report = report(&ran);
    let one = |line: &str| json!({ "command_line": line, "count": 1 });
    let new = json!([one("cc /tmp/*.c -O3"), one("make /tmp/*.c -O3")]);
    assert_eq!(report["execs"]["new"], new);
    assert_eq!(report["execs"]["gone"], json!([one("make /tmp/*.c -O2")]));
    assert_eq!(diff(&[], &[&before], &[&after]).status, 0, "not asked for");
}

#[test]
fn what_the_end_waited_for_is_compared() {
    let files = Files::new();
    let before = files.write("before", &capture(&BEFORE, 0));
    let after = [BEFORE[0], BEFORE[1], BEFORE[2], ("ld", 50, 460, 0)];
    let after = files.write("after", &capture(&after, 0));
    let report = report(&diff(&["--format", "json"], &[&before], &[&after]));
    let waited = &report["chain"][0];
    assert_eq!(waited["command"], "ld");
    let [was, is] = ["before_ns", "after_ns"].map(|key| waited[key].as_u64().unwrap());
    assert_eq!((was / 1_000_000, is / 1_000_000), (60, 460));
}

/// A loss may hide a difference: alike can't be said then.
#[test]
fn trouble_has_a_status_of_its_own() {
    let files = Files::new();
    let whole = files.write("whole", &capture(&BEFORE, 0));
    let lossy = files.write("lossy", &capture(&BEFORE, 3));
    let ran = diff(&[], &[&whole], &[&lossy]);
    assert_eq!(ran.status, 2, "{}", ran.out);
    assert!(ran.out.contains("events are missing"), "{}", ran.out);
    assert!(!ran.out.contains("Nothing differs"), "{}", ran.out);
    let cut =
        files.write("cut", capture(&BEFORE, 0).rsplit_once("{\"event_type\":\"summary").unwrap().0);
    assert_eq!(diff(&[], &[&whole], &[&cut]).status, 2);
    let basic = files.write("basic", &line("exit", 7, 0, "sh", 5));
    let ran = diff(&[], &[&whole], &[&basic]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("basic mode") && ran.err.contains("--wide"), "{}", ran.err);
    let costless = capture(&BEFORE, 0).replace(",\"cpu_ns\":50000000", "");
    let costless = files.write("costless", &costless);
    for (before, after) in [(&whole, &costless), (&costless, &costless)] {
        let ran = diff(&[], &[before], &[after]);
        assert_eq!(ran.status, 2, "{}", ran.out);
        assert!(ran.out.contains("ld: CPU time not compared"), "{}", ran.out);
        assert!(!ran.out.contains("Nothing differs"), "{}", ran.out);
    }
    let empty = files.write("empty", "");
    assert_eq!(diff(&[], &[&empty], &[&empty]).status, 2, "nothing is no proof");
    // What differs may be nothing but what is missing, and is shown all the same.
    let less = capture(&BEFORE, 0);
    let (less, _) = less.rsplit_once("{\"pid\"").unwrap();
    let less = files.write("less", less);
    let meta = files.write("meta", META);
    let damaged = files.write("damaged", &capture(&BEFORE, 0).replacen("{\"pid\"", "{\"pi", 3));
    for (other, shows) in [(&empty, false), (&less, true), (&meta, true), (&damaged, true)] {
        let ran = diff(&[], &[&whole], &[other]);
        assert_eq!(ran.status, 2, "{}{}", ran.out, ran.err);
        assert!(!shows || ran.out.contains("gone") || ran.out.contains("ld"), "{}", ran.out);
    }
    let twice = diff(&[], &[Path::new("-")], &[Path::new("-")]);
    assert_eq!(twice.status, 2);
    assert!(twice.err.contains("only once"), "{}", twice.err);
    // One that still ran at the end.
    let begun =
        wide("fork", 999, 100, "make", 11_000, 11_000, "\"thread\":false,\"parent_tid\":100");
    let text = capture(&BEFORE, 0);
    let (head, tail) = text.split_once("{\"event_type\":\"summary").unwrap();
    let unended = [head, &begun, "{\"event_type\":\"summary", tail].concat();
    let unended = files.write("unended", &unended);
    let ran = diff(&[], &[&unended], &[&unended]);
    assert_eq!(ran.status, 2, "{}", ran.out);
    assert!(ran.out.contains("make: CPU time not compared"), "{}", ran.out);
    let chosen = capture(&BEFORE, 0).replace("\"filters\":[]", "\"filters\":[\"--failed\"]");
    let ran = diff(&[], &[&whole], &[&files.write("chosen", &chosen)]);
    assert!(ran.status == 2 && ran.err.contains("different options"), "{}", ran.err);
    let quiet = capture(&BEFORE, 0).replace("\"filters\":[]", "\"filters\":[],\"no_args\":true");
    let ran = diff(&["--args"], &[&whole], &[&files.write("quiet", &quiet)]);
    assert!(ran.status == 2 && ran.err.contains("--no-args"), "{}", ran.err);
    let ran = diff(&[], &[&whole], &[Path::new("/nonexistent")]);
    assert_eq!(ran.status, 2, "{}", ran.err);
    let ran = diff(&[], &[&whole, &whole, &whole], &[]);
    assert_eq!(ran.status, 2, "which are from after?");
}
