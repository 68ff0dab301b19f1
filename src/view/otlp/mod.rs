// SPDX-License-Identifier: MIT OR Apache-2.0
//! A span a process, in OpenTelemetry's JSON: lines as the collector's file exporter writes them
//! and its `otlpjsonfile` receiver reads them.

use super::lives::{Life, LifeId, Lives};
use super::{Across, Settings, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::json;
use crate::model::event::{Event, ExitStatus, Lost, Meta, Totals};
use crate::model::signal;
use crate::text::time::Rfc3339;

mod span;
mod thin;

use span::{Attribute, Request, Resource, ResourceSpans, Scope, ScopeSpans, Span, Status, Value};
use thin::{Group, Thinned};

/// `--format otlp`
pub static VIEW: View = View {
    name: "otlp",
    help: "A span a process (OTLP/JSON), for the OpenTelemetry collector's otlpjsonfile receiver",
    needs_wide: true,
    shape: Shape::Document,
    speaks: Speaks::AtTheEnd,
    across: Across::Refused,
    takes: &["otlp-args", "otlp-max-spans"],
    start: |settings| Box::new(Trace::new(settings)),
};

/// Spans of a document, unless it is told otherwise: viewers choke on more.
pub const MAX_SPANS: usize = 2_000;
/// Bytes of a line's spans, about: the receiver takes lines of 1 MiB, unless it is told otherwise.
const LINE: usize = 512 << 10;

/// The sink of `--format otlp`.
#[derive(Debug)]
struct Trace {
    lives: Lives,
    meta: Meta,
    lost: Lost,
    args: bool,
    max_spans: usize,
}

impl Trace {
    fn new(settings: &Settings) -> Self {
        Self {
            lives: Lives::with_whose(),
            meta: Meta::default(),
            lost: Lost::default(),
            args: settings.otlp_args,
            max_spans: settings.otlp_max_spans.unwrap_or(MAX_SPANS),
        }
    }
}

impl Sink for Trace {
    fn begin(&mut self, meta: &Meta, _out: &mut Vec<u8>) {
        self.lives.begin(meta);
        self.meta = meta.clone();
    }

    fn runs_already(&mut self, process: &Running) {
        self.lives.runs_already(process);
    }

    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.lives.event(event);
    }

    fn cost(&mut self, exit: &Event) {
        self.lives.cost(exit);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = *lost;
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        if totals.lost.total() > self.lost.total() {
            self.lost = totals.lost;
        }
        self.lives.end(totals);
        let drawn = self.lives.iter().filter(|(_, life)| !life.is_bystander());
        let processes: Vec<LifeId> = drawn.map(|(id, _)| id).collect();
        let root = self.lives.command();
        let thinned = thin::thin(&self.lives, &processes, root, self.max_spans);
        let ids = Ids { meta: &self.meta, lives: &self.lives, root };
        let mut spans: Vec<Span> = Vec::new();
        for &id in processes.iter().filter(|id| thinned.own.contains(id)) {
            spans.extend(self.process(id, &ids, &thinned));
        }
        for ((above, name), group) in &thinned.groups {
            spans.extend(self.group(*above, name, group, &ids));
        }
        self.write(spans, totals, out);
    }
}

/// Ids that a replay gives again: but for the root's they come from who a process was.
struct Ids<'a> {
    meta: &'a Meta,
    lives: &'a Lives,
    root: Option<LifeId>,
}

impl Ids<'_> {
    /// The command's, else made of the boot and the capture's beginning.
    fn trace(&self) -> u128 {
        let boot: String = self.meta.boot_id.chars().filter(|&c| c != '-').collect();
        let boot = u128::from_str_radix(&boot, 16).unwrap_or_default();
        let began = u128::from(mix(self.meta.began_ns | 1));
        self.meta.trace.map_or((boot ^ began).max(1), |trace| trace.trace_id)
    }

    fn span(&self, id: LifeId) -> u64 {
        if let Some(trace) = self.meta.trace.filter(|_| Some(id) == self.root) {
            return trace.span_id;
        }
        let life = self.lives.get(id);
        let (pid, born_ns) =
            life.map_or((0, 0), |life| (life.pid, life.born_ns().unwrap_or_default()));
        mix(mix(born_ns) ^ u64::from(pid)).max(1)
    }

    /// Of a group of processes: of who is above them, and their name.
    fn group(&self, above: Option<LifeId>, name: &str) -> u64 {
        let above = above.map_or(0, |above| self.span(above));
        name.bytes().fold(mix(above), |hash, byte| mix(hash ^ u64::from(byte))).max(1)
    }

    fn parent(&self, above: Option<LifeId>) -> Option<u64> {
        above.map(|above| self.span(above))
    }
}

/// Spreads a number over 64 bits: the finalizer of `SplitMix64`, which maps no two to one.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn attribute(key: &'static str, value: impl Into<Value>) -> Attribute {
    Attribute { key, value: value.into() }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Trace {
    /// The wall clock, in nanoseconds since 1970.
    fn unix_ns(&self, ns: u64) -> u64 {
        match (self.meta.clock_offset_ns, self.lives.began_at_ns()) {
            (0, Some(began_at)) => {
                let first = self.lives.first_event_ns();
                began_at.saturating_add(ns).saturating_sub(first)
            }
            (offset, _) => ns.saturating_add(offset),
        }
    }

    /// The span above one that isn't the root's; what runs beside the command is below it, too.
    fn above(&self, id: LifeId, ids: &Ids<'_>, thinned: &Thinned) -> Option<u64> {
        if Some(id) == ids.root {
            return self.meta.trace.and_then(|trace| trace.parent_span_id);
        }
        let parent = self.lives.get(id)?.parent.filter(|parent| thinned.own.contains(parent));
        ids.parent(parent.or(ids.root))
    }

    fn span(&self, (begin, end): (u64, u64), ids: &Ids<'_>) -> Span {
        Span {
            trace_id: ids.trace(),
            span_id: 0,
            parent_span_id: None,
            name: String::new(),
            kind: 1,
            start_time_unix_nano: self.unix_ns(begin),
            end_time_unix_nano: self.unix_ns(end.max(begin)),
            attributes: Vec::new(),
            status: Status::default(),
        }
    }

    /// From its birth to its end, or to the capture's.
    fn lived(&self, life: &Life) -> (u64, u64) {
        let (first, last) = self.lives.span_ns();
        (life.born_ns().unwrap_or(first), life.end.map_or(last, |end| end.at_ns))
    }

    fn process(&self, id: LifeId, ids: &Ids<'_>, thinned: &Thinned) -> Option<Span> {
        let life = self.lives.get(id)?;
        let name = life.comm().map_or_else(|| "?".to_owned(), |comm| lossy(comm.as_bytes()));
        Some(Span {
            span_id: ids.span(id),
            parent_span_id: self.above(id, ids, thinned),
            attributes: self.attributes(life, &name),
            status: status(life),
            name,
            ..self.span(self.lived(life), ids)
        })
    }

    fn attributes(&self, life: &Life, name: &str) -> Vec<Attribute> {
        let mut list =
            vec![attribute("process.executable.name", name), attribute("process.pid", life.pid)];
        let mut add = |key, value: Option<Value>| {
            list.extend(value.map(|value| Attribute { key, value }));
        };
        let exec = life.execs().last();
        let path = exec.and_then(|exec| exec.filename()).map(|path| lossy(path).into());
        add("process.executable.path", path);
        if self.args {
            let args = exec.and_then(|exec| exec.args()).filter(|args| !args.is_empty());
            let values = args.map(|args| args.iter().map(|arg| lossy(arg).into()).collect());
            add("process.command_args", values.map(|values| Value::Array { values }));
        }
        add("process.parent_pid", life.born_to().or(life.adopter()).map(Into::into));
        let time = |ns| Value::from(Rfc3339(self.unix_ns(ns)).to_string());
        add("process.creation.time", life.born_ns().map(time));
        let code = life.status().and_then(|status| match status {
            ExitStatus::Code(code) => Some(u32::from(code)),
            ExitStatus::Signal { .. } => None,
        });
        add("process.exit.code", code.map(Into::into));
        let whose = life.whose.as_deref();
        add("process.real_user.id", whose.map(|whose| whose.uid.into()));
        let place = whose.and_then(|whose| whose.place.as_deref());
        add("process.linux.cgroup", place.map(|place| (&*place.cgroup).into()));
        add("container.id", place.and_then(|place| Some(place.container.as_deref()?.into())));
        add("error.type", error_type(life).map(Into::into));
        add("tuxscope.cpu_ns", life.cpu_ns().map(Into::into));
        add("tuxscope.cpu_wait_ns", life.cpu_wait_ns().map(Into::into));
        add("tuxscope.max_rss_bytes", life.max_rss_bytes().map(Into::into));
        add("tuxscope.still_running", life.end.is_none().then_some(true.into()));
        let failed = life.failed_execs().map(|failed| failed.count);
        add("tuxscope.failed_execs", failed.map(Into::into));
        let folded = Some(life.folded().count).filter(|&count| count > 0);
        add("tuxscope.left_out", folded.map(Into::into));
        list
    }

    fn group(
        &self,
        above: Option<LifeId>,
        name: &str,
        group: &Group,
        ids: &Ids<'_>,
    ) -> Option<Span> {
        let lives = || group.members.iter().filter_map(|id| self.lives.get(*id));
        let begin = lives().map(|life| self.lived(life).0).min()?;
        let end = lives().map(|life| self.lived(life).1).max()?;
        let failed = lives().filter(|life| life.failed()).count() as u64;
        let cpu_ns = lives().filter_map(Life::cpu_ns).fold(0_u64, u64::saturating_add);
        let count = group.members.len() as u64;
        let attributes = vec![
            attribute("process.executable.name", name),
            attribute("tuxscope.processes", count),
            attribute("tuxscope.failures", failed),
            attribute("tuxscope.cpu_ns", cpu_ns),
        ];
        let message = format!("{failed} of {count} failed");
        let failed = Status { code: 2, message };
        let any_failed = lives().any(Life::failed);
        Some(Span {
            span_id: ids.group(above, name),
            parent_span_id: ids.parent(above.or(ids.root)),
            name: format!("{name} ({count} processes)"),
            attributes,
            status: if any_failed { failed } else { Status::default() },
            ..self.span((begin, end), ids)
        })
    }

    /// What is alike for all spans.
    fn resource(&self, totals: &Totals) -> Vec<Attribute> {
        let Meta { host, kernel, boot_id, .. } = &self.meta;
        let mut list = vec![attribute("service.name", "tuxscope"), attribute("os.type", "linux")];
        let texts = [("host.name", host), ("os.version", kernel), ("tuxscope.boot_id", boot_id)];
        let told = texts.into_iter().filter(|(_, text)| !text.is_empty());
        list.extend(told.map(|(key, text)| attribute(key, text.as_str())));
        list.push(attribute("tuxscope.complete", totals.complete()));
        list.push(attribute("tuxscope.arguments", self.args && !self.meta.no_args));
        if self.lost.total() > 0 {
            list.push(attribute("tuxscope.lost_events", self.lost.total()));
        }
        let left_out = self.lives.folded() as u64;
        if left_out > 0 {
            list.push(attribute("tuxscope.left_out", left_out));
        }
        list
    }

    fn write(&self, spans: Vec<Span>, totals: &Totals, out: &mut Vec<u8>) {
        let resource = self.resource(totals);
        let mut left = &spans[..];
        loop {
            let mut bytes = 0;
            let fits = left.iter().position(|span| {
                bytes += about_bytes(span);
                bytes > LINE
            });
            let (line, rest) = left.split_at(fits.unwrap_or(left.len()).max(1).min(left.len()));
            let scope = Scope { name: "tuxscope", version: &self.meta.version };
            let request = Request {
                resource_spans: [ResourceSpans {
                    resource: Resource { attributes: &resource },
                    scope_spans: [ScopeSpans { scope, spans: line }],
                }],
            };
            json::write(&request, out);
            out.push(b'\n');
            left = rest;
            if left.is_empty() {
                break;
            }
        }
    }
}

/// What a span takes, as far as it isn't alike for all.
fn about_bytes(span: &Span) -> usize {
    /// Ids, times, and an attribute's key and quotes.
    const FRAME: usize = 250;
    const EACH: usize = 60;
    let of = |value: &Value| match value {
        Value::String(text) => text.len(),
        Value::Array { values } => values.iter().map(|value| EACH + text_len(value)).sum(),
        Value::Int(_) | Value::Bool(_) => 20,
    };
    FRAME + span.attributes.iter().map(|attribute| EACH + of(&attribute.value)).sum::<usize>()
}

fn text_len(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        _ => 0,
    }
}

/// Of few values, as conventions want it: a signal's name, or the exit status.
fn error_type(life: &Life) -> Option<String> {
    life.status().filter(|status| status.failed()).map(|status| match status {
        ExitStatus::Signal { number, .. } => signal::name(number).to_string(),
        ExitStatus::Code(code) => code.to_string(),
    })
}

fn status(life: &Life) -> Status {
    let Some(status) = life.status().filter(|status| status.failed()) else {
        return Status::default();
    };
    let message = match (status, life.killed()) {
        (ExitStatus::Signal { .. }, Some(killed)) => killed.to_owned(),
        (ExitStatus::Signal { .. }, None) => format!("killed by {status}"),
        (ExitStatus::Code(code), _) => format!("exit status {code}"),
    };
    Status { code: 2, message }
}
