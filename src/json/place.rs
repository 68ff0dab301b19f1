// SPDX-License-Identifier: MIT OR Apache-2.0
//! The form of the keys that tell where a process runs: the cgroup, and what its path names.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::MapAccess;

#[cfg(test)]
use super::describe::Key;
use super::form::{Form, Slot, Str};
use super::quick::{Common, Rest};
use super::write;
use crate::host::cgroup;
use crate::model::place::Place;
use crate::text::time::Clock;

/// The place that was read last, since most events have that of the one before, and whether the
/// path alone told it.
#[derive(Debug, Default)]
pub struct Places(Option<(Arc<Place>, bool)>);

impl Places {
    /// Captures of earlier versions tell the path alone, and it tells the rest.
    fn shared(&mut self, path: &str, told: [Option<Cow<'_, str>>; 5]) -> Arc<Place> {
        let path_alone = told.iter().all(Option::is_none);
        if let Some((last, by_path)) = self.0.as_ref().filter(|(last, _)| *last.cgroup == *path) {
            let same = || {
                let told_before = last.told();
                told_before[1..]
                    .iter()
                    .zip(&told)
                    .all(|((_, before), told)| *before == told.as_deref())
            };
            let known = if path_alone { *by_path } else { same() };
            if known {
                return last.clone();
            }
        }
        let place = if path_alone {
            cgroup::place(path)
        } else {
            let [unit, user_unit, container, runtime, pod_uid] =
                told.map(|told| told.map(Box::from));
            let line = Default::default();
            Place { cgroup: path.into(), unit, user_unit, container, runtime, pod_uid, line }
        };
        self.0.insert((Arc::new(place), path_alone)).0.clone()
    }

    /// The place of the line before, if the next keys are that line's.
    fn as_before(&self, rest: &mut Rest<'_>) -> Option<Arc<Place>> {
        let (place, by_path) = self.0.as_ref()?;
        // What the path alone told isn't in the line.
        let same = !by_path && rest.takes(place.line.get_or_init(|| line(place)));
        same.then(|| place.clone())
    }
}

/// The cgroup's path or null, and what the path names.
pub struct Where;

#[derive(Default)]
pub struct Found<'a>([Slot<Str<'a>>; 6]);

impl Form for Where {
    type Value = Option<Arc<Place>>;
    type Found<'a> = Found<'a>;

    #[inline]
    fn write(_: &'static str, value: &Self::Value, _: &mut Clock, out: &mut Vec<u8>) {
        match value {
            Some(place) => out.extend_from_slice(place.line.get_or_init(|| line(place))),
            None => out.extend_from_slice(b",\"cgroup\":null"),
        }
    }

    fn offer<'a, M: MapAccess<'a>>(
        _: &'static str,
        key: &str,
        found: &mut Self::Found<'a>,
        map: &mut M,
    ) -> Result<bool, M::Error> {
        for (slot, name) in found.0.iter_mut().zip(NAMES) {
            if slot.offer(name, key, map)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn finish(found: Self::Found<'_>, places: &mut Places) -> Result<Option<Self::Value>, String> {
        let [path, told @ ..] = found.0.map(|slot| Some(slot.take()?.0));
        Ok(Some(path.map(|path| places.shared(&path, told))))
    }

    #[inline]
    fn quick(_: &'static str, rest: &mut Rest<'_>, common: &mut Common) -> Option<Self::Value> {
        if let Some(place) = common.places.as_before(rest) {
            return Some(Some(place));
        }
        if rest.takes(b",\"cgroup\":null") {
            return Some(None);
        }
        let mut told = [None; 6];
        for (told, name) in told.iter_mut().zip(NAMES) {
            let mut after = Rest(rest.0);
            if after.takes(b",\"") && after.takes(name.as_bytes()) && after.takes(b"\":") {
                *told = Some(after.quoted()?);
                *rest = after;
            }
        }
        let [path, told @ ..] = told;
        Some(Some(common.places.shared(path?, told.map(|told| told.map(Cow::Borrowed)))))
    }

    #[cfg(test)]
    fn keys(_: &'static str, doc: String) -> Vec<Key> {
        use serde_json::json;
        let path = json!({ "type": ["string", "null"], "pattern": "^/" });
        let more = [
            (
                "unit",
                "The systemd unit that this path names, as systemctl(1) prints it; missing where it \
                 names none.",
            ),
            (
                "user_unit",
                "The unit of the user's own systemd; missing where the path isn't below one.",
            ),
            (
                "container",
                "The id of the container that this path names (of the innermost, if several); its \
                 name where the runtime is lxc or systemd-nspawn; missing where it names none.",
            ),
            (
                "runtime",
                "Who made that container: `docker`, `podman`, `containerd`, `cri-o`, `lxc`, \
                 `systemd-nspawn`; missing where the path doesn't tell.",
            ),
            ("pod_uid", "The uid of the Kubernetes pod that the container is one of."),
        ];
        let more = more.map(|(name, doc)| {
            Key::new(name, doc.to_owned(), json!({ "type": "string" })).optional()
        });
        [Key::new("cgroup", doc, path)].into_iter().chain(more).collect()
    }
}

const NAMES: [&str; 6] = ["cgroup", "unit", "user_unit", "container", "runtime", "pod_uid"];

/// How many bytes a place takes in a line.
pub fn len(place: &Place) -> usize {
    place.line.get_or_init(|| line(place)).len()
}

fn line(place: &Place) -> Box<[u8]> {
    let mut line = Vec::new();
    for (name, value) in place.told() {
        if let Some(value) = value {
            line.extend_from_slice(b",\"");
            line.extend_from_slice(name.as_bytes());
            line.extend_from_slice(b"\":");
            write::string(value.as_bytes(), &mut line);
        }
    }
    line.into()
}
