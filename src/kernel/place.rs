// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--unit` and `--container`, as `bpf/place.bpf.h` looks for them.

use std::collections::BTreeMap;

use crate::host::container::{self, CgroupName};
use crate::host::unit;
use crate::kernel::skel::wide::types::place as Kind;
use crate::model::conditions::Conditions;

/// `NAME_PART` of `bpf/place.bpf.h`.
const NAME_PART: usize = 128;

/// What must be there of a cgroup.
pub fn wanted(choice: &Conditions) -> u32 {
    let unit = choice.unit.as_ref().map(|_| Kind::PLACE_UNIT);
    let container = choice.container.as_ref().map(|_| Kind::PLACE_CONTAINER);
    [unit, container].into_iter().flatten().fold(0, |bits, kind| bits | kind.0)
}

/// The entries of `place_names`: keys and values.
pub fn names(choice: &Conditions) -> Vec<(Vec<u8>, u32)> {
    let mut names: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
    let mut add = |name: String, whole: bool, kind: Kind| {
        let name = [name.as_bytes(), if whole { b"\0" } else { b"" }].concat();
        *names.entry(name).or_default() |= kind.0;
    };
    for mut name in choice.unit.iter().flat_map(|unit| unit::cgroup_names(unit)) {
        if name.len() < NAME_PART {
            add(name, true, Kind::PLACE_UNIT);
        } else {
            // ASCII, as all units' names are.
            add(name.split_off(NAME_PART - 1), true, Kind::PLACE_REST);
            add(name, false, Kind::PLACE_LONG_UNIT);
        }
    }
    for name in choice.container.iter().flat_map(|id| container::cgroup_names(id)) {
        match name {
            CgroupName::Prefix(name) => add(name, false, Kind::PLACE_CONTAINER),
            CgroupName::BarePrefix(name) => add(name, false, Kind::PLACE_BARE_ID),
            CgroupName::Whole(name) => add(name, true, Kind::PLACE_CONTAINER),
            CgroupName::Machine(name) => add(name, true, Kind::PLACE_MACHINE),
            CgroupName::BareMachine(name) => add(name, true, Kind::PLACE_BARE_MACHINE),
        }
    }
    // Of several that fit, a trie finds the longest.
    let with_shorter = |name: &[u8]| {
        let fit = names.iter().filter(|(shorter, _)| name.starts_with(shorter));
        fit.fold(0, |bits, (_, kinds)| bits | kinds)
    };
    // No container's name is longer than 64 bytes, but each dash of a machine's takes four.
    let fits = names.keys().filter(|name| name.len() <= NAME_PART);
    fits.map(|name| (key(name), with_shorter(name))).collect()
}

/// `struct place_name`
fn key(name: &[u8]) -> Vec<u8> {
    let bits = 8 * name.len() as u32;
    let mut key = bits.to_ne_bytes().to_vec();
    key.extend_from_slice(name);
    key.resize(size_of::<u32>() + NAME_PART, 0);
    key
}

#[cfg(test)]
mod tests {
    use super::key as key_of;
    use super::*;

    #[test]
    fn a_longer_name_means_what_the_shorter_ones_mean_too() {
        let id = "0123456789ab";
        let unit = format!("docker-{id}0123.scope");
        let choice = Conditions {
            unit: Some(unit.clone()),
            container: Some(id.to_owned()),
            ..Conditions::default()
        };
        assert_eq!(wanted(&choice), 3);
        let names = names(&choice);
        let place =
            |name: &str| names.iter().find(|(key, _)| key[4..].starts_with(name.as_bytes()));
        let (key, bits) = place(&format!("{unit}\0")).expect("the unit");
        assert_eq!(key.len(), 132);
        assert_eq!(key[..4], (8 * (unit.len() as u32 + 1)).to_ne_bytes());
        assert_eq!(*bits, 3, "a unit, and a container");
        let short = key_of(format!("docker-{id}").as_bytes());
        let (_, bits) = names.iter().find(|(key, _)| *key == short).expect("docker- and the id");
        assert_eq!(*bits, Kind::PLACE_CONTAINER.0);
    }

    #[test]
    fn nothing_is_looked_for_unasked() {
        assert_eq!(wanted(&Conditions::default()), 0);
        assert!(names(&Conditions::default()).is_empty());
    }
}
