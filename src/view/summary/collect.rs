// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events -> figures, one event at a time.

use foldhash::{HashMap, HashMapExt as _};

use super::failed_files::FailedFiles;
use super::figures::{
    Cpu, Failure, Figures, Group, Longest, Lost, NeverExeced, OtherExecs, Rate, Status, Threads,
};
use super::groups::Groups;
use super::longest::LongestRuns;
use super::names::{Names, text};
use super::ranked;
use super::ranking::{By, Sort};
use super::times::Times;
use crate::json::SCHEMA_VERSION;
use crate::model::event::{
    Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Meta, Totals, Wide,
};
use crate::model::pid::PID_MAX_LIMIT;
use crate::model::signal;
use crate::process::recent::Recent;
use crate::process::table::Table;
use crate::sorted;
use crate::view::usage::Usage;

/// Processes that are remembered until their exit: in the basic mode threads, too, take such a place until their id is used again.
/// A hash table of 2^18 places, 25 MB, holds so many for good: where more than half of what fits is in use, what was
/// removed makes it double now and then.
const MAX_ALIVE: usize = 100_000;

/// Processes that are remembered because their cost may come later.
const MAX_OWING: usize = 8192;

/// The state between events.
#[derive(Debug)]
pub struct Collector {
    counts: [u64; 4],
    basic: bool,
    threads_started: u64,
    threads_ended: u64,
    alive: Table<Process>,
    names: Names,
    fork_to_exec: Times<u64, 3>,
    run_time: Times<u64, 3>,
    failures: HashMap<(usize, ExitStatus), u64>,
    failed_execs: FailedFiles,
    /// The longest first.
    longest: LongestRuns,
    never_execed: u64,
    repeated_execs: u64,
    execs_without_fork: u64,
    backwards: u64,
    last_ns: u64,
    groups: Groups,
    usage: Usage,
    cpu_ns: u64,
    cpu_unknown: u64,
    /// The groups of those whose cost isn't known yet, by pid and start, and whether that was counted
    /// in this period.
    owing: Recent<(u32, u64), (usize, bool)>,
    /// How many CPUs there are; 0 where the capture doesn't tell.
    cpus: u32,
    most_at_once: usize,
}

/// A process that has not ended.
#[derive(Debug)]
struct Process {
    /// When its fork was seen.
    fork_ns: Option<u64>,
    execed: bool,
    comm: usize,
    args: Option<Args>,
    /// The name of who forked it.
    parent: Option<Comm>,
    group: usize,
}

impl Collector {
    /// Nothing yet. Groups are made by this.
    pub fn new(by: By) -> Self {
        Self {
            counts: [0; 4],
            basic: false,
            threads_started: 0,
            threads_ended: 0,
            alive: Table::new(MAX_ALIVE),
            names: Names::default(),
            fork_to_exec: Times::default(),
            run_time: Times::default(),
            failures: HashMap::new(),
            failed_execs: FailedFiles::default(),
            longest: LongestRuns::default(),
            never_execed: 0,
            repeated_execs: 0,
            execs_without_fork: 0,
            backwards: 0,
            last_ns: 0,
            groups: Groups::new(by),
            usage: Usage::default(),
            cpu_ns: 0,
            cpu_unknown: 0,
            owing: Recent::new(MAX_OWING),
            cpus: 0,
            most_at_once: 0,
        }
    }

    /// Takes what the capture tells of itself.
    pub fn begin(&mut self, meta: &Meta) {
        self.cpus = meta.cpus;
        if meta.began_ns != 0 {
            self.usage.begin(meta.began_ns);
        }
    }

    /// Nothing has happened since it began, or began anew.
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 4] && self.threads_started + self.threads_ended == 0 && self.cpu_ns == 0
    }

    /// Forgets what was counted, but not who is alive; all since then counts.
    pub fn begin_anew(&mut self, from_ns: u64) {
        self.names.begin_anew();
        self.groups.begin_anew();
        let by = self.groups.by();
        let new = Self::new(by);
        let alive = std::mem::replace(&mut self.alive, Table::new(0));
        let names = std::mem::take(&mut self.names);
        let groups = std::mem::replace(&mut self.groups, Groups::new(by));
        let (basic, cpus, last_ns, most_at_once) =
            (self.basic, self.cpus, self.last_ns, alive.len());
        let mut owing = std::mem::replace(&mut self.owing, Recent::new(0));
        owing.values_mut().for_each(|(_, now)| *now = false);
        *self = Self { alive, names, groups, owing, basic, cpus, last_ns, most_at_once, ..new };
        self.usage.begin(from_ns);
    }

    /// Counts one event.
    pub fn event(&mut self, event: &Event) {
        self.last_ns = self.last_ns.max(event.timestamp_ns);
        match event.wide.as_deref() {
            Some(wide) => self.wide(event, wide),
            None => self.basic(event),
        }
    }

    /// Fork: a task of its own or a thread, nobody knows. Exit: of any task of the process.
    fn basic(&mut self, event: &Event) {
        self.basic = true;
        self.counts[event.kind as usize] += 1;
        match event.kind {
            EventKind::Fork => self.born(event, event.timestamp_ns, 0),
            EventKind::Exec => {
                let comm = self.names.of(event.comm);
                self.names.get_mut(comm).execs += 1;
                match self.alive.end(event.pid, 0) {
                    Some(Process { fork_ns: Some(fork_ns), execed: false, .. }) => {
                        self.latency(fork_ns, event.timestamp_ns, comm)
                    }
                    _ => self.execs_without_fork += 1,
                }
            }
            // Of the wide mode alone.
            EventKind::ExecFailed => {}
            EventKind::Exit => {
                if self.alive.end(event.pid, 0).is_some_and(|process| process.never_execed()) {
                    self.never(event.comm);
                }
            }
        }
    }

    fn wide(&mut self, event: &Event, wide: &Wide) {
        match &wide.detail {
            Detail::Fork { thread: true, .. } => {
                self.threads_started += 1;
                return;
            }
            Detail::Exit(ended) if ended.thread => {
                self.threads_ended += 1;
                return;
            }
            _ => self.counts[event.kind as usize] += 1,
        }
        match &wide.detail {
            Detail::Fork { .. } => {
                let group = self.groups.of(event, wide, Some(event.comm), None);
                self.born(event, wide.start_ns, group);
            }
            Detail::Exec { args, .. } => self.exec(event, wide, args),
            Detail::ExecFailed { filename, errno, .. } => {
                let process = self.alive.get(event.pid, wide.start_ns);
                let args = process.and_then(|process| process.args.clone());
                let group = self.groups.of(event, wide, self.parent(event, wide), args.as_ref());
                self.groups.exec_failed(group);
                self.failed_execs.add(filename.as_deref(), *errno);
            }
            Detail::Exit(ended) => {
                let Ended { status, duration_ns, args, cpu_ns, .. } = &**ended;
                let parent = self.parent(event, wide);
                let process = self.alive.end(event.pid, wide.start_ns);
                if process.as_ref().is_some_and(Process::never_execed) {
                    self.never(event.comm);
                }
                let known = process.and_then(|process| process.args);
                let group = self.groups.of(event, wide, parent, args.as_ref().or(known.as_ref()));
                self.groups.exit(group, ended);
                match *cpu_ns {
                    Some(cpu_ns) => self.used(cpu_ns, event, wide),
                    None => {
                        self.cpu_unknown += 1;
                        self.owing.keep((event.pid, wide.start_ns), (group, true));
                    }
                }
                self.run_time.record(*duration_ns);
                if status.failed() {
                    let comm = self.names.of(event.comm);
                    *self.failures.entry((comm, *status)).or_default() += 1;
                }
                if self.longest.takes(*duration_ns) {
                    self.longest.keep(Longest {
                        pid: on_its_host(event.pid),
                        comm: Some(text(event.comm.as_bytes())),
                        args: args.clone(),
                        run_time_ns: *duration_ns,
                        status: Some(of_status(*status)),
                    });
                }
            }
        }
    }

    fn used(&mut self, cpu_ns: u64, event: &Event, wide: &Wide) {
        self.cpu_ns = self.cpu_ns.saturating_add(cpu_ns);
        self.usage.add(wide.start_ns, event.timestamp_ns, cpu_ns);
    }

    /// Adds the cost of an exit that was counted without it.
    pub fn cost(&mut self, exit: &Event) {
        let (Some(wide), Some(ended)) = (exit.wide.as_deref(), exit.ended()) else { return };
        let owing = self.owing.take(&(exit.pid, wide.start_ns));
        if let (Some((group, now)), Some(cpu_ns)) = (owing, ended.cpu_ns) {
            self.cpu_unknown -= u64::from(now);
            self.groups.cost(group, ended, now);
            self.used(cpu_ns, exit, wide);
        }
    }

    fn born(&mut self, event: &Event, start_ns: u64, group: usize) {
        let comm = self.names.of(event.comm);
        let fork_ns = Some(event.timestamp_ns);
        // A child begins with the name of who forked it.
        let parent = Some(event.comm);
        let process = Process { fork_ns, execed: false, comm, args: None, parent, group };
        // One of the same pid has ended unseen: that event was lost, or it was a thread.
        self.alive.begin(event.pid, start_ns, process);
        self.most_at_once = self.most_at_once.max(self.alive.len());
    }

    /// The name of who forked the process, or, where that isn't known, of its parent now.
    fn parent(&self, event: &Event, wide: &Wide) -> Option<Comm> {
        let forked_by = self.alive.get(event.pid, wide.start_ns).and_then(|process| process.parent);
        forked_by.or_else(|| self.names.comm(self.alive.get(event.ppid, 0)?.comm))
    }

    fn exec(&mut self, event: &Event, wide: &Wide, args: &Args) {
        let comm = self.names.of(event.comm);
        self.names.get_mut(comm).execs += 1;
        let parent = self.parent(event, wide);
        let group = self.groups.of(event, wide, parent, Some(args));
        self.groups.exec(group);
        let args = Some(args.clone());
        let new = || Process { fork_ns: None, execed: false, comm, args: None, parent, group };
        let process = self.alive.meet(event.pid, wide.start_ns, new);
        let (fork_ns, repeated) = (process.fork_ns, process.execed);
        *process = Process { fork_ns, execed: true, comm, args, parent, group };
        self.most_at_once = self.most_at_once.max(self.alive.len());
        match fork_ns {
            _ if repeated => self.repeated_execs += 1,
            Some(fork_ns) => self.latency(fork_ns, event.timestamp_ns, comm),
            None => self.execs_without_fork += 1,
        }
    }

    fn latency(&mut self, fork_ns: u64, exec_ns: u64, comm: usize) {
        match exec_ns.checked_sub(fork_ns) {
            Some(ns) => {
                self.fork_to_exec.record(ns);
                self.names.get_mut(comm).fork_to_exec.record(ns);
            }
            None => self.backwards += 1,
        }
    }

    fn never(&mut self, comm: Comm) {
        self.never_execed += 1;
        let comm = self.names.of(comm);
        self.names.get_mut(comm).never_execed += 1;
    }

    /// What was counted up to now.
    pub fn figures(&mut self, totals: &Totals) -> Figures {
        let elapsed_ns = totals.elapsed_ns;
        let rate = |count| Rate { count, per_second: per_second(count, elapsed_ns) };
        let [fork, exec, exit, exec_failed] = self.counts;
        let events = fork + exec + exit + exec_failed + self.threads_started + self.threads_ended;
        let wide_only = !self.basic;
        if wide_only {
            self.add_running();
        }
        let (groups, other_groups) = self.group_figures();
        let not_yet = self.alive.iter().filter(|(.., process)| process.never_execed());
        Figures {
            schema: SCHEMA_VERSION,
            view: if self.basic { "basic" } else { "wide" },
            complete: totals.complete(),
            time: None,
            cut_off: totals.cut_off,
            elapsed_ns,
            events: rate(events),
            fork: rate(fork),
            exec: rate(exec),
            exit: rate(exit),
            exec_failed: (exec_failed > 0).then(|| rate(exec_failed)),
            threads: wide_only
                .then_some(Threads { started: self.threads_started, ended: self.threads_ended }),
            lost: Lost {
                fork: totals.lost.of(EventKind::Fork),
                exec: totals.lost.of(EventKind::Exec),
                exit: totals.lost.of(EventKind::Exit),
                exec_failed: totals.lost.of(EventKind::ExecFailed),
            },
            missed: totals.missed,
            cpu: wide_only.then(|| self.cpu_figures(elapsed_ns)),
            by: wide_only.then(|| self.groups.by().name()),
            groups: wide_only.then_some(groups),
            other_groups: other_groups.filter(|_| wide_only),
            fork_to_exec: self.fork_to_exec.spread(),
            run_time: wide_only.then(|| self.run_time.spread()),
            never_execed: NeverExeced {
                ended: self.never_execed,
                not_yet: not_yet.count() as u64,
                comms: self.names.never_execed(),
            },
            commands: self.names.figures(),
            other_execs: OtherExecs {
                repeated: wide_only.then_some(self.repeated_execs),
                without_fork: self.execs_without_fork,
            },
            failures: wide_only.then(|| self.failure_figures()),
            failed_execs: (exec_failed > 0).then(|| self.failed_execs.figures()),
            longest: wide_only.then(|| self.longest.take()),
            backwards: self.backwards,
            dropped: self.alive.forgotten(),
        }
    }

    fn cpu_figures(&self, elapsed_ns: u64) -> Cpu {
        let cpus = Some(self.cpus).filter(|&cpus| cpus > 0);
        let had = cpus.map(|cpus| u128::from(cpus) * u128::from(elapsed_ns)).filter(|&had| had > 0);
        let (span_ns, busy) = self.usage.figures();
        Cpu {
            used_ns: self.cpu_ns,
            unknown: self.cpu_unknown,
            cpus,
            share: had.map(|had| self.cpu_ns as f64 / had as f64),
            most_at_once: self.most_at_once as u64,
            busy,
            span_ns,
        }
    }

    /// The most CPU time first.
    fn group_figures(&self) -> (Vec<Group>, Option<Group>) {
        let running = self.alive.iter().map(|(.., process)| process.group);
        let (mut groups, mut others) = self.groups.figures(running);
        for group in groups.iter_mut().chain(&mut others) {
            group.cpu_share = (self.cpu_ns > 0).then(|| group.cpu_ns as f64 / self.cpu_ns as f64);
        }
        ranked::sort(&mut groups, Sort::Cpu);
        (groups, others)
    }

    /// Those that still run may be those that ran longest.
    fn add_running(&mut self) {
        let alive = std::mem::replace(&mut self.alive, Table::new(0));
        for (pid, start_ns, process) in alive.iter() {
            let ns = self.last_ns.saturating_sub(start_ns);
            if self.longest.takes(ns) {
                self.longest.keep(Longest {
                    pid: on_its_host(pid),
                    comm: self.names.text(process.comm),
                    args: process.args.clone(),
                    run_time_ns: ns,
                    status: None,
                });
            }
        }
        self.alive = alive;
    }

    fn failure_figures(&self) -> Vec<Failure> {
        let mut list: Vec<Failure> = self
            .failures
            .iter()
            .map(|(&(comm, status), &count)| Failure {
                comm: self.names.text(comm),
                status: of_status(status),
                count,
            })
            .collect();
        sorted::by(&mut list, |a, b| {
            let by_name = || (&a.comm, &a.status).cmp(&(&b.comm, &b.status));
            b.count.cmp(&a.count).then_with(by_name)
        });
        list
    }
}

impl Process {
    fn never_execed(&self) -> bool {
        self.fork_ns.is_some() && !self.execed
    }
}

/// Of several hosts, those after the first come with ids that are higher by a multiple of this.
fn on_its_host(pid: u32) -> u32 {
    pid % PID_MAX_LIMIT
}

fn of_status(status: ExitStatus) -> Status {
    match status {
        ExitStatus::Code(code) => Status::Code(code),
        ExitStatus::Signal { number, .. } => Status::Signal(signal::name(number).into_owned()),
    }
}

fn per_second(count: u64, elapsed_ns: u64) -> f64 {
    if elapsed_ns == 0 { 0.0 } else { count as f64 * 1e9 / elapsed_ns as f64 }
}
