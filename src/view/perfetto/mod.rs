// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chrome's trace-event JSON, which ui.perfetto.dev and `chrome://tracing` open: each process is a
//! track, its programs are slices, and arrows lead from parents to children.
//!
//! A track is a lane: a process takes the first one below its parent's that is free, and leaves it
//! when it ends, so that a storm of thousands has as many lanes as there are processes alive at a
//! time. Its pid is shown by a click on it.
//!
//! Times are those of the events, `CLOCK_MONOTONIC`, in microseconds, so that a trace goes together
//! with others of the same clock.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::lives::{Life, LifeId, Lives, Step};
use super::usage::Usage;
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::json;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::sorted;

mod lanes;
mod slices;
#[cfg(test)]
mod tests;
mod writer;

use lanes::Lanes;
use slices::{details, slices, text};
use writer::Writer;

/// `--format perfetto`
pub static VIEW: View = View {
    name: "perfetto",
    help: "Trace events (JSON) for ui.perfetto.dev",
    needs_wide: true,
    shape: Shape::Document,
    speaks: Speaks::AsItHappens,
    across: Across::Refused,
    takes: &[],
    start: |_| Box::new(Perfetto::default()),
};

/// The sink of `--format perfetto`. A process is written when it ends; only in the basic mode,
/// which tells threads from processes at the end alone, all of them wait for it.
#[derive(Debug, Default)]
pub struct Perfetto {
    lives: Lives,
    tracks: HashMap<LifeId, Track>,
    lanes: Lanes,
    meta: Meta,
    lost: u64,
    /// Something was written to the list of events.
    begun: bool,
    /// Who lives, as far as events tell, and when their number was last written.
    alive: HashSet<LifeId>,
    counted_ns: Option<u64>,
    usage: Usage,
}

/// Where a process is drawn.
#[derive(Clone, Copy, Debug)]
struct Track {
    lane: usize,
    /// That of its parent, where it has one.
    parent: Option<usize>,
    /// Where it begins.
    from_ns: u64,
}

impl Sink for Perfetto {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        self.lives.begin(meta);
        self.meta = meta.clone();
        out.extend_from_slice(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    }

    fn runs_already(&mut self, process: &Running) {
        self.lives.runs_already(process);
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let step = self.lives.event(event);
        if event.wide.is_none() {
            return;
        }
        self.usage.begin(self.lives.capture_began_ns());
        match step {
            Step::Born(id)
            | Step::ThreadBorn(id)
            | Step::Execed(id)
            | Step::ExecFailed(id)
            | Step::ThreadEnded(id) => {
                self.track(id, out);
                self.alive.insert(id);
                self.count(event.timestamp_ns, out);
            }
            Step::Ended(id) => {
                self.alive.remove(&id);
                self.count(event.timestamp_ns, out);
                if let Some((begin, end)) = self.lives.span_of(id) {
                    let cpu_ns = self.lives.get(id).and_then(Life::cpu_ns).unwrap_or(0);
                    self.usage.add(begin, end, cpu_ns);
                }
                self.process(id, out);
                self.lives.remove(id);
                self.tracks.remove(&id);
            }
        }
    }

    /// For the counter alone: the process is written by now.
    fn cost(&mut self, exit: &Event) {
        let ended = exit.ended();
        if let Some((duration_ns, cpu_ns)) = ended.and_then(|e| Some((e.duration_ns, e.cpu_ns?))) {
            let end = exit.timestamp_ns;
            let begin = end.saturating_sub(duration_ns).max(self.lives.capture_began_ns());
            self.usage.add(begin, end, cpu_ns);
        }
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = self.lost.max(lost.total());
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lives.end(totals);
        // No arrow leads from one whose name no child brought along.
        let nameless = |life: &Life| life.is_bystander() && life.comm().is_none();
        let drawn = self.lives.iter().filter(|(_, life)| !nameless(life));
        let mut ids: Vec<_> = drawn.map(|(id, life)| (self.start_ns(life), id)).collect();
        // A parent's id is smaller than its children's.
        sorted::by(&mut ids, Ord::cmp);
        for (_, id) in ids {
            self.process(id, out);
        }
        self.tell_usage(out);
        let about = About {
            tool: "tuxscope",
            version: &self.meta.version,
            host: &self.meta.host,
            kernel: &self.meta.kernel,
            boot_id: &self.meta.boot_id,
            clock: "CLOCK_MONOTONIC",
            lost_events: self.lost.max(totals.lost.total()),
            complete: totals.complete(),
            arguments: !self.meta.no_args,
        };
        out.extend_from_slice(b"\n],\"otherData\":");
        json::write(&about, out);
        out.extend_from_slice(b"}\n");
    }
}

#[derive(Serialize)]
struct About<'a> {
    tool: &'a str,
    version: &'a str,
    host: &'a str,
    kernel: &'a str,
    boot_id: &'a str,
    clock: &'a str,
    lost_events: u64,
    complete: bool,
    /// The arguments of programs are there.
    arguments: bool,
}

impl Perfetto {
    fn start_ns(&self, life: &Life) -> u64 {
        let began_ns = self.lives.capture_began_ns();
        life.born_ns().unwrap_or(began_ns).max(began_ns)
    }

    /// The track of a process, a lane at its first event. Its parent gets one before it.
    fn track(&mut self, id: LifeId, out: &mut Vec<u8>) -> Option<Track> {
        if let Some(track) = self.tracks.get(&id) {
            return Some(*track);
        }
        let life = self.lives.get(id)?;
        let (from_ns, parent) = (self.start_ns(life), life.parent);
        let parent = parent.and_then(|parent| match self.tracks.get(&parent) {
            Some(track) => Some(track.lane),
            None => {
                // Nothing but a child is known of it so far, so neither is its parent.
                let from_ns = self.start_ns(self.lives.get(parent)?);
                let lane = self.lane(0, from_ns, out);
                self.tracks.insert(parent, Track { lane, parent: None, from_ns });
                Some(lane)
            }
        });
        let lane = self.lane(parent.unwrap_or(0), from_ns, out);
        let track = Track { lane, parent, from_ns };
        self.tracks.insert(id, track);
        Some(track)
    }

    fn lane(&mut self, parent: usize, from_ns: u64, out: &mut Vec<u8>) -> usize {
        let (lane, new) = self.lanes.take(parent, from_ns);
        if new {
            let begun = std::mem::replace(&mut self.begun, true);
            Writer { out, lane, begun }.lane(&self.meta.host);
        }
        lane
    }

    /// Writes how many live, but not more often than each millisecond.
    fn count(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        const OFTEN_NS: u64 = 1_000_000;
        if self.counted_ns.is_some_and(|last| now_ns < last.saturating_add(OFTEN_NS)) {
            return;
        }
        self.counted_ns = Some(now_ns);
        let begun = std::mem::replace(&mut self.begun, true);
        Writer { out, lane: 0, begun }.counter("processes running", now_ns, &self.alive.len());
    }

    /// Writes how many CPUs those that ended used, when.
    fn tell_usage(&mut self, out: &mut Vec<u8>) {
        let (span_ns, busy) = self.usage.figures();
        let Some(from_ns) = self.usage.began_ns().filter(|_| busy.iter().any(|cpus| *cpus > 0.0))
        else {
            return;
        };
        for (i, cpus) in busy.iter().chain([&0.0]).enumerate() {
            let at_ns = from_ns.saturating_add(span_ns.saturating_mul(i as u64));
            let begun = std::mem::replace(&mut self.begun, true);
            Writer { out, lane: 0, begun }.counter("CPUs used by those that ended", at_ns, cpus);
        }
    }

    /// Writes all that is drawn of a process, and leaves its lane.
    fn process(&mut self, id: LifeId, out: &mut Vec<u8>) {
        let Some(Track { lane, parent, from_ns: born }) = self.track(id, out) else { return };
        let begun = std::mem::replace(&mut self.begun, true);
        let Some(life) = self.lives.get(id) else { return };

        let mut writer = Writer { out, lane, begun };
        let comm = text(life.comm().map(|comm| comm.to_text().into_owned()));
        let (_, last) = self.lives.span_ns();
        let ended = life.end.map_or(last, |end| end.at_ns).max(born);
        let slices = slices(life, &comm, (born, ended));
        for (i, slice) in slices.iter().enumerate() {
            let next = slices.get(i + 1);
            let until = next.map_or(ended, |next| next.from_ns);
            let details = details(life, slice, next.is_none());
            let failed = next.is_none() && life.failed();
            writer.slice(slice, until, failed, &details);
        }
        if let Some(parent) = parent.filter(|_| life.fork_seen) {
            writer.flow("s", parent, id, born);
            writer.flow("f", lane, id, born);
        }
        self.lanes.leave(lane, ended);
    }
}
