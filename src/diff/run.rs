// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one capture came to.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::normal;
use crate::model::event::{Detail, Event, Meta, Totals};
use crate::text;
use crate::view::lives::Lives;
use crate::view::summary::{By, Collector, Group, group_name};
use crate::view::{self, Sink};

/// Command lines that are told apart; beyond that they are only counted.
const MAX_COMMAND_LINES: usize = 1 << 16;

/// A capture's figures.
#[derive(Debug, Default)]
pub struct Run {
    /// The file.
    pub name: String,
    /// How long it took.
    pub elapsed_ns: u64,
    /// Nothing that was asked for is missing.
    pub complete: bool,
    /// Some event was of the basic mode, which tells of no cost.
    pub basic: bool,
    /// Filters, by which it was made.
    pub filters: Vec<String>,
    /// It has no arguments of programs.
    pub no_args: bool,
    /// By their names.
    pub groups: BTreeMap<String, Measures>,
    /// How often each command line was exec'd, as [`normal::command_line`] has it.
    pub execs: HashMap<String, u64>,
    /// Execs of more than are told apart.
    pub execs_not_told: u64,
    /// What the end of the longest process waited for: by command, in nanoseconds.
    pub chain: BTreeMap<String, u64>,
}

impl Run {
    /// What all groups come to together.
    pub fn sum(&self, measure: impl Fn(&Measures) -> u64) -> u64 {
        self.groups.values().map(measure).fold(0, u64::saturating_add)
    }
}

/// What a group came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    pub count: u64,
    pub failures: u64,
    pub cpu_ns: u64,
    /// Of so many of them the CPU time isn't known: of those that still ran, too.
    pub cost_unknown: u64,
    /// So many still ran when the capture ended.
    pub running: u64,
    pub run_time_ns: u64,
    /// The highest of one, where any is known.
    pub max_rss_bytes: Option<u64>,
}

impl From<&Group> for Measures {
    fn from(group: &Group) -> Self {
        Self {
            count: group.processes,
            failures: group.failures,
            cpu_ns: group.cpu_ns,
            cost_unknown: group.cost_unknown + group.running,
            running: group.running,
            run_time_ns: group.run_time_ns,
            max_rss_bytes: group.max_rss_bytes,
        }
    }
}

/// A sink that collects them.
#[derive(Clone, Debug)]
pub struct Collecting(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    collector: Collector,
    lives: Lives,
    tells_execs: bool,
    run: Run,
}

impl Collecting {
    /// Of the capture in this file. `execs`: command lines, too.
    pub fn new(name: &str, by: By, execs: bool) -> Self {
        let run = Run { name: name.to_owned(), ..Run::default() };
        let (collector, lives) = (Collector::new(by), Lives::for_picture());
        Self(Rc::new(RefCell::new(State { collector, lives, tells_execs: execs, run })))
    }

    /// What was collected, when the capture has been read.
    pub fn take(&self) -> Run {
        std::mem::take(&mut self.0.borrow_mut().run)
    }
}

impl Sink for Collecting {
    fn begin(&mut self, meta: &Meta, _out: &mut Vec<u8>) {
        let state = &mut *self.0.borrow_mut();
        state.collector.begin(meta);
        state.lives.begin(meta);
        state.run.filters.clone_from(&meta.filters);
        state.run.no_args = meta.no_args;
    }

    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        let state = &mut *self.0.borrow_mut();
        state.collector.event(event);
        state.lives.event(event);
        state.run.basic |= event.wide.is_none();
        if !state.tells_execs {
            return;
        }
        if let Some(Detail::Exec { args, .. }) = event.detail() {
            let line = normal::command_line(args);
            let run = &mut state.run;
            if run.execs.len() < MAX_COMMAND_LINES || run.execs.contains_key(&line) {
                *run.execs.entry(line).or_default() += 1;
            } else {
                run.execs_not_told += 1;
            }
        }
    }

    fn end(&mut self, totals: &Totals, _out: &mut Vec<u8>) {
        let State { collector, lives, run, .. } = &mut *self.0.borrow_mut();
        let figures = collector.figures(totals);
        run.elapsed_ns = totals.elapsed_ns;
        run.complete = totals.complete();
        for group in figures.groups.iter().flatten() {
            run.groups.insert(group_name(group), group.into());
        }
        if let Some(others) = &figures.other_groups {
            run.groups.insert("(others)".to_owned(), others.into());
        }
        lives.end(totals);
        let children = lives.children();
        let root = lives.longest_root(&children);
        let chain = root.map(|root| lives.chain(root, &children)).unwrap_or_default();
        for segment in chain {
            let comm = lives.get(segment.id).and_then(view::lives::Life::comm);
            let mut name = String::new();
            text::escape(comm.as_ref().map_or(b"?", |comm| comm.as_bytes()), &mut name);
            *run.chain.entry(name).or_default() += segment.len_ns();
        }
    }
}
