// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules about a capture: what they measure, and that nothing passes on what wasn't seen.

use crate::program::{META, Ran, finish, line, replay, spawn, wide};

const FORK: &str = "\"thread\":false,\"parent_tid\":1";

fn exec(args: &str) -> String {
    format!("\"filename\":\"/bin/x\",\"args\":[{args}]")
}

fn exit(status: &str, ns: u64, cpu_ns: u64, rss: u64) -> String {
    format!(
        "\"thread\":false,{status},\"duration_ns\":{ns},\"cpu_ns\":{cpu_ns},\"max_rss_bytes\":{rss}"
    )
}

/// make (50) runs two cc, one of which fails and one of which is killed, curl, and a daemon that
/// stays; then it ends. `filters`: those of the capture.
fn capture(filters: &str, end: &str) -> String {
    let meta = META.replace("\"filters\":[]", &format!("\"filters\":[{filters}]")).replace(
        "\"clock_offset_ns\":5",
        "\"clock_offset_ns\":5,\"timestamp_ns\":1,\"command_pid\":50",
    );
    let killed = "\"signal\":\"SIGKILL\",\"oom\":true";
    [
        meta,
        wide("exec", 50, 1, "make", 1_000, 900, &exec("\"make\"")),
        wide("fork", 51, 50, "make", 2_000, 1_990, FORK),
        wide("exec", 51, 50, "cc", 3_000, 1_990, &exec("\"cc\",\"a.c\"")),
        wide("fork", 52, 50, "make", 4_000, 3_990, FORK),
        wide("exec", 52, 50, "cc", 5_000, 3_990, &exec("\"cc\",\"b.c\"")),
        wide("exit", 51, 50, "cc", 6_000, 1_990, &exit("\"exit_code\":1", 4_010, 2_000, 4096)),
        wide("exit", 52, 50, "cc", 7_000, 3_990, &exit(killed, 3_010, 3_000, 8192)),
        wide("fork", 53, 50, "make", 8_000, 7_990, FORK),
        wide("exec", 53, 50, "curl", 8_100, 7_990, &exec("\"curl\",\"-s\"")),
        wide("exit", 53, 50, "curl", 8_200, 7_990, &exit("\"exit_code\":0", 210, 100, 2048)),
        wide("fork", 54, 50, "make", 8_300, 8_290, FORK),
        wide("exit", 50, 1, "make", 9_000, 900, &exit("\"exit_code\":0", 8_100, 500, 1024)),
        end.to_owned(),
    ]
    .concat()
}

/// The capture's own end, long after the command's.
fn over(lost: &str) -> String {
    format!(
        "{{\"event_type\":\"summary\",\"complete\":true,\"printed\":12,\"lost\":{{{lost}}},\
         \"elapsed_ns\":2000000000}}\n"
    )
}

const NONE: &str = "\"fork\":0,\"exec\":0,\"exit\":0";

fn judge(capture: &str, rules: &[&str]) -> Ran {
    let args: Vec<&str> = rules.iter().flat_map(|rule| ["--expect", rule]).collect();
    replay(capture.as_bytes(), &args)
}

/// What became of one rule.
fn verdict(capture: &str, rule: &str) -> String {
    told(&judge(capture, &[rule]), rule)
}

/// The same of captures in files of these names.
fn verdict_on(files: &[(&str, &str)], rule: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let write = |(name, text): &(&str, &str)| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let paths: Vec<String> = files.iter().map(write).collect();
    let paths = paths.iter().map(String::as_str);
    told(&finish(spawn(&["--expect", rule].into_iter().chain(paths).collect::<Vec<_>>())), rule)
}

fn told(ran: &Ran, rule: &str) -> String {
    let found = ran.err.lines().find_map(|line| {
        let (verdict, _) = line.split_once(": ")?;
        ["ok", "FAILED", "unknown"].contains(&verdict).then_some(verdict)
    });
    let verdict = found.unwrap_or_else(|| panic!("{}", ran.err)).to_owned();
    assert_eq!(ran.status, if verdict == "ok" { 0 } else { 4 }, "{rule}: {}", ran.err);
    assert_eq!(ran.out, "", "nothing else is shown");
    verdict
}

#[test]
fn each_measure_is_what_the_lines_come_to() {
    let capture = capture("\"--failed-execs\"", &over(NONE));
    for (measure, value, unit) in [
        ("failures", 2, ""),
        ("failures[comm=cc]", 2, ""),
        ("failures[match=a.c$]", 1, ""),
        ("failures[uid=1]", 1, ""),
        ("failures[ppid=7]", 0, ""),
        ("execs", 4, ""),
        ("execs[match=^(curl|wget)]", 1, ""),
        ("failed-execs", 0, ""),
        ("processes", 5, ""),
        ("processes[comm=cc]", 2, ""),
        ("leftovers", 1, ""),
        ("killed", 1, ""),
        ("oom", 1, ""),
        ("lost", 0, ""),
        ("wall", 8_100, "ns"),
        ("max-rss[comm=cc]", 8192, ""),
        ("cpu[comm=cc]", 5_000, "ns"),
    ] {
        // One more, and one less, would be another verdict.
        for (comparison, more, want) in [
            ("=", 0, "ok"),
            ("=", 1, "FAILED"),
            ("<=", 0, "ok"),
            (">", 0, "FAILED"),
            (">=", 1, "FAILED"),
            ("<", 1, "ok"),
        ] {
            let rule = format!("{measure} {comparison} {}{unit}", value + more);
            if value + more > 0 || unit.is_empty() {
                assert_eq!(verdict(&capture, &rule), want, "{rule}");
            }
        }
    }
}

#[test]
fn a_line_names_the_first_and_the_file_has_them_all() {
    let dir = tempfile::tempdir().unwrap();
    let [rules, junit, report] = ["rules", "junit.xml", "report"].map(|name| dir.path().join(name));
    std::fs::write(&rules, "# of the build\nfailures = 0\n\nexecs[match=\"^curl\"] = 0\n").unwrap();
    let [rules, junit, report] = [&rules, &junit, &report].map(|path| path.to_str().unwrap());
    let at_rules = format!("@{rules}");
    let args = ["--expect", &at_rules, "--junit", junit, "--expect-output", report];
    let ran = replay(capture("", &over(NONE)).as_bytes(), &args);
    assert_eq!((ran.status, &*ran.err), (4, ""));
    let told = std::fs::read_to_string(report).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("FAILED: failures = 0: 2 failures, first: "), "{told}");
    assert!(lines[0].ends_with("cc a.c, exit status 1 (51, by 50 make)"), "{told}");
    assert!(lines[1].starts_with("FAILED: execs[match=\"^curl\"] = 0: 1 exec, first: "), "{told}");

    let xml = std::fs::read_to_string(junit).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let cases: Vec<_> =
        document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
    assert_eq!(cases.len(), 2);
    assert_eq!(cases[1].attribute("name"), Some("execs[match=\"^curl\"] = 0"));
    let failure = cases[0].first_element_child().unwrap();
    assert_eq!(
        (failure.tag_name().name(), failure.attribute("message")),
        ("failure", Some("2 failures"))
    );
    assert_eq!(failure.text().unwrap().lines().count(), 3, "both are named: {xml}");
    let suite = document.root_element();
    assert_eq!((suite.attribute("tests"), suite.attribute("failures")), (Some("2"), Some("2")));
}

#[test]
fn nothing_passes_on_what_was_not_seen() {
    let whole = |lost: &str| capture("", &over(lost));
    let fork = whole("\"fork\":1,\"exec\":0,\"exit\":0");
    let exec = whole("\"fork\":0,\"exec\":1,\"exit\":0");
    let exit = whole("\"fork\":0,\"exec\":0,\"exit\":1");
    let missed = capture("", &over(NONE).replace("\"complete\"", "\"missed\":1,\"complete\""));
    let no_end = capture("", "");
    let basic = line("exec", 2, 0, "ls", 3_000);
    for (name, capture, rule, want) in [
        ("fork", &fork, "failures <= 2", "ok"),
        ("fork", &fork, "failures[comm=cc] <= 2", "unknown"),
        ("fork", &fork, "processes <= 5", "unknown"),
        ("fork", &fork, "processes <= 4", "FAILED"),
        ("fork", &fork, "lost = 0", "FAILED"),
        ("exec", &exec, "execs <= 4", "unknown"),
        ("exec", &exec, "execs <= 3", "FAILED"),
        ("exec", &exec, "execs > 3", "ok"),
        ("exit", &exit, "failures = 2", "unknown"),
        ("exit", &exit, "failures = 1", "FAILED"),
        ("exit", &exit, "failures != 1", "ok"),
        ("exit", &exit, "leftovers = 0", "unknown"),
        ("exit", &exit, "max-rss <= 1G", "unknown"),
        ("missed", &missed, "failures <= 2", "unknown"),
        ("missed", &missed, "lost = 0", "unknown"),
        ("missed", &missed, "wall <= 1s", "ok"),
        ("no end", &no_end, "failures <= 2", "unknown"),
        ("no end", &no_end, "failures <= 1", "FAILED"),
        ("basic", &basic, "execs <= 9", "unknown"),
        ("whole", &whole(NONE), "failed-execs = 0", "unknown"),
        ("whole", &whole(NONE), "cpu <= 1s", "unknown"),
        ("whole", &whole(NONE), "cpu <= 5000ns", "FAILED"),
        ("whole", &whole(NONE), "failures[unit=cron] = 0", "ok"),
    ] {
        assert_eq!(verdict(capture, rule), want, "{name}: {rule}");
    }
}

#[test]
fn a_capture_that_was_filtered_answers_what_it_can() {
    for (filters, rule, want) in [
        ("\"--comm=cc\"", "failures = 2", "unknown"),
        ("\"--comm=cc\"", "failures[comm=cc] = 2", "ok"),
        ("\"--comm=cc\"", "failures[comm=cc,uid=1] = 1", "ok"),
        ("\"--comm=cc\"", "cpu[comm=cc] <= 1s", "unknown"),
        ("\"--match=cc\"", "failures[match=cc] <= 2", "unknown"),
        ("\"--failed\"", "failures = 2", "ok"),
        ("\"--failed\"", "execs <= 4", "unknown"),
        ("\"--event=exit\"", "failures = 2", "ok"),
        ("\"--event=exit\"", "execs = 4", "unknown"),
        ("\"--event=exit\",\"--event=exec\"", "execs = 4", "ok"),
        ("\"--pid=50\"", "failures = 2", "unknown"),
        ("\"--later=x\"", "failures = 2", "unknown"),
    ] {
        assert_eq!(verdict(&capture(filters, &over(NONE)), rule), want, "{filters}: {rule}");
    }
}

#[test]
fn who_may_have_ended_in_time_is_not_left_over_for_sure() {
    let whole = capture("", &over(NONE));
    assert_eq!(verdict(&whole, "leftovers >= 1"), "ok");
    let too_soon = whole.replace("\"elapsed_ns\":2000000000", "\"elapsed_ns\":9000");
    for rule in ["leftovers >= 1", "leftovers = 1", "leftovers = 0"] {
        assert_eq!(verdict(&too_soon, rule), "unknown", "{rule}");
    }
}

#[test]
fn who_killed_a_process_must_be_known_if_it_is_to_be_somebody_else() {
    let told = capture("", &over(NONE));
    let untold = told.replace(",\"oom\":true", "");
    assert_eq!(verdict(&untold, "oom = 0"), "unknown");
    assert_eq!(verdict(&untold, "oom[comm=make] = 0"), "ok");
    let by_somebody = told.replace("\"oom\":true", "\"signal_code\":\"SI_USER\"");
    assert_eq!(verdict(&by_somebody, "oom = 0"), "ok");
}

/// The fixture's exits have no arguments, as with `--no-exit-args`.
#[test]
fn arguments_are_those_of_the_execs_if_all_are_there() {
    let kinds = "\"--event=fork\",\"--event=exit\"";
    let all = capture(kinds, &over(NONE).replace("\"printed\":12", "\"printed\":8"));
    let is_exec = |line: &&str| line.contains("\"event_type\":\"exec\"");
    let without: String = all.split_inclusive('\n').filter(|line| !is_exec(line)).collect();
    assert_eq!(verdict(&without, "failures = 2"), "ok");
    assert_eq!(verdict(&without, "failures[match=a.c$] = 0"), "unknown");

    // What a process failed to exec is nothing that it runs.
    let served = wide("exec", 54, 50, "server", 8_400, 8_290, &exec("\"server\",\"--now\""));
    let failed = exec("\"y\"") + ",\"errno\":\"ENOENT\",\"tried\":1";
    let failed = wide("exec_failed", 54, 50, "server", 8_500, 8_290, &failed);
    let whole = capture("\"--failed-execs\"", &over(NONE).replace(":12", ":14"));
    let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
    // Before make ends.
    lines.splice(12..12, [&*served, &failed]);
    let capture = lines.concat();
    assert_eq!(verdict(&capture, "failed-execs[match=^y$] = 1"), "ok");
    assert_eq!(verdict(&capture, "leftovers[match=--now$] = 1"), "ok");
    assert_eq!(verdict(&capture, "leftovers[match=^y$] = 0"), "ok");
}

/// As `cat` would join them.
#[test]
fn several_files_are_not_trusted_either() {
    let one = capture("\"--failed-execs\"", &over(NONE));
    let later = |filters: &str| {
        let other = capture(filters, &over(NONE));
        other.replace("\"timestamp_ns\":1,", "\"timestamp_ns\":2,")
    };
    let other = later("\"--comm=zz\"");
    for files in [[("one", &*one), ("other", &*other)], [("one", &*other), ("other", &*one)]] {
        for (rule, want) in [
            ("failures <= 9", "unknown"),
            ("failures <= 3", "FAILED"),
            ("failed-execs = 0", "unknown"),
            ("wall <= 10s", "unknown"),
            ("lost = 0", "unknown"),
        ] {
            assert_eq!(verdict_on(&files, rule), want, "{rule}");
        }
    }
    // Made in the same way, they are still two.
    let again = later("\"--failed-execs\"");
    assert_eq!(verdict_on(&[("one", &one), ("other", &again)], "wall <= 10s"), "unknown");
    assert_eq!(verdict_on(&[("one", &one), ("other", &one)], "failures = 4"), "unknown");
    // Nobody knows how the other was made.
    let (one, (_, untold)) =
        (one.replace("\"host\":\"h\"", "\"host\":\"\""), again.split_once('\n').unwrap());
    for files in [[("one", &*one), ("other", untold)], [("one", untold), ("other", &*one)]] {
        assert_eq!(verdict_on(&files, "failures <= 9"), "unknown");
    }
}

/// The files of a capture that was rotated begin with the same line.
#[test]
fn rotated_files_are_one_capture() {
    let whole = capture("\"--failed-execs\"", &over(NONE));
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let (first, second) = (lines[..7].concat(), [&lines[..1], &lines[7..]].concat().concat());
    for rule in ["failures = 2", "failed-execs = 0", "wall = 8100ns", "processes = 5"] {
        let files = [("e.jsonl.1", &*first), ("e.jsonl", &*second)];
        assert_eq!(verdict_on(&files, rule), "ok", "{rule}");
    }
}

#[test]
fn joined_and_damaged_captures_are_not_trusted() {
    let one = capture("", &over(NONE));
    let joined = one.clone() + &one.replace("\"boot_id\":\"b\"", "\"boot_id\":\"c\"");
    assert_eq!(verdict(&joined, "failures <= 9"), "unknown");
    let damaged =
        one.replace("\"comm\":\"curl\",\"event_type\":\"exec\"", "\"comm\":\"curl\",\"event_");
    assert_eq!(verdict(&damaged, "failures <= 2"), "unknown");
    assert_eq!(verdict(&damaged, "failures <= 1"), "FAILED");
}

/// make runs for 900 ms, and cc for 800 of them; in a container that it starts, somebody has its id for
/// a moment. `ids`: what make's lines tell of its namespace. `only`: the kinds of event that were captured.
fn with_container(ids: &str, only: &[&str]) -> String {
    const END: u64 = 900_000_000;
    let pid = if ids.is_empty() { 50 } else { 1_050 };
    let inner = "\"ns_pid\":50,\"pidns\":2,";
    let ended = |ns| exit("\"exit_code\":0", ns, 1, 1024);
    let lines = [
        wide("exec", pid, 1, "make", 1_000, 900, &(ids.to_owned() + &exec("\"make\""))),
        wide("fork", 51, pid, "make", 1_500, 1_490, FORK),
        wide("fork", 60, pid, "make", 2_000, 1_990, &(inner.to_owned() + FORK)),
        wide("exec", 60, pid, "sh", 3_000, 1_990, &(inner.to_owned() + &exec("\"sh\""))),
        wide("exit", 60, pid, "sh", 4_000, 1_990, &(inner.to_owned() + &ended(2_010))),
        wide("exit", 51, pid, "cc", 800_000_000, 1_490, &ended(799_998_510)),
        wide("exit", pid, 1, "make", END, 900, &(ids.to_owned() + &ended(END - 900))),
    ];
    let is_kept = |line: &&String| {
        only.is_empty() || only.iter().any(|kind| line.contains(&format!(":\"{kind}\"")))
    };
    let lines: Vec<&str> = lines.iter().filter(is_kept).map(String::as_str).collect();
    let filters: Vec<_> = only.iter().map(|kind| format!("\"--event={kind}\"")).collect();
    let whole = capture(&filters.join(","), "");
    let (meta, _) = whole.split_once('\n').unwrap();
    let end = over(NONE).replace(":12", &format!(":{}", lines.len()));
    [meta, "\n", &lines.concat(), &end].concat()
}

#[test]
fn who_has_the_commands_id_in_a_container_is_not_the_command() {
    for ids in ["", "\"ns_pid\":50,\"pidns\":1,"] {
        for only in [&[][..], &["exit"]] {
            let capture = with_container(ids, only);
            for (rule, want) in [("wall <= 800ms", "FAILED"), ("wall <= 900ms", "ok")] {
                assert_eq!(verdict(&capture, rule), want, "{ids} {only:?}: {rule}");
            }
        }
        let whole = with_container(ids, &[]);
        assert_eq!(verdict(&whole, "leftovers = 0"), "ok", "{ids}");
        // Who lived on after the other's end was none.
        let without_execs = with_container(ids, &["fork", "exit"]);
        assert_eq!(verdict(&without_execs, "leftovers = 0"), "unknown", "{ids}");
        // Its own end is missing.
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        let cut =
            [&lines[..7], &lines[8..]].concat().concat().replace("\"printed\":7", "\"printed\":6");
        assert_eq!(verdict(&cut, "failures = 0"), "unknown", "{ids}");
    }
}

/// A capture may be anybody's: what it says of itself is no verdict, and steers no terminal.
#[test]
fn what_a_capture_says_of_its_filters_steers_nothing() {
    let hostile = r#""--x\nok: failures = 0: 0 failures\u001b[2J\u202e""#;
    let capture = capture(hostile, &over(NONE));
    let dir = tempfile::tempdir().unwrap();
    let junit = dir.path().join("junit.xml");
    let options = ["--expect", "failures <= 9", "--junit", junit.to_str().unwrap()];
    let ran = replay(capture.as_bytes(), &options);
    let made =
        r"the capture was made with --x\x0aok: failures = 0: 0 failures\x1b[2J\u{202e}; seen: ";
    let line = format!("unknown: failures <= 9: {made}2 failures, first: ");
    assert!(ran.err.starts_with(&line) && ran.err.lines().count() == 1, "{}", ran.err);
    let xml = std::fs::read_to_string(junit).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let error = document.descendants().find(|node| node.has_tag_name("error")).unwrap();
    assert_eq!(error.attribute("message"), Some(&*format!("{made}2 failures")));
}

#[test]
fn a_rule_that_is_none_is_a_usage_error() {
    let ran = judge("", &["failures ~ 0"]);
    let want = "tuxscope: --expect: here a comparison should be: =, !=, <, <=, > or >=\n\
                tuxscope:   failures ~ 0\n\
                tuxscope:            ^\n\
                tuxscope: see RULES in tuxscope-proc(8)\n";
    assert_eq!((ran.status, &*ran.err), (2, want));
    let ran = judge("", &["@/nonexistent"]);
    assert_eq!(ran.status, 1, "{}", ran.err);
    assert!(ran.err.contains("/nonexistent"), "{}", ran.err);
}
