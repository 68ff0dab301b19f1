// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's own trace of the same tracepoints tells the same, event by event.

use std::collections::HashMap;

use crate::events::{self, Event};
use crate::tracefs::Instance;
use crate::{machine, program::Tuxscope, worker};

/// Events of `roots` and of all that descend from them, sorted, without their times.
///
/// A task's id counts only from its fork to its exit: others may get it later. `threads` maps
/// task ids to the process that they belong to.
fn family<'a>(
    events: &'a [Event],
    roots: &[u32],
    threads: &HashMap<u32, u32>,
) -> Vec<(&'a str, u32, u32, &'a str)> {
    let process = |id: u32| threads.get(&id).copied().unwrap_or(id);
    let mut tasks: HashMap<u32, u32> = HashMap::new();
    let mut family = Vec::new();
    for event in events {
        let (kind, mut pid, ppid, comm) = event.key();
        let born = kind == "fork" && (roots.contains(&pid) || tasks.contains_key(&process(ppid)));
        if born {
            *tasks.entry(process(pid)).or_default() += 1;
        } else if kind == "fork" || !tasks.contains_key(&process(pid)) {
            continue;
        }
        if kind == "exit" {
            pid = process(pid);
            let left = tasks.get_mut(&pid).expect("it was looked up");
            *left -= 1;
            if *left == 0 {
                tasks.remove(&pid);
            }
        }
        // A root's parent is this test, whose name is as long as a comm and longer.
        let comm = if born && roots.contains(&pid) { "" } else { comm };
        family.push((kind, pid, ppid, comm));
    }
    family.sort_unstable();
    family
}

#[test]
fn every_event_is_in_both() {
    let Some(_machine) = machine::shared() else { return };
    let instance = Instance::start();
    let tuxscope = Tuxscope::start(&["--format", "json"]);
    let storms = [worker::storm("fork", 150, 2), worker::storm("vfork-exec", 150, 2)];
    let mut lives = worker::case("threads");
    for case in ["fork-exec", "exec-twice", "exit-codes", "signals", "daemon"] {
        lives.extend(worker::case(case));
    }
    let ours = tuxscope.stop().complete();
    let kernels = instance.stop();

    let mut roots: Vec<u32> = storms.iter().map(|storm| storm.pid).collect();
    roots.extend(lives.iter().map(|life| life.ppid));
    let threads: HashMap<u32, u32> =
        lives.iter().flat_map(|life| life.tids.iter().map(|&tid| (tid, life.pid))).collect();

    let (ours, kernels) = (family(&ours, &roots, &threads), family(&kernels, &roots, &threads));
    let made: u64 = storms.iter().map(|storm| storm.forks + storm.execs + storm.exits).sum();
    assert!(kernels.len() as u64 > made, "the kernel's trace lacks the storms");
    for (i, (ours, kernels)) in ours.iter().zip(&kernels).enumerate() {
        assert_eq!(ours, kernels, "at {i} of the sorted events");
    }
    assert_eq!(ours.len(), kernels.len());
}

#[test]
fn exec_from_a_thread_keeps_the_pid() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--format", "json"]);
    let lives = worker::case("exec-from-thread");
    let ours = tuxscope.stop().complete();
    let pid = lives[0].pid;
    // The leader's task exits before the exec, and the exec's own exit ends the process.
    let kinds: Vec<_> =
        ours.iter().filter(|event| event.pid == pid).map(|event| &*event.event_type).collect();
    assert_eq!(kinds, ["fork", "exit", "exec", "exit"]);
    assert_eq!(events::count(ours.iter().filter(|event| event.ppid == pid)), [1, 0, 0]);
}
