// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is counted by the names of commands.

use foldhash::HashMap;

use super::figures::{Command, Count};
use super::times::Times;
use crate::model::event::Comm;
use crate::sorted;

/// Commands (names, as any process may choose them) that are told apart; the others are counted
/// together.
const MAX_COMMANDS: usize = 1024;

/// All names.
#[derive(Debug, Default)]
pub struct Names {
    places: HashMap<Comm, usize>,
    names: Vec<Name>,
    /// All beyond `MAX_COMMANDS`.
    others: Name,
}

/// What is counted for one name.
#[derive(Debug, Default)]
pub struct Name {
    comm: Option<Comm>,
    /// How often it was run.
    pub execs: u64,
    /// Processes of this name that ended without an exec.
    pub never_execed: u64,
    /// From fork to exec.
    pub fork_to_exec: Times<u32, 2>,
}

impl Names {
    /// Forgets what was counted, but not the places.
    pub fn begin_anew(&mut self) {
        for name in &mut self.names {
            *name = Name { comm: name.comm, ..Name::default() };
        }
        self.others = Name::default();
    }

    /// The place of a name; that of all that aren't told apart lies behind the last.
    pub fn of(&mut self, comm: Comm) -> usize {
        if let Some(&place) = self.places.get(&comm) {
            return place;
        }
        if self.names.len() == MAX_COMMANDS {
            return MAX_COMMANDS;
        }
        self.names.push(Name { comm: Some(comm), ..Name::default() });
        self.places.insert(comm, self.places.len());
        self.places.len() - 1
    }

    /// What is counted for the name at a place.
    pub fn get_mut(&mut self, place: usize) -> &mut Name {
        self.names.get_mut(place).unwrap_or(&mut self.others)
    }

    /// The name at a place; none of those that aren't told apart.
    pub fn comm(&self, place: usize) -> Option<Comm> {
        self.names.get(place)?.comm
    }

    /// Likewise, as text.
    pub fn text(&self, place: usize) -> Option<String> {
        Some(text(self.comm(place)?.as_bytes()))
    }

    /// Those that were run, the most frequent first.
    pub fn figures(&self) -> Vec<Command> {
        let run = self.all().filter(|name| name.execs > 0);
        let mut list: Vec<Command> = run
            .map(|name| Command {
                comm: name.comm.map(|comm| text(comm.as_bytes())),
                execs: name.execs,
                fork_to_exec: name.fork_to_exec.spread(),
            })
            .collect();
        sorted::by(&mut list, |a, b| b.execs.cmp(&a.execs).then_with(|| a.comm.cmp(&b.comm)));
        list
    }

    /// Those of processes that ended without an exec, the most frequent first.
    pub fn never_execed(&self) -> Vec<Count> {
        let never = self.all().filter(|name| name.never_execed > 0);
        let mut list: Vec<Count> = never
            .map(|name| Count {
                comm: name.comm.map(|comm| text(comm.as_bytes())),
                count: name.never_execed,
            })
            .collect();
        sorted::by(&mut list, |a, b| b.count.cmp(&a.count).then_with(|| a.comm.cmp(&b.comm)));
        list
    }

    fn all(&self) -> impl Iterator<Item = &Name> {
        self.names.iter().chain([&self.others])
    }
}

/// As JSON and messages tell it.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
