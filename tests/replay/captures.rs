// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many files at once: what was rotated is one capture, what is of several hosts is merged by time,
//! and what overlaps, is missing or damaged is said.

use std::fs;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, end, finish, replay, spawn, wide};

/// Of a host that had run for so many seconds when 2026 began.
pub fn meta(host: &str, boot_s: i64, began_ns: u64) -> String {
    let offset_ns = 1_767_225_600_000_000_000 - boot_s * 1_000_000_000;
    format!(
        "{{\"event_type\":\"meta\",\"tool\":\"tuxscope\",\"version\":\"0.1.0\",\"schema\":1,\"kernel\":\"6.1\",\
         \"host\":\"{host}\",\"boot_id\":\"boot-{host}\",\"filters\":[],\"clock_offset_ns\":{offset_ns},\
         \"timestamp_ns\":{began_ns},\"cpus\":2}}\n"
    )
}

/// A line of such a host, so long after the beginning of 2026.
pub fn at(boot_s: i64, wall_ns: u64, kind: &str, pid: u32, start_ns: u64, more: &str) -> String {
    let [ns, start_ns] =
        [wall_ns, start_ns].map(|ns| ns.checked_add_signed(boot_s * 1_000_000_000).unwrap());
    let line = wide(kind, pid, 1, "sh", ns, start_ns, more);
    let (head, rest) = line.split_once(",\"time\":\"").unwrap();
    let (_, rest) = rest.split_once('"').unwrap();
    let (s, ns) = (wall_ns / 1_000_000_000, wall_ns % 1_000_000_000);
    let (h, m, s) = (s / 3_600, s / 60 % 60, s % 60);
    format!("{head},\"time\":\"2026-01-01T{h:02}:{m:02}:{s:02}.{ns:09}Z\"{rest}")
}

pub const FORK: &str = "\"thread\":false,\"parent_tid\":1";

pub fn exit(duration_ns: u64, cpu_ns: u64, code: u32) -> String {
    format!(
        "\"thread\":false,\"exit_code\":{code},\"duration_ns\":{duration_ns},\"cpu_ns\":{cpu_ns}"
    )
}

/// A process of a host: its two lines.
pub fn process(
    boot_s: i64,
    from_ns: u64,
    to_ns: u64,
    pid: u32,
    cpu_ns: u64,
    code: u32,
) -> [String; 2] {
    [
        at(boot_s, from_ns, "fork", pid, from_ns, FORK),
        at(boot_s, to_ns, "exit", pid, from_ns, &exit(to_ns - from_ns, cpu_ns, code)),
    ]
}

pub fn summary(printed: usize) -> String {
    end(true, 0).replace("\"printed\":1", &format!("\"printed\":{printed}"))
}

pub fn write(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn run(args: &[&str]) -> Ran {
    finish(spawn(args))
}

pub fn events(ran: &Ran) -> Vec<Value> {
    let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("pid").is_some()).collect()
}

fn said(ran: &Ran, dir: &TempDir) -> String {
    ran.err.replace(&format!("{}/", dir.path().display()), "")
}

/// Three hosts with the same process ids at the same times, booted at different ones.
fn fleet(dir: &TempDir) -> Vec<String> {
    let hosts = [("a", 0), ("b", 1_000), ("c", 77)];
    let write = |(n, &(host, boot_s)): (usize, &(&str, i64))| {
        let mut lines = meta(host, boot_s, boot_s as u64 * 1_000_000_000);
        for i in 0..20_u64 {
            let from = 1_000_000 * (i + 1) + n as u64;
            let two = process(
                boot_s,
                from,
                from + 500_000,
                500 + i as u32 % 3,
                1_000 * (n as u64 + 1),
                n as u32,
            );
            lines += &two.concat();
        }
        write(dir, host, &(lines + &summary(40)))
    };
    hosts.iter().enumerate().map(write).collect()
}

#[test]
fn hosts_are_merged_by_time_and_each_line_names_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let files = fleet(&dir);
    let ran = run(&["--format", "json", &files[2], &files[0], &files[1], "--strict"]);
    assert_eq!((ran.status, said(&ran, &dir).as_str()), (0, ""));
    let events = events(&ran);
    assert_eq!(events.len(), 120);
    assert!(events.is_sorted_by_key(|event| event["time"].as_str().unwrap().to_owned()));
    for event in &events {
        let code = ["a", "b", "c"].iter().position(|&host| event["host"] == host).unwrap();
        if event["event_type"] == "exit" {
            assert_eq!(event["exit_code"], code as u64);
        }
        assert_eq!(event["boot_id"], format!("boot-{}", event["host"].as_str().unwrap()));
    }
    // What it prints can be replayed, and means the same.
    let again = replay(ran.out.as_bytes(), &["--format", "json"]);
    assert_eq!((again.out, again.err), (ran.out, String::new()));
}

#[test]
fn the_sums_over_hosts_are_the_sums_of_the_hosts() {
    let dir = tempfile::tempdir().unwrap();
    let files = fleet(&dir);
    let figures = |files: &[&str]| -> Value {
        let ran = run(&[&["--format", "summary-json"], files].concat());
        assert_eq!((ran.status, ran.err.as_str()), (0, ""));
        serde_json::from_str(&ran.out).unwrap()
    };
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let each: Vec<Value> = names.iter().map(|name| figures(&[name])).collect();
    let all = figures(&names);
    for key in ["/fork/count", "/exit/count", "/cpu/used_ns", "/cpu/unknown", "/run_time/count"] {
        let sum: u64 = each.iter().map(|one| one.pointer(key).unwrap().as_u64().unwrap()).sum();
        assert_eq!(all.pointer(key).unwrap(), sum, "{key}: {all}");
    }
    let failed = |one: &Value| one["groups"][0]["failures"].as_u64().unwrap();
    assert_eq!(failed(&all), each.iter().map(failed).sum::<u64>());
    assert_eq!(all["run_time"]["max_ns"], 500_000);
    assert_eq!(all["cpu"]["most_at_once"], 3);
    assert_eq!(all["cpu"]["share"], Value::Null);
    // Whoever ran longest has the id that it has on its host.
    let longest = all["longest"].as_array().unwrap();
    assert!(longest.iter().all(|one| (500..503).contains(&one["pid"].as_u64().unwrap())), "{all}");
}

#[test]
fn a_host_can_be_chosen_and_one_is_all_that_a_tree_shows() {
    let dir = tempfile::tempdir().unwrap();
    let files = fleet(&dir);
    let ran = run(&["--format", "tree", &files[0], &files[1]]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.err.contains("several hosts (a, b)") && ran.err.contains("--host a"),
        "{}",
        ran.err
    );
    let ran = run(&["--format", "json", "--host", "b", &files[0], &files[1]]);
    assert_eq!(events(&ran).len(), 40);
    assert!(events(&ran).iter().all(|event| event["host"] == "b"));
    let of = |files: &[&str]| run(&[&["--format", "tree", "--host", "b"], files].concat());
    assert_eq!(of(&[&files[0], &files[1]]).out, of(&[&files[1]]).out);
    let ran = run(&["--columns", "host,pid", &files[0], &files[1]]);
    assert!(ran.out.lines().any(|line| line.starts_with("b ")), "{}", ran.out);
}

/// 2,000 processes of one host, each 100 us after the other: their lines, without the first and the last.
fn long() -> Vec<String> {
    (0..2_000)
        .flat_map(|i| {
            process(5, 1_000_000 + i * 100_000, 1_050_000 + i * 100_000, 100 + i as u32, 7, 0)
        })
        .collect()
}

/// A capture that was rotated: as names and texts, the oldest first.
fn rotated() -> Vec<(&'static str, String)> {
    let lines = long();
    let head = meta("h", 5, 5_000_000_000);
    let part = |n: usize| head.clone() + &lines[n * 1_000..(n + 1) * 1_000].concat();
    vec![
        ("e.jsonl.3", part(0)),
        ("e.jsonl.2", part(1)),
        ("e.jsonl.1", part(2)),
        ("e.jsonl", part(3) + &summary(4_000)),
    ]
}

fn zstd(path: &Path) {
    assert!(Command::new("zstd").args(["-q", "--rm"]).arg(path).status().unwrap().success());
}

#[test]
fn the_files_of_a_directory_are_one_capture_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in rotated() {
        write(&dir, name, &text);
    }
    zstd(&dir.path().join("e.jsonl.2"));
    let path = dir.path().to_str().unwrap();
    let ran = run(&["--format", "json", "--strict", path]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let pids: Vec<u64> = events(&ran).iter().map(|event| event["pid"].as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 4_000);
    assert!(pids.is_sorted());
    // One that is gone is missed.
    fs::remove_file(dir.path().join("e.jsonl.2.zst")).unwrap();
    let ran = run(&["--format", "none", "--strict", path]);
    assert_eq!(
        (ran.status, said(&ran, &dir).as_str()),
        (
            3,
            "tuxscope: files are missing between e.jsonl.3 and e.jsonl.1\n\
             tuxscope: e.jsonl: the capture is not complete: 1000 of its 4000 events are missing (the rest of a \
             file, or one of several)\n"
        )
    );
}

#[test]
fn a_damaged_file_in_the_middle_costs_itself_only() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in rotated() {
        write(&dir, name, &text);
    }
    let path = dir.path().join("e.jsonl.2");
    zstd(&path);
    let path = path.with_extension("2.zst");
    let bytes = fs::read(&path).unwrap();
    // Cut near its end, or with wrong bytes near its begin.
    fs::write(&path, &bytes[..bytes.len() - 50]).unwrap();
    let dir_path = dir.path().to_str().unwrap();
    let ran = run(&["--format", "json", dir_path]);
    let number = |ran: &Ran| events(ran).len();
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!((3_000..4_000).contains(&number(&ran)), "{}", number(&ran));
    let text = said(&ran, &dir);
    assert!(
        text.contains("tuxscope: e.jsonl.2.zst:") && text.contains("is cut off here"),
        "{text}"
    );
    fs::write(&path, [&bytes[..9], b"nonsense", &bytes[17..]].concat()).unwrap();
    let ran = run(&["--format", "json", dir_path]);
    assert_eq!((ran.status, number(&ran)), (1, 3_000), "{}", ran.err);
    assert!(said(&ran, &dir).contains("can't read the rest of e.jsonl.2.zst: "), "{}", ran.err);
}

#[test]
fn what_overlaps_and_what_lies_between_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let lines = long();
    let (one, other) = (meta("h", 5, 5_000_000_000), meta("h", 5, 5_120_000_000));
    let first = write(&dir, "first", &(one.clone() + &lines[..2_000].concat()));
    let second = write(&dir, "second", &(other + &lines[2_600..].concat()));
    let ran = run(&["--format", "none", &second, &first]);
    let text = said(&ran, &dir);
    // The last of the first 1,000 processes ended 100.95 ms after the host's 5 s, the second capture began after 120.
    assert!(
        text.contains("second:1: a capture begins; nothing was captured for 19.0 ms before it\n"),
        "{text}"
    );
    assert!(!text.contains("same time"), "{text}");
    let overlapping = write(&dir, "third", &(one + &lines[1_000..3_000].concat()));
    let text = said(&run(&["--format", "none", &first, &overlapping]), &dir);
    assert!(text.contains("tells of the same time on the same host"), "{text}");
    assert_eq!(text.matches("same time").count(), 2, "each of them, once: {text}");
}

#[test]
fn what_follows_another_hosts_capture_in_a_file_is_no_gap() {
    let text =
        [meta("a", 5, 5_000_000_000), long()[..10].concat(), meta("b", 5, 9_000_000_000)].concat();
    let ran = replay(text.as_bytes(), &["--format", "none"]);
    assert!(
        ran.err.contains(":12: another capture begins here; both are shown as one\n"),
        "{}",
        ran.err
    );
}

#[test]
fn more_files_than_the_soft_limit_can_be_merged_but_none_beyond_the_hard_one() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..100_u64 {
        let (host, from) = (format!("host{i}"), 1_000_000 * i);
        let text = meta(&host, i as i64, 1)
            + &process(i as i64, from, from + 500, 9, 7, 0).concat()
            + &summary(2);
        write(&dir, &format!("h{i}x"), &text);
    }
    let replay_within = |limit: &str| {
        let (program, dir) = (env!("CARGO_BIN_EXE_tuxscope"), dir.path().display());
        let line = format!("{limit}; exec {program} replay --format json --strict {dir}");
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), out, err)
    };
    let (status, out, err) = replay_within("ulimit -Sn 50");
    assert_eq!(status, Some(0), "{err}");
    assert_eq!(out.matches("\"event_type\":\"exit\"").count(), 100);
    let (status, out, err) = replay_within("ulimit -n 50");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.contains("x: too many files are open\n"), "{err}");
    assert!(err.ends_with("raise the limit (ulimit -n) or give fewer\n"), "{err}");
}

#[test]
fn a_file_is_named_once_and_an_output_is_no_input() {
    let dir = tempfile::tempdir().unwrap();
    let files = fleet(&dir);
    let ran = run(&[&files[0], &files[1], &files[0]]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("is named twice"), "{}", ran.err);
    let ran = run(&["--format", "json", "-o", &files[1], &files[0], &files[1]]);
    assert_eq!(ran.status, 1);
    assert!(ran.err.contains("is also the output"), "{}", ran.err);
}

/// 20 bytes of arguments make it a file of several megabytes.
fn big() -> (String, Vec<String>) {
    let pad = "x".repeat(1_000);
    let lines = (0..6_000_u64).map(|i| {
        let ns = 1_000_000 * (i * 100 + 1);
        let more = format!("\"filename\":\"/bin/x\",\"args\":[\"{pad}\"]");
        at(5, ns, "exec", 100 + i as u32, 1_000, &more)
    });
    (meta("h", 5, 5_000_000_000), lines.collect())
}

#[test]
fn what_is_too_early_is_passed_over_but_lines_keep_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let (head, lines) = big();
    // Near the end a line is broken, and one far in front that nobody comes to.
    let (mut front, mut back) = (lines[..5_900].to_vec(), lines[5_900..].to_vec());
    front[10] = "nonsense\n".to_owned();
    back[50] = "nonsense\n".to_owned();
    let text = [head, front.concat(), back.concat(), summary(6_000)].concat();
    let path = write(&dir, "e", &text);
    // 590 s are 5,900 events; the search leaves a minute for a clock that was set.
    let since = ["--since", "2026-01-01T00:09:50Z"];
    let ran = run(&[&["--format", "json"], &since[..], &[&path]].concat());
    assert_eq!(events(&ran).len(), 99);
    assert_eq!(said(&ran, &dir), "tuxscope: e:5952: not a JSON object\n");
    let all = run(&["--format", "json", "--since", "2026-01-01T00:00:00Z", &path]);
    assert_eq!(events(&all).len(), 5_998);
    // Compressed, or followed, it is read from its beginning.
    let follow = ["--pid", "6060", "--follow"];
    let ran = run(&[&["--format", "json"], &since[..], &follow, &[&path]].concat());
    assert_eq!(events(&ran).len(), 1);
    assert!(said(&ran, &dir).contains("e:12: not a JSON object\n"), "{}", ran.err);
    zstd(Path::new(&path));
    let path = path + ".zst";
    let ran = run(&[&["--format", "json"], &since[..], &[&path]].concat());
    assert_eq!(events(&ran).len(), 99);
}

#[test]
fn files_that_are_too_early_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in rotated() {
        write(&dir, name, &text);
    }
    // Nobody comes to what is broken there.
    let damaged = dir.path().join("e.jsonl.3");
    fs::write(&damaged, [fs::read(&damaged).unwrap(), b"nonsense\n".to_vec()].concat()).unwrap();
    let path = dir.path().to_str().unwrap();
    let (head, lines) = big();
    write(&dir, "e.jsonl", &(head + &lines[100] + &lines[5_999]));
    let ran = run(&["--format", "json", "--since", "2026-01-01T00:09:59Z", path]);
    assert_eq!((events(&ran).len(), said(&ran, &dir).contains("not a JSON")), (1, false));
    let ran = run(&["--format", "json", "--since", "2026-01-01T00:00:00Z", path]);
    assert_eq!(events(&ran).len(), 3_002);
    assert!(said(&ran, &dir).contains("e.jsonl.3:1002: not a JSON object"), "{}", ran.err);
}

/// As a receiver writes lines: those of one host five minutes later than the other's.
#[test]
fn lines_of_several_hosts_need_not_be_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let line = |host: &str, i: u64, pad: &str| {
        let more = format!(
            "\"host\":\"{host}\",\"boot_id\":\"{host}\",\"filename\":\"{pad}\",\"args\":[]"
        );
        at(5, 100_000_000 * i, "exec", 7, 1_000, &more)
    };
    let pad = "x".repeat(1_000);
    let lines = (0..6_000_u64).map(|i| {
        let late = if i < 3_000 { String::new() } else { line("b", i - 3_000, &pad) };
        line("a", i, &pad) + &late
    });
    let path = write(&dir, "joined", &lines.collect::<String>());
    let [since, until] = ["2026-01-01T00:04:00Z", "2026-01-01T00:04:30Z"];
    let ran = run(&["--format", "json", "--since", since, "--until", until, &path]);
    assert_eq!((events(&ran).len(), ran.err.as_str()), (600, ""));
}

/// A file an hour, every other one compressed, a process every 10 seconds; of the one at noon a part is broken.
#[test]
fn a_day_is_asked_by_time_across_rotation_and_damage() {
    const S: u64 = 1_000_000_000;
    let dir = tempfile::tempdir().unwrap();
    let mut times = Vec::new();
    for hour in 0..24_u64 {
        let mut text = meta("h", 5, 5 * S);
        for i in 0..360 {
            let from = (hour * 3_600 + i * 10) * S;
            let broken = hour == 12 && (100..200).contains(&i);
            for (line, ns) in process(5, from, from + S, 7, 1, 0).iter().zip([from, from + S]) {
                text += if broken { "nonsense\n" } else { line };
                times.extend((!broken).then_some(ns));
            }
        }
        let name = if hour == 23 { "e.jsonl".to_owned() } else { format!("e.jsonl.{}", 23 - hour) };
        let path = write(&dir, &name, &text);
        if hour % 2 == 0 {
            zstd(Path::new(&path));
        }
    }
    let path = dir.path().to_str().unwrap();
    let day = |m: u64| match m {
        1_440 => "2026-01-02T00:00:00Z".to_owned(),
        m => format!("2026-01-01T{:02}:{:02}:00Z", m / 60, m % 60),
    };
    for (since, until) in [(210, 310), (719, 781), (0, 1_440), (1_439, 1_440), (738, 739)] {
        let ran = run(&["--format", "json", "--since", &day(since), "--until", &day(until), path]);
        let range = since * 60 * S..until * 60 * S;
        let want = times.iter().filter(|ns| range.contains(ns)).count();
        assert_eq!(events(&ran).len(), want, "{since} to {until}: {}", ran.err);
        // What was left isn't said to be cut off.
        assert_eq!(ran.err.contains("no summary"), until == 1_440, "{}", ran.err);
        let damage = ran.err.contains("e.jsonl.11.zst:202: not a JSON object");
        assert_eq!(damage, since < 780 && until > 720, "{since}: {}", ran.err);
    }
}

/// What `--tail` has printed, line by line.
fn next(out: &mut impl std::io::BufRead) -> Value {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn tail_goes_on_with_what_is_appended_across_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("e.jsonl");
    let head = meta("h", 5, 5_000_000_000);
    let lines = long();
    fs::write(&path, head.clone() + &lines[0]).unwrap();
    let mut child = spawn(&["--format", "json", "--tail", path.to_str().unwrap()]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(next(&mut out)["event_type"], "meta");
    let pid = |value: Value| value["pid"].as_u64().unwrap();
    assert_eq!(pid(next(&mut out)), 100);
    let append = |text: &str| {
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    };
    // Half of a line is none.
    append(&lines[1][..20]);
    sleep(Duration::from_millis(300));
    append(&lines[1][20..]);
    assert_eq!(next(&mut out)["event_type"], "exit");
    // Twice between two looks, and the last of the old file came late.
    append(&lines[2]);
    let aside =
        |from: &str, to: &str| fs::rename(dir.path().join(from), dir.path().join(to)).unwrap();
    aside("e.jsonl", "e.jsonl.1");
    aside("e.jsonl.1", "e.jsonl.2");
    fs::write(dir.path().join("e.jsonl.1"), head.clone() + &lines[4]).unwrap();
    fs::write(&path, head + &lines[6]).unwrap();
    assert_eq!([(); 3].map(|()| pid(next(&mut out))), [101, 102, 103]);
    append(&lines[8]);
    assert_eq!(pid(next(&mut out)), 104);
    interrupt(&child);
    assert_eq!(next(&mut out)["event_type"], "summary");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn rules_are_about_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let files = fleet(&dir);
    // Whatever is shown: a's processes succeed, b's fail.
    let rule = ["--format", "none", "--pid", "1", "--expect", "failures = 0"];
    let ran = run(&[&rule[..], &[&files[0], &files[1]]].concat());
    assert!(ran.status == 2 && ran.err.contains("--expect is about one"), "{}", ran.err);
    for (host, status) in [("a", 0), ("b", 4)] {
        let ran = run(&[&rule[..], &["--host", host, &files[0], &files[1]]].concat());
        assert_eq!(ran.status, status, "{host}: {}", ran.err);
    }
}

#[test]
fn tail_ends_where_it_can_read_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(&dir, "e", &long().concat());
    zstd(Path::new(&path));
    let bytes = fs::read(path.clone() + ".zst").unwrap();
    fs::write(&path, [&bytes[..9], b"nonsense", &bytes[17..]].concat()).unwrap();
    let ran = run(&["--format", "none", "--tail", &path]);
    assert_eq!((ran.status, ran.err.lines().count()), (1, 1), "{}", ran.err);
}

#[test]
fn tail_takes_one_capture_in_files_and_follow_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = fleet(&dir);
    let ran = run(&["--tail", &files[0], &files[1]]);
    assert!(ran.status == 1 && ran.err.contains("one capture"), "{}", ran.err);
    let ran = run(&["--tail", "-"]);
    assert!(ran.status == 1 && ran.err.contains("regular file"), "{}", ran.err);
    let ran = run(&["-f", &files[0]]);
    assert!(ran.status == 2 && ran.err.contains("--tail"), "{}", ran.err);
}

fn lost(count: u32) -> String {
    format!(
        "{{\"event_type\":\"lost\",\"time\":\"2026-01-01T00:00:00.001000000Z\",\"lost\":{{\"fork\":{count},\"exec\":0,\"exit\":0}}}}\n"
    )
}

/// In one capture losses are a part of its lines; of several each counts for itself.
#[test]
fn losses_are_said_a_few_times_and_passed_on_where_there_is_one_capture() {
    let dir = tempfile::tempdir().unwrap();
    let lines = |host: &str, boot_s: i64| {
        let two = process(boot_s, 1_000_000, 2_000_000, 500, 1_000, 0);
        let losses: String = (1..=30).map(lost).collect();
        let end = summary(2).replace("\"fork\":0", "\"fork\":30");
        meta(host, boot_s, boot_s as u64 * 1_000_000_000) + &two.concat() + &losses + &end
    };
    let one = write(&dir, "one", &lines("a", 0));
    let other = write(&dir, "other", &lines("b", 1_000));
    let told = |ran: &Ran| ran.out.lines().filter(|line| line.contains("\"lost\",")).count();
    let warned =
        |ran: &Ran| ran.err.lines().filter(|line| line.contains("lost up to here")).count();
    let ran = run(&["--format", "json", &one]);
    assert_eq!((told(&ran), warned(&ran)), (30, 10), "{}", ran.err);
    let ran = run(&["--format", "json", &one, &other]);
    assert_eq!((told(&ran), warned(&ran)), (0, 20), "{}", ran.err);
    // What the first line of one says isn't true of both.
    let head: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!((&head["event_type"], &head["host"]), (&"meta".into(), &"".into()));
    assert_eq!((&head["boot_id"], &head["cpus"]), (&"".into(), &Value::Null));
}

#[test]
fn a_capture_that_tells_no_beginning_is_not_said_to_leave_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let first = |began_ns: u64| {
        let two = process(0, began_ns + 1_000_000, began_ns + 2_000_000, 500, 1_000, 0);
        meta("a", 0, began_ns) + &two.concat() + &summary(2)
    };
    let hour = 3_600_000_000_000;
    let told = write(&dir, "told", &(first(1_000) + &first(hour)));
    let ran = run(&[&told]);
    assert!(ran.err.contains("nothing was captured for"), "{}", ran.err);
    let old = first(hour).replace(&format!(",\"timestamp_ns\":{hour},\"cpus\""), ",\"cpus\"");
    assert_ne!(old, first(hour));
    let untold = write(&dir, "untold", &(first(1_000) + &old));
    let ran = run(&[&untold]);
    assert!(
        ran.err.contains("another capture begins here; both are shown as one\n"),
        "{}",
        ran.err
    );
    // With arguments --match has nothing to warn of, nor has a capture without them where none is looked for.
    let ran = run(&["--match", "sh", &told]);
    assert!(!ran.err.contains("no arguments"), "{}", ran.err);
    let bare =
        write(&dir, "bare", &first(1_000).replace(",\"cpus\"", ",\"no_args\":true,\"cpus\""));
    assert!(!run(&[&bare]).err.contains("no arguments"));
    assert!(run(&["--match", "sh", &bare]).err.contains("no arguments"));
}
