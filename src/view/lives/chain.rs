// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the end of a process waited for: the chain of processes from its end back to its begin.
//!
//! Of the children that ended before, a process is taken to have waited for the last one; what that
//! waited for is found in the same way; and what the process did before is what the time before that
//! child's begin waited for. So the segments have no gaps and don't overlap.

use super::{Children, Life, LifeId, Lives};
use crate::sorted;

/// A part of the time, and the process that all waited for then, itself waiting for no child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The process.
    pub id: LifeId,
    /// `CLOCK_MONOTONIC`
    pub from_ns: u64,
    /// Likewise.
    pub to_ns: u64,
    /// How many processes lie between it and the root.
    pub depth: usize,
}

impl Segment {
    /// In nanoseconds.
    pub fn len_ns(&self) -> u64 {
        self.to_ns - self.from_ns
    }
}

/// A process while its part of the chain is looked for.
struct Walk {
    id: LifeId,
    begin_ns: u64,
    /// Its children that ended before `until_ns`, with their span; the last end last.
    children: Vec<(u64, u64, LifeId)>,
    /// What lies behind that is known.
    until_ns: u64,
}

impl Lives {
    /// The process whose end a capture is about: the one that lived longest of those whose parent
    /// isn't in it. Of a command that was run that is the command.
    pub fn longest_root(&self, children: &Children) -> Option<LifeId> {
        let mut roots: Vec<LifeId> = children.of(None).collect();
        let bystander = |id: &LifeId| self.get(*id).is_some_and(Life::is_bystander);
        let below = |id: &LifeId| children.of(Some(*id)).collect::<Vec<_>>();
        let more: Vec<LifeId> = roots.iter().filter(|id| bystander(id)).flat_map(below).collect();
        roots.retain(|id| !bystander(id));
        roots.extend(more);
        let lived = |id: &LifeId| self.span_of(*id).map_or(0, |(begin, end)| end - begin);
        roots.into_iter().min_by_key(|id| (std::cmp::Reverse(lived(id)), *id))
    }

    /// The command that was run, if the capture is that of one and has any event of it.
    pub fn command(&self) -> Option<LifeId> {
        self.command.1.filter(|id| self.get(*id).is_some())
    }

    /// When a process began and ended, as far as that lies in the capture.
    pub fn span_of(&self, id: LifeId) -> Option<(u64, u64)> {
        let life = self.get(id)?;
        let (_, last) = self.span_ns();
        let begin = life.born_ns().unwrap_or(0).max(self.capture_began_ns());
        let end = life.end.map_or(last, |end| end.at_ns);
        Some((begin, end.max(begin)))
    }

    /// The segments of the chain, the first one first: together they are the root's time.
    pub fn chain(&self, root: LifeId, children: &Children) -> Vec<Segment> {
        let mut segments = Vec::new();
        let Some((begin_ns, until_ns)) = self.span_of(root) else { return segments };
        let mut walks = vec![self.walk(root, begin_ns, until_ns, children)];
        while let Some(depth) = walks.len().checked_sub(1) {
            let walk = &mut walks[depth];
            // Those that had not ended by then are not what it waited for.
            while walk.children.last().is_some_and(|(end, ..)| *end > walk.until_ns) {
                walk.children.pop();
            }
            let id = walk.id;
            let child = walk.children.pop();
            let from_ns = child.map_or(walk.begin_ns, |(end, ..)| end);
            let to_ns = std::mem::replace(&mut walk.until_ns, child.map_or(from_ns, |(_, b, _)| b));
            if to_ns > from_ns {
                segments.push(Segment { id, from_ns, to_ns, depth });
            }
            match child {
                Some((end, begin, child)) => walks.push(self.walk(child, begin, end, children)),
                None => _ = walks.pop(),
            }
        }
        segments.reverse();
        segments
    }

    fn walk(&self, id: LifeId, begin_ns: u64, until_ns: u64, children: &Children) -> Walk {
        let ended = |child: &LifeId| self.get(*child).is_some_and(|life| life.end.is_some());
        let span = |child: LifeId| {
            let (begin, end) = self.span_of(child)?;
            let inside = end > begin_ns && end <= until_ns;
            inside.then_some((end, begin.max(begin_ns), child))
        };
        let mut children: Vec<_> = children.of(Some(id)).filter(ended).filter_map(span).collect();
        sorted::by(&mut children, Ord::cmp);
        Walk { id, begin_ns, children, until_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{Random, Story};

    fn lives(story: &Story) -> Lives {
        let mut lives = Lives::default();
        story.events.iter().for_each(|event| _ = lives.event(event));
        lives.settle();
        lives
    }

    /// Pids and microseconds.
    fn chain(story: &Story) -> Vec<(u32, u64, usize)> {
        let lives = lives(story);
        let children = lives.children();
        let root = lives.longest_root(&children).expect("a root");
        let segments = lives.chain(root, &children);
        let tell = |segment: &Segment| {
            let pid = lives.get(segment.id).expect("a life").pid;
            (pid, segment.len_ns() / 1_000, segment.depth)
        };
        segments.iter().map(tell).collect()
    }

    /// Two jobs at a time: 11 then 13 fill one place, 12 the other.
    #[test]
    fn it_goes_through_whoever_ended_last() {
        let mut story = Story::default();
        story.fork(0, 10, 1).exec(0, 10, 1, &["make"]);
        story.fork(10, 11, 10).fork(20, 12, 10);
        story.exit(300, 11, 10, 0).fork(310, 13, 10).exit(400, 12, 10, 0);
        story.fork(320, 14, 13).exit(450, 14, 13, 0);
        story.exit(500, 13, 10, 0).exit(520, 10, 1, 0);
        let want = [
            (10, 10, 0),
            (11, 290, 1),
            (10, 10, 0),
            (13, 10, 1),
            (14, 130, 2),
            (13, 50, 1),
            (10, 20, 0),
        ];
        assert_eq!(chain(&story), want);
    }

    #[test]
    fn who_runs_on_was_not_waited_for() {
        let mut story = Story::default();
        story.fork(0, 10, 1).fork(10, 11, 10).fork(20, 12, 10).exit(90, 12, 10, 0);
        story.exit(100, 10, 1, 0).exit(900, 11, 1, 0);
        assert_eq!(chain(&story), [(10, 20, 0), (12, 70, 1), (10, 10, 0)]);
    }

    #[test]
    fn segments_are_the_whole_and_follow_each_other_whatever_happened() {
        for seed in 1..300 {
            let mut lives = Lives::default();
            Random(seed).capture().iter().for_each(|event| _ = lives.event(event));
            lives.settle();
            let children = lives.children();
            for (id, _) in lives.iter() {
                let Some((begin, end)) = lives.span_of(id) else { continue };
                let segments = lives.chain(id, &children);
                let mut at = begin;
                for segment in &segments {
                    assert_eq!(segment.from_ns, at, "seed {seed}");
                    at = segment.to_ns;
                }
                assert!(at == end, "seed {seed}");
            }
        }
    }
}
