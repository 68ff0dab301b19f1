// SPDX-License-Identifier: MIT OR Apache-2.0
//! What has too many processes for bars: how many were alive, and which failed, on the same axis.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;

use super::colors::{Colors, OTHER};
use super::layout::{Layout, Node};
use super::{BAR, MARGIN, PAD, ROW, WIDTH, columns, escaped, tag};
use crate::model::event::Comm;
use crate::sorted;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::counted;
use crate::view::lives::{Life, Lives};

/// Stretches of time that are told apart: 4 pixels each.
const STRETCHES: usize = 290;
const STRETCH: f64 = (WIDTH - 2.0 * MARGIN) / STRETCHES as f64;
/// Shades of a row.
const SHADES: usize = 4;
/// The height of the strip above the bars, of its curve, and of the words above that.
pub const STRIP: f64 = 60.0;
const CURVE: f64 = 30.0;
const LABEL: f64 = 14.0;

/// How many processes were alive.
struct Density {
    count: usize,
    failed: usize,
    /// Changes of how many were alive, from stretch to stretch, where they fill stretches.
    whole: Vec<f64>,
    /// Parts of stretches.
    part: Vec<f64>,
    /// Some of them were alive then.
    any: Vec<bool>,
    /// Failures.
    failures: Vec<usize>,
}

impl Density {
    fn new() -> Self {
        let zeros = vec![0.0; STRETCHES + 1];
        let (any, failures) = (vec![false; STRETCHES], vec![0; STRETCHES]);
        Self { count: 0, failed: 0, whole: zeros.clone(), part: zeros, any, failures }
    }

    /// Adds a life from and to these pixels.
    fn add(&mut self, from: f64, to: f64, failed: bool) {
        let (from, to) = (from / STRETCH, to / STRETCH);
        let stretch = |x: f64| (x as usize).min(STRETCHES - 1);
        let (first, last) = (stretch(from), stretch(to));
        self.count += 1;
        if first == last {
            self.part[first] += to - from;
        } else {
            self.part[first] += first as f64 + 1.0 - from;
            self.part[last] += to - last as f64;
            self.whole[first + 1] += 1.0;
            self.whole[last] -= 1.0;
        }
        (self.any[first], self.any[last]) = (true, true);
        if failed {
            self.failed += 1;
            self.failures[last] += 1;
        }
    }

    /// The average number of those alive in each stretch; more than none where there was one.
    fn alive(&self) -> Vec<f64> {
        let mut whole = 0.0;
        let average = |i: usize| {
            whole += self.whole[i];
            let alive = whole + self.part[i];
            if self.any[i] { alive.max(f64::MIN_POSITIVE) } else { alive }
        };
        (0..STRETCHES).map(average).collect()
    }

    /// Draws a mark for each stretch that something failed in.
    fn draw_failures(&self, y: f64, height: f64, svg: &mut String) {
        let mut path = String::new();
        for (i, _) in self.failures.iter().enumerate().filter(|(_, failures)| **failures > 0) {
            let _ = write!(path, "M{:.0} {y:.1}v{height}", at(i) + STRETCH / 2.0);
        }
        if !path.is_empty() {
            let _ = writeln!(svg, "<path class=\"fell\" d=\"{path}\"/>");
        }
    }
}

/// The left end of a stretch.
fn at(stretch: usize) -> f64 {
    MARGIN + stretch as f64 * STRETCH
}

/// The strip above the bars: how many were alive of all processes, and marks below it for those
/// that failed.
pub fn strip(lives: &Lives, nodes: &[Node], top: f64, svg: &mut String) {
    let mut all = Density::new();
    for node in nodes {
        if lives.get(node.id).is_some_and(|life| !life.is_bystander()) {
            all.add(node.x0, node.x1, node.failed);
        }
    }
    let alive = all.alive();
    let most = alive.iter().copied().fold(0.0, f64::max);
    let base = top + LABEL + CURVE;
    let mut path = format!("M{MARGIN} {base}");
    for (i, alive) in alive.iter().enumerate() {
        // What is there is to be seen.
        let height = if *alive > 0.0 { (alive / most * CURVE).max(1.0) } else { 0.0 };
        let _ = write!(path, "V{:.1}H{:.0}", base - height, at(i + 1));
    }
    svg.push_str("<g>");
    let average = if most < 10.0 { format!("{most:.1}") } else { format!("{most:.0}") };
    let busiest = format!("processes alive: {average} at the busiest");
    let failed = if all.failed > 0 { "\nbelow, in red: where processes failed" } else { "" };
    tag("title", "", &format!("{busiest}{failed}"), svg);
    let _ = writeln!(svg, "<path class=\"alive\" d=\"{path}V{base}z\"/>");
    all.draw_failures(base + 2.0, 6.0, svg);
    let place = format!("class=\"facts out\" x=\"{MARGIN}\" y=\"{}\"", top + 9.0);
    tag("text", &place, &busiest, svg);
    svg.push_str("</g>\n");
}

/// The processes of one name that have no bar of their own.
struct Row {
    /// None: all other names.
    name: Option<String>,
    class: &'static str,
    density: Density,
    /// What those used of which that is known, and how many they are.
    cpu_ns: u64,
    cpu_known: usize,
    /// How long they ran, together.
    ran_ns: u64,
}

impl Row {
    fn new(name: Option<String>, class: &'static str) -> Self {
        Self { name, class, density: Density::new(), cpu_ns: 0, cpu_known: 0, ran_ns: 0 }
    }

    fn add(&mut self, life: &Life, node: &Node, last_ns: u64) {
        self.density.add(node.x0, node.x1, node.failed);
        self.cpu_ns = self.cpu_ns.saturating_add(life.cpu_ns().unwrap_or(0));
        self.cpu_known += usize::from(life.cpu_ns().is_some());
        self.ran_ns = self.ran_ns.saturating_add(life.lived_ns(last_ns).unwrap_or(0));
    }

    /// `cc ×120, 3.20 s of CPU time ✗ 2 failed`
    fn text(&self) -> String {
        let mut text =
            format!("{} ×{}", self.name.as_deref().unwrap_or("others"), self.density.count);
        // Writing to a String can't fail.
        if self.cpu_known == self.density.count {
            let _ = write!(text, ", {} of CPU time", Elapsed(self.cpu_ns));
        }
        if self.density.failed > 0 {
            let _ = write!(text, " ✗ {} failed", self.density.failed);
        }
        text
    }
}

/// The processes without a bar of their own, by their names: what took the most comes first.
pub struct Rows {
    rows: Vec<Row>,
    /// They are ranked by CPU time, otherwise by how long they ran.
    by_cpu: bool,
}

impl Rows {
    /// Of those that the layout left out.
    pub fn of(lives: &Lives, layout: &Layout, colors: &Colors) -> Self {
        let (_, last_ns) = lives.span_ns();
        let mut names: HashMap<&'static str, Row> = HashMap::new();
        for node in &layout.left_out {
            let Some(life) = lives.get(node.id) else { continue };
            let class = colors.class_of(life);
            let name = colors.name_of(life).filter(|_| class != OTHER);
            let name = name.map(|comm: Comm| escaped(comm.as_bytes()));
            names.entry(class).or_insert_with(|| Row::new(name, class)).add(life, node, last_ns);
        }
        let mut rows: Vec<_> = names.into_values().collect();
        let by_cpu = rows.iter().any(|row| row.cpu_known > 0);
        sorted::by_key(&mut rows, |row| {
            let took_ns = if by_cpu { row.cpu_ns } else { row.ran_ns };
            (row.class == OTHER, Reverse((took_ns, row.density.count)), row.class)
        });
        Self { rows, by_cpu }
    }

    /// Their height, in pixels.
    pub fn height(&self) -> f64 {
        if self.rows.is_empty() { 0.0 } else { (self.rows.len() + 1) as f64 * ROW + PAD }
    }

    /// Draws them.
    pub fn draw(&self, top: f64, svg: &mut String) {
        let count: usize = self.rows.iter().map(|row| row.density.count).sum();
        if count == 0 {
            return;
        }
        let more = counted(count as u64, "more process");
        let first = if self.by_cpu { "what used the most CPU time" } else { "what ran longest" };
        let what =
            format!("{more}, by name, {first} first: the stronger the colour, the more were alive");
        let place = format!("class=\"facts\" x=\"{MARGIN}\" y=\"{}\"", top + PAD + BAR - 3.2);
        tag("text", &place, &what, svg);
        for (i, row) in self.rows.iter().enumerate() {
            let y = top + PAD + (i + 1) as f64 * ROW;
            let (text, density) = (row.text(), &row.density);
            svg.push_str("<g>");
            tag("title", "", &text, svg);
            shades(&density.alive(), row.class, y, svg);
            density.draw_failures(y, BAR, svg);
            // On a ground of its own: failures may lie as close as in a curtain.
            let width = columns(&text) + 2.0 * PAD;
            let _ = write!(
                svg,
                "<path class=\"ground\" d=\"M{MARGIN} {y:.1}h{width:.1}v{BAR}h-{width:.1}z\"/>"
            );
            let place = format!("x=\"{}\" y=\"{:.1}\"", MARGIN + PAD, y + BAR - 3.2);
            tag("text", &place, &text, svg);
            svg.push_str("</g>\n");
        }
    }
}

/// A row whose shade tells how many were alive.
fn shades(alive: &[f64], class: &str, y: f64, svg: &mut String) {
    let most = alive.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let shade = |alive: f64| match alive > 0.0 {
        true => ((alive / most * SHADES as f64).ceil() as usize).clamp(1, SHADES),
        false => 0,
    };
    for wanted in 1..=SHADES {
        let mut path = String::new();
        let mut i = 0;
        while i < alive.len() {
            let run = alive[i..].iter().take_while(|alive| shade(**alive) == wanted).count();
            if run > 0 {
                let width = run as f64 * STRETCH;
                let _ = write!(path, "M{:.0} {y:.1}h{width:.0}v{BAR}h-{width:.0}z", at(i));
            }
            i += run.max(1);
        }
        if !path.is_empty() {
            let opacity = wanted as f64 / SHADES as f64;
            let _ =
                write!(svg, "<path class=\"{class}\" fill-opacity=\"{opacity}\" d=\"{path}\"/>");
        }
    }
}
