// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which processes get a span of their own, where there are more than a viewer takes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};

use crate::sorted;
use crate::view::lives::{Life, LifeId, Lives};

/// Processes that share a span: below the same one, and of the same name.
#[derive(Debug, Default)]
pub struct Group {
    pub members: Vec<LifeId>,
}

/// What gets a span.
#[derive(Debug)]
pub struct Thinned {
    /// Those that have their own.
    pub own: HashSet<LifeId>,
    /// The others, by who is above them and has a span, and their name.
    pub groups: BTreeMap<(Option<LifeId>, String), Group>,
}

/// Chooses at most `max` spans, if that can be done: the longest processes get their own, with all
/// those above them.
pub fn thin(lives: &Lives, processes: &[LifeId], root: Option<LifeId>, max: usize) -> Thinned {
    let mut longest: Vec<_> = processes.to_vec();
    let length = |id: &LifeId| {
        let life = lives.get(*id)?;
        life.lived_ns(lives.span_ns().1)
    };
    // The command comes first, whatever outlives it.
    sorted::by_key(&mut longest, |id| (Some(*id) != root, Reverse(length(id)), *id));
    let drawn: HashSet<LifeId> = processes.iter().copied().collect();
    if longest.len() <= max {
        return Thinned { own: drawn, groups: BTreeMap::new() };
    }
    // The more get their own, the fewer are left to be grouped: the count only grows with them.
    let (mut fits, mut too_many) = (0, longest.len());
    while fits + 1 < too_many {
        let middle = fits.midpoint(too_many);
        let thinned = split(lives, &drawn, &longest[..middle], processes);
        match thinned.own.len() + thinned.groups.len() <= max {
            true => fits = middle,
            false => too_many = middle,
        }
    }
    split(lives, &drawn, &longest[..fits], processes)
}

fn split(
    lives: &Lives,
    drawn: &HashSet<LifeId>,
    chosen: &[LifeId],
    processes: &[LifeId],
) -> Thinned {
    let parent = |id: LifeId| lives.get(id)?.parent.filter(|parent| drawn.contains(parent));
    let mut own = HashSet::new();
    for &id in chosen {
        let mut at = Some(id);
        while let Some(id) = at.filter(|&id| own.insert(id)) {
            at = parent(id);
        }
    }
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for &id in processes.iter().filter(|id| !own.contains(id)) {
        let mut above = parent(id);
        while let Some(id) = above.filter(|id| !own.contains(id)) {
            above = parent(id);
        }
        let name = lives.get(id).map(Life::name).unwrap_or_default();
        groups.entry((above, name)).or_default().members.push(id);
    }
    Thinned { own, groups }
}
