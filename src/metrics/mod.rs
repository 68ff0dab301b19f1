// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--metrics`: counters of a capture in Prometheus' text format 0.0.4, for the node exporter's
//! textfile collector. Sees all events that the capture shows; knows nothing of where they come from.

use std::fmt::{Display, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::ClockId;

use crate::host::clock::now_ns;
use crate::host::usage;
use crate::model::event::{Event, EventKind, Lost};
use crate::model::failure::{Exit, Failure};
use crate::output::Replaced;
use crate::runtime::report;

mod counts;

use counts::{Counts, Units};

/// How often the file is written.
const INTERVAL: Duration = Duration::from_secs(15);
/// What the collector reads.
const SUFFIX: &str = "prom";

/// What a capture tells of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    /// Lost since it began.
    pub lost: Lost,
    /// Handlers that the kernel skipped.
    pub missed: u64,
    /// Bytes that lie on the ring buffer.
    pub buffer_used: u64,
    /// Its size in bytes.
    pub buffer_size: u64,
}

/// The counters, and the file that they go to.
#[derive(Debug)]
pub struct Metrics {
    file: Replaced,
    units: Units,
    failed_execs: bool,
    began_ns: u64,
    written: Option<Instant>,
    /// A failure is said once, until it has worked again.
    said: bool,
}

impl Metrics {
    /// Counters that begin now. `failed_execs`: the capture has such events.
    ///
    /// # Errors
    /// The collector would not read such a file, or it can't be replaced where it is to be.
    pub fn begin(path: &Path, failed_execs: bool) -> Result<Self> {
        if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
            let what = format!("--metrics {}: the collector reads no such name", path.display());
            return Err(Failure::new(Exit::Usage, what, "use a name that ends in .prom").into());
        }
        Ok(Self {
            file: Replaced::find(path, "--metrics")?,
            units: Units::default(),
            failed_execs,
            began_ns: now_ns(ClockId::Realtime),
            written: None,
            said: false,
        })
    }

    /// The file.
    pub fn file(&self) -> &Replaced {
        &self.file
    }

    /// Counts an event.
    pub fn event(&mut self, event: &Event) {
        self.units.event(event);
    }

    /// Adds the cost of an exit that was counted without it.
    pub fn cost(&mut self, exit: &Event) {
        self.units.cost(exit);
    }

    /// Writes the file, if it is time.
    pub fn tick(&mut self, health: impl FnOnce() -> Health) {
        if self.written.is_none_or(|written| written.elapsed() >= INTERVAL) {
            self.write(&health());
        }
    }

    /// Writes the file. A failure is said, and the next time it is tried again: the capture goes on.
    pub fn write(&mut self, health: &Health) {
        self.written = Some(Instant::now());
        let text = self.text(health);
        let written = self.file.write(text.as_bytes());
        if let Err(error) = &written {
            if !self.said {
                report::say(format_args!("can't write the metrics: {error}; it is tried again"));
            }
        }
        self.said = written.is_err();
    }

    fn text(&self, health: &Health) -> String {
        let mut page = Page(String::new());
        type Figure = fn(&Counts) -> u64;
        let by_unit: [(&str, &str, Figure); 3] = [
            ("processes_started_total", "Processes that began.", |counts| counts.started),
            ("processes_ended_total", "Processes that ended.", |counts| counts.ended),
            ("execs_failed_total", "Execs that failed.", |counts| counts.failed_execs),
        ];
        let shown = if self.failed_execs { 3 } else { 2 };
        for (name, help, figure) in by_unit.into_iter().take(shown) {
            page.family(name, "counter", help);
            for (unit, counts) in self.units.iter() {
                page.sample(name, &[("unit", unit)], figure(counts));
            }
        }
        let name = "processes_failed_total";
        page.family(
            name,
            "counter",
            "Processes that ended with a status other than 0, or by a signal.",
        );
        for (unit, counts) in self.units.iter() {
            for (reason, count) in
                [("exit", counts.failed_by_exit), ("signal", counts.failed_by_signal)]
            {
                page.sample(name, &[("unit", unit), ("reason", reason)], count);
            }
        }
        let name = "processes_cpu_seconds_total";
        page.family(name, "counter", "CPU time of processes that ended.");
        for (unit, counts) in self.units.iter() {
            page.sample(name, &[("unit", unit)], counts.cpu_ns as f64 / 1e9);
        }
        let name = "events_lost_total";
        page.family(name, "counter", "Events for which the ring buffer had no room.");
        for kind in EventKind::USUAL {
            page.sample(name, &[("kind", kind.name())], health.lost.of(kind));
        }
        if self.failed_execs {
            let kind = EventKind::ExecFailed;
            page.sample(name, &[("kind", kind.name())], health.lost.of(kind));
        }
        let missed = "At most so many events are missing because the kernel skipped a handler.";
        page.single("events_missed_total", "counter", missed, health.missed);
        page.single("buffer_bytes", "gauge", "Size of the ring buffer.", health.buffer_size);
        let used = "Bytes on the ring buffer that are not read yet.";
        page.single("buffer_used_bytes", "gauge", used, health.buffer_used);
        let own = now_ns(ClockId::ProcessCPUTime) as f64 / 1e9;
        page.single("cpu_seconds_total", "counter", "CPU time of tuxscope itself.", own);
        if let Some(usage) = usage::of(std::process::id()) {
            let help = "Memory of tuxscope itself.";
            page.single("resident_memory_bytes", "gauge", help, usage.rss_bytes);
        }
        let began = self.began_ns as f64 / 1e9;
        page.single("start_time_seconds", "gauge", "When the capture began, since 1970.", began);
        page.0
    }
}

/// The text format.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.0, "# HELP tuxscope_{name} {help}\n# TYPE tuxscope_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "tuxscope_{name}");
        for (i, (label, value)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"");
            escape(value, &mut self.0);
            self.0.push('"');
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }
}

/// A label's value, as the format has it.
fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page(String::new());
        page.sample("x", &[("unit", "a\\x2d\"b\"\nc.service"), ("kind", "é")], 7);
        assert_eq!(page.0, "tuxscope_x{unit=\"a\\\\x2d\\\"b\\\"\\nc.service\",kind=\"é\"} 7\n");
    }

    #[test]
    fn only_what_the_collector_reads_is_written() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["metrics", "metrics.txt", "prom"] {
            let error = Metrics::begin(&dir.path().join(name), false).expect_err(name);
            assert_eq!(Failure::exit_of(&error), Exit::Usage);
        }
        let path = dir.path().join("metrics.prom");
        let mut metrics = Metrics::begin(&path, true).expect("a place");
        metrics.write(&Health::default());
        let text = std::fs::read_to_string(path).expect("written");
        assert!(text.ends_with('\n') && text.contains("tuxscope_execs_failed_total"), "{text}");
    }
}
