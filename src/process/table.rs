// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who is alive: the one table of processes, with one rule for a pid that is used again and one
//! for forgetting.

use foldhash::{HashMap, HashMapExt as _};

/// How far two start times of one process may lie apart: /proc counts in ticks of 10 ms, and one
/// read from there is compared with the kernel's own. No pid comes back so soon.
const TICK_NS: u64 = 20_000_000;

/// The processes that are alive as far as events tell, and what somebody keeps of each.
///
/// **A process is its pid and its start.** One that has the pid of another and began at another
/// time is another process, and the first one has ended unseen: its entry goes. A start that
/// isn't known (events of the basic mode don't tell) is 0 and fits any.
///
/// **A process is forgotten at its exit.** That may never come (it was lost, or isn't kept): where
/// there are more than the limit, the half that began first goes, and is counted. That costs
/// little, being done once in limit / 2 births at most, and bounds the memory whatever the events
/// say.
///
/// Events must come in the order in which they happened: [`begin`](Self::begin) at a fork,
/// [`meet`](Self::meet) at an exec or whatever else tells of a process, [`end`](Self::end) at an
/// exit. Those of threads are no concern of the table.
#[derive(Debug)]
pub struct Table<T> {
    alive: HashMap<u32, Process<T>>,
    limit: usize,
    forgotten: u64,
}

/// A process that is alive.
#[derive(Debug)]
struct Process<T> {
    /// `CLOCK_MONOTONIC`, nanoseconds; 0 where it isn't known. In bytes, because those of a number
    /// would be aligned, and an entry that keeps 4 bytes would take 24 instead of 16.
    start_ns: [u8; 8],
    kept: T,
}

impl<T> Process<T> {
    fn new(start_ns: u64, kept: T) -> Self {
        Self { start_ns: start_ns.to_ne_bytes(), kept }
    }

    fn start_ns(&self) -> u64 {
        u64::from_ne_bytes(self.start_ns)
    }

    fn began_at(&self, start_ns: u64) -> bool {
        let unknown = self.start_ns() == 0 || start_ns == 0;
        unknown || self.start_ns().abs_diff(start_ns) <= TICK_NS
    }
}

impl<T> Table<T> {
    /// An empty one for at most `limit` processes.
    pub fn new(limit: usize) -> Self {
        Self { alive: HashMap::new(), limit, forgotten: 0 }
    }

    /// A process was born. Who had its pid is gone; that one's entry is returned.
    pub fn begin(&mut self, pid: u32, start_ns: u64, kept: T) -> Option<T> {
        self.make_room(pid);
        self.alive.insert(pid, Process::new(start_ns, kept)).map(|process| process.kept)
    }

    /// The entry of a process that is alive; a new one, made by `new`, where there is none or it
    /// is another's.
    pub fn meet(&mut self, pid: u32, start_ns: u64, new: impl FnOnce() -> T) -> &mut T {
        if self.get(pid, start_ns).is_none() {
            self.alive.remove(&pid);
            self.make_room(pid);
        }
        let new = || Process::new(start_ns, new());
        let process = self.alive.entry(pid).or_insert_with(new);
        if start_ns != 0 {
            process.start_ns = start_ns.to_ne_bytes(); // more exact than /proc's
        }
        &mut process.kept
    }

    /// A process ended. Returns its entry, unless that is another's, who had its pid before and is
    /// gone, too.
    pub fn end(&mut self, pid: u32, start_ns: u64) -> Option<T> {
        let process = self.alive.remove(&pid)?;
        process.began_at(start_ns).then_some(process.kept)
    }

    /// The entry of a process that is alive.
    pub fn get(&self, pid: u32, start_ns: u64) -> Option<&T> {
        let process = self.alive.get(&pid)?;
        process.began_at(start_ns).then_some(&process.kept)
    }

    /// Whether anybody has this pid now.
    pub fn has(&self, pid: u32) -> bool {
        self.alive.contains_key(&pid)
    }

    /// How many are alive.
    pub fn len(&self) -> usize {
        self.alive.len()
    }

    /// Nobody is alive.
    pub fn is_empty(&self) -> bool {
        self.alive.is_empty()
    }

    /// How many were forgotten before their exit, because there were too many.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Pids and start times of those that are alive, and what is kept of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64, &T)> {
        self.alive.iter().map(|(&pid, process)| (pid, process.start_ns(), &process.kept))
    }

    /// Pids, and what is kept of those that are alive, to be changed, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.alive.iter_mut().map(|(&pid, process)| (pid, &mut process.kept))
    }

    /// Takes all of them out, in no order.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.alive.drain().map(|(_, process)| process.kept)
    }

    /// Forgets the half that began first.
    pub fn forget_older_half(&mut self) {
        let mut starts: Vec<u64> = self.alive.values().map(Process::start_ns).collect();
        if starts.is_empty() {
            return;
        }
        let mut left = starts.len().div_ceil(2);
        let (_, &mut newest, _) = starts.select_nth_unstable(left - 1);
        // Of those that began at one instant, no more than are too many.
        let before = self.alive.len();
        self.alive.retain(|_, process| {
            let old = left > 0 && process.start_ns() <= newest;
            left -= usize::from(old);
            !old
        });
        self.forgotten += (before - self.alive.len()) as u64;
    }

    fn make_room(&mut self, pid: u32) {
        if self.alive.len() >= self.limit && !self.has(pid) {
            self.forget_older_half();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table<&'static str> {
        Table::new(100)
    }

    #[test]
    fn a_process_is_its_pid_and_its_start() {
        let mut table = table();
        assert_eq!(table.begin(7, 1_000_000_000, "first"), None);
        assert_eq!(table.get(7, 1_000_000_000), Some(&"first"));
        assert_eq!(table.get(7, 1_000_000_000 - TICK_NS), Some(&"first"), "as /proc has it");
        assert_eq!(table.get(7, 1_000_000_001 + TICK_NS), None, "another one");
        assert_eq!(table.get(8, 1_000_000_000), None);
        assert_eq!(table.begin(7, 2_000_000_000, "second"), Some("first"), "its end was not seen");
        assert_eq!(table.end(7, 2_000_000_000), Some("second"));
        assert!(table.is_empty());
    }

    #[test]
    fn who_is_met_under_the_pid_of_another_is_new() {
        let mut table = table();
        table.begin(7, 1_000_000_000, "first");
        assert_eq!(*table.meet(7, 1_000_000_000, || "new"), "first");
        assert_eq!(*table.meet(7, 9_000_000_000, || "second"), "second");
        assert_eq!(table.get(7, 1_000_000_000), None);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn an_exit_forgets_whoever_had_the_pid() {
        let mut table = table();
        table.begin(7, 1_000_000_000, "first");
        assert_eq!(table.end(7, 9_000_000_000), None, "the end of another one");
        assert!(!table.has(7), "who can't be alive any more");
    }

    #[test]
    fn a_start_that_is_not_known_fits_any_and_is_learned() {
        let mut table = table();
        table.begin(7, 0, "seen");
        assert_eq!(*table.meet(7, 5_000_000_000, || "new"), "seen");
        assert_eq!(table.get(7, 9_000_000_000), None, "by now it is known");
        assert_eq!(table.end(7, 0), Some("seen"));
    }

    #[test]
    fn all_can_be_changed_and_taken() {
        let mut table = table();
        table.begin(7, 1_000_000_000, "seven");
        table.begin(8, 0, "eight");
        assert!(!table.is_empty());
        table.iter_mut().filter(|(pid, _)| *pid == 7).for_each(|(_, kept)| *kept = "changed");
        let mut all: Vec<_> = table.drain().collect();
        all.sort_unstable();
        assert_eq!(all, ["changed", "eight"]);
        assert!(table.is_empty());
    }

    /// N, 2N, 4N processes whose ends nobody tells: the memory is the same.
    #[test]
    fn the_older_half_goes_where_there_are_too_many() {
        for born in [101, 200, 400_u32] {
            let mut table = Table::new(100);
            for pid in 1..=born {
                table.begin(pid, u64::from(pid) * 1_000_000_000, ());
                assert!(table.has(pid), "the newest stays");
                assert!(table.len() <= 100);
            }
            assert_eq!(table.forgotten() + table.len() as u64, u64::from(born));
            assert!(!table.has(1), "the oldest has gone");
        }
        let mut alike = Table::new(100);
        for pid in 1..=101 {
            alike.begin(pid, 5, ());
        }
        assert_eq!(alike.len(), 51, "not all that began at one instant");
        let mut none = Table::new(0);
        none.begin(1, 5, ());
        none.begin(2, 5, ());
        assert!(none.has(2) && none.len() == 1);
    }
}
