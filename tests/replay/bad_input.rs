// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can't be read is said, skipped and counted; what is around it is shown.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use crate::program::{META, end, finish, line, replay, spawn};

fn good(pid: u32) -> String {
    line("exec", pid, 0, "ls", 1000)
}

#[test]
fn broken_lines_are_named_and_the_others_shown() {
    let input = good(1) + "nonsense\n" + &good(2) + "{\"event_type\":\"fork\"}\n" + &good(3);
    let ran = replay(input.as_bytes(), &["--format", "json"]);
    assert_eq!((ran.status, ran.out), (0, good(1) + &good(2) + &good(3)));
    assert_eq!(
        ran.err,
        "tuxscope: standard input:2: not a JSON object\n\
         tuxscope: standard input:4: an event without \"pid\"\n"
    );
    assert_eq!(replay(input.as_bytes(), &["--strict"]).status, 1);
}

#[test]
fn only_ten_broken_lines_are_named_and_the_rest_counted() {
    let input = good(1) + &"?\n".repeat(1000);
    let ran = replay(input.as_bytes(), &[]);
    let said: Vec<&str> = ran.err.lines().collect();
    assert_eq!(said.len(), 11, "{}", ran.err);
    assert!(said[9].starts_with("tuxscope: standard input:11: "));
    assert_eq!(said[10], "tuxscope: standard input: 990 more lines could not be read");
}

#[test]
fn a_last_line_that_is_cut_off_is_said_to_be() {
    let input = good(1) + &good(2)[..30];
    let ran = replay(input.as_bytes(), &["--format", "json"]);
    assert_eq!((ran.status, ran.out), (0, good(1)));
    assert_eq!(ran.err, "tuxscope: standard input:2: cut off here\n");
    // One that only lacks its line end is whole.
    let ran = replay(good(1).trim_end().as_bytes(), &["--format", "json", "--strict"]);
    assert_eq!((ran.status, ran.out), (0, good(1)));
}

#[test]
fn what_is_no_capture_at_all_is_a_failure_in_one_line() {
    let noise: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let basic = "PID       PPID      COMM                EVENT\n1         0         sh    exec\n";
    let wide = "TIME          PID      PPID     USER      EVENT  STATUS   DURATION  COMMAND\n";
    let what = [
        (&noise[..], "is binary data, not a capture"),
        (b"\0\0\0\n", "is binary data, not a capture"),
        (basic.as_bytes(), "is a table, which can't be replayed"),
        (wide.as_bytes(), "is a table, which can't be replayed"),
        (b"\n\nhello\n[]\n", "is not a capture (line 3: not a JSON object)"),
    ];
    for (input, what) in what {
        let ran = replay(input, &["--format", "json"]);
        assert_eq!((ran.status, ran.out.as_str()), (1, ""));
        let want = format!("tuxscope: standard input {what}: capture with --format json\n");
        assert_eq!(ran.err, want);
    }
}

#[test]
fn an_empty_capture_is_said_to_be_empty() {
    for input in ["", "\n", " \r\n\n"] {
        let ran = replay(input.as_bytes(), &["--strict"]);
        assert_eq!(ran.status, 1);
        assert_eq!(ran.err, "tuxscope: standard input is empty: no event was captured\n");
        assert_eq!(ran.out, "PID       PPID      COMM                EVENT\n");
        let ran = replay(input.as_bytes(), &["--format", "json"]);
        assert_eq!((ran.status, ran.out.as_str()), (0, ""));
    }
    // A capture in which nothing happened is none of these.
    let nothing = META.to_owned() + &end(true, 0).replace("\"printed\":1", "\"printed\":0");
    let ran = replay(nothing.as_bytes(), &["--strict"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let ran = replay(format!("\u{feff}{}", good(1)).as_bytes(), &["--format", "json", "--strict"]);
    assert_eq!((ran.status, ran.out, ran.err.as_str()), (0, good(1), ""));
    // Elsewhere it belongs to a line, which is none then.
    let ran = replay(format!("{}\u{feff}{}", good(1), good(2)).as_bytes(), &["--format", "json"]);
    assert_eq!((ran.status, ran.out), (0, good(1)));
    assert!(ran.err.contains(":2: not a JSON object"), "{}", ran.err);
}

#[test]
fn a_line_of_100_mb_takes_no_memory() {
    let mut child = spawn(&["--format", "json", "-"]);
    let mut stdin = child.stdin.take().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let feed = thread::spawn(move || {
        stdin.write_all(good(1).as_bytes()).unwrap();
        let block = vec![b'x'; 1 << 20];
        for _ in 0..100 {
            stdin.write_all(&block).unwrap();
        }
        let status = std::fs::read_to_string(status).unwrap();
        stdin.write_all(b"\n").unwrap();
        stdin.write_all(good(2).as_bytes()).unwrap();
        status
    });
    let ran = finish(child);
    let status = feed.join().unwrap();
    assert_eq!((ran.status, ran.out), (0, good(1) + &good(2)));
    assert_eq!(ran.err, "tuxscope: standard input:2: longer than 4 MiB\n");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 30_000, "{peak} kB");
}

#[test]
fn nothing_of_a_bad_line_steers_the_terminal() {
    let input = good(1) + "{\"event_type\":\"fork\",\"pid\":\"\\u001b[2J\\u009b\u{9b}2J\"}\n";
    let ran = replay(input.as_bytes(), &[]);
    assert!(ran.err.contains(":2: invalid type: string "), "{}", ran.err);
    assert!(ran.err.trim_end().chars().all(|c| !c.is_control()), "{:?}", ran.err);
    let long =
        good(1) + &format!("{{\"event_type\":\"fork\",\"pid\":\"{}\"}}\n", "é".repeat(99_999));
    let ran = replay(long.as_bytes(), &[]);
    assert!(ran.err.len() < 1000, "{} bytes", ran.err.len());
}

#[test]
fn losses_of_the_capture_are_repeated() {
    let lost = "{\"event_type\":\"lost\",\"time\":\"2026-01-01T00:00:00.000000000Z\",\
                \"lost\":{\"fork\":1,\"exec\":2,\"exit\":0}}\n";
    let input = META.to_owned() + &good(1) + lost + &end(true, 7);
    let ran = replay(input.as_bytes(), &[]);
    assert_eq!(ran.status, 0);
    assert_eq!(
        ran.err,
        "tuxscope: standard input:3: 3 events lost up to here (fork 1, exec 2, exit 0)\n\
         tuxscope: standard input: the capture lost 7 events (fork 7, exec 0, exit 0)\n"
    );
    assert_eq!(replay(input.as_bytes(), &["--strict"]).status, 3);
    let whole = META.to_owned() + &good(1) + &end(true, 0);
    let ran = replay(whole.as_bytes(), &["--strict"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}

#[test]
fn a_capture_without_its_end_is_said_to_be_incomplete() {
    let ran = replay((META.to_owned() + &good(1)).as_bytes(), &["--strict"]);
    assert_eq!(ran.status, 3);
    assert_eq!(
        ran.err,
        "tuxscope: standard input: the capture is not complete: it has no summary at its end\n"
    );
    let ran = replay((META.to_owned() + &good(1) + &end(false, 0)).as_bytes(), &[]);
    assert_eq!(
        ran.err,
        "tuxscope: standard input: the capture is not complete: its summary says so\n"
    );
}

#[test]
fn joined_captures_are_one_with_the_losses_of_all() {
    let one = META.to_owned() + &good(1) + &end(true, 2);
    let ran = replay((one.clone() + &one).as_bytes(), &["--format", "json"]);
    assert_eq!(ran.out.lines().filter(|line| line.contains("\"exec\",")).count(), 2);
    assert!(
        ran.out.ends_with(
            "\"complete\":false,\"printed\":2,\"lost\":{\"fork\":4,\"exec\":0,\"exit\":0},\
         \"elapsed_ns\":4000000000}\n"
        ),
        "{}",
        ran.out
    );
    assert!(ran.err.contains(":4: another capture begins here"), "{}", ran.err);
}

#[test]
fn joined_captures_are_complete_if_each_one_is() {
    let whole = META.to_owned() + &good(1) + &end(true, 0);
    let other = META.replace("0.1.0", "0.2.0") + &good(2);
    let strict = |captures: &[&str]| {
        let ran = replay(captures.concat().as_bytes(), &["--strict"]);
        (ran.status, ran.err)
    };
    assert_eq!(strict(&[&whole, &other, &end(true, 0)]).0, 0);
    let cut_off = META.to_owned() + &good(1);
    let (status, said) = strict(&[&cut_off, &other, &end(true, 0)]);
    assert_eq!(status, 3);
    assert!(said.contains("an earlier capture joined to it is not"), "{said}");
    assert_eq!(strict(&[&whole, &other, &end(true, 1)]).0, 3);
    assert_eq!(strict(&[META, &end(true, 1), &other, &end(true, 0)]).0, 3);
}

/// A capture of ten events.
fn ten() -> (String, Vec<String>, String) {
    let events: Vec<String> = (1..=10).map(good).collect();
    (META.to_owned(), events, end(true, 0).replace("\"printed\":1", "\"printed\":10"))
}

#[test]
fn a_part_of_a_capture_is_not_complete() {
    let (meta, events, end) = ten();
    let missing = |parts: &[&str]| {
        let ran = replay(parts.concat().as_bytes(), &["--strict", "--format", "json"]);
        let (before, _) = ran.err.split_once(" events are missing").unwrap_or(("", ""));
        let count = before.rsplit(": ").next().unwrap_or_default().to_owned();
        assert_eq!(ran.status, if count.is_empty() { 0 } else { 3 }, "{}", ran.err);
        assert_eq!(ran.out.contains("\"complete\":true"), count.is_empty(), "{}", ran.out);
        count
    };
    assert_eq!(missing(&[&meta, &events.concat(), &end]), "");
    assert_eq!(missing(&[&events[6..].concat(), &end]), "6 of its 10", "its tail");
    // Rotated files: each begins with the same line.
    let files =
        [&meta, &events[..3].concat(), &meta, &events[3..].concat(), &end].map(String::from);
    let files = files.each_ref().map(String::as_str);
    assert_eq!(missing(&files), "");
    assert_eq!(missing(&files[2..]), "3 of its 10", "the first is missing");
    // Joined captures: that of another one in front, or behind.
    let other = META.replace("0.1.0", "0.2.0") + &good(1) + &crate::program::end(true, 0);
    assert_eq!(missing(&[&files[2..].concat(), &other]), "3 of its 11");
    assert_eq!(missing(&[&other, &files[2..].concat()]), "3 of its 11");
    assert_eq!(missing(&[&events[9..].concat(), &end, &other]), "9 of its 11");
    assert_eq!(missing(&[&other, &files.concat()]), "");
}

#[test]
fn one_is_no_plural() {
    let one = end(false, 0).replace("\"fork\":0", "\"fork\":1").replace("}\n", ",\"missed\":1}\n");
    let lost = r#"{"event_type":"lost","time":"2026-01-01T00:00:00Z","lost":{"fork":1,"exec":0,"exit":0}}"#;
    let input = [META, lost, "\n", &one].concat();
    let ran = replay(input.as_bytes(), &["--format", "summary"]);
    let said = "\
tuxscope: standard input:2: 1 event lost up to here (fork 1, exec 0, exit 0)
tuxscope: standard input: the capture is not complete: 1 of its 1 event is missing (the rest of a file, or one of several)
tuxscope: standard input: the capture lost 1 event (fork 1, exec 0, exit 0)
tuxscope: standard input: the kernel missed up to 1 more event
";
    assert_eq!(ran.err, said);
    assert!(
        ran.out.starts_with("0 events of the wide mode in 2.00 s (not complete), 1 LOST "),
        "{}",
        ran.out
    );
    let input = good(1) + &"?\n".repeat(11);
    let ran = replay(input.as_bytes(), &[]);
    assert!(ran.err.ends_with("\ntuxscope: standard input: 1 more line could not be read\n"));
}

#[test]
fn a_choice_of_events_is_complete() {
    let (meta, events, end) = ten();
    let capture = [meta, events.concat(), end].concat();
    let ran = replay(capture.as_bytes(), &["--strict", "--format", "json", "--pid", "7"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let again = replay(ran.out.as_bytes(), &["--strict"]);
    assert_eq!((again.status, again.err.as_str()), (0, ""));
}

#[test]
fn handlers_that_the_kernel_skipped_are_told() {
    let skipped = end(false, 0).replace("}\n", ",\"missed\":2}\n");
    let input = META.to_owned() + &good(1) + &skipped;
    let ran = replay(input.as_bytes(), &["--strict", "--format", "tree"]);
    assert_eq!(ran.status, 3);
    let said = "tuxscope: standard input: the kernel missed up to 2 more events\n";
    assert_eq!(ran.err, said);
    assert!(!ran.out.contains("cut off"), "{}", ran.out);
}

/// The bytes, as the program compresses them.
fn compressed(program: &str, bytes: &[u8]) -> Vec<u8> {
    let pipe = Stdio::piped;
    let child = Command::new(program).arg("-c").stdin(pipe()).stdout(pipe()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("this test needs {program}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

#[test]
fn compressed_captures_are_read_in_all_their_parts_and_up_to_where_they_are_cut() {
    let events: String = (1..20_000).map(|i| line("exec", i, 0, "ls", u64::from(i * i))).collect();
    for program in ["gzip", "zstd"] {
        let part = compressed(program, events.as_bytes());
        assert!(part.len() < events.len() / 2, "{program} compresses");
        let ran = replay(&[&part[..], &part].concat(), &["--format", "json", "--strict"]);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{program}");
        assert!(ran.out == events.repeat(2), "{program}");

        let ran = replay(&part[..part.len() - 20], &["--format", "json"]);
        assert_eq!(ran.status, 0, "{program}");
        assert!(ran.err.contains("the compressed data is cut off here"), "{program}: {}", ran.err);
        assert!(events.starts_with(&ran.out) && ran.out.len() > events.len() / 2, "{program}");
        assert_eq!(replay(&part[..part.len() - 20], &["--strict"]).status, 1);

        let mut broken = part.clone();
        broken[part.len() / 2..][..8].fill(0x55);
        let ran = replay(&broken, &["--format", "json"]);
        assert_eq!(ran.status, 1, "{program}: {}", ran.err);
        assert!(
            ran.err.contains("can't read the rest of standard input: "),
            "{program}: {}",
            ran.err
        );
    }
}

#[test]
fn what_decoders_of_zstd_skip_may_come_first_in_between_and_last() {
    let frame = compressed("zstd", good(1).as_bytes());
    // As pzstd(1) has it: how many bytes the next frame takes.
    let skipped =
        [&b"\x50\x2a\x4d\x18\x04\0\0\0"[..], &(frame.len() as u32).to_le_bytes()].concat();
    let other = b"\x5f\x2a\x4d\x18\0\0\0\0";
    let input = [&skipped[..], &frame, &skipped, other, &frame, &skipped].concat();
    let ran = replay(&input, &["--format", "json", "--strict"]);
    assert_eq!((ran.status, ran.out, ran.err.as_str()), (0, good(1).repeat(2), ""));
    let ran = replay(&input[..input.len() - 1], &["--format", "json"]);
    assert_eq!((ran.status, ran.out), (0, good(1).repeat(2)));
    assert!(ran.err.contains("the compressed data is cut off here"), "{}", ran.err);
    let ran = replay(&skipped, &["--format", "none"]);
    assert_eq!(ran.err, "tuxscope: standard input is empty: no event was captured\n");
}

#[test]
fn zeros_behind_gzip_are_padding() {
    let part = compressed("gzip", good(1).as_bytes());
    let padding = vec![0; 100_000];
    let input = [&part[..], &padding, &part, &padding].concat();
    let ran = replay(&input, &["--format", "json", "--strict"]);
    assert_eq!((ran.status, ran.out, ran.err.as_str()), (0, good(1).repeat(2), ""));
    let ran = replay(&[&part[..], &padding, &[b'x'; 99]].concat(), &["--format", "json"]);
    assert_eq!((ran.status, ran.out), (1, good(1)), "{}", ran.err);
}

#[test]
fn zstd_takes_no_more_memory_than_it_does_by_default() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(good(1).as_bytes()).unwrap();
    let ran = replay(&encoder.finish().unwrap(), &[]);
    assert_eq!((ran.status, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("use zstd -d --long=31"), "{}", ran.err);
}
