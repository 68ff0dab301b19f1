// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is shown of what was found: grouped, filtered, ordered.

use std::collections::HashMap;

use super::ledger::{Figures, Kind, Places};
use crate::host::users::Users;
use crate::sorted;
use crate::text;

/// What makes a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    #[default]
    Command,
    Unit,
    Container,
    User,
}

impl By {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::User => "user",
        }
    }

    /// The one after it.
    pub fn next(self) -> Self {
        match self {
            Self::Command => Self::Unit,
            Self::Unit => Self::Container,
            Self::Container => Self::User,
            Self::User => Self::Command,
        }
    }

    /// The group that processes of this kind are in, as it is shown.
    pub fn group(self, kind: Kind, places: &Places, users: &Users) -> String {
        let place = places.get(kind.place);
        let named = |name: Option<&str>| escaped(name.unwrap_or("-").as_bytes());
        match self {
            Self::Command => escaped(kind.comm.as_bytes()),
            Self::Unit => named(place.user_unit.as_deref().or(place.unit.as_deref())),
            // As `docker ps` shows it.
            Self::Container => named(place.container.as_deref().map(short)),
            Self::User => match users.name(kind.uid) {
                Some(name) => escaped(name.as_bytes()),
                None if kind.uid == u32::MAX => "?".to_owned(),
                None => kind.uid.to_string(),
            },
        }
    }
}

fn short(id: &str) -> &str {
    id.get(..12).filter(|_| id.len() == 64).unwrap_or(id)
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    text::escape(bytes, &mut text);
    text
}

/// What groups are ordered by, the greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Cpu,
    Gone,
    Running,
    Started,
    Ended,
    Failed,
    Rss,
    /// From A to Z.
    Name,
}

impl Sort {
    /// In the order of the columns.
    pub const ALL: [Self; 8] = [
        Self::Cpu,
        Self::Gone,
        Self::Running,
        Self::Started,
        Self::Ended,
        Self::Failed,
        Self::Rss,
        Self::Name,
    ];

    /// The one so many columns further.
    pub fn step(self, by: isize) -> Self {
        let place = Self::ALL.iter().position(|&sort| sort == self).unwrap_or(0);
        let count = Self::ALL.len() as isize;
        Self::ALL[(place as isize + by).rem_euclid(count) as usize]
    }

    fn figure(self, figures: &Figures) -> u64 {
        match self {
            Self::Cpu => figures.cpu_ns(),
            Self::Gone => figures.gone_ns,
            Self::Running => figures.running,
            Self::Started => figures.started,
            Self::Ended => figures.ended,
            Self::Failed => figures.failed,
            Self::Rss => figures.rss_bytes,
            Self::Name => 0,
        }
    }
}

/// A group, as it is shown.
#[derive(Clone, Debug)]
pub struct Row {
    pub name: String,
    /// The command line of one of them.
    pub example: String,
    pub figures: Figures,
}

/// How rows are chosen.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    pub by: By,
    pub sort: Sort,
    /// Only groups whose name or example has this text.
    pub filter: String,
}

impl Choice {
    /// The rows of what was found.
    pub fn rows(&self, found: &HashMap<Kind, Figures>, places: &Places, users: &Users) -> Vec<Row> {
        let mut groups: HashMap<String, Figures> = HashMap::new();
        for (&kind, figures) in found {
            groups.entry(self.by.group(kind, places, users)).or_default().add(figures);
        }
        let row = |(name, figures): (String, Figures)| {
            let mut example = String::new();
            if let Some(args) = &figures.example {
                text::command::quote(args, &mut example);
            }
            Row { name, example, figures }
        };
        let mut rows: Vec<_> = groups.into_iter().map(row).collect();
        rows.retain(|row| row.name.contains(&self.filter) || row.example.contains(&self.filter));
        // The name makes the order one, so that rows don't change places by themselves.
        sorted::by(&mut rows, |a, b| {
            let [a_figure, b_figure] = [a, b].map(|row| self.sort.figure(&row.figures));
            b_figure.cmp(&a_figure).then_with(|| a.name.cmp(&b.name))
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_goes_round_all_columns() {
        let mut sort = Sort::Cpu;
        for &next in Sort::ALL.iter().skip(1).chain([&Sort::Cpu]) {
            sort = sort.step(1);
            assert_eq!(sort, next);
        }
        assert_eq!(Sort::Cpu.step(-1), Sort::Name);
    }

    #[test]
    fn ids_are_as_short_as_docker_shows_them() {
        assert_eq!(short(&"ab".repeat(32)), "abababababab");
        assert_eq!(short("a-name-of-systemd-nspawn"), "a-name-of-systemd-nspawn");
    }
}
