// SPDX-License-Identifier: MIT OR Apache-2.0
//! Groups of processes, and what each has come to.

use foldhash::{HashMap, HashMapExt as _};
use std::borrow::Cow;

use super::figures::{Group, GroupName};
use super::ranking::By;
use super::sketch::Sketch;
use crate::model::event::{Args, Comm, Ended, Event, Wide};

/// Groups that are told apart, and bytes of their names; the others are counted together.
const MAX_GROUPS: usize = 1 << 16;
const MAX_NAMES: usize = 16 << 20;

/// What makes a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// It has none, or that isn't known.
    None,
    Comm(Comm),
    Name(Box<str>),
    User(u32),
    Args(Args),
}

/// The groups so far.
#[derive(Debug)]
pub struct Groups {
    by: By,
    keys: HashMap<Key, usize>,
    names: usize,
    counts: Vec<Counts>,
    /// All those that aren't told apart.
    others: Counts,
}

/// What is counted of a group.
#[derive(Clone, Debug, Default)]
struct Counts {
    ended: u64,
    execs: u64,
    failures: u64,
    failed_execs: u64,
    cost_unknown: u64,
    cpu_ns: u64,
    cpu_wait_ns: u64,
    max_rss_bytes: Option<u64>,
    read_bytes: u64,
    write_bytes: u64,
    run_time: Sketch,
}

impl Groups {
    /// None yet.
    pub fn new(by: By) -> Self {
        let (keys, counts, others) = (HashMap::new(), Vec::new(), Counts::default());
        Self { by, keys, names: 0, counts, others }
    }

    /// Forgets what was counted, but not the groups.
    pub fn begin_anew(&mut self) {
        self.counts.fill(Counts::default());
        self.others = Counts::default();
    }

    /// What makes a group.
    pub fn by(&self) -> By {
        self.by
    }

    /// The group that an event's process is in. `parent`: the name of who forked it; `args`: the
    /// last that were told.
    pub fn of(
        &mut self,
        event: &Event,
        wide: &Wide,
        parent: Option<Comm>,
        args: Option<&Args>,
    ) -> usize {
        let place = wide.place.as_deref();
        let named = |name: Option<&str>| name.map_or(Key::None, |name| Key::Name(name.into()));
        let key = match self.by {
            By::Command => Key::Comm(as_told(event.comm)),
            By::Unit => {
                named(place.and_then(|place| place.user_unit.as_deref().or(place.unit.as_deref())))
            }
            By::Container => named(place.and_then(|place| place.container.as_deref())),
            By::User => Key::User(wide.uid),
            By::Parent => parent.map_or(Key::None, |comm| Key::Comm(as_told(comm))),
            By::Args => args.map_or(Key::None, |args| Key::Args(args.clone())),
        };
        if let Some(&group) = self.keys.get(&key) {
            return group;
        }
        let bytes = match &key {
            Key::Name(name) => name.len(),
            Key::Args(args) => args.len(),
            Key::None | Key::Comm(_) | Key::User(_) => 0,
        };
        if self.keys.len() >= MAX_GROUPS || self.names + bytes > MAX_NAMES {
            return MAX_GROUPS;
        }
        self.names += bytes;
        self.counts.push(Counts::default());
        self.keys.insert(key, self.counts.len() - 1);
        self.counts.len() - 1
    }

    fn counts(&mut self, group: usize) -> &mut Counts {
        self.counts.get_mut(group).unwrap_or(&mut self.others)
    }

    /// A process of it exec'd.
    pub fn exec(&mut self, group: usize) {
        self.counts(group).execs += 1;
    }

    /// A process of it failed to exec.
    pub fn exec_failed(&mut self, group: usize) {
        self.counts(group).failed_execs += 1;
    }

    /// A process of it ended.
    pub fn exit(&mut self, group: usize, ended: &Ended) {
        let counts = self.counts(group);
        counts.ended += 1;
        counts.failures += u64::from(ended.status.failed());
        counts.run_time.record(ended.duration_ns);
        counts.cost_unknown += u64::from(ended.cpu_ns.is_none());
        counts.cost(ended);
    }

    /// What a process of it has cost, which was counted without; `now`: since it began, or began anew.
    pub fn cost(&mut self, group: usize, ended: &Ended, now: bool) {
        let counts = self.counts(group);
        counts.cost_unknown -= u64::from(now);
        counts.cost(ended);
    }

    /// What they came to, in no order, and all those that aren't told apart. `running`: the groups
    /// of those that still run.
    pub fn figures(&self, running: impl Iterator<Item = usize>) -> (Vec<Group>, Option<Group>) {
        let mut alive = vec![0_u64; self.counts.len() + 1];
        for group in running {
            alive[group.min(self.counts.len())] += 1;
        }
        let groups = self.keys.iter().map(|(key, &nth)| {
            let counts = &self.counts[nth];
            counts.figures(Some(self.name(key)), alive[nth])
        });
        let others = self.others.figures(None, alive[self.counts.len()]);
        let is_any = |group: &Group| {
            group.processes + group.execs + group.failed_execs > 0 || group.cpu_ns > 0
        };
        (groups.filter(is_any).collect(), Some(others).filter(is_any))
    }

    fn name(&self, key: &Key) -> GroupName {
        let text = || match key {
            Key::Comm(comm) => Some(comm.to_text().into_owned()),
            Key::Name(name) => Some(name.to_string()),
            _ => None,
        };
        match (self.by, key) {
            (By::Command, _) => GroupName::Command(text()),
            (By::Unit, _) => GroupName::Unit(text()),
            (By::Container, _) => GroupName::Container(text()),
            (By::User, Key::User(uid)) => GroupName::User(*uid),
            (By::Args, Key::Args(args)) => GroupName::Args(Some(args.clone())),
            (By::Args, _) => GroupName::Args(None),
            (By::Parent | By::User, _) => GroupName::Parent(text()),
        }
    }
}

/// As lines tell it: what isn't UTF-8 is alike there.
fn as_told(comm: Comm) -> Comm {
    match comm.to_text() {
        Cow::Borrowed(_) => comm,
        Cow::Owned(text) => Comm::new(text.as_bytes()),
    }
}

impl Counts {
    fn cost(&mut self, ended: &Ended) {
        let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
        add(&mut self.cpu_ns, ended.cpu_ns);
        add(&mut self.cpu_wait_ns, ended.cpu_wait_ns);
        add(&mut self.read_bytes, ended.read_bytes);
        add(&mut self.write_bytes, ended.write_bytes);
        self.max_rss_bytes = self.max_rss_bytes.max(ended.max_rss_bytes);
    }

    fn figures(&self, name: Option<GroupName>, running: u64) -> Group {
        let [p50, p99] = [0.5, 0.99].map(|quantile| self.run_time.quantile(quantile));
        Group {
            name,
            processes: self.ended + running,
            running,
            execs: self.execs,
            failures: self.failures,
            failed_execs: self.failed_execs,
            cost_unknown: self.cost_unknown,
            cpu_ns: self.cpu_ns,
            cpu_share: None,
            cpu_wait_ns: self.cpu_wait_ns,
            run_time_ns: self.run_time.sum(),
            run_time_p50_ns: p50,
            run_time_p99_ns: p99,
            max_rss_bytes: self.max_rss_bytes,
            read_bytes: self.read_bytes,
            write_bytes: self.write_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;

    /// Whatever is chosen, nobody is left out of the sums.
    #[test]
    fn beyond_so_many_the_others_are_one() {
        let mut story = Story::default();
        story.exit(9, 77, 4, 1 << 8).costs(2, None);
        let event = &mut story.events[0];
        let mut groups = Groups::new(By::User);
        let many = MAX_GROUPS as u32 + 1_000;
        for uid in 0..many {
            let wide = event.wide.as_deref_mut().expect("of the wide mode");
            wide.uid = uid;
            let group = groups.of(event, event.wide.as_deref().expect("wide"), None, None);
            let Some(ended) = event.ended() else { unreachable!("it is an exit") };
            groups.exit(group, ended);
        }
        let (figures, others) = groups.figures([0, MAX_GROUPS, usize::MAX].into_iter());
        assert_eq!(figures.len(), MAX_GROUPS);
        let others = others.expect("others");
        assert_eq!((others.processes, others.running, others.failures), (1_002, 2, 1_000));
        let all = figures.iter().fold(others, Group::plus);
        assert_eq!((all.failures, all.cpu_ns), (u64::from(many), u64::from(many) * 2_000));
        groups.begin_anew();
        assert!(groups.figures([].into_iter()).0.is_empty());
    }
}
