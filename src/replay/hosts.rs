// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events of several hosts, or of several boots of one: which is of whom, though their process ids
//! and clocks are not the same.

use foldhash::{HashMap, HashMapExt as _};
use std::sync::Arc;

use crate::model::event::{Detail, Event, Meta};
use crate::model::pid::PID_MAX_LIMIT;
use crate::process::filter::Filter;
use crate::text::time::Rfc3339;

/// Ids of so many boots fit beside each other.
pub const MAX_BOOTS: usize = (u32::MAX / PID_MAX_LIMIT) as usize;

/// A boot of a host: process ids and clocks are its own.
pub struct Boot {
    /// The host's name; empty where it isn't told.
    pub host: Arc<str>,
    boot_id: Arc<str>,
    /// What `timestamp_ns` lacks for the wall clock.
    offset_ns: i64,
    /// When its first event was, in nanoseconds since 1970.
    first_ns: u64,
    /// Who is followed there.
    pub filter: Filter,
    /// The captures that have told of it, and which did last.
    pub tellers: Vec<usize>,
    pub last_teller: Option<usize>,
    /// Until when something is known of it, in nanoseconds since 1970.
    pub until_ns: u64,
}

/// All of them, in the order in which they are met.
pub struct Hosts {
    boots: Vec<Boot>,
    /// By host and id.
    known: HashMap<(Arc<str>, Arc<str>), usize>,
    /// For each capture: the host and the boot that its `meta` record names.
    said: Vec<(Arc<str>, Arc<str>)>,
    /// The boot of the event before, for each capture.
    last: Vec<Option<usize>>,
    filter: Filter,
}

impl Hosts {
    /// None is known yet. Each gets a filter like this one.
    pub fn new(captures: usize, filter: Filter) -> Self {
        let nobody = (Arc::from(""), Arc::from(""));
        Self {
            boots: Vec::new(),
            known: HashMap::new(),
            said: vec![nobody; captures],
            last: vec![None; captures],
            filter,
        }
    }

    /// Whether a capture has said last that it is of this host.
    pub fn is_of(&self, capture: usize, host: &str) -> bool {
        *self.said[capture].0 == *host
    }

    /// A capture says which host it is of. Returns that, if it has been met already.
    pub fn meta(&mut self, capture: usize, meta: &Meta) -> Option<&mut Boot> {
        let said = (Arc::from(meta.host.as_str()), Arc::from(meta.boot_id.as_str()));
        let found = self.known.get(&said).copied();
        self.said[capture] = said;
        self.last[capture] = found;
        found.map(|found| &mut self.boots[found])
    }

    /// Which boot an event is of: its number, from 0; none where there are too many.
    pub fn of(&mut self, capture: usize, event: &Event) -> Option<usize> {
        let wide = event.wide.as_deref();
        let (host, boot_id) = &self.said[capture];
        let host = wide.and_then(|wide| wide.host.as_ref()).unwrap_or(host);
        let boot_id = wide.and_then(|wide| wide.boot_id.as_ref()).unwrap_or(boot_id);
        if let Some(last) = self.last[capture] {
            let boot = &self.boots[last];
            if *boot.host == **host && *boot.boot_id == **boot_id {
                return Some(last);
            }
        }
        let key = (host.clone(), boot_id.clone());
        if self.boots.len() == MAX_BOOTS && !self.known.contains_key(&key) {
            return None;
        }
        let found = *self.known.entry(key).or_insert_with_key(|(host, boot_id)| {
            let time_ns = wide.map_or(event.timestamp_ns, |wide| wide.time_ns);
            self.boots.push(Boot {
                host: host.clone(),
                boot_id: boot_id.clone(),
                offset_ns: time_ns.wrapping_sub(event.timestamp_ns) as i64,
                first_ns: time_ns,
                filter: self.filter.for_another_host(),
                tellers: Vec::new(),
                last_teller: None,
                until_ns: 0,
            });
            self.boots.len() - 1
        });
        self.last[capture] = Some(found);
        Some(found)
    }

    /// A boot by its number.
    pub fn get(&mut self, boot: usize) -> &mut Boot {
        &mut self.boots[boot]
    }

    /// What these two boots are, if they are not of one host, and how one is chosen.
    pub fn differ(&self, one: usize, other: usize) -> Option<(String, String)> {
        let [first, second] = [one, other].map(|boot| &self.boots[boot]);
        (first.host != second.host).then(|| {
            let named = [first, second].map(|boot| match &*boot.host {
                "" => "one without a name",
                host => host,
            });
            let what = format!("events of several hosts ({})", named.join(", "));
            let chosen = if first.host.is_empty() { &second.host } else { &first.host };
            (what, format!("choose with --host {chosen}"))
        })
    }

    /// The same, if they are of one host, which was restarted between them.
    pub fn restarted(&self, one: usize, other: usize) -> Option<(String, String)> {
        let [first, second] = [one, other].map(|boot| &self.boots[boot]);
        let known = [first, second].iter().all(|boot| !boot.boot_id.is_empty());
        (known && first.host == second.host && one != other).then(|| {
            let time = Rfc3339(first.first_ns.max(second.first_ns));
            let what =
                "events of two boots of a host, one before and one after a restart".to_owned();
            (what, format!("choose with --until {time} or --since {time}"))
        })
    }

    /// Whether a capture may have events of the host that was chosen: unless it says that it is another's.
    pub fn may_be_shown(&self, capture: usize) -> bool {
        let said = &*self.said[capture].0;
        self.filter.host().is_none_or(|host| said.is_empty() || said == host)
    }

    /// Whether a boot is of the host that was chosen, if one was.
    pub fn is_chosen(&self, boot: usize) -> bool {
        self.filter.host().is_none_or(|host| *self.boots[boot].host == *host)
    }

    /// Whether events of a boot are those of the host and the boot that this says.
    pub fn are_of(&self, boot: usize, meta: &(String, String)) -> bool {
        let Boot { host, boot_id, .. } = &self.boots[boot];
        **host == *meta.0 && **boot_id == *meta.1
    }

    /// Lets an event tell its host.
    pub fn name(&self, boot: usize, event: &mut Event) {
        let Boot { host, boot_id, .. } = &self.boots[boot];
        if let Some(wide) = event.wide.as_deref_mut() {
            let told = |text: &Arc<str>| Some(text.clone()).filter(|text| !text.is_empty());
            wide.host = wide.host.take().or_else(|| told(host));
            wide.boot_id = wide.boot_id.take().or_else(|| told(boot_id));
        }
    }

    /// Gives an event's processes ids that no other boot has, and times that all boots have in
    /// common: those of the wall clock.
    pub fn tell_apart(&self, boot: usize, event: &mut Event) {
        let Some(wide) = event.wide.as_deref_mut() else { return };
        let offset_ns = self.boots[boot].offset_ns;
        for ns in [&mut event.timestamp_ns, &mut wide.start_ns] {
            *ns = ns.saturating_add_signed(offset_ns);
        }
        if boot == 0 {
            return;
        }
        let own = |id: &mut u32| {
            // Without a parent a process has none anywhere.
            if *id != 0 {
                *id = *id % PID_MAX_LIMIT + boot as u32 * PID_MAX_LIMIT;
            }
        };
        [&mut event.pid, &mut event.ppid, &mut wide.tid].into_iter().for_each(own);
        let others = match &mut wide.detail {
            Detail::Fork { parent_tid, made_by, .. } => [Some(parent_tid), made_by.as_mut()],
            Detail::Exit(ended) => [ended.born_to.as_mut(), ended.killed_by_pid.as_mut()],
            Detail::Exec { .. } | Detail::ExecFailed { .. } => [None, None],
        };
        others.into_iter().flatten().for_each(own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::conditions::Conditions;
    use crate::model::event::Ended;
    use crate::view::fixtures::Story;

    fn meta(host: &str, boot_id: &str) -> Meta {
        Meta { host: host.to_owned(), boot_id: boot_id.to_owned(), ..Meta::default() }
    }

    /// A fork whose wall clock is this much ahead of `timestamp_ns`.
    fn fork(offset_ns: u64) -> Event {
        let mut story = Story::default();
        story.fork(5, 77, 4);
        let mut event = story.events.remove(0);
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        wide.time_ns = event.timestamp_ns + offset_ns;
        event
    }

    #[test]
    fn an_event_is_of_the_boot_that_it_or_its_capture_names() {
        let mut hosts = Hosts::new(2, Filter::new(Conditions::default()));
        assert!(hosts.meta(0, &meta("one", "a")).is_none());
        assert!(hosts.meta(1, &meta("one", "b")).is_none());
        assert!(hosts.is_of(0, "one") && !hosts.is_of(0, "other"));
        let event = fork(100);
        assert_eq!([hosts.of(0, &event), hosts.of(0, &event)], [Some(0), Some(0)]);
        assert_eq!(hosts.of(1, &event), Some(1), "another boot of it");
        assert_eq!(hosts.differ(0, 1), None);
        assert!(hosts.restarted(0, 1).is_some());
        let mut named = fork(100);
        let wide = named.wide.as_deref_mut().expect("of the wide mode");
        (wide.host, wide.boot_id) = (Some("other".into()), Some("b".into()));
        assert_eq!(hosts.of(1, &named), Some(2));
        assert_eq!([hosts.of(1, &event), hosts.of(1, &named)], [Some(1), Some(2)]);
        let these = ("events of several hosts (one, other)", "choose with --host one");
        assert_eq!(hosts.differ(0, 2), Some((these.0.to_owned(), these.1.to_owned())));
        let mut rebooted = fork(100);
        let wide = rebooted.wide.as_deref_mut().expect("of the wide mode");
        wide.boot_id = Some("c".into());
        assert_eq!([hosts.of(1, &event), hosts.of(1, &rebooted)], [Some(1), Some(3)]);
        assert!(hosts.meta(0, &meta("one", "b")).is_some(), "it has been met");
        assert_eq!(hosts.of(0, &event), Some(1));
    }

    #[test]
    fn ids_and_times_of_two_boots_fit_beside_each_other() {
        let mut hosts = Hosts::new(2, Filter::new(Conditions::default()));
        hosts.meta(0, &meta("one", "a"));
        hosts.meta(1, &meta("other", "b"));
        let (mut first, mut second) = (fork(100), fork(350));
        let before = first.clone();
        let boots = [hosts.of(0, &first), hosts.of(1, &second)].map(|boot| boot.expect("a boot"));
        hosts.tell_apart(boots[0], &mut first);
        assert_eq!((first.pid, first.ppid), (77, 4));
        assert_eq!(first.timestamp_ns, before.timestamp_ns + 100);
        hosts.tell_apart(boots[1], &mut second);
        assert_eq!((second.pid, second.ppid), (PID_MAX_LIMIT + 77, PID_MAX_LIMIT + 4));
        assert_eq!(second.timestamp_ns, before.timestamp_ns + 350);
        let ended = Ended { born_to: Some(4), killed_by_pid: Some(9), ..Ended::default() };
        let mut exit = fork(350);
        exit.wide.as_deref_mut().expect("of the wide mode").detail = Detail::exit(ended);
        hosts.tell_apart(boots[1], &mut exit);
        let wide = exit.wide.expect("of the wide mode");
        let Detail::Exit(ended) = wide.detail else { panic!("no exit") };
        let ids = [ended.born_to, ended.killed_by_pid];
        assert_eq!(ids, [4, 9].map(|id| Some(PID_MAX_LIMIT + id)));
        let mut orphan = Event { ppid: 0, ..fork(350) };
        hosts.tell_apart(boots[1], &mut orphan);
        assert_eq!(orphan.ppid, 0);
        let most = u32::try_from(MAX_BOOTS).expect("some") - 1;
        assert!(most.checked_mul(PID_MAX_LIMIT).is_some_and(|ids| ids > u32::MAX / 2));
    }

    #[test]
    fn beyond_so_many_boots_those_that_are_known_go_on() {
        let mut hosts = Hosts::new(1, Filter::new(Conditions::default()));
        let of = |hosts: &mut Hosts, boot: usize| {
            hosts.meta(0, &meta("one", &boot.to_string()));
            hosts.last[0] = None;
            hosts.of(0, &fork(100))
        };
        assert!((0..MAX_BOOTS).all(|boot| of(&mut hosts, boot) == Some(boot)));
        assert_eq!(of(&mut hosts, MAX_BOOTS), None);
        assert_eq!(of(&mut hosts, 7), Some(7));
    }

    #[test]
    fn a_capture_of_another_host_than_the_chosen_one_is_not_shown() {
        let chosen = Conditions { host: Some("one".to_owned()), ..Conditions::default() };
        let mut hosts = Hosts::new(1, Filter::new(chosen));
        assert!(hosts.may_be_shown(0), "it may tell with each event");
        hosts.meta(0, &meta("one", "a"));
        assert!(hosts.may_be_shown(0));
        hosts.meta(0, &meta("other", "b"));
        assert!(!hosts.may_be_shown(0));
    }

    #[test]
    fn names_that_nobody_told_are_none() {
        let mut hosts = Hosts::new(1, Filter::new(Conditions::default()));
        let mut event = fork(1);
        let boot = hosts.of(0, &event).expect("a boot");
        hosts.name(boot, &mut event);
        assert_eq!(event, fork(1));
        hosts.meta(0, &meta("one", "a"));
        let boot = hosts.of(0, &event).expect("a boot");
        hosts.name(boot, &mut event);
        let wide = event.wide.as_deref().expect("of the wide mode");
        assert_eq!((wide.host.as_deref(), wide.boot_id.as_deref()), (Some("one"), Some("a")));
    }
}
