// SPDX-License-Identifier: MIT OR Apache-2.0
//! A picture of the capture: an SVG with a bar for each process on a time axis.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::lives::{Life, Lives};
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::text;
use crate::text::quantity::{are, were};
use crate::text::time::Rfc3339;
use crate::text::xml;

mod axis;
mod bars;
mod colors;
mod density;
mod layout;
#[cfg(test)]
mod tests;

use bars::{label, row_y};
use colors::Colors;

/// All in pixels.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 20.0;
const TOP: f64 = 100.0;
const ROW: f64 = 18.0;
const BAR: f64 = 14.0;
/// A column of the font.
const COLUMN: f64 = 6.62;
/// Between a bar and its label.
const PAD: f64 = 5.0;

const STYLE: &str = include_str!("style.css");

/// `--format timeline`
pub static VIEW: View = View {
    name: "timeline",
    help: "A picture (SVG) with one bar per process, at the end",
    needs_wide: true,
    shape: Shape::Document,
    speaks: Speaks::AtTheEnd,
    across: Across::Refused,
    takes: &[],
    start: |_| Box::new(Timeline::default()),
};

/// The sink of `--format timeline`.
#[derive(Debug)]
pub struct Timeline {
    lives: Lives,
    meta: Meta,
    lost: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { lives: Lives::for_picture(), meta: Meta::default(), lost: 0 }
    }
}

impl Sink for Timeline {
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
        self.lost = self.lost.max(lost.total());
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lost = self.lost.max(totals.lost.total());
        self.lives.end(totals);
        out.extend_from_slice(self.draw(totals).as_bytes());
    }
}

impl Timeline {
    fn draw(&self, totals: &Totals) -> String {
        let label = |id| self.lives.get(id).map_or(0.0, |life| columns(&label(life)) + 2.0 * PAD);
        let width = WIDTH - 2.0 * MARGIN;
        let nodes = layout::nodes(&self.lives, width);
        let layout = layout::layout(&nodes, width, &label);
        let colors = Colors::of(&self.lives);
        let rows = density::Rows::of(&self.lives, &layout, &colors);
        let strip = if layout.labelled || layout.bars.is_empty() { 0.0 } else { density::STRIP };
        let top = TOP + strip + rows.height();
        let bottom = top + layout.rows as f64 * ROW;
        let height = bottom + 30.0;

        let mut svg = String::new();
        // Writing to a String can't fail.
        let _ = writeln!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\">\n<style>\n{STYLE}</style>\n\
             <rect class=\"page\" width=\"100%\" height=\"100%\"/>"
        );
        self.heading(totals, &mut svg);
        colors.legend(&mut svg);
        self.axis(bottom, &mut svg);
        if strip > 0.0 {
            density::strip(&self.lives, &nodes, TOP, &mut svg);
        }
        rows.draw(TOP + strip, &mut svg);

        let drawn: Vec<_> =
            layout.bars.iter().filter_map(|bar| self.drawn(bar, top, layout.labelled)).collect();
        // With thousands of bars they would be a curtain.
        for drawn in drawn.iter().filter(|_| layout.labelled) {
            let Some(parent) = drawn.bar.parent.and_then(|parent| layout.bars.get(parent)) else {
                continue;
            };
            let (x, from) = (drawn.x0 + 0.5, row_y(top, parent.row) + BAR);
            let _ = writeln!(svg, "<path class=\"link\" d=\"M{x:.1} {from:.1}V{:.1}\"/>", drawn.y);
        }
        for drawn in &drawn {
            self.bar(drawn, layout.labelled, &colors, &mut svg);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn x(&self, ns: u64) -> f64 {
        let (first, last) = self.lives.span_ns();
        let span = last.saturating_sub(first).max(1) as f64;
        MARGIN + ns.clamp(first, last).saturating_sub(first) as f64 / span * (WIDTH - 2.0 * MARGIN)
    }

    fn heading(&self, totals: &Totals, svg: &mut String) {
        let title = self.title();
        tag("text", &format!("class=\"title\" x=\"{MARGIN}\" y=\"28\""), &title, svg);

        let mut facts = vec![self.lives.summary()];
        if let Some(ns) = self.lives.began_at_ns() {
            let time = Rfc3339(ns).to_string();
            let (seconds, _) = time.split_once('.').unwrap_or((&time, ""));
            facts.push(format!("{} UTC", seconds.replace('T', " ")));
        }
        if !self.meta.kernel.is_empty() {
            facts.push(format!("Linux {}", escaped(self.meta.kernel.as_bytes())));
        }
        facts.push(super::about_args(&self.meta).to_owned());
        let facts = facts.join(" · ");
        tag("text", &format!("class=\"facts\" x=\"{MARGIN}\" y=\"47\""), &facts, svg);

        let mut gaps = Vec::new();
        if self.lost > 0 {
            gaps.push(format!("{} lost: the picture has gaps", were(self.lost, "event")));
        }
        if totals.cut_off {
            gaps.push("the capture was cut off: more happened".to_owned());
        }
        if self.lives.folded() > 0 {
            gaps.push(format!("{} not drawn", are(self.lives.folded() as u64, "process")));
        }
        if !gaps.is_empty() {
            let place = format!("class=\"gaps\" x=\"{}\" y=\"28\"", WIDTH - MARGIN);
            tag("text", &place, &gaps.join(" · "), svg);
        }
    }

    /// The command that all others descend from, where there is one.
    fn title(&self) -> String {
        let own = |life: &Life| !life.is_bystander();
        let root = |life: &Life| {
            own(life) && !life.parent.and_then(|id| self.lives.get(id)).is_some_and(own)
        };
        let mut roots = self.lives.iter().map(|(_, life)| life).filter(|life| root(life));
        match (roots.next(), roots.next()) {
            (Some(life), None) => cut(&life.command_line(), 120),
            _ if self.meta.host.is_empty() => "Processes".to_owned(),
            _ => format!("Processes on {}", escaped(self.meta.host.as_bytes())),
        }
    }

    fn axis(&self, bottom: f64, svg: &mut String) {
        let (first, last) = self.lives.span_ns();
        for (ns, label) in axis::ticks(last.saturating_sub(first)) {
            let x = self.x(first.saturating_add(ns));
            let (top, end) = (TOP - 8.0, bottom + 4.0);
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{x:.1} {top}V{end}\"/>");
            let anchor = match x {
                _ if x < 2.0 * MARGIN => "",
                _ if x > WIDTH - 2.0 * MARGIN => " end",
                _ => " mid",
            };
            for y in [TOP - 12.0, bottom + 17.0] {
                tag(
                    "text",
                    &format!("class=\"facts{anchor}\" x=\"{x:.1}\" y=\"{y}\""),
                    &label,
                    svg,
                );
            }
        }
    }
}

fn columns(text: &str) -> f64 {
    text.width() as f64 * COLUMN
}

/// At most so many columns.
fn cut(text: &str, room: usize) -> String {
    let shown = text::fit(text, room);
    let mark = if shown.len() < text.len() { "…" } else { "" };
    shown.to_owned() + mark
}

/// A name, a host and a kernel may be anything.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    text::escape(bytes, &mut out);
    out
}

fn tag(name: &str, attributes: &str, text: &str, svg: &mut String) {
    let blank = if attributes.is_empty() { "" } else { " " };
    let _ = write!(svg, "<{name}{blank}{attributes}>");
    xml::escape(text, svg);
    let _ = write!(svg, "</{name}>");
}
