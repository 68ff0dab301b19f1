// SPDX-License-Identifier: MIT OR Apache-2.0
//! In which row each process is drawn: its children below it, and no two of a row at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

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
    let mut rows = Rows::default();
    for &i in members.iter() {
        let Block { begin, end, height, .. } = blocks[i];
        blocks[i].offset = rows.take(height, begin, end.max(begin.saturating_add(1)));
    }
    let begin = members.iter().map(|&i| blocks[i].begin).min().unwrap_or(u64::MAX);
    let end = members.iter().map(|&i| blocks[i].end).max().unwrap_or(0);
    (rows.used, begin, end)
}

/// Which rows are free, while time goes on. Those that lie together are one run, so that what a block
/// costs depends neither on how many rows there are nor on how many it takes.
struct Rows {
    /// Where each run of free rows begins, and how many it has. The last one has no end.
    free: BTreeMap<usize, usize>,
    /// The same: how many, and where it begins.
    by_length: BTreeSet<(usize, usize)>,
    /// When blocks end, their first rows and how many they have.
    taken: BinaryHeap<Reverse<(u64, usize, usize)>>,
    /// How many were ever taken.
    used: usize,
}

impl Default for Rows {
    fn default() -> Self {
        let all = (0, usize::MAX);
        let (free, by_length) = (BTreeMap::from([all]), BTreeSet::from([(all.1, all.0)]));
        Self { free, by_length, taken: BinaryHeap::new(), used: 0 }
    }
}

impl Rows {
    /// Takes the first rows that lie together and are free at `begin`, until `end`. Who begins later
    /// comes later.
    fn take(&mut self, height: usize, begin: u64, end: u64) -> usize {
        while let Some(&Reverse((ended, first, height))) = self.taken.peek() {
            if ended > begin {
                break;
            }
            self.taken.pop();
            self.release(first, height);
        }
        let (first, length) = self.first_with(height);
        self.remove(first, length);
        if length > height {
            self.insert(first + height, length - height);
        }
        self.taken.push(Reverse((end, first, height)));
        self.used = self.used.max(first + height);
        first
    }

    /// The first run that has so many rows. Runs have few different lengths: one look at each.
    fn first_with(&self, height: usize) -> (usize, usize) {
        let mut found = (usize::MAX, 0);
        let mut least = height;
        while let Some(&(length, first)) = self.by_length.range((least, 0)..).next() {
            found = found.min((first, length));
            let Some(longer) = length.checked_add(1) else { break };
            least = longer;
        }
        found
    }

    /// Frees rows, and joins them with those beside them.
    fn release(&mut self, mut first: usize, mut length: usize) {
        if let Some((&before, &rows)) = self.free.range(..first).next_back() {
            if before + rows == first {
                self.remove(before, rows);
                (first, length) = (before, rows + length);
            }
        }
        if let Some(&rows) = self.free.get(&(first + length)) {
            self.remove(first + length, rows);
            length += rows;
        }
        self.insert(first, length);
    }

    fn insert(&mut self, first: usize, length: usize) {
        self.free.insert(first, length);
        self.by_length.insert((length, first));
    }

    fn remove(&mut self, first: usize, length: usize) {
        self.free.remove(&first);
        self.by_length.remove(&(length, first));
    }
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
    fn a_block_takes_the_first_rows_that_are_free() {
        let mut random = Random(7);
        for round in 0..300 {
            let (mut rows, mut ends, mut begin) = (Rows::default(), Vec::new(), 0);
            for _ in 0..random.below(200) {
                begin += random.below(4);
                let height = 1 + random.below(5) as usize;
                let end = begin + 1 + random.below(60);
                let first = rows.take(height, begin, end);
                let is_free = |row: usize| ends.get(row).is_none_or(|&end| end <= begin);
                let want = (0..).find(|&first| (first..first + height).all(is_free));
                assert_eq!(Some(first), want, "round {round}: {height} from {begin} on");
                ends.resize(ends.len().max(first + height), 0);
                ends[first..first + height].fill(end);
                let by_place = rows.free.iter().map(|(&first, &length)| (length, first));
                assert_eq!(by_place.collect::<BTreeSet<_>>(), rows.by_length);
            }
            assert_eq!(rows.used, ends.len());
            // Those that are free again lie together again.
            rows.take(1, u64::MAX, u64::MAX);
            assert_eq!(rows.free, BTreeMap::from([(1, usize::MAX - 1)]));
        }
    }

    #[test]
    fn neither_rows_that_are_taken_nor_a_blocks_own_are_looked_at() {
        const HEIGHT: usize = usize::MAX / 2_000;
        let mut rows = Rows::default();
        for n in 0..1_000 {
            assert_eq!(rows.take(HEIGHT, n as u64, u64::MAX), n * HEIGHT);
            assert_eq!((rows.free.len(), rows.by_length.len()), (1, 1));
        }
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
