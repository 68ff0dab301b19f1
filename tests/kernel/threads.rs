// SPDX-License-Identifier: MIT OR Apache-2.0
//! Threads, as the tracepoints see them: a fork for each by its task id, an exit by the TGID.

use crate::{machine, program::Tuxscope, worker};

#[test]
fn four_threads_give_four_exits_of_one_pid() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json"]);
    let lives = worker::case("threads");
    let events = tuxscope.stop().complete();

    let life = &lives[0];
    assert_eq!(life.tids.len(), 3);
    let of_process: Vec<_> = events
        .iter()
        .filter(|event| event.pid == life.pid)
        .map(|event| (&*event.event_type, event.ppid))
        .collect();
    assert_eq!(
        of_process,
        [("fork", life.ppid), ("exit", 0), ("exit", 0), ("exit", 0), ("exit", 0)]
    );
    let mut tids: Vec<_> = events
        .iter()
        .filter(|event| event.event_type == "fork" && event.ppid == life.pid)
        .map(|event| event.pid)
        .collect();
    tids.sort_unstable();
    let mut wanted = life.tids.clone();
    wanted.sort_unstable();
    assert_eq!(tids, wanted);
    assert!(!events.iter().any(|event| life.tids.iter().any(|&tid| event.is("exit", tid))));
}
