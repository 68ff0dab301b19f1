// SPDX-License-Identifier: MIT OR Apache-2.0
//! Completes events of the wide mode: the wall clock, the cgroup's path, and what only a
//! process' earlier events tell.

use std::collections::HashMap;

use rustix::time::ClockId;

use crate::host::cgroup::Cgroups;
use crate::host::running::{self, now_ns};
use crate::model::event::{Args, Detail, Event, Wide};

/// How far a start time from /proc may be off: it counts in ticks of 10 ms.
const TICK_NS: u64 = 20_000_000;

/// Below this many lives, none is looked through.
const FEW: usize = 4096;

/// What is remembered of a process that is alive.
#[derive(Debug)]
struct Life {
    start_ns: u64,
    /// Of its last exec.
    args: Option<Args>,
    born_to: Option<u32>,
}

/// The command that is run. Its life begins when it is let go, not with the process that was made
/// to hold it.
#[derive(Debug)]
struct Command {
    pid: u32,
    began_ns: u64,
    /// As the kernel has it, once an event has told.
    start_ns: Option<u64>,
}

impl Command {
    fn complete(&mut self, timestamp_ns: u64, wide: &mut Wide) {
        if *self.start_ns.get_or_insert(wide.start_ns) != wide.start_ns {
            return; // its id has come back
        }
        wide.start_ns = self.began_ns;
        if let Detail::Exit(ended) = &mut wide.detail {
            // A thread's is its own.
            if !ended.thread {
                ended.duration_ns = timestamp_ns.saturating_sub(self.began_ns);
            }
        }
    }
}

/// Follows the lives of processes. It remembers those that are alive.
#[derive(Debug)]
pub struct Enricher {
    lives: HashMap<u32, Life>,
    /// Lives of processes that /proc no longer had at the last look: their exits, if they are to
    /// come, lay on the ring buffer by then.
    gone: Vec<(u32, u64)>,
    /// So many lives are worth a look.
    look_at: usize,
    command: Option<Command>,
    cgroups: Cgroups,
    clock_offset_ns: u64,
    max_args: usize,
}

impl Enricher {
    /// `max_args`: bytes of arguments that are kept.
    pub fn new(max_args: usize) -> Self {
        let cgroups = Cgroups::new();
        let lives = HashMap::new();
        let (gone, look_at) = (Vec::new(), FEW);
        let (command, clock_offset_ns) = (None, 0);
        let mut new = Self { lives, gone, look_at, command, cgroups, clock_offset_ns, max_args };
        new.sample_clock();
        new
    }

    /// Learns the arguments of the processes that run already. After the BPF programs are
    /// attached, so that no exec falls in between: what the ring buffer holds is newer.
    pub fn learn_running(&mut self) {
        for process in running::all() {
            let args = running::args(process.pid, self.max_args);
            let life = Life { start_ns: process.start_ns, args, born_to: None };
            self.lives.insert(process.pid, life);
        }
    }

    /// The command of this process id is let go now.
    pub fn let_go(&mut self, pid: u32) {
        if running::pids_are_the_kernels() {
            let began_ns = now_ns(ClockId::Monotonic);
            self.command = Some(Command { pid, began_ns, start_ns: None });
        }
    }

    /// Follows adjustments of the wall clock; to be called before each batch of events.
    pub fn sample_clock(&mut self) {
        let monotonic = now_ns(ClockId::Monotonic);
        self.clock_offset_ns = now_ns(ClockId::Realtime).saturating_sub(monotonic);
    }

    /// Forgets processes whose end was not told: a filter may keep the exit and not the fork, or
    /// the exit was lost. To be called when all that lay on the ring buffer is read.
    pub fn forget_the_dead(&mut self) {
        for (pid, start_ns) in self.gone.drain(..) {
            if self.lives.get(&pid).is_some_and(|life| life.start_ns == start_ns) {
                self.lives.remove(&pid);
            }
        }
        if self.lives.len() >= self.look_at {
            let dead = self.lives.iter().filter(|(pid, _)| running::is_gone(**pid));
            self.gone = dead.map(|(&pid, life)| (pid, life.start_ns)).collect();
            // Twice as many, so that the looks cost little however many are alive.
            self.look_at = FEW.max(2 * (self.lives.len() - self.gone.len()));
        }
    }

    /// `time - timestamp_ns` in nanoseconds, as last sampled.
    pub fn clock_offset_ns(&self) -> u64 {
        self.clock_offset_ns
    }

    /// Completes an event of the wide mode; one of the basic mode has nothing to complete.
    pub fn complete(&mut self, event: &mut Event) {
        let (pid, ppid) = (event.pid, event.ppid);
        let Some(wide) = event.wide.as_deref_mut() else { return };
        if let Some(command) = self.command.as_mut().filter(|command| command.pid == pid) {
            command.complete(event.timestamp_ns, wide);
        }
        wide.time_ns = event.timestamp_ns.saturating_add(self.clock_offset_ns);
        wide.cgroup = self.cgroups.path(wide.cgroup_id);
        match &mut wide.detail {
            detail if detail.is_of_thread() => {}
            Detail::Fork { .. } => {
                let life = Life { start_ns: wide.start_ns, args: None, born_to: Some(ppid) };
                self.lives.insert(pid, life);
            }
            Detail::Exec { args, .. } => {
                if args.is_empty() && args.truncated {
                    // The kernel could not read them: they were not in memory.
                    if let Some(read) = running::args(pid, self.max_args) {
                        *args = read;
                    }
                }
                let new = Life { start_ns: wide.start_ns, args: None, born_to: None };
                let life = self.lives.entry(pid).or_insert(new);
                if life.start_ns.abs_diff(wide.start_ns) > TICK_NS {
                    life.born_to = None;
                }
                life.start_ns = wide.start_ns;
                life.args = Some(args.clone());
            }
            Detail::Exit(ended) => {
                // A process of the same id that was another one has nothing to say here.
                let life = self.lives.remove(&pid);
                let life = life.filter(|l| l.start_ns.abs_diff(wide.start_ns) <= TICK_NS);
                if let Some(life) = life {
                    ended.args = life.args;
                    ended.born_to = life.born_to.filter(|&maker| maker != ppid);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::{Comm, Ended, EventKind};

    fn event(kind: EventKind, ppid: u32, start_ns: u64, detail: Detail) -> Event {
        Event {
            kind,
            pid: 7,
            ppid,
            comm: Comm::new(b"sh"),
            timestamp_ns: 5_000_000_000,
            wide: Some(Box::new(Wide {
                time_ns: 0,
                tid: 7,
                uid: 0,
                start_ns,
                cgroup_id: 0,
                cgroup: None,
                detail,
            })),
        }
    }

    fn fork(ppid: u32, start_ns: u64) -> Event {
        let detail = Detail::Fork { thread: false, parent_tid: ppid };
        event(EventKind::Fork, ppid, start_ns, detail)
    }

    fn exec(start_ns: u64, args: &[u8]) -> Event {
        let detail = Detail::Exec { filename: b"/bin/sh".to_vec(), args: Args::new(args, false) };
        event(EventKind::Exec, 3, start_ns, detail)
    }

    fn exit(ppid: u32, start_ns: u64) -> Event {
        let detail = Detail::Exit(Ended { duration_ns: 1, ..Ended::default() });
        event(EventKind::Exit, ppid, start_ns, detail)
    }

    /// What the exit line says after these events.
    fn end_of(events: Vec<Event>) -> (Option<Args>, Option<u32>) {
        let mut enricher = Enricher::new(4096);
        let mut last = None;
        for mut event in events {
            enricher.complete(&mut event);
            last = event.wide;
        }
        assert!(enricher.lives.is_empty(), "an exit forgets");
        match last.expect("a wide event").detail {
            Detail::Exit(ended) => (ended.args, ended.born_to),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_exit_tells_the_arguments_of_the_last_exec() {
        let events = vec![fork(3, 10), exec(10, b"sh\0-c\0"), exec(10, b"ls\0"), exit(3, 10)];
        assert_eq!(end_of(events), (Some(Args::new(b"ls\0", false)), None));
        assert_eq!(end_of(vec![fork(3, 10), exit(3, 10)]), (None, None));
        assert_eq!(end_of(vec![exit(3, 10)]), (None, None));
    }

    #[test]
    fn a_command_begins_when_it_is_let_go() {
        let mut enricher = Enricher::new(4096);
        let before = now_ns(ClockId::Monotonic);
        enricher.let_go(7);
        let after = now_ns(ClockId::Monotonic);
        let mut complete = |mut event: Event| {
            event.timestamp_ns = after + 100;
            enricher.complete(&mut event);
            *event.wide.expect("wide")
        };
        let start_ns = complete(exec(10, b"ls\0")).start_ns;
        assert!((before..=after).contains(&start_ns), "{before} {start_ns} {after}");
        let ended = complete(exit(3, 10));
        assert_eq!(ended.start_ns, start_ns);
        let Detail::Exit(Ended { duration_ns, args, .. }) = ended.detail else { panic!("an exit") };
        assert_eq!(duration_ns, after + 100 - start_ns);
        assert_eq!(args, Some(Args::new(b"ls\0", false)), "it is one process");
        assert_eq!(complete(fork(3, 999)).start_ns, 999, "another one under its id");
    }

    #[test]
    fn an_orphans_exit_tells_who_forked_it() {
        assert_eq!(end_of(vec![fork(3, 10), exit(1, 10)]), (None, Some(3)));
    }

    #[test]
    fn a_pid_that_came_back_is_another_process() {
        let later = 10 + 2 * TICK_NS;
        assert_eq!(end_of(vec![fork(3, 10), exec(10, b"ls\0"), exit(1, later)]), (None, None));
        let events = vec![fork(3, 10), exec(later, b"ls\0"), exit(1, later)];
        assert_eq!(end_of(events), (Some(Args::new(b"ls\0", false)), None));
    }

    #[test]
    fn what_has_ended_unseen_is_forgotten_at_the_second_look() {
        let mut enricher = Enricher::new(4096);
        let me = std::process::id();
        for pid in (1 << 23..).take(FEW - 1).chain([me]) {
            let mut event = fork(3, 10);
            event.pid = pid;
            enricher.complete(&mut event);
        }
        enricher.forget_the_dead();
        assert_eq!(enricher.lives.len(), FEW, "an exit may still be on its way");
        enricher.forget_the_dead();
        assert_eq!(enricher.lives.keys().collect::<Vec<_>>(), [&me]);
    }

    #[test]
    fn an_adjusted_clock_is_followed() {
        let mut enricher = Enricher::new(4096);
        let right = enricher.clock_offset_ns();
        // As if the clock had been set an hour ahead since the last sample.
        enricher.clock_offset_ns = right - 3_600_000_000_000;
        let time_of = |enricher: &mut Enricher| {
            let mut event = fork(3, 10);
            enricher.complete(&mut event);
            event.wide.expect("wide").time_ns
        };
        let before = time_of(&mut enricher);
        enricher.sample_clock();
        let after = time_of(&mut enricher);
        assert!((after - before).abs_diff(3_600_000_000_000) < 1_000_000_000, "{before} {after}");
    }

    #[test]
    fn the_wall_clock_is_the_timestamp_plus_the_offset() {
        let mut enricher = Enricher::new(4096);
        let mut event = fork(3, 10);
        enricher.complete(&mut event);
        let time_ns = event.wide.expect("wide").time_ns;
        assert_eq!(time_ns, 5_000_000_000 + enricher.clock_offset_ns());
        let year_2020 = 1_577_836_800_000_000_000;
        assert!(time_ns > year_2020);
    }
}
