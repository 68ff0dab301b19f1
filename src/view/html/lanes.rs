// SPDX-License-Identifier: MIT OR Apache-2.0
//! In which row each process is drawn: its children below it, and no two of a row at once.

use crate::sorted;
use crate::view::lives::{Children, Life, LifeId, Lives};

/// A process, and where it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which.
    pub id: LifeId,
    /// The index of its parent in the list; none of a root.
    pub parent: Option<usize>,
    /// When it begins and ends.
    pub span: (u64, u64),
    /// Its row, from 0.
    pub row: usize,
}

/// A process and all below it.
#[derive(Clone, Debug, Default)]
struct Block {
    /// The first begin and the last end of any of them.
    begin: u64,
    end: u64,
    /// How many rows they take.
    height: usize,
    /// Its first row, counted from its parent's first one.
    offset: usize,
}

/// All processes, parents before their children; and how many rows they take.
pub fn place(lives: &Lives, children: &Children) -> (Vec<Placed>, usize) {
    let mut placed: Vec<Placed> = Vec::new();
    let mut todo: Vec<(LifeId, Option<usize>)> =
        children.of(None).rev().map(|id| (id, None)).collect();
    while let Some((id, parent)) = todo.pop() {
        let here = match lives.span_of(id) {
            // What is only known as a parent has no bar: its children stand by themselves.
            Some(span) if !lives.get(id).is_some_and(Life::is_bystander) => {
                placed.push(Placed { id, parent, span, row: 0 });
                Some(placed.len() - 1)
            }
            _ => parent,
        };
        todo.extend(children.of(Some(id)).rev().map(|child| (child, here)));
    }
    let mut blocks = vec![Block::default(); placed.len()];
    // The roots, then the children of each.
    let mut members: Vec<usize> = (0..placed.len()).collect();
    sorted::by_key(&mut members, |&i| placed[i].parent);
    // Children lie behind their parents, so that from the end on all below a process are done.
    for i in (0..placed.len()).rev() {
        let its_own = |&&member: &&usize| placed[member].parent == Some(i);
        let others = members.len() - members.iter().rev().take_while(its_own).count();
        let (height, begin, end) = pack(&mut members[others..], &mut blocks);
        blocks[i].height = 1 + height;
        blocks[i].begin = begin.min(placed[i].span.0);
        blocks[i].end = end.max(placed[i].span.1);
        for child in members.drain(others..) {
            blocks[child].offset += 1;
        }
    }
    let (height, ..) = pack(&mut members, &mut blocks);
    for i in 0..placed.len() {
        let above = placed[i].parent.map_or(0, |parent| placed[parent].row);
        placed[i].row = above + blocks[i].offset;
    }
    (placed, height)
}

/// Gives each of these blocks rows that no other one has at the same time. Returns how many rows
/// they take, the first begin and the last end.
fn pack(members: &mut [usize], blocks: &mut [Block]) -> (usize, u64, u64) {
    sorted::by_key(members, |&i| blocks[i].begin);
    // When the last one in each row ends.
    let mut free: Vec<u64> = Vec::new();
    for &i in members.iter() {
        let (begin, height) = (blocks[i].begin, blocks[i].height);
        let mut first = 0;
        let mut row = 0;
        while row < first + height && row < free.len() {
            if free[row] > begin {
                first = row + 1;
            }
            row += 1;
        }
        free.resize(free.len().max(first + height), 0);
        free[first..first + height].fill(blocks[i].end.max(begin.saturating_add(1)));
        blocks[i].offset = first;
    }
    let begin = members.iter().map(|&i| blocks[i].begin).min().unwrap_or(u64::MAX);
    let end = members.iter().map(|&i| blocks[i].end).max().unwrap_or(0);
    (free.len(), begin, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{Random, Story};

    #[test]
    fn children_stand_below_and_take_turns() {
        let mut story = Story::default();
        story.fork(0, 10, 1).fork(10, 11, 10).fork(20, 12, 10).exit(30, 11, 10, 0);
        story.fork(40, 13, 10).exit(50, 13, 10, 0).exit(60, 12, 10, 0).exit(70, 10, 1, 0);
        let mut lives = Lives::default();
        story.events.iter().for_each(|event| _ = lives.event(event));
        let (placed, rows) = place(&lives, &lives.children());
        let pid = |placed: &Placed| lives.get(placed.id).expect("a life").pid;
        let got: Vec<_> = placed.iter().map(|placed| (pid(placed), placed.row)).collect();
        assert_eq!((got, rows), (vec![(10, 0), (11, 1), (12, 2), (13, 1)], 3));
    }

    #[test]
    fn no_two_share_a_place_whatever_happened() {
        for seed in 1..200 {
            let mut lives = Lives::default();
            Random(seed).capture().iter().for_each(|event| _ = lives.event(event));
            let (placed, rows) = place(&lives, &lives.children());
            for (i, one) in placed.iter().enumerate() {
                assert!(one.row < rows, "seed {seed}");
                assert!(one.parent.is_none_or(|parent| parent < i && placed[parent].row < one.row));
                for other in &placed[..i] {
                    let apart = one.span.0 >= other.span.1 || other.span.0 >= one.span.1;
                    assert!(apart || one.row != other.row, "seed {seed}: {one:?} {other:?}");
                }
            }
        }
    }
}
