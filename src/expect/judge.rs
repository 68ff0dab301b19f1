// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events -> what the rules measure.

use jiff::tz::TimeZone;

use super::rule::{Measure, Rule};
use super::sight::Whole;
use super::tally::{Outcome, RSS_UNKNOWN, Tally};
use super::whose::Answer;
use super::words::{SHOWN, Who, Words};
use crate::model::event::{Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Meta, Totals};
use crate::model::pid::PID_MAX_LIMIT;
use crate::process::command::Command;
use crate::process::recent::Recent;
use crate::process::table::Table;

/// What still lives so long after the command's end is left over, in nanoseconds.
pub const GRACE_NS: u64 = 100_000_000;
/// What the OOM killer sends.
const SIGKILL: u8 = 9;
/// Exits whose cost may still come; of more, some rules stay open.
const MAX_OWED: usize = 4096;

/// The rules, and what was measured so far.
#[derive(Debug)]
pub struct Judge {
    tallies: Vec<Tally>,
    alive: Table<Member>,
    /// Exits without their cost, by id and begin.
    owed: Recent<(u32, u64), Owed>,
    words: Words,
    meta: Option<Meta>,
    /// It is about several captures, which may have been made in different ways.
    joined: bool,
    basic: bool,
    /// No exec was left out: the last that was seen of a process is the last that it made.
    tells_execs: bool,
    command: Command,
    /// When the command ended, and how long it ran.
    command_end: Option<(u64, u64)>,
    /// The living were counted when they had had their time after the command's end.
    counted_leftovers: bool,
    /// What the command started was to be waited for.
    awaits_all: bool,
    last_ns: u64,
}

/// A process that lives, as of its last event.
#[derive(Debug)]
struct Member {
    time_ns: u64,
    pid: u32,
    ppid: u32,
    comm: Comm,
    args: Option<Args>,
    /// What it is for each rule.
    answers: Box<[Answer]>,
}

/// What was seen of a process that went without its cost.
#[derive(Debug)]
struct Owed {
    args: Option<Args>,
    answers: Box<[Answer]>,
    /// Its highest resident set was told.
    rss_told: bool,
}

impl Member {
    fn who(&self) -> Who<'_> {
        let &Self { time_ns, pid, ppid, comm, ref args, .. } = self;
        Who { time_ns, pid, ppid, comm, args: args.as_ref(), detail: None }
    }
}

impl Judge {
    /// Of these rules. `no_args`: whoever is named is so without arguments.
    pub fn new(rules: Vec<Rule>, no_args: bool) -> Self {
        Self {
            tallies: rules.into_iter().map(Tally::new).collect(),
            alive: Table::new(PID_MAX_LIMIT as usize),
            owed: Recent::new(MAX_OWED),
            words: Words { zone: TimeZone::system(), no_args },
            meta: None,
            joined: false,
            basic: false,
            tells_execs: false,
            command: Command::default(),
            command_end: None,
            counted_leftovers: false,
            awaits_all: false,
            last_ns: 0,
        }
    }

    /// What the command started is waited for, too: whoever lives at the end wasn't seen to its own.
    pub fn await_all(&mut self) {
        self.awaits_all = true;
    }

    /// Some rule asks who lives on after the command.
    pub fn counts_leftovers(&self) -> bool {
        self.tallies.iter().any(|tally| tally.rule.measure == Measure::Leftovers)
    }

    /// A capture begins. `another`: it isn't the first one of its file.
    pub fn begin(&mut self, meta: &Meta, another: bool) {
        self.joined |= another;
        self.tells_execs = meta.filters.iter().all(|word| word == "--failed-execs");
        if self.meta.is_none() {
            self.command = Command::of(meta);
            self.meta = Some(meta.clone());
        }
    }

    /// What it is told of comes from several files that are not one capture's.
    pub fn is_of_several(&mut self) {
        self.joined = true;
    }

    /// Takes one event, whatever is shown of it.
    pub fn event(&mut self, event: &Event) {
        let Some(wide) = event.wide.as_deref() else {
            self.basic = true;
            return;
        };
        if wide.detail.is_of_thread() {
            return;
        }
        if self.command_end.is_some_and(|(ended_ns, _)| event.timestamp_ns > ended_ns + GRACE_NS) {
            self.count_leftovers();
        }
        let taken = self.command.found();
        let is_command = self.command.takes(event);
        if self.command.found() != taken {
            self.forget_command();
        }
        self.last_ns = self.last_ns.max(event.timestamp_ns);
        let known = self.alive.get(event.pid, wide.start_ns);
        let learned = known.filter(|_| self.tells_execs).and_then(|known| known.args.as_ref());
        let args = wide.detail.args().or(learned).cloned();
        let known = known.is_some();
        let seen = self.tells_execs && (known || event.kind == EventKind::Fork);
        let answers: Box<[Answer]> = self
            .tallies
            .iter_mut()
            .map(|tally| tally.whose.answer(event, args.as_ref(), seen))
            .collect();
        let (pid, ppid, comm, time_ns) = (event.pid, event.ppid, event.comm, wide.time_ns);
        let who = Who { time_ns, pid, ppid, comm, args: args.as_ref(), detail: Some(&wide.detail) };
        match &wide.detail {
            Detail::Exec { .. } => self.count(Measure::Execs, 1, &answers, who),
            Detail::ExecFailed { .. } => {
                self.count(Measure::FailedExecs, 1, &answers, who);
                // The process keeps its own arguments, which may be any if it wasn't seen before.
                if !known {
                    let answers = vec![Answer::Maybe; answers.len()].into();
                    let member = Member { time_ns, pid, ppid, comm, args: None, answers };
                    self.alive.begin(pid, wide.start_ns, member);
                }
                return;
            }
            Detail::Exit(ended) => {
                self.end_of(event, ended, &answers, who);
                if is_command && self.command_end.is_none() {
                    self.command_end = Some((event.timestamp_ns, ended.duration_ns));
                    let all = vec![Answer::Yes; answers.len()];
                    self.count(Measure::Wall, ended.duration_ns, &all, who);
                }
                self.alive.end(event.pid, wide.start_ns);
                return;
            }
            Detail::Fork { .. } => {}
        }
        let member = Member { time_ns, pid, ppid, comm, args, answers };
        let unseen = match event.kind {
            EventKind::Fork => self.alive.begin(event.pid, wide.start_ns, member),
            _ => {
                let mut member = Some(member);
                let new = || member.take().unwrap_or_else(Member::nobody);
                let kept = self.alive.meet(event.pid, wide.start_ns, new);
                if let Some(member) = member {
                    *kept = member;
                }
                None
            }
        };
        // Its end was lost, or is no event that is captured.
        if let Some(member) = unseen {
            self.count(Measure::Processes, 1, &member.answers, member.who());
        }
    }

    fn end_of(&mut self, event: &Event, ended: &Ended, answers: &[Answer], who: Who<'_>) {
        self.count(Measure::Processes, 1, answers, who);
        if ended.status.failed() {
            self.count(Measure::Failures, 1, answers, who);
        }
        if matches!(ended.status, ExitStatus::Signal { .. }) {
            self.count(Measure::Killed, 1, answers, who);
        }
        let sigkill = matches!(ended.status, ExitStatus::Signal { number: SIGKILL, .. });
        if ended.oom == Some(true) {
            self.count(Measure::Oom, 1, answers, who);
        } else if sigkill && ended.signal_code.is_none() {
            self.open(Measure::Oom, answers, "who killed a process is not known");
        }
        let Some(wide) = event.wide.as_deref() else { return };
        if let Some(bytes) = ended.max_rss_bytes {
            self.count(Measure::MaxRss, bytes, answers, who);
        }
        match ended.cpu_ns {
            Some(cpu_ns) => {
                self.count(Measure::Cpu, cpu_ns, answers, who);
                if ended.max_rss_bytes.is_none() {
                    self.open(Measure::MaxRss, answers, RSS_UNKNOWN);
                }
            }
            // All of its cost is still to come, but what the exit itself may tell.
            None => {
                let rss_told = ended.max_rss_bytes.is_some();
                let owes_cpu = self.owes(Measure::Cpu, answers);
                if !rss_told && self.owes(Measure::MaxRss, answers) || owes_cpu {
                    let args = who.args.map(|args| args.cut(SHOWN));
                    let owed = Owed { args, answers: answers.into(), rss_told };
                    self.owed.keep((event.pid, wide.start_ns), owed);
                }
            }
        }
    }

    /// Who was taken for the command is another: what was measured by its end is nothing.
    fn forget_command(&mut self) {
        self.command_end = None;
        self.counted_leftovers = false;
        for tally in &mut self.tallies {
            if matches!(tally.rule.measure, Measure::Wall | Measure::Leftovers) {
                tally.forget();
            }
        }
    }

    /// Takes the cost of an exit that was told without it.
    pub fn cost(&mut self, exit: &Event) {
        let (Some(wide), Some(ended)) = (exit.wide.as_deref(), exit.ended()) else { return };
        let Some(owed) = self.owed.take(&(exit.pid, wide.start_ns)) else { return };
        let Event { pid, ppid, comm, .. } = *exit;
        let (time_ns, args) = (wide.time_ns, owed.args.as_ref());
        let who = Who { time_ns, pid, ppid, comm, args, detail: Some(&wide.detail) };
        let rss = ended.max_rss_bytes.filter(|_| !owed.rss_told);
        for (measure, told) in [(Measure::Cpu, ended.cpu_ns), (Measure::MaxRss, rss)] {
            let Some(value) = told else { continue };
            for (tally, answer) in self.tallies.iter_mut().zip(&owed.answers) {
                let owed = u64::from(tally.counts(measure, *answer));
                tally.owed = tally.owed.saturating_sub(owed);
            }
            self.count(measure, value, &owed.answers, who);
        }
    }

    /// What some rules measure is still to come of somebody. Returns false if none does.
    fn owes(&mut self, measure: Measure, answers: &[Answer]) -> bool {
        let mut any = false;
        for (tally, answer) in self.tallies.iter_mut().zip(answers) {
            let counts = tally.counts(measure, *answer);
            tally.owed += u64::from(counts);
            any |= counts;
        }
        any
    }

    /// So much of what some rules measure.
    fn count(&mut self, measure: Measure, value: u64, answers: &[Answer], who: Who<'_>) {
        let Self { tallies, alive, words, .. } = self;
        for (tally, answer) in tallies.iter_mut().zip(answers) {
            if tally.counts(measure, *answer) {
                tally.add(value, *answer, || words.tell(who, name_of(alive, who.ppid)));
            }
        }
    }

    fn open(&mut self, measure: Measure, answers: &[Answer], why: &'static str) {
        for (tally, answer) in self.tallies.iter_mut().zip(answers) {
            if tally.counts(measure, *answer) {
                tally.open.get_or_insert(why);
            }
        }
    }

    fn count_leftovers(&mut self) {
        if std::mem::replace(&mut self.counted_leftovers, true) {
            return;
        }
        let Self { tallies, alive, words, .. } = self;
        for (tally, i) in tallies.iter_mut().zip(0..) {
            for (_, _, member) in alive.iter() {
                let answer = member.answers.get::<usize>(i).copied().unwrap_or(Answer::No);
                if tally.counts(Measure::Leftovers, answer) {
                    tally.add(1, answer, || words.tell(member.who(), name_of(alive, member.ppid)));
                }
            }
        }
    }

    /// What became of the rules, when no more events come.
    pub fn outcomes(mut self, totals: &Totals, unreadable: u64) -> Vec<Outcome> {
        let began_ns = self.meta.as_ref().map_or(0, |meta| meta.began_ns);
        let over_ns = began_ns.saturating_add(totals.elapsed_ns).max(self.last_ns);
        let (mut too_early, mut wall_seen) = (false, None);
        if let Some((ended_ns, duration_ns)) = self.command_end {
            wall_seen = Some(duration_ns);
            too_early = over_ns < ended_ns + GRACE_NS && !self.alive.is_empty();
            self.count_leftovers();
        }
        let living: Vec<Member> = self.alive.drain().collect();
        for member in living {
            let answers = &member.answers;
            self.count(Measure::Processes, 1, answers, member.who());
            self.open(Measure::Cpu, answers, "a process still ran at the end");
            self.open(Measure::MaxRss, answers, "a process still ran at the end");
            if self.awaits_all {
                for measure in Measure::OF_WHO_RUNS {
                    self.open(measure, answers, "a process still ran at the end");
                }
            }
        }
        let whole = Whole {
            meta: self.meta.as_ref(),
            joined: self.joined,
            basic: self.basic,
            unreadable,
            totals,
            command_ended: wall_seen.is_some(),
        };
        let lost = totals.lost.total().saturating_add(totals.lost_unshown);
        let outcome = |mut tally: Tally| {
            let measure = tally.rule.measure;
            if measure == Measure::Lost {
                tally.sure = lost.saturating_add(totals.lost.cost);
            }
            if measure == Measure::Leftovers && too_early {
                tally.open.get_or_insert("the capture ended too soon after the command");
                // They may have ended in time.
                tally.perhaps = tally.perhaps.saturating_add(std::mem::take(&mut tally.sure));
            }
            tally.outcome(&whole)
        };
        self.tallies.into_iter().map(outcome).collect()
    }
}

fn name_of(alive: &Table<Member>, pid: u32) -> Option<Comm> {
    alive.get(pid, 0).map(|member| member.comm)
}

impl Member {
    fn nobody() -> Self {
        let (comm, args, answers) = (Comm::new(b""), None, Box::default());
        Self { time_ns: 0, pid: 0, ppid: 0, comm, args, answers }
    }
}
