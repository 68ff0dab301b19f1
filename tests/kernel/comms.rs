// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that processes give themselves (worker case `hostile-comm`).

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::program::Tuxscope;
use crate::{events, machine, process, worker};

/// The comm that was printed at the exit of the two processes: control characters, no UTF-8.
fn comms(format: &str, read: fn(&[u8]) -> Vec<events::Event>) -> [String; 2] {
    let tuxscope = Tuxscope::start(&["--format", format]);
    let lives = worker::case("hostile-comm");
    let run = tuxscope.stop();
    run.success();
    let controls = |b: &&u8| b.is_ascii_control() && **b != b'\n';
    assert_eq!(run.stdout.iter().filter(controls).count(), 0, "control characters in the output");
    let events = read(&run.stdout);
    ["comm-escape", "comm-not-utf8"].map(|case| {
        let life = lives.iter().find(|life| life.case == case).expect(case);
        let mut exits = events.iter().filter(|event| event.is("exit", life.pid));
        exits.next().expect("its exit").comm.clone()
    })
}

#[test]
fn in_json_they_are_valid_strings() {
    let Some(_machine) = machine::shared() else { return };
    let comms = comms("json", events::from_json);
    assert_eq!(comms, ["\x1b[2J\x1b[H\n\"\\", "\u{fffd}\u{fffd}\u{fffd}(ab"]);
}

#[test]
fn in_the_table_they_are_escaped() {
    let Some(_machine) = machine::shared() else { return };
    let comms = comms("table", events::from_table);
    assert_eq!(comms, ["\\x1b[2J\\x1b[H\\x0a\"\\\\", "\\xff\\xfe\\xc3(ab"]);
}

#[test]
fn who_ran_before_has_the_name_that_proc_tells() {
    let Some(_machine) = machine::shared() else { return };
    let mut shell = Command::new("sh");
    shell.args(["-c", "read go; exec sleep 0"]).stdin(Stdio::piped());
    let mut shell = process::started(&mut shell);
    let pid = shell.id().to_string();
    let me = fs::read_to_string("/proc/self/comm").unwrap();
    let tuxscope = Tuxscope::start(&["--format", "tree", "--pid", &pid]);
    shell.stdin.take().unwrap().write_all(b"\n").unwrap();
    process::wait(&mut shell);
    let run = tuxscope.stop();
    run.success();
    let tree = String::from_utf8(run.stdout).unwrap();
    let branches = |c: char| !c.is_ascii_alphanumeric();
    let rows = tree.lines().skip(1).map(|row| row.rsplit("  ").next().unwrap());
    let rows: Vec<_> = rows.map(|row| row.trim_start_matches(branches)).collect();
    assert_eq!(rows[..3], [me.trim(), "sh", "sleep 0"], "{tree}");
}
