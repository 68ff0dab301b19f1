// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that processes give themselves (worker case `hostile-comm`).

use crate::{events, machine, program::Tuxscope, worker};

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
