// SPDX-License-Identifier: MIT OR Apache-2.0
//! A process' bar: its programs, its end, its label, and what a pointer on it shows.

use std::fmt::Write as _;

use super::colors::Colors;
use super::layout::Bar;
use super::{BAR, COLUMN, MARGIN, PAD, ROW, Timeline, WIDTH, columns, cut, escaped, tag};
use crate::text::elapsed::Elapsed;
use crate::view::lives::Life;

/// A bar is never narrower, or nobody would see it.
pub const MIN_BAR: f64 = 1.5;
/// Between two bars that touch.
const SEAM: f64 = 0.8;
/// Columns of a label, and characters of a tooltip's command.
const MAX_LABEL: usize = 56;
const MAX_TOOLTIP: usize = 400;

/// What is drawn in one bar's place.
pub struct Drawn<'a> {
    pub bar: &'a Bar,
    life: &'a Life,
    pub x0: f64,
    x1: f64,
    pub y: f64,
}

impl Timeline {
    pub fn drawn<'a>(&'a self, bar: &'a Bar, top: f64, labelled: bool) -> Option<Drawn<'a>> {
        let life = self.lives.get(bar.id)?;
        // Those that follow each other at once stay two where no label is between them.
        let gap = if labelled || bar.x1 - bar.x0 < 4.0 { 0.0 } else { SEAM };
        let x0 = MARGIN + bar.x0.min(WIDTH - 2.0 * MARGIN - MIN_BAR);
        let x1 = (MARGIN + bar.x1 - gap).max(x0 + MIN_BAR);
        Some(Drawn { bar, life, x0, x1, y: row_y(top, bar.row) })
    }

    pub fn bar(&self, drawn: &Drawn<'_>, labelled: bool, colors: &Colors, svg: &mut String) {
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
            let at = exec.at_ns().map_or(*x0, |at| self.x(at)).clamp(from, *x1);
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
        if life.born_ns().is_none_or(|born| born < first) {
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
        if let Some(parent) = life.born_to() {
            let _ = write!(out, ", child of {parent}");
        }
        if let Some(adopter) = life.adopter() {
            let comm = self.lives.name_of(adopter, 0);
            let name = comm.map(|comm| format!(" ({})", escaped(comm.as_bytes())));
            let _ = write!(out, ", adopted by {adopter}{}", name.unwrap_or_default());
        }
        if let Some(born) = life.born_ns().filter(|&born| born >= first) {
            let _ = write!(out, "\nbegan at {}", Elapsed(born.saturating_sub(first)));
        }
        if let Some(lived) = life.lived_ns(last) {
            let _ = write!(out, "\nlived {}", Elapsed(lived));
        }
        if let Some(cpu_ns) = life.cpu_ns() {
            let _ = write!(out, ", with {} of CPU time", Elapsed(cpu_ns));
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
        if let Some(failed) = life.failed_execs() {
            let _ = write!(out, "\n{}", cut(&failed.to_string(), MAX_TOOLTIP));
        }
        match (life.end, life.status()) {
            (_, Some(status)) => {
                let _ = write!(out, "\nended with {status}");
            }
            (Some(end), None) if end.seen => out.push_str("\nended"),
            (Some(_), None) => out.push_str("\nits end was not seen"),
            (None, None) => out.push_str("\nstill running at the end"),
        }
        if life.threads() > 0 {
            let _ = write!(out, "\nthreads beside the first: {}", life.threads());
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

pub fn row_y(top: f64, row: usize) -> f64 {
    top + row as f64 * ROW + (ROW - BAR) / 2.0
}

/// The command without the directory of its program, and how it failed.
pub fn label(life: &Life) -> String {
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
