// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events -> what the rules measure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::rule::{Measure, Rule};
use super::sight::{self, Whole};
use super::verdict::{Interval, Verdict};
use super::whose::{Answer, Whose};
use crate::model::event::{Args, Comm, Detail, Ended, Event, EventKind, ExitStatus, Meta, Totals};
use crate::model::pid::PID_MAX_LIMIT;
use crate::process::table::Table;
use crate::text;
use crate::text::command;
use crate::text::killed;

/// What still lives so long after the command's end is left over, in nanoseconds.
pub const GRACE_NS: u64 = 100_000_000;
/// What the OOM killer sends.
const SIGKILL: u8 = 9;
/// Offenders of a rule that are named.
const NAMED: usize = 10;

/// The rules, and what was measured so far.
#[derive(Debug)]
pub struct Judge {
    tallies: Vec<Tally>,
    alive: Table<Member>,
    words: Words,
    meta: Option<Meta>,
    joined: bool,
    basic: bool,
    /// No exec was left out: the last that was seen of a process is the last that it made.
    tells_execs: bool,
    /// When the command ended, and how long it ran.
    command: Option<(u64, u64)>,
    /// The living were counted when they had had their time after the command's end.
    counted_leftovers: bool,
    /// What the command started was to be waited for.
    awaits_all: bool,
    last_ns: u64,
}

/// A rule, and what was measured for it.
#[derive(Debug)]
struct Tally {
    rule: Rule,
    whose: Whose,
    /// Seen for sure.
    sure: u64,
    /// Seen, but perhaps not one that the rule is about.
    perhaps: u64,
    /// Why there may be more than these.
    open: Option<&'static str>,
    offenders: Vec<Offender>,
}

/// Somebody who counts for a rule.
#[derive(Clone, Debug)]
struct Offender {
    value: u64,
    text: String,
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

/// Somebody of whom there may be something to tell.
#[derive(Clone, Copy)]
struct Who<'a> {
    time_ns: u64,
    pid: u32,
    ppid: u32,
    comm: Comm,
    args: Option<&'a Args>,
    detail: Option<&'a Detail>,
}

impl Member {
    fn who(&self) -> Who<'_> {
        let &Self { time_ns, pid, ppid, comm, ref args, .. } = self;
        Who { time_ns, pid, ppid, comm, args: args.as_ref(), detail: None }
    }
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rule, as it was written.
    pub rule: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What was measured, or why it isn't known.
    pub measured: String,
    /// Those who count for it, in words.
    pub offenders: Vec<String>,
}

impl Judge {
    /// Of these rules. `no_args`: whoever is named is so without arguments.
    pub fn new(rules: Vec<Rule>, no_args: bool) -> Self {
        let tally = |rule: Rule| Tally {
            whose: Whose::new(&rule.filter),
            rule,
            sure: 0,
            perhaps: 0,
            open: None,
            offenders: Vec::new(),
        };
        Self {
            tallies: rules.into_iter().map(tally).collect(),
            alive: Table::new(PID_MAX_LIMIT as usize),
            words: Words { zone: TimeZone::system(), no_args },
            meta: None,
            joined: false,
            basic: false,
            tells_execs: false,
            command: None,
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

    /// A capture begins. `another`: it isn't the first one.
    pub fn begin(&mut self, meta: &Meta, another: bool) {
        self.joined |= another;
        self.tells_execs = meta.filters.iter().all(|word| word == "--failed-execs");
        self.meta.get_or_insert_with(|| meta.clone());
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
        if self.command.is_some_and(|(ended_ns, _)| event.timestamp_ns > ended_ns + GRACE_NS) {
            self.count_leftovers();
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
        match ended.cpu_ns {
            Some(cpu_ns) => self.count(Measure::Cpu, cpu_ns, answers, who),
            None => self.open(Measure::Cpu, answers, "what a process used is not known"),
        }
        match ended.max_rss_bytes {
            Some(bytes) => self.count(Measure::MaxRss, bytes, answers, who),
            None => self.open(Measure::MaxRss, answers, "a process' resident set is not known"),
        }
        let Some(wide) = event.wide.as_deref() else { return };
        let command = self.meta.as_ref().map_or(0, |meta| meta.command_pid);
        if command != 0 && self.command.is_none() && wide.ns_pid.unwrap_or(event.pid) == command {
            self.command = Some((event.timestamp_ns, ended.duration_ns));
            self.count(Measure::Wall, ended.duration_ns, &vec![Answer::Yes; answers.len()], who);
        }
    }

    /// So much of what some rules measure.
    fn count(&mut self, measure: Measure, value: u64, answers: &[Answer], who: Who<'_>) {
        let Self { tallies, alive, words, .. } = self;
        for (tally, answer) in tallies.iter_mut().zip(answers) {
            if tally.rule.measure != measure || *answer == Answer::No {
                continue;
            }
            let sum = match answer {
                Answer::Yes => &mut tally.sure,
                _ => &mut tally.perhaps,
            };
            *sum = match measure {
                Measure::MaxRss => value.max(*sum),
                _ => sum.saturating_add(value),
            };
            tally.name(value, || words.tell(who, alive));
        }
    }

    fn open(&mut self, measure: Measure, answers: &[Answer], why: &'static str) {
        for (tally, answer) in self.tallies.iter_mut().zip(answers) {
            if tally.rule.measure == measure && *answer != Answer::No {
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
            if tally.rule.measure != Measure::Leftovers {
                continue;
            }
            for (_, _, member) in alive.iter() {
                match member.answers.get::<usize>(i) {
                    Some(Answer::Yes) => tally.sure += 1,
                    Some(Answer::Maybe) => tally.perhaps += 1,
                    _ => continue,
                }
                tally.name(1, || words.tell(member.who(), alive));
            }
        }
    }

    /// What became of the rules, when no more events come.
    pub fn outcomes(mut self, totals: &Totals, unreadable: u64) -> Vec<Outcome> {
        let began_ns = self.meta.as_ref().map_or(0, |meta| meta.began_ns);
        let over_ns = began_ns.saturating_add(totals.elapsed_ns).max(self.last_ns);
        let (mut too_early, mut wall_seen) = (false, None);
        if let Some((ended_ns, duration_ns)) = self.command {
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

/// How those who count for a rule are named.
#[derive(Debug)]
struct Words {
    zone: TimeZone,
    no_args: bool,
}

impl Words {
    /// `12:00:01 curl -s ... (4711, by 4700 sh)`, for a terminal.
    fn tell(&self, who: Who<'_>, alive: &Table<Member>) -> String {
        /// Bytes of a command line that are told.
        const SHOWN: usize = 200;
        let time = Timestamp::from_nanosecond(i128::from(who.time_ns)).unwrap_or_default();
        let mut out = time.to_zoned(self.zone.clone()).strftime("%H:%M:%S ").to_string();
        let filename = match who.detail {
            Some(Detail::ExecFailed { filename, .. }) => filename.as_deref(),
            _ => None,
        };
        match (filename, who.args.filter(|args| !args.is_empty())) {
            (_, Some(args)) if self.no_args => command::quote(&args.program(), &mut out),
            (_, Some(args)) => command::quote(&args.cut(SHOWN), &mut out),
            (Some(filename), None) => text::escape(filename, &mut out),
            (None, None) => text::escape(who.comm.as_bytes(), &mut out),
        }
        match who.detail {
            Some(Detail::ExecFailed { errno, .. }) => out += &format!(": {}", errno.name()),
            Some(Detail::Exit(ended)) if ended.signal_code.is_some() => {
                out.push_str(", ");
                killed::by(who.pid, ended, &mut out);
            }
            Some(Detail::Exit(ended)) if ended.status.failed() => {
                out += &format!(", exit status {}", ended.status);
            }
            _ => {}
        }
        out += &format!(" ({}, by {}", who.pid, who.ppid);
        if let Some(parent) = alive.get(who.ppid, 0) {
            out.push(' ');
            text::escape(parent.comm.as_bytes(), &mut out);
        }
        out.push(')');
        out
    }
}

impl Member {
    fn nobody() -> Self {
        let (comm, args, answers) = (Comm::new(b""), None, Box::default());
        Self { time_ns: 0, pid: 0, ppid: 0, comm, args, answers }
    }
}

impl Tally {
    /// Keeps the first, or of what is large the largest.
    fn name(&mut self, value: u64, text: impl FnOnce() -> String) {
        let largest = matches!(self.rule.measure, Measure::Cpu | Measure::MaxRss);
        let full = self.offenders.len() >= NAMED;
        let at = match largest {
            true => self.offenders.partition_point(|offender| offender.value >= value),
            false if full => return,
            false => self.offenders.len(),
        };
        if at >= NAMED {
            return;
        }
        self.offenders.insert(at, Offender { value, text: text() });
        self.offenders.truncate(NAMED);
    }

    fn outcome(self, whole: &Whole<'_>) -> Outcome {
        let Self { rule, sure, perhaps, open, offenders, .. } = self;
        let both = match rule.measure {
            Measure::MaxRss => sure.max(perhaps),
            _ => sure.saturating_add(perhaps),
        };
        let hidden = sight::hidden(&rule, whole).or_else(|| open.map(str::to_owned));
        let low = if sight::may_be_less(rule.measure, whole.totals) { 0 } else { sure };
        let interval = Interval { low, high: hidden.is_none().then_some(both) };
        let verdict = Verdict::of(interval, rule.comparison, rule.value);
        let seen = rule.measure.tell(both);
        let measured = match (verdict, hidden) {
            (Verdict::Unknown, Some(why)) => format!("{why}; seen: {seen}"),
            (Verdict::Unknown, None) => {
                format!("{seen}, of which {} perhaps not meant", rule.measure.tell(perhaps))
            }
            _ => seen,
        };
        let offenders = offenders.into_iter().map(|offender| offender.text).collect();
        Outcome { rule: rule.text, verdict, measured, offenders }
    }
}
