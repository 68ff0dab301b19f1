// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is counted of each systemd unit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::event::{Detail, Event, ExitStatus, Wide};
use crate::model::place::Place;

/// Units that have series of their own: the first ones that are seen keep them to the end, so that no
/// counter ever goes back.
const MAX_UNITS: usize = 200;
/// The name of all later ones together. Units have an ending, so none is called so.
const OTHER: &str = "other";

/// Of one unit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub started: u64,
    pub ended: u64,
    pub failed_by_exit: u64,
    pub failed_by_signal: u64,
    pub cpu_ns: u64,
    pub failed_execs: u64,
}

/// Of all.
#[derive(Debug, Default)]
pub struct Units {
    /// In the order in which they were first seen.
    counts: Vec<(Box<str>, Counts)>,
    numbers: HashMap<Box<str>, usize>,
    other: Option<Counts>,
    /// Where the last event was, and the number of its unit: most are where the one before was, and a
    /// name that is made for each would cost as much as all else here.
    last: Option<(Arc<Place>, usize)>,
}

impl Units {
    /// Counts an event of a process.
    pub fn event(&mut self, event: &Event) {
        let Some(wide) = event.wide.as_deref().filter(|wide| !wide.detail.is_of_thread()) else {
            return;
        };
        let counts = self.of(wide);
        match &wide.detail {
            Detail::Fork { .. } => counts.started += 1,
            Detail::Exec { .. } => {}
            Detail::ExecFailed { .. } => counts.failed_execs += 1,
            Detail::Exit(ended) => {
                counts.ended += 1;
                counts.cpu_ns += ended.cpu_ns.unwrap_or(0);
                match ended.status {
                    ExitStatus::Code(0) => {}
                    ExitStatus::Code(_) => counts.failed_by_exit += 1,
                    ExitStatus::Signal { .. } => counts.failed_by_signal += 1,
                }
            }
        }
    }

    /// Adds the cost of an exit that was counted without it.
    pub fn cost(&mut self, exit: &Event) {
        if let (Some(wide), Some(ended)) = (exit.wide.as_deref(), exit.ended()) {
            self.of(wide).cpu_ns += ended.cpu_ns.unwrap_or(0);
        }
    }

    fn of(&mut self, wide: &Wide) -> &mut Counts {
        let number = match (&wide.place, &self.last) {
            (Some(place), Some((last, number))) if Arc::ptr_eq(place, last) => *number,
            (place, _) => {
                let number = self.number(place.as_deref());
                self.last = place.clone().map(|place| (place, number));
                number
            }
        };
        match self.counts.get_mut(number) {
            Some((_, counts)) => counts,
            None => self.other.get_or_insert_default(),
        }
    }

    /// The unit's number; [`MAX_UNITS`] of all that have none of their own.
    fn number(&mut self, place: Option<&Place>) -> usize {
        let unit = place.and_then(|place| place.user_unit.as_deref().or(place.unit.as_deref()));
        let name = unit.map_or(String::new(), name);
        if let Some(&number) = self.numbers.get(name.as_str()) {
            return number;
        }
        if self.counts.len() >= MAX_UNITS {
            return MAX_UNITS;
        }
        let number = self.counts.len();
        self.counts.push((name.as_str().into(), Counts::default()));
        self.numbers.insert(name.into(), number);
        number
    }

    /// Names and counts; the empty name is of those in no unit.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Counts)> {
        let named = self.counts.iter().map(|(name, counts)| (&**name, counts));
        named.chain(self.other.as_ref().map(|counts| (OTHER, counts)))
    }
}

/// A unit's name; of a scope, which has a number or an id of its own each time, the prefix:
/// `session-*.scope`.
fn name(unit: &str) -> String {
    match unit.strip_suffix(".scope").and_then(|scope| scope.split_once('-')) {
        Some((prefix, _)) => format!("{prefix}-*.scope"),
        None => unit.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::cgroup;
    use crate::view::fixtures::Story;

    #[test]
    fn scopes_count_under_their_prefix() {
        assert_eq!(name("session-12.scope"), "session-*.scope");
        assert_eq!(name("docker-0123abcd.scope"), "docker-*.scope");
        assert_eq!(name("init.scope"), "init.scope");
        assert_eq!(name("getty@tty1.service"), "getty@tty1.service");
    }

    #[test]
    fn the_first_units_keep_their_series() {
        let mut story = Story::default();
        story.exit(9, 77, 4, 1 << 8).costs(2, None);
        let mut units = Units::default();
        let mut event = story.events.remove(0);
        for round in 1..=2 {
            for i in 0..300 {
                let place = Arc::new(cgroup::place(&format!("/system.slice/a{i}.service")));
                event.wide.as_deref_mut().expect("of the wide mode").place = Some(place);
                units.event(&event);
            }
            let list: Vec<_> = units.iter().collect();
            assert_eq!(list.len(), MAX_UNITS + 1);
            assert!(list.iter().take(MAX_UNITS).all(|(_, counts)| counts.ended == round));
            let (name, other) = list[MAX_UNITS];
            assert_eq!((name, other.failed_by_exit), (OTHER, 100 * round));
        }
    }
}
