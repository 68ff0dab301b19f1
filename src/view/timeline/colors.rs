// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which name has which colour, and the legend that tells.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::{MARGIN, WIDTH, columns, cut, escaped, tag};
use crate::model::event::Comm;
use crate::sorted;
use crate::view::lives::{Exec, Life, Lives};

const CLASSES: [&str; 12] =
    ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11"];
/// The class of those that the legend doesn't name.
pub const OTHER: &str = "other";
/// From one colour to try to the next, far away on the wheel: prime to their number.
const STRIDE: usize = 5;
/// The legend's room for names, in pixels.
const ROOM: f64 = WIDTH * 0.7;

/// A colour for each name in the legend: as far as that allows the same in every picture.
pub struct Colors {
    classes: HashMap<Comm, usize>,
    /// The most frequent names with their counts.
    names: Vec<(Comm, usize)>,
    /// How many there are of all other names.
    others: usize,
}

impl Colors {
    /// For these lives.
    pub fn of(lives: &Lives) -> Self {
        let mut counts: HashMap<Comm, usize> = HashMap::new();
        for (_, life) in lives.iter().filter(|(_, life)| !life.is_bystander()) {
            let mut comms: Vec<_> = life.execs().map(Exec::comm).collect();
            comms.extend(life.comm().filter(|_| comms.is_empty()));
            comms.iter().for_each(|comm| *counts.entry(*comm).or_default() += 1);
        }
        let mut names: Vec<_> = counts.into_iter().collect();
        sorted::by(&mut names, |a, b| {
            b.1.cmp(&a.1).then_with(|| a.0.as_bytes().cmp(b.0.as_bytes()))
        });
        let mut x = MARGIN;
        let fits = names.iter().take(CLASSES.len()).take_while(|(comm, count)| {
            x += entry_width(&entry(*comm, *count));
            x < ROOM
        });
        let fits = fits.count();
        let others = names.split_off(fits).iter().map(|(_, count)| count).sum();

        let mut classes = HashMap::new();
        let mut taken = [false; CLASSES.len()];
        for (comm, _) in &names {
            let tries = (0..CLASSES.len()).map(|i| (favourite(*comm) + i * STRIDE) % CLASSES.len());
            let free = |class: &usize| !taken[*class];
            let (left, right) = (CLASSES.len() - 1, 1);
            let distinct = |class: &usize| {
                [0, left, right].iter().all(|by| !taken[(class + by) % CLASSES.len()])
            };
            let class = tries.clone().find(distinct).or_else(|| tries.clone().find(free));
            if let Some(class) = class {
                taken[class] = true;
                classes.insert(*comm, class);
            }
        }
        Self { classes, names, others }
    }

    /// The class of a name.
    pub fn class(&self, comm: Comm) -> &'static str {
        self.classes.get(&comm).map_or(OTHER, |&class| CLASSES[class])
    }

    /// The class of a process before its first exec.
    pub fn class_of(&self, life: &Life) -> &'static str {
        self.name_of(life).map_or(OTHER, |comm| self.class(comm))
    }

    /// What gives a process its colour: what it ran when it was first heard of, or its first exec.
    pub fn name_of(&self, life: &Life) -> Option<Comm> {
        let first = life.execs().next().map(Exec::comm).or(life.comm());
        let comm = life.ran_before().unwrap_or(first);
        comm.filter(|_| !life.is_bystander())
    }

    /// Draws the legend.
    pub fn legend(&self, svg: &mut String) {
        let mut x = MARGIN;
        let named = self.names.iter().map(|&(comm, count)| (self.class(comm), entry(comm, count)));
        let others = (self.others > 0).then(|| (OTHER, format!("others ×{}", self.others)));
        for (class, text) in named.chain(others) {
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"58\" width=\"11\" height=\"11\" rx=\"2\"/>"
            );
            tag("text", &format!("x=\"{:.1}\" y=\"67.5\"", x + SWATCH), &text, svg);
            x += entry_width(&text);
        }
        let place = format!("class=\"facts end\" x=\"{}\" y=\"67.5\"", WIDTH - MARGIN);
        tag("text", &place, "lighter: before the exec · red: failed", svg);
    }
}

/// From a colour to its name, in pixels.
const SWATCH: f64 = 16.0;

fn entry(comm: Comm, count: usize) -> String {
    format!("{} ×{count}", cut(&escaped(comm.as_bytes()), 15))
}

fn entry_width(entry: &str) -> f64 {
    SWATCH + columns(entry) + 14.0
}

/// The colour of a name where it is free: FNV-1a.
fn favourite(comm: Comm) -> usize {
    let hash = comm.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash >> 32) as usize % CLASSES.len()
}
