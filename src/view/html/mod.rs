// SPDX-License-Identifier: MIT OR Apache-2.0
//! A page that explains a capture, in one file: the verdict as plain HTML, and the processes drawn
//! by a script that loads nothing from anywhere.

use std::fmt::Write as _;

use super::lives::{Life, Lives};
use super::{Across, Shape, Sink, Speaks, View};
use crate::host::running::Running;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::text;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::{counted, were};
use crate::text::time::Rfc3339;
use crate::text::xml;

mod data;
mod failures;
mod lanes;
#[cfg(test)]
mod tests;

use data::Data;
use failures::Failures;
use lanes::Placed;

/// `--format html`
pub static VIEW: View = View {
    name: "html",
    help: "A page (HTML, one file) that explains a build: what failed first, what took the time",
    needs_wide: true,
    shape: Shape::Document,
    speaks: Speaks::AtTheEnd,
    across: Across::Refused,
    takes: &[],
    start: |_| Box::new(Page::default()),
};

const STYLE: &str = include_str!("page.css");
/// The parts of the page's script, in the order in which they need each other.
const SCRIPTS: [&str; 7] = [
    include_str!("script/data.js"),
    include_str!("script/lanes.js"),
    include_str!("script/search.js"),
    include_str!("script/table.js"),
    include_str!("script/icicle.js"),
    include_str!("script/details.js"),
    include_str!("script/page.js"),
];
/// What the Content-Security-Policy allows: these two, and nothing else. `make manual` writes them.
const STYLE_HASH: &str = include_str!("page.css.sha256");
const SCRIPT_HASH: &str = include_str!("script.sha256");

/// The sink of `--format html`.
#[derive(Debug)]
struct Page {
    lives: Lives,
    meta: Meta,
    lost: Lost,
}

impl Default for Page {
    fn default() -> Self {
        Self { lives: Lives::with_whose(), meta: Meta::default(), lost: Lost::default() }
    }
}

impl Sink for Page {
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
        let page = self.document(totals).into_bytes();
        // Large as it may be, it isn't copied.
        match out.is_empty() {
            true => *out = page,
            false => out.extend_from_slice(&page),
        }
    }
}

/// The whole script.
fn script() -> String {
    SCRIPTS.concat()
}

impl Page {
    fn document(&self, totals: &Totals) -> String {
        let children = self.lives.children();
        let (placed, rows) = lanes::place(&self.lives, &children);
        let failures = Failures::of(&self.lives, &placed);
        let root = self.lives.command().or_else(|| {
            let roots = placed.iter().filter(|process| process.parent.is_none()).count();
            let is_one = roots == 1 || self.meta.command_pid > 0;
            self.lives.longest_root(&children).filter(|_| is_one)
        });
        let chain = root.map(|root| self.lives.chain(root, &children)).unwrap_or_default();
        let root = root.and_then(|root| placed.iter().position(|process| process.id == root));

        let mut page = String::new();
        // Writing to a String can't fail.
        let _ = write!(
            page,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{} - tuxscope</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            SCRIPT_HASH.trim(),
            STYLE_HASH.trim(),
            self.title(&placed, root),
        );
        self.verdict(totals, &placed, &failures, root, &mut page);
        page.push_str(include_str!("body.html"));
        page.push_str("<script type=\"text/plain\" id=\"data\">");
        let (lives, cpus) = (&self.lives, self.meta.cpus);
        let (placed, failures, chain) = (&placed, &failures, &chain);
        Data { lives, placed, failures, chain, cpus, rows }.encode(&mut page);
        let _ = write!(page, "</script>\n<script>{}</script>\n</body>\n</html>\n", script());
        page
    }

    /// The command that the capture is about; of a capture of many, the machine's name.
    fn title(&self, placed: &[Placed], root: Option<usize>) -> String {
        let life = root.and_then(|root| self.lives.get(placed[root].id));
        match life {
            Some(life) => escaped(&life.command_line()),
            None if placed.is_empty() => "no process".to_owned(),
            None if self.meta.host.is_empty() => "processes of a machine".to_owned(),
            None => escaped(&self.meta.host),
        }
    }

    /// What there is to know first, without a script.
    fn verdict(
        &self,
        totals: &Totals,
        placed: &[Placed],
        failures: &Failures,
        root: Option<usize>,
        page: &mut String,
    ) {
        let _ = writeln!(page, "<header>\n<h1>{}</h1>", self.title(placed, root));
        let life = root.and_then(|root| Some((root, self.lives.get(placed[root].id)?)));
        if let Some((root, life)) = life {
            let (begin, end) = placed[root].span;
            let ran = Elapsed(end - begin);
            let (class, ended) = match life.status() {
                Some(status) if status.failed() => {
                    ("bad", format!("ended with {status} after {ran}"))
                }
                Some(status) => ("good", format!("ended with {status} after {ran}")),
                None => ("", format!("still ran after {ran}, when the capture ended")),
            };
            let _ = writeln!(page, "<p class=\"verdict {class}\">{}</p>", escaped(&ended));
            if let Some(cause) = failures.first_cause(placed, root).filter(|&cause| cause != root) {
                self.cause(placed, cause, page);
            }
        }
        let (passed, tolerated) = failures.counts();
        let mut facts = vec![self.lives.summary()];
        if passed + tolerated > 0 {
            let whom = if root.is_some() { "the root" } else { "the top of their trees" };
            facts.push(format!(
                "of the failures {passed} passed up to {whom}, {tolerated} tolerated"
            ));
        }
        facts.push(self.cpu(totals));
        if let Some(ns) = self.lives.began_at_ns() {
            let time = Rfc3339(ns).to_string();
            let (seconds, _) = time.split_once('.').unwrap_or((&time, ""));
            facts.push(format!("{} UTC", seconds.replace('T', " ")));
        }
        let Meta { host, kernel, .. } = &self.meta;
        if !host.is_empty() || !kernel.is_empty() {
            facts.push(format!("{host}, Linux {kernel}"));
        }
        facts.push(super::about_args(&self.meta).to_owned());
        facts.retain(|fact| !fact.is_empty());
        for fact in facts {
            let _ = writeln!(page, "<p>{}</p>", escaped(&fact));
        }
        self.gaps(totals, page);
        page.push_str("</header>\n");
    }

    /// The failure that came first, and who passed it up.
    fn cause(&self, placed: &[Placed], cause: usize, page: &mut String) {
        let Some(life) = self.lives.get(placed[cause].id) else { return };
        let status = life.status().map(|status| status.to_string()).unwrap_or_default();
        let _ = writeln!(
            page,
            "<p>First failure: <a href=\"#p={cause}\">{} ended with {}</a></p>\n<pre>{}</pre>",
            life.pid,
            escaped(&status),
            escaped(&life.command_line()),
        );
        let mut above = Vec::new();
        let mut at = placed[cause].parent;
        while let Some(parent) = at {
            above.extend(self.lives.get(placed[parent].id).map(Life::name));
            at = placed[parent].parent;
        }
        if !above.is_empty() {
            let _ = writeln!(page, "<p>passed up by {}</p>", escaped(&above.join(", ")));
        }
    }

    fn cpu(&self, totals: &Totals) -> String {
        let used = self.lives.iter().filter_map(|(_, life)| life.cpu_ns());
        let used = used.fold(0_u64, u64::saturating_add);
        let had = u128::from(totals.elapsed_ns) * u128::from(self.meta.cpus);
        match (used, had) {
            (0, _) => String::new(),
            (used, 0) => format!("CPU time {}", Elapsed(used)),
            (used, had) => {
                let share = used as f64 / had as f64 * 100.0;
                let cpus = counted(self.meta.cpus, "CPU");
                format!("CPU time {}, {share:.0} % of what {cpus} had", Elapsed(used))
            }
        }
    }

    /// What isn't there, which is never hidden.
    fn gaps(&self, totals: &Totals, page: &mut String) {
        let mut gaps = Vec::new();
        if !self.lost.is_none() {
            let lost = were(self.lost.total(), "event");
            gaps.push(format!("{lost} lost ({}): the picture has gaps", self.lost));
        }
        if totals.missed > 0 {
            gaps.push(format!("the kernel missed up to {}", counted(totals.missed, "more event")));
        }
        if totals.cut_off {
            gaps.push("the capture was cut off: more happened".to_owned());
        }
        if self.lives.folded() > 0 {
            gaps.push(format!("{} only counted", were(self.lives.folded() as u64, "process")));
        }
        for gap in gaps {
            let _ = writeln!(page, "<p class=\"bad\">{}</p>", escaped(&gap));
        }
    }
}

/// Text that neither steers nor marks up anything.
fn escaped(shown: &str) -> String {
    let (mut plain, mut escaped) = (String::new(), String::new());
    text::escape(shown.as_bytes(), &mut plain);
    xml::escape(&plain, &mut escaped);
    escaped
}
