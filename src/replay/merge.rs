// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several captures as one, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::files::Set;
use super::lines::BUFFER_SIZE;
use super::stream::{Item, Place, Stream, time_ns};
use crate::runtime::stop::Stop;

/// What all captures together read at a time, and one at least.
const ALL_BUFFERS: usize = 16 << 20;
const SMALLEST_BUFFER: usize = 16 << 10;

/// Captures, each with what it comes with next.
pub struct Merge {
    streams: Vec<Stream>,
    /// What was read of each and wasn't handed out yet.
    heads: Vec<Option<Item>>,
    /// Of those that have one, or have not begun: its time and their number.
    order: BinaryHeap<Reverse<(u64, usize)>>,
    /// The time of what each handed out last: within a capture the order is that of its lines.
    last_ns: Vec<u64>,
    /// Whose head was handed out last.
    taken: Option<usize>,
    /// When the first of several began, in nanoseconds since 1970.
    pub began_ns: Option<u64>,
}

impl Merge {
    /// These captures.
    pub fn new(sets: Vec<Set>, wanted: &Range<u64>, tail: bool, stop: &Stop) -> Self {
        let size = (ALL_BUFFERS / sets.len().max(1)).clamp(SMALLEST_BUFFER, BUFFER_SIZE);
        let streams: Vec<Stream> = sets
            .into_iter()
            .map(|set| Stream::new(set, wanted.clone(), tail, size, stop))
            .collect();
        // Alone it needs no order. Others are opened only when it is their turn.
        let alone = streams.len() == 1;
        let mut began_ns = None;
        let mut begins = Vec::new();
        for stream in &streams {
            let [began, first] = if alone { [None; 2] } else { stream.begins() };
            began_ns = [began_ns, began].into_iter().flatten().min();
            begins.push(first.or(began).unwrap_or(0));
        }
        Self {
            began_ns,
            heads: streams.iter().map(|_| None).collect(),
            order: begins.iter().enumerate().map(|(at, &ns)| Reverse((ns, at))).collect(),
            last_ns: begins,
            streams,
            taken: None,
        }
    }

    /// Which capture comes next. What is to be done before input is waited for is done by `idle`.
    pub fn next(&mut self, mut idle: impl FnMut(&Self)) -> Option<(usize, Item)> {
        if let Some(at) = self.taken.take() {
            if !self.streams[at].ready() {
                idle(self);
            }
            self.fill(at);
        }
        let Reverse((_, at)) = self.order.pop()?;
        if self.heads[at].is_none() {
            self.heads[at] = self.streams[at].next();
        }
        self.taken = Some(at);
        self.heads[at].take().map(|item| (at, item))
    }

    fn fill(&mut self, at: usize) {
        let Some(item) = self.streams[at].next() else { return };
        if let Item::Record(record) = &item {
            self.last_ns[at] = self.last_ns[at].max(time_ns(record).unwrap_or(0));
        }
        self.heads[at] = Some(item);
        self.order.push(Reverse((self.last_ns[at], at)));
    }

    /// Where the item that was handed out last stands.
    pub fn place(&self) -> Option<Place> {
        self.streams[self.taken?].place()
    }

    /// Whether events of this capture were passed over because they are too early.
    pub fn has_skipped(&self, at: usize) -> bool {
        self.streams[at].has_skipped()
    }

    /// Whether this capture was left before its end, since what follows is too late.
    pub fn was_left(&self, at: usize) -> bool {
        self.streams[at].was_left()
    }

    /// The part of all files that was read, from 0 to 1, where their size is known.
    pub fn progress(&self) -> Option<f64> {
        let progress = self.streams.iter().map(Stream::progress);
        let (done, size) = progress
            .fold((0, Some(0)), |(done, size), (d, s)| (done + d, size.zip(s).map(|(a, b)| a + b)));
        size.filter(|&size| size > 0).map(|size| done as f64 / size as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::super::files;
    use super::*;
    use crate::json::Writer;
    use crate::view::fixtures::Story;

    #[test]
    fn what_was_read_of_all_files_is_told() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let mut sizes = Vec::new();
        for (name, at_us, events) in [("a", 0, 30), ("b", 1_000_000, 10)] {
            let (mut story, mut lines) = (Story::default(), Vec::new());
            for n in 0..events {
                story.fork(at_us + n, 77 + n as u32, 4);
            }
            for event in &story.events {
                Writer::default().event(event, true, &mut lines);
            }
            sizes.push(lines.len() as f64);
            fs::write(dir.path().join(name), lines)?;
        }
        let merge = |tail| -> Result<Merge> {
            let sets = files::sets(&[dir.path().to_owned()])?;
            Ok(Merge::new(sets, &super::super::stream::ALWAYS, tail, &Stop::new()?))
        };
        let mut all = merge(false)?;
        let (mut progress, mut idle, mut items) = (vec![all.progress()], 0, 0);
        while all.next(|_| idle += 1).is_some() {
            items += 1;
            progress.push(all.progress());
        }
        progress.dedup();
        // Each is read at once.
        assert_eq!(progress, [Some(0.0), Some(sizes[0] / (sizes[0] + sizes[1])), Some(1.0)]);
        // Where a file begins, where more than a line of it may have to be waited for, and its end.
        assert!(idle > 0 && idle < items / 2, "{idle} times before {items} items");
        assert_eq!(merge(true)?.progress(), None, "they may grow");
        fs::write(dir.path().join("a"), "")?;
        fs::write(dir.path().join("b"), "")?;
        assert_eq!(merge(false)?.progress(), None, "there is nothing");
        Ok(())
    }
}
