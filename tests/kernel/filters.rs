// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which events are kept: each option by itself, and several together, in both modes.

use std::process::{Command, Stdio};

use crate::program::{Ended, Tuxscope};
use crate::wide::Capture;
use crate::{machine, process};

/// Kind and pid of each event.
type Story = Vec<(String, u32)>;

fn story(run: &Ended, wide: bool) -> Story {
    match wide {
        true => {
            let capture = Capture::complete(run);
            capture.events.into_iter().map(|event| (event.event_type, event.pid)).collect()
        }
        false => run.complete().into_iter().map(|event| (event.event_type, event.pid)).collect(),
    }
}

/// What a shell does that then says its pid and those of its children: `/bin/true`, a subshell
/// that becomes /bin/false as nobody, and one that exits with 3.
const SCRIPT: &str = "/bin/true & a=$!; wait $a; \
    setpriv --reuid=65534 --clear-groups /bin/false & b=$!; wait $b; \
    (exit 3) & c=$!; wait $c; echo $$ $a $b $c; :";

/// Runs the script while both modes are captured with these options, `SHELL` replaced by its
/// pid. Returns the pids and the two stories.
fn run(options: &[&str]) -> ([u32; 4], Story, Story) {
    let script = format!("read line; {SCRIPT}");
    let mut shell = Command::new("bash")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    let pid = shell.id().to_string();
    let options: Vec<String> = options.iter().map(|option| option.replace("SHELL", &pid)).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let wide = Tuxscope::start(&[&["--format", "json", "--wide"], &options[..]].concat());
    let basic = Tuxscope::start(&[&["--format", "json"], &options[..]].concat());
    drop(shell.stdin.take());
    let said = std::io::read_to_string(shell.stdout.take().unwrap()).unwrap();
    process::wait(&mut shell);
    let pids: Vec<u32> = said.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    let pids: [u32; 4] = pids.try_into().unwrap();
    let ours =
        |story: Story| story.into_iter().filter(|(_, pid)| pids.contains(pid)).collect::<Vec<_>>();
    (pids, ours(story(&wide.stop(), true)), ours(story(&basic.stop(), false)))
}

fn same(got: &[(String, u32)], wanted: &[(&str, u32)], what: &[&str]) {
    let got: Vec<_> = got.iter().map(|(kind, pid)| (kind.as_str(), *pid)).collect();
    assert_eq!(got, wanted, "{what:?}");
}

#[test]
fn each_filter_keeps_what_it_says() {
    let Some(_machine) = machine::shared() else { return };
    type Wanted = fn([u32; 4]) -> Vec<(&'static str, u32)>;
    let all: Wanted = |[shell, a, b, c]| {
        vec![
            ("fork", a),
            ("exec", a),
            ("exit", a),
            ("fork", b),
            ("exec", b),
            ("exec", b),
            ("exit", b),
            ("fork", c),
            ("exit", c),
            ("exit", shell),
        ]
    };
    let failed: Wanted = |[_, _, b, c]| vec![("exit", b), ("exit", c)];
    let children: Wanted = |[_, a, b, c]| {
        vec![
            ("fork", a),
            ("exec", a),
            ("exit", a),
            ("fork", b),
            ("exec", b),
            ("exec", b),
            ("exit", b),
            ("fork", c),
            ("exit", c),
        ]
    };
    let cases: [(&[&str], Wanted); 13] = [
        (&["--follow", "--pid", "SHELL"], all),
        (&["--pid", "SHELL"], |[shell, ..]| vec![("exit", shell)]),
        (&["--ppid", "SHELL"], children),
        (&["-P", "SHELL,1"], children),
        (&["-P", "SHELL", "--failed"], failed),
        (&["-P", "SHELL", "-e", "exec"], |[_, a, b, _]| {
            vec![("exec", a), ("exec", b), ("exec", b)]
        }),
        (&["-P", "SHELL", "-e", "fork,exit", "--event", "fork"], |[_, a, b, c]| {
            vec![("fork", a), ("exit", a), ("fork", b), ("exit", b), ("fork", c), ("exit", c)]
        }),
        (&["-P", "SHELL", "--comm", "true"], |[_, a, ..]| vec![("exec", a), ("exit", a)]),
        (&["-P", "SHELL", "--comm", "tru"], |_| vec![]),
        (&["-P", "SHELL", "--uid", "nobody"], |[_, _, b, _]| vec![("exec", b), ("exit", b)]),
        (&["-P", "SHELL", "--uid", "65534", "-e", "exit", "--failed"], |[_, _, b, _]| {
            vec![("exit", b)]
        }),
        (&["-P", "SHELL", "--uid", "0", "--failed"], |[.., c]| vec![("exit", c)]),
        (&["-P", "SHELL", "--match", "^(true|fals.)$", "-e", "exit"], |[_, a, b, _]| {
            vec![("exit", a), ("exit", b)]
        }),
    ];
    for (options, wanted) in cases {
        let (pids, wide, basic) = run(options);
        same(&wide, &wanted(pids), options);
        same(&basic, &wanted(pids), options);
    }
}

#[test]
fn a_pattern_sees_the_arguments_in_the_wide_mode() {
    let Some(_machine) = machine::shared() else { return };
    let ([_, _, b, _], wide, basic) = run(&["-P", "SHELL", "--match", "clear-groups /bin/f"]);
    same(&wide, &[("exec", b)], &["wide"]);
    same(&basic, &[], &["basic"]);
}

/// Exits alone still have the arguments: fork and exec are looked at, if not shown.
#[test]
fn exits_alone_have_their_arguments() {
    let Some(_machine) = machine::shared() else { return };
    for options in [&["-e", "exit"][..], &["--failed"]] {
        let tuxscope = Tuxscope::start(&[&["--wide", "--format", "json"], options].concat());
        let mut child = Command::new("/bin/false").arg("x y").spawn().unwrap();
        process::wait(&mut child);
        let capture = Capture::complete(&tuxscope.stop());
        let args = capture.one("exit", child.id()).args.as_ref().unwrap();
        assert_eq!(args, &["/bin/false", "x y"], "{options:?}");
        assert!(capture.events.iter().all(|event| event.event_type == "exit"));
    }
}

#[test]
fn threads_that_fail_are_no_failures() {
    let Some(_machine) = machine::shared() else { return };
    let args = ["--wide", "--threads", "--failed", "--format", "json"];
    let tuxscope = Tuxscope::start(&args);
    let life = crate::worker::case("threads-fail").remove(0);
    let capture = Capture::complete(&tuxscope.stop());
    assert_eq!(capture.one("exit", life.pid).exit_code, Some(3));
    assert!(capture.events.iter().all(|event| event.of_process() && event.exit_code != Some(0)));
}
