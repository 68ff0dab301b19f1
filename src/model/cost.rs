// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a process has cost.

use crate::model::event::Ended;

/// What a process, or a thread, has cost from its fork to its very end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// User and system CPU time, of all threads together, in nanoseconds.
    pub cpu_ns: u64,
    /// How long it was ready to run and had no CPU, in nanoseconds; where that is known.
    pub cpu_wait_ns: Option<u64>,
    /// What is only known of a process.
    pub process: Option<ProcessCost>,
}

/// What a process has cost, its threads together, without its children's: as wait4(2) tells its
/// parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessCost {
    /// The highest resident set of all programs that it ran, in bytes.
    pub max_rss_bytes: u64,
    /// Page faults that took no I/O.
    pub minor_faults: u64,
    /// Page faults that took I/O.
    pub major_faults: u64,
    /// Context switches because it had to wait.
    pub voluntary_switches: u64,
    /// Context switches because another one was to run.
    pub involuntary_switches: u64,
    /// Bytes of block I/O that it caused, read and written, where the kernel counts them.
    pub blocks: Option<(u64, u64)>,
}

impl Cost {
    /// Without what it had cost before. What wasn't known then isn't known now.
    pub fn since(&self, before: &Self) -> Self {
        let less = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before?));
        let process = self.process.zip(before.process);
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns),
            cpu_wait_ns: less(self.cpu_wait_ns, before.cpu_wait_ns),
            process: process.map(|(now, before)| now.since(&before)),
        }
    }

    /// Tells an exit of it. `inherited_rss_bytes`: the highest resident set up to its last exec,
    /// where that is known; the kernel carries it on, so that only a higher one is the program's.
    pub fn complete(&self, ended: &mut Ended, inherited_rss_bytes: Option<u64>) {
        ended.cpu_ns = Some(self.cpu_ns);
        ended.cpu_wait_ns = self.cpu_wait_ns;
        let Some(process) = self.process else { return };
        ended.max_rss_bytes = ended.max_rss_bytes.or_else(|| {
            let inherited = inherited_rss_bytes?;
            (process.max_rss_bytes > inherited).then_some(process.max_rss_bytes)
        });
        ended.minor_faults = Some(process.minor_faults);
        ended.major_faults = Some(process.major_faults);
        ended.voluntary_switches = Some(process.voluntary_switches);
        ended.involuntary_switches = Some(process.involuntary_switches);
        ended.read_bytes = process.blocks.map(|(read, _)| read);
        ended.write_bytes = process.blocks.map(|(_, written)| written);
    }
}

impl ProcessCost {
    fn since(&self, before: &Self) -> Self {
        let blocks =
            |((read, written), (read_before, written_before)): ((u64, u64), (u64, u64))| {
                (read.saturating_sub(read_before), written.saturating_sub(written_before))
            };
        Self {
            max_rss_bytes: self.max_rss_bytes,
            minor_faults: self.minor_faults.saturating_sub(before.minor_faults),
            major_faults: self.major_faults.saturating_sub(before.major_faults),
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(before.involuntary_switches),
            blocks: self.blocks.zip(before.blocks).map(blocks),
        }
    }
}
