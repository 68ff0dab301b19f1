// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is drawn: a view a file, and the registry of them.
//!
//! A view turns events into bytes and does no I/O; [`crate::output`] writes them. All that is said
//! of a view elsewhere (`--format`, help, completions, the fuzzing) comes from [`ALL`].

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::host::running::Running;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::text::style::Style;

mod explain;
#[cfg(test)]
pub(crate) mod fixtures;
mod folded;
mod html;
mod json;
pub(crate) mod lives;
mod no_args;
mod none;
mod otlp;
mod path;
mod perfetto;
pub(crate) mod summary;
mod table;
mod timeline;
mod tree;
mod usage;
mod wide_table;

pub use folded::Weight;
pub use json::Json;
pub use no_args::NoArgs;
pub use otlp::{MAX_SPANS as OTLP_MAX_SPANS, VIEW as OTLP};
pub use summary::{By, Ranking, Sort, Summary};
pub use table::Table;
pub use wide_table::{ALL as COLUMNS, Column, WideTable};

/// The views, in the order in which they are told of.
pub static ALL: &[&View] = &[
    &table::VIEW,
    &json::VIEW,
    &summary::TEXT,
    &summary::JSON,
    &tree::VIEW,
    &timeline::VIEW,
    &perfetto::VIEW,
    &html::VIEW,
    &path::VIEW,
    &folded::VIEW,
    &otlp::VIEW,
    &explain::VIEW,
    &none::VIEW,
];

/// A view, as the command line knows it.
pub struct View {
    /// Its name for `--format`.
    pub name: &'static str,
    /// What it shows, in half a line.
    pub help: &'static str,
    /// It is drawn from the wide mode's events, so that a capture for it is made in that mode.
    pub needs_wide: bool,
    /// What its output is.
    pub shape: Shape,
    /// When it speaks.
    pub speaks: Speaks,
    /// What it makes of events of several hosts.
    pub across: Across,
    /// The options of its own, by their long names: others refuse them.
    pub takes: &'static [&'static str],
    /// Begins one.
    pub start: fn(&Settings) -> Box<dyn Sink>,
}

/// What is asked of a view.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The events are those of the wide mode.
    pub wide: bool,
    /// What the reader's terminal can show.
    pub style: Style,
    /// The table's columns; the usual ones where there are none.
    pub columns: Vec<&'static Column>,
    /// How a summary ranks groups of processes.
    pub ranking: Ranking,
    /// A summary for each such time; one for all where there is none.
    pub every: Option<Duration>,
    /// What the numbers of folded stacks count.
    pub weight: Weight,
    /// Spans tell the arguments of programs.
    pub otlp_args: bool,
    /// Spans of a document at most; the usual number where there is none.
    pub otlp_max_spans: Option<usize>,
}

/// What a view's output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Lines that each stand for themselves: any of them may go on in another file.
    Lines,
    /// One text, for people or for a program that reads it as a whole.
    Text,
    /// One document for another program, nothing to look at on a terminal.
    Document,
    /// There is none.
    Nothing,
}

/// When a view speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// While things happen.
    AsItHappens,
    /// When the capture is over.
    AtTheEnd,
}

/// What a view makes of events of several hosts, whose process ids may be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Across {
    /// It shows each by itself, and can say whose it is.
    Shown,
    /// It shows sums, and no process ids but of single processes: events come with ids and times that
    /// are made to fit beside each other.
    Summed,
    /// It shows how the processes of one host belong together.
    Refused,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A view at work: takes events, appends bytes. One that needs the whole capture does so at the
/// end.
pub trait Sink {
    /// Appends what comes before the first event.
    fn begin(&mut self, _meta: &Meta, _out: &mut Vec<u8>) {}

    /// This process runs already when the capture begins: told before the first event.
    fn runs_already(&mut self, _process: &Running) {}

    /// Appends one event.
    fn event(&mut self, event: &Event, out: &mut Vec<u8>);

    /// An exit that was told without its cost is told once more, with it and without arguments, for
    /// views that sum. That is after a while: its parent has reaped the process only now.
    fn cost(&mut self, _exit: &Event) {}

    /// Appends word of events that were lost before this point of the capture, counted since
    /// its beginning. `time_ns` is when that was noticed, in nanoseconds since 1970.
    fn lost(&mut self, _lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {}

    /// All that happened up to now has been told: now on `CLOCK_MONOTONIC`, in nanoseconds.
    fn tick(&mut self, _now_ns: u64, _out: &mut Vec<u8>) {}

    /// Some time has passed, at most a tenth of a second, whatever has happened: for what heeds
    /// keys and the clock. A break asks for the end of the capture.
    fn look(&mut self, _out: &mut Vec<u8>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The reader's terminal has so many columns now.
    fn resize(&mut self, _columns: usize, _out: &mut Vec<u8>) {}

    /// Appends what comes after the last event.
    fn end(&mut self, _totals: &Totals, _out: &mut Vec<u8>) {}
}

/// For the head of a document, which people pass on.
fn about_args(meta: &Meta) -> &'static str {
    match meta.no_args {
        true => "arguments left out",
        false => "with arguments",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::view::fixtures::{Random, Story, pipeline, running, steers_a_terminal};

    #[test]
    fn names_are_told_apart() {
        assert_eq!(ALL.iter().map(|view| view.name).collect::<HashSet<_>>().len(), ALL.len());
    }

    /// Bytes before the end, and at the end.
    fn draw(view: &View, wide: bool, events: &[Event]) -> (usize, String) {
        let mut sink = (view.start)(&Settings { wide, ..Settings::default() });
        let mut out = Vec::new();
        let (host, kernel) = ("\u{202e}<b>".to_owned(), "\u{9b}2J&\u{2028}".to_owned());
        sink.begin(&Meta { host, kernel, ..Meta::default() }, &mut out);
        events.iter().for_each(|event| sink.event(event, &mut out));
        let before = out.len();
        sink.end(&Totals::default(), &mut out);
        (before, String::from_utf8(out).expect("every view is UTF-8"))
    }

    #[test]
    fn each_is_what_the_registry_says() {
        for view in ALL {
            let (before, all) = draw(view, true, &pipeline());
            assert_eq!(before > 0, view.speaks == Speaks::AsItHappens, "{view:?}");
            assert_eq!(all.ends_with('\n'), view.shape != Shape::Nothing, "{view:?}");
            if view.shape == Shape::Lines {
                assert!(all[..before].lines().count() >= pipeline().len(), "{view:?}");
            }
        }
    }

    /// What a view says of a shell that ran before and execs in the capture, and of an event before.
    fn of_a_shell(view: &View, told: bool) -> String {
        let mut story = Story::default();
        story.exec(0, 5, 4, &["make"]).exec(1_000, 77, 4, &["ls", "-l"]).exit(2_000, 77, 4, 0);
        let mut sink = (view.start)(&Settings { wide: true, ..Settings::default() });
        let mut out = Vec::new();
        sink.begin(&Meta::default(), &mut out);
        if told {
            sink.runs_already(&running(77, "zsh"));
        }
        story.events.iter().for_each(|event| sink.event(event, &mut out));
        sink.end(&Totals::default(), &mut out);
        String::from_utf8(out).expect("every view is UTF-8")
    }

    #[test]
    fn who_ran_before_is_called_what_it_was_then() {
        let views: [(&View, [&str; 2]); 4] = [
            (&tree::VIEW, ["`- zsh\n", "`- ?\n"]),
            (&timeline::VIEW, ["<title>zsh\npid 77", "<title>?\npid 77"]),
            (&perfetto::VIEW, ["\"zsh (began before)\"", "\"? (began before)\""]),
            (&explain::VIEW, ["77 (zsh) exec'd /bin/ls:", "77 exec'd /bin/ls:"]),
        ];
        for (view, texts) in views {
            for (told, text) in [true, false].into_iter().zip(texts) {
                let all = of_a_shell(view, told);
                assert!(all.contains(text), "{view:?}, {told}: {all}");
            }
        }
    }

    #[test]
    fn each_takes_any_events_of_either_mode() {
        for view in ALL {
            for seed in 1..100 {
                let events = Random(seed).capture();
                let wide = events.iter().any(|event| event.wide.is_some());
                let (_, all) = draw(view, wide, &events);
                assert!(!steers_a_terminal(&all), "{view:?}, seed {seed}");
            }
        }
    }
}
