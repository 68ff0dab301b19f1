// SPDX-License-Identifier: MIT OR Apache-2.0
//! A picture of the capture: an SVG with a bar for each process on a time axis.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::lives::{Life, Lives};
use super::{Shape, Sink, Speaks, View};
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::text;
use crate::text::elapsed::Elapsed;
use crate::text::time::Rfc3339;
use crate::text::xml;

mod axis;
mod colors;
mod density;
mod layout;
#[cfg(test)]
mod tests;

use colors::Colors;
use layout::Bar;

/// All in pixels.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 20.0;
const TOP: f64 = 100.0;
const ROW: f64 = 18.0;
const BAR: f64 = 14.0;
/// A bar is never narrower, or nobody would see it.
const MIN_BAR: f64 = 1.5;
/// Between two bars that touch.
const SEAM: f64 = 0.8;
/// A column of the font.
const COLUMN: f64 = 6.62;
/// Between a bar and its label.
const PAD: f64 = 5.0;

/// Columns of a label, and characters of a tooltip's command.
const MAX_LABEL: usize = 56;
const MAX_TOOLTIP: usize = 400;

const STYLE: &str = include_str!("style.css");

/// `--format timeline`
pub static VIEW: View = View {
    name: "timeline",
    help: "A picture (SVG) with one bar per process, at the end",
    needs_wide: true,
    shape: Shape::Document,
    speaks: Speaks::AtTheEnd,
    start: |_, _| Box::new(Timeline::default()),
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
        self.meta = meta.clone();
    }

    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.lives.event(event);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = self.lost.max(lost.total());
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        self.lost = self.lost.max(totals.lost.total());
        self.lives.settle();
        out.extend_from_slice(self.draw(totals).as_bytes());
    }
}

/// What is drawn in one bar's place.
struct Drawn<'a> {
    bar: &'a Bar,
    life: &'a Life,
    x0: f64,
    x1: f64,
    y: f64,
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
        let (first, last) = self.lives.span_ns();
        // Where in the capture the events lie, it doesn't say.
        if totals.elapsed_ns / 100 * 99 > last.saturating_sub(first) {
            facts.push(format!("capture of {}", Elapsed(totals.elapsed_ns)));
        }
        if let Some(ns) = self.lives.began_at_ns() {
            let time = Rfc3339(ns).to_string();
            let (seconds, _) = time.split_once('.').unwrap_or((&time, ""));
            facts.push(format!("{} UTC", seconds.replace('T', " ")));
        }
        if !self.meta.kernel.is_empty() {
            facts.push(format!("Linux {}", escaped(self.meta.kernel.as_bytes())));
        }
        let facts = facts.join(" · ");
        tag("text", &format!("class=\"facts\" x=\"{MARGIN}\" y=\"47\""), &facts, svg);

        let mut gaps = Vec::new();
        if self.lost > 0 {
            gaps.push(format!("{} events were lost: the picture has gaps", self.lost));
        }
        if totals.cut_off {
            gaps.push("the capture was cut off: more happened".to_owned());
        }
        match self.lives.folded() {
            0 => {}
            1 => gaps.push("1 process is not drawn".to_owned()),
            count => gaps.push(format!("{count} processes are not drawn")),
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

    fn drawn<'a>(&'a self, bar: &'a Bar, top: f64, labelled: bool) -> Option<Drawn<'a>> {
        let life = self.lives.get(bar.id)?;
        // Those that follow each other at once stay two where no label is between them.
        let gap = if labelled || bar.x1 - bar.x0 < 4.0 { 0.0 } else { SEAM };
        let x0 = MARGIN + bar.x0.min(WIDTH - 2.0 * MARGIN - MIN_BAR);
        let x1 = (MARGIN + bar.x1 - gap).max(x0 + MIN_BAR);
        Some(Drawn { bar, life, x0, x1, y: row_y(top, bar.row) })
    }

    fn bar(&self, drawn: &Drawn<'_>, labelled: bool, colors: &Colors, svg: &mut String) {
        let Drawn { bar, life, x0, x1, y } = drawn;
        let (first, last) = self.lives.span_ns();
        svg.push_str("<g>");
        tag("title", "", &self.tooltip(drawn), svg);

        let mut part = |class: &str, from: f64, to: f64| {
            if to > from {
                let width = to - from;
                let _ = write!(
                    svg,
                    "<rect class=\"{class}\" x=\"{from:.2}\" y=\"{y:.1}\" \
                     width=\"{width:.2}\" height=\"{BAR}\"/>"
                );
            }
        };
        // Up to its first exec it runs its parent's program.
        let mut from = *x0;
        let mut color = colors.class_of(life);
        let mut fork = if life.fork_seen { " fork" } else { "" };
        let mut execs = Vec::new();
        for exec in life.execs() {
            let at = exec.at_ns.map_or(*x0, |at| self.x(at)).clamp(from, *x1);
            if fork.is_empty() && from > *x0 {
                execs.push(at);
            }
            part(&format!("{color}{fork}"), from, at);
            (from, color, fork) = (at, colors.class(exec.comm()), "");
        }
        part(&format!("{color}{fork}"), from, *x1);
        let width = x1 - x0;
        for x in execs {
            let _ = write!(svg, "<path class=\"exec\" d=\"M{x:.1} {y:.1}v{BAR}\"/>");
        }
        // Points where it goes on beyond the picture.
        let half = BAR / 2.0;
        if life.born_ns.is_none_or(|born| born < first) {
            let _ =
                write!(svg, "<path class=\"{color}\" d=\"M{x0:.1} {y:.1}l-5 {half}l5 {half}z\"/>");
        }
        if life.end.is_none() && *x1 + SEAM >= self.x(last) {
            let _ =
                write!(svg, "<path class=\"{color}\" d=\"M{x1:.1} {y:.1}l5 {half}l-5 {half}z\"/>");
        }
        if life.failed() {
            let edge = width.min(3.0);
            let x = x1 - edge;
            let _ = write!(
                svg,
                "<rect class=\"failed\" x=\"{x:.2}\" y=\"{y:.1}\" width=\"{edge:.2}\" height=\"{BAR}\"/>"
            );
        }

        let (text_y, mut text) = (y + BAR - 3.2, label(life));
        let mut add = |what: String| {
            let _ = write!(text, " {what}");
        };
        if bar.folded.count > 0 {
            add(format!("(+{} folded)", bar.folded.count));
        }
        let place = if columns(&text) + 2.0 * PAD <= width {
            Some((x0 + PAD, ""))
        } else if labelled {
            match x1 + columns(&text) + 2.0 * PAD <= WIDTH - MARGIN {
                true => Some((x1 + PAD, " class=\"out\"")),
                false => Some((x0 - PAD, " class=\"out end\"")),
            }
        } else {
            let fits = ((width - 2.0 * PAD) / COLUMN) as usize;
            text = cut(&text, fits);
            (fits >= 4).then_some((x0 + PAD, ""))
        };
        if let Some((x, class)) = place {
            tag("text", &format!("x=\"{x:.1}\" y=\"{text_y:.1}\"{class}"), &text, svg);
        }
        svg.push_str("</g>\n");
    }

    fn tooltip(&self, drawn: &Drawn<'_>) -> String {
        let Drawn { bar, life, .. } = drawn;
        let (first, last) = self.lives.span_ns();
        let mut out = cut(&life.command_line(), MAX_TOOLTIP);
        let _ = write!(out, "\npid {}", life.pid);
        if let Some(parent) = life.born_to {
            let _ = write!(out, ", child of {parent}");
        }
        if let Some(adopter) = life.adopter {
            let _ = write!(out, ", adopted by {adopter}");
        }
        if let Some(born) = life.born_ns.filter(|&born| born >= first) {
            let _ = write!(out, "\nbegan at {}", Elapsed(born.saturating_sub(first)));
        }
        if let Some(lived) = life.lived_ns(last) {
            let _ = write!(out, "\nlived {}", Elapsed(lived));
        }
        if let Some(ns) = life.fork_to_exec_ns() {
            let _ = write!(out, ", {} from fork to exec", Elapsed(ns));
        }
        if life.never_execed() {
            out.push_str(", no exec");
        }
        for exec in life.later_execs().take(10) {
            let _ = write!(out, "\nthen {}", cut(&exec.command_line(), MAX_TOOLTIP));
        }
        match (life.end, life.status()) {
            (_, Some(status)) => {
                let _ = write!(out, "\nended with {status}");
            }
            (Some(end), None) if end.seen => out.push_str("\nended"),
            (Some(_), None) => out.push_str("\nits end was not seen"),
            (None, None) => out.push_str("\nstill running at the end"),
        }
        if life.threads > 0 {
            let _ = write!(out, "\nthreads beside the first: {}", life.threads);
        }
        if bar.folded.count > 0 {
            let _ = write!(out, "\nfolded processes below it: {}", bar.folded.count);
            if bar.folded.failed > 0 {
                let _ = write!(out, ", {} of them failed", bar.folded.failed);
            }
        }
        out
    }
}

fn row_y(top: f64, row: usize) -> f64 {
    top + row as f64 * ROW + (ROW - BAR) / 2.0
}

fn columns(text: &str) -> f64 {
    text.width() as f64 * COLUMN
}

/// The command without the directory of its program, and how it failed.
fn label(life: &Life) -> String {
    if life.comm().is_none() && life.exec_count() == 0 {
        return format!("pid {}", life.pid);
    }
    let command = life.command_line();
    let end = command.find([' ', '\'', '"']).unwrap_or(command.len());
    let name = command[..end].rfind('/').map_or(0, |slash| slash + 1);
    let mut label = cut(if name < end { &command[name..] } else { &command }, MAX_LABEL);
    if let Some(status) = life.status().filter(|status| status.failed()) {
        let _ = write!(label, " ✗ {status}");
    }
    label
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
