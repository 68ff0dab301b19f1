// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chrome's trace-event JSON, which ui.perfetto.dev and `chrome://tracing` open: each process is a
//! track, its programs are slices, and arrows lead from parents to children.
//!
//! Times are those of the events, `CLOCK_MONOTONIC`, in microseconds, so that a trace goes together
//! with others of the same clock. A pid that comes back gets a track of its own, with a number
//! above all pids; its name tells the pid.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Write as _;

use serde::Serialize;

use super::lives::{Exec, Life, LifeId, Lives, Step};
use super::{Shape, Sink, Speaks, View};
use crate::json;
use crate::model::event::{Event, ExitStatus, Lost, Meta, Totals};
use crate::model::pid::PID_MAX_LIMIT;
use crate::model::signal;

/// `--format perfetto`
pub static VIEW: View = View {
    name: "perfetto",
    help: "Trace events (JSON) for ui.perfetto.dev",
    needs_wide: true,
    shape: Shape::Document,
    speaks: Speaks::AsItHappens,
    start: |_, _| Box::new(Perfetto::default()),
};

/// The sink of `--format perfetto`. A process is written when it ends; only in the basic mode,
/// which tells threads from processes at the end alone, all of them wait for it.
#[derive(Debug, Default)]
pub struct Perfetto {
    lives: Lives,
    tracks: HashMap<LifeId, Track>,
    /// Pids that have a track.
    used: HashSet<u32>,
    /// Pids that came back.
    reused: u64,
    meta: Meta,
    lost: u64,
    /// Something was written to the list of events.
    begun: bool,
}

/// Where a process is drawn.
#[derive(Clone, Copy, Debug)]
struct Track {
    /// The number in place of the pid.
    number: u64,
    /// That of its parent.
    parent: Option<u64>,
}

impl Sink for Perfetto {
    fn begin(&mut self, meta: &Meta, out: &mut Vec<u8>) {
        self.meta = meta.clone();
        out.extend_from_slice(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self.lives.event(event) {
            Step::Born(id) | Step::ThreadBorn(id) | Step::Execed(id) | Step::ThreadEnded(id) => {
                self.track(id);
            }
            Step::Ended(id) => {
                self.track(id);
                if self.lives.get(id).is_some_and(|life| life.status().is_some()) {
                    self.process(id, out);
                    self.lives.remove(id);
                    self.tracks.remove(&id);
                }
            }
        }
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = self.lost.max(lost.total());
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lives.settle();
        let ids: Vec<_> = self.lives.iter().map(|(id, _)| id).collect();
        for id in ids {
            // No arrow leads from one whose name no child brought along.
            if self.lives.get(id).is_some_and(|life| life.is_bystander() && life.comm().is_none()) {
                continue;
            }
            self.track(id);
            self.process(id, out);
        }
        let about = About {
            tool: "tuxscope",
            version: &self.meta.version,
            host: &self.meta.host,
            kernel: &self.meta.kernel,
            boot_id: &self.meta.boot_id,
            clock: "CLOCK_MONOTONIC",
            lost_events: self.lost.max(totals.lost.total()),
            complete: totals.complete(),
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
}

/// What a click on a slice shows.
#[derive(Default, Serialize)]
struct Details {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adopted_by: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_dumped: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_threads: Option<u32>,
    /// Behind the first one, whose slice they lie in.
    #[serde(skip_serializing_if = "Option::is_none")]
    execs_left_out: Option<usize>,
    /// Processes below it that are not drawn, there being too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    folded: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// Nanoseconds as the format's microseconds, to the last digit: a double would lose some.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// A stretch of a process' life.
struct Slice<'a> {
    name: String,
    category: &'static str,
    from_ns: u64,
    exec: Option<&'a Exec>,
}

impl Perfetto {
    /// The track of a process, a new one at its first event. Its parent gets one before it.
    fn track(&mut self, id: LifeId) -> Option<Track> {
        if let Some(track) = self.tracks.get(&id) {
            return Some(*track);
        }
        let life = self.lives.get(id)?;
        let parent = life.parent.and_then(|parent| Some((parent, self.lives.get(parent)?.pid)));
        let pid = life.pid;
        let parent = parent.map(|(parent, pid)| match self.tracks.get(&parent) {
            Some(track) => track.number,
            None => {
                // Nothing but a child is known of it so far, so neither is its parent.
                let number = self.number(pid);
                self.tracks.insert(parent, Track { number, parent: None });
                number
            }
        });
        let track = Track { number: self.number(pid), parent };
        self.tracks.insert(id, track);
        Some(track)
    }

    fn number(&mut self, pid: u32) -> u64 {
        if self.used.insert(pid) {
            return u64::from(pid);
        }
        self.reused += 1;
        u64::from(PID_MAX_LIMIT) + self.reused
    }

    /// Writes all that is drawn of a process.
    fn process(&mut self, id: LifeId, out: &mut Vec<u8>) {
        let Some(track) = self.track(id) else { return };
        let parent = self.lives.get(id).and_then(|life| life.parent);
        let parent = parent.and_then(|parent| self.tracks.get(&parent));
        let parent = parent.map(|track| track.number).or(track.parent);
        let begun = std::mem::replace(&mut self.begun, true);
        let Some(life) = self.lives.get(id) else { return };

        let mut writer = Writer { out, number: track.number, begun };
        let comm = text(life.comm().map(|comm| comm.to_text().into_owned()));
        let name = match u64::from(life.pid) == track.number {
            true => comm.clone(),
            false => format!("{comm} (pid {})", life.pid),
        };
        writer.metadata("process_name", "name", &name);
        writer.metadata("thread_name", "name", &comm);
        writer.metadata("process_sort_index", "sort_index", &id);

        let (first, last) = self.lives.span_ns();
        let born = life.born_ns.unwrap_or(first).max(first);
        let ended = life.end.map_or(last, |end| end.at_ns).max(born);
        let slices = slices(life, &comm, born, ended);
        for (i, slice) in slices.iter().enumerate() {
            let next = slices.get(i + 1);
            let until = next.map_or(ended, |next| next.from_ns);
            let details = details(life, slice, next.is_none());
            let failed = next.is_none() && life.failed();
            writer.slice(slice, until, failed, &details);
        }
        if let Some(parent) = parent.filter(|_| life.fork_seen) {
            writer.flow("s", parent, id, born);
            writer.flow("f", track.number, id, born);
        }
    }
}

/// From its birth to its first exec, and from each exec to the next or to its end.
fn slices<'a>(life: &'a Life, comm: &str, born: u64, ended: u64) -> Vec<Slice<'a>> {
    let mut slices = Vec::new();
    let first_exec = life.execs().next().map(|exec| exec.at_ns.unwrap_or(born));
    // Nothing is known of the time before, where it is of no length.
    if life.fork_seen || first_exec.is_none_or(|at| at > born) {
        let (name, category) = match (life.fork_seen, life.exec_count() == 0) {
            (true, false) => ("fork to exec".to_owned(), "fork"),
            (true, true) => (format!("{comm} (no exec)"), "fork"),
            (false, _) => {
                let before = life.ran_before().map(|comm| comm.map(|c| c.to_text().into_owned()));
                let name = before.map_or_else(|| comm.to_owned(), text);
                (format!("{name} (began before)"), "before")
            }
        };
        slices.push(Slice { name, category, from_ns: born, exec: None });
    }
    let mut from_ns = born;
    for exec in life.execs() {
        from_ns = exec.at_ns.unwrap_or(born).clamp(from_ns, ended);
        let name = text(Some(exec.comm().to_text().into_owned()));
        slices.push(Slice { name, category: "exec", from_ns, exec: Some(exec) });
    }
    slices
}

fn details(life: &Life, slice: &Slice<'_>, last: bool) -> Details {
    let mut details = Details {
        pid: life.pid,
        parent: life.born_to,
        filename: slice
            .exec
            .and_then(|exec| exec.filename())
            .map(|filename| String::from_utf8_lossy(filename).into_owned()),
        command: slice.exec.filter(|exec| exec.args().is_some()).map(Exec::command_line),
        ..Details::default()
    };
    if last {
        details.adopted_by = life.adopter;
        details.execs_left_out = Some(life.execs_left_out()).filter(|&count| count > 0);
        details.folded = Some(life.folded.count).filter(|&count| count > 0);
        details.more_threads = Some(life.threads).filter(|&threads| threads > 0);
        match life.status() {
            Some(ExitStatus::Code(code)) => details.exit_code = Some(code),
            Some(ExitStatus::Signal { number, core_dumped }) => {
                details.signal = Some(signal::name(number).into_owned());
                details.core_dumped = Some(core_dumped);
            }
            None => {}
        }
        details.note = match life.end {
            None => Some("still running at the end of the capture"),
            Some(end) if !end.seen => Some("its end was not seen"),
            Some(_) => None,
        };
    }
    details
}

/// A viewer shows nothing for a name that is empty.
fn text(name: Option<String>) -> String {
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "?".to_owned())
}

/// Writes the events of one track.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    number: u64,
    begun: bool,
}

impl Writer<'_> {
    /// What each event begins with; the caller goes on behind the track's number.
    fn begin(&mut self, phase: &str, number: u64, name: &str) {
        let comma = if std::mem::replace(&mut self.begun, true) { "," } else { "" };
        // Writing to a Vec can't fail.
        let _ = write!(
            self.out,
            "{comma}\n{{\"ph\":\"{phase}\",\"pid\":{number},\"tid\":{number},\"name\":"
        );
        json::write(name, self.out);
    }

    fn metadata(&mut self, name: &str, key: &str, value: &(impl Serialize + ?Sized)) {
        self.begin("M", self.number, name);
        let _ = write!(self.out, ",\"args\":{{\"{key}\":");
        json::write(value, self.out);
        self.out.extend_from_slice(b"}}");
    }

    fn slice(&mut self, slice: &Slice<'_>, until_ns: u64, failed: bool, details: &Details) {
        self.begin("X", self.number, &slice.name);
        let (from, length) = (slice.from_ns, until_ns.saturating_sub(slice.from_ns));
        let _ = write!(
            self.out,
            ",\"cat\":\"{}\",\"ts\":{},\"dur\":{}",
            slice.category,
            Micros(from),
            Micros(length)
        );
        if failed {
            self.out.extend_from_slice(b",\"cname\":\"terrible\"");
        }
        self.out.extend_from_slice(b",\"args\":");
        json::write(details, self.out);
        self.out.push(b'}');
    }

    /// One end of an arrow.
    fn flow(&mut self, phase: &str, number: u64, id: LifeId, at_ns: u64) {
        self.begin(phase, number, "fork");
        let bind = if phase == "f" { ",\"bp\":\"e\"" } else { "" };
        let _ = write!(self.out, ",\"cat\":\"fork\",\"id\":{id},\"ts\":{}{bind}}}", Micros(at_ns));
    }
}

/// What Google's "Trace Event Format" asks of the events that are used here.
#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::event::EventKind;
    use crate::view::fixtures::{self, Random, Story, basic, run};

    fn trace(events: &[Event]) -> Vec<Value> {
        let text = run(Perfetto::default(), events);
        let trace: Value = serde_json::from_str(&text).expect("valid JSON");
        assert!(trace["displayTimeUnit"] == "ms" || trace["displayTimeUnit"] == "ns");
        assert!(trace["otherData"].is_object());
        trace["traceEvents"].as_array().expect("the object form has an array").clone()
    }

    fn of<'a>(events: &'a [Value], phase: &str) -> Vec<&'a Value> {
        events.iter().filter(|event| event["ph"] == phase).collect()
    }

    fn start(event: &Value) -> f64 {
        event["ts"].as_f64().expect("ts is a number")
    }

    fn end(event: &Value) -> f64 {
        start(event) + event["dur"].as_f64().expect("dur is a number")
    }

    fn track(event: &Value) -> (u64, u64) {
        let id = |key: &str| event[key].as_u64().expect("pid and tid are whole numbers");
        (id("pid"), id("tid"))
    }

    /// A double tells times near 2^64 ns by some microseconds only.
    fn slack(ts: f64) -> f64 {
        0.0001 + ts * 1e-14 * 100.0
    }

    fn check(events: &[Value]) {
        for event in events {
            assert!(event["name"].is_string(), "{event}");
            track(event);
            match event["ph"].as_str() {
                Some("M") => match event["name"].as_str() {
                    Some("process_name" | "thread_name") => {
                        assert!(event["args"]["name"].is_string(), "{event}");
                    }
                    Some("process_sort_index") => {
                        assert!(event["args"]["sort_index"].is_u64(), "{event}");
                    }
                    _ => panic!("no metadata has this name: {event}"),
                },
                Some("X") => {
                    assert!(event["cat"].is_string() && event["args"].is_object(), "{event}");
                    assert!(start(event) >= 0.0 && end(event) >= start(event), "{event}");
                }
                Some("s" | "f") => {
                    assert!(event["cat"].is_string() && event["id"].is_u64(), "{event}");
                    assert!(start(event) >= 0.0, "{event}");
                }
                _ => panic!("no such phase: {event}"),
            }
        }
        check_flows(events);
        check_nesting(events);
    }

    /// Each flow begins once and ends once, not before it began, in the slice around that time.
    fn check_flows(events: &[Value]) {
        let mut ends: HashMap<u64, &Value> = HashMap::new();
        for end in of(events, "f") {
            assert_eq!(end["bp"], "e", "{end}");
            let before = ends.insert(end["id"].as_u64().expect("an id"), end);
            assert!(before.is_none(), "{end}");
        }
        for begin in of(events, "s") {
            let end = ends.remove(&begin["id"].as_u64().expect("an id")).expect("an end");
            assert_eq!((&begin["cat"], &begin["name"]), (&end["cat"], &end["name"]));
            assert!(start(begin) <= start(end), "{begin} {end}");
        }
        assert!(ends.is_empty(), "{ends:?}");
    }

    /// Slices of a track lie within or beside each other.
    fn check_nesting(events: &[Value]) {
        let mut tracks: HashMap<_, Vec<&Value>> = HashMap::new();
        for slice in of(events, "X") {
            tracks.entry(track(slice)).or_default().push(slice);
        }
        for slices in tracks.values_mut() {
            slices.sort_by(|a, b| start(a).total_cmp(&start(b)).then(end(b).total_cmp(&end(a))));
            let mut open: Vec<f64> = Vec::new();
            for slice in slices {
                let (start, end) = (start(slice), end(slice));
                open.retain(|&outer| outer > start + slack(start));
                assert!(open.iter().all(|&outer| end <= outer + slack(end)), "{slice}");
                open.push(end);
            }
        }
    }

    /// Each end of an arrow lies on a slice.
    fn check_arrows(events: &[Value]) {
        let slices = of(events, "X");
        for arrow in of(events, "s").into_iter().chain(of(events, "f")) {
            let on = |slice: &&&Value| {
                let at = start(arrow);
                track(slice) == track(arrow) && start(slice) <= at && at <= end(slice)
            };
            assert!(slices.iter().any(|slice| on(&slice)), "{arrow}");
        }
    }

    #[test]
    fn a_pipeline_has_its_slices_and_arrows() {
        let events = trace(&fixtures::pipeline());
        check(&events);
        check_arrows(&events);
        let grep: Vec<_> = of(&events, "X").into_iter().filter(|e| e["pid"] == 4523).collect();
        assert_eq!(grep.len(), 2);
        assert_eq!(
            (&grep[0]["name"], &grep[0]["ts"]),
            (&"fork to exec".into(), &1_001_300.0.into())
        );
        assert_eq!((&grep[1]["name"], &grep[1]["dur"]), (&"grep".into(), &900.0.into()));
        assert_eq!(grep[1]["args"]["command"], "grep root");
        assert_eq!(grep[1]["args"]["exit_code"], 1);
        assert_eq!(grep[1]["cname"], "terrible");
        let from: Vec<_> = of(&events, "s").iter().map(|event| track(event).0).collect();
        assert_eq!(from, [4521, 4521, 3890]);
    }

    #[test]
    fn a_daemon_runs_to_the_end_of_the_capture() {
        let events = trace(&fixtures::daemon());
        check(&events);
        check_arrows(&events);
        let last = of(&events, "X").into_iter().find(|event| event["pid"] == 5004).expect("it is");
        assert_eq!(end(last), 1_020_000.0);
        assert_eq!(last["args"]["note"], "still running at the end of the capture");
        let work = of(&events, "X").into_iter().find(|event| event["name"] == "work");
        assert_eq!(work.expect("it is")["args"]["signal"], "SIGSEGV");
    }

    #[test]
    fn a_pid_that_comes_back_has_another_track() {
        let mut story = Story::default();
        for i in 0..3 {
            story.fork(i * 10, 7, 9).exit(i * 10 + 5, 7, 9, 0);
        }
        let events = trace(&story.events);
        check(&events);
        let name = |number: u64| {
            let names = of(&events, "M").into_iter().filter(|e| e["name"] == "process_name");
            names.filter(|e| e["pid"] == number).map(|e| e["args"]["name"].clone()).next()
        };
        assert_eq!(name(7), Some("bash".into()));
        assert_eq!(name((1 << 22) + 1), Some("bash (pid 7)".into()));
        assert_eq!(name((1 << 22) + 2), Some("bash (pid 7)".into()));
    }

    #[test]
    fn a_process_is_written_and_forgotten_when_it_ends() {
        let mut sink = Perfetto::default();
        let mut out = Vec::new();
        fixtures::pipeline().iter().for_each(|event| sink.event(event, &mut out));
        assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 3 * 7);
        assert_eq!(sink.lives.iter().count(), 1, "the shell that was there before");
        assert_eq!(sink.tracks.len(), 1);
    }

    #[test]
    fn the_basic_mode_has_slices_too() {
        use EventKind::{Exec, Exit, Fork};
        let events = [
            basic(Fork, 0, 10, 9, "bash"),
            basic(Exec, 100, 10, 0, "prog"),
            basic(Fork, 200, 11, 10, "prog"),
            basic(Exit, 300, 10, 0, "worker"),
            basic(Exit, 400, 10, 0, "prog"),
        ];
        let events = trace(&events);
        check(&events);
        check_arrows(&events);
        let prog = of(&events, "X").into_iter().find(|event| event["name"] == "prog");
        assert_eq!(prog.expect("it is")["args"]["more_threads"], 1);
        assert!(!of(&events, "X").iter().any(|event| event["pid"] == 11));
    }

    #[test]
    fn takes_any_events() {
        check(&trace(&[]));
        for seed in 1..300 {
            check(&trace(&Random(seed).capture()));
        }
    }
}
