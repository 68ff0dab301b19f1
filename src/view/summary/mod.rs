// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture comes to: counts, latencies, life times, failures. Its memory is bounded by
//! what is alive at a time, and by the number of names that are told apart.

mod collect;
mod failed_files;
mod figures;
mod groups;
mod longest;
mod names;
mod ranked;
mod ranking;
mod sketch;
mod text;
mod times;
mod usage;

use super::{Shape, Sink, Speaks, View};
use crate::json;
use crate::model::event::{Event, Meta, Totals};
use crate::text::style::Style;
use collect::Collector;
pub use ranking::{By, Ranking, Sort};

/// `--format summary`
pub static TEXT: View = View {
    name: "summary",
    help: "Totals and losses; what used the CPU, by command or --by; latencies, run times, failures",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    takes: &["by", "sort", "top"],
    start: |settings| Box::new(Summary::text(settings.style, settings.ranking)),
};

/// `--format summary-json`
pub static JSON: View = View {
    name: "summary-json",
    help: "The figures of summary, as one JSON object",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    takes: &["by"],
    start: |settings| Box::new(Summary::json(settings.ranking)),
};

/// The sink of `--format summary` and `--format summary-json`: both show the same figures.
#[derive(Debug)]
pub struct Summary {
    collector: Collector,
    ranking: Ranking,
    /// None: as JSON.
    style: Option<Style>,
}

impl Summary {
    /// For people.
    pub fn text(style: Style, ranking: Ranking) -> Self {
        Self { collector: Collector::new(ranking.by), ranking, style: Some(style) }
    }

    /// One JSON object on one line.
    pub fn json(ranking: Ranking) -> Self {
        Self { collector: Collector::new(ranking.by), ranking, style: None }
    }
}

impl Sink for Summary {
    fn begin(&mut self, meta: &Meta, _out: &mut Vec<u8>) {
        self.collector.begin(meta);
    }

    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.collector.event(event);
    }

    fn resize(&mut self, columns: usize, _out: &mut Vec<u8>) {
        if let Some(style) = &mut self.style {
            style.width = Some(columns);
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        let figures = self.collector.figures(totals);
        match self.style {
            Some(style) => text::render(&figures, &self.ranking, style, out),
            None => {
                json::write(&figures, out);
                out.push(b'\n');
            }
        }
    }
}
