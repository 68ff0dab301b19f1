// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope top`: who uses the CPU now, those included that have ended already. A sink of a
//! capture that looks at /proc each second, draws a full screen and heeds keys.

use std::ops::ControlFlow;
use std::time::Instant;

use rustix::time::ClockId;

use crate::host::clock::now_ns;
use crate::host::usage::{self, Machine};
use crate::host::users::Users;
use crate::model::event::{Event, Lost, Meta};
use crate::runtime::suspend;
use crate::text::style::{BOLD, DIM, RED, Style};
use crate::view::Sink;

mod balance;
mod board;
mod draw;
mod failures;
mod keys;
mod ledger;
mod line;
mod pace;
mod screen;
#[cfg(test)]
mod tests;
mod tree;

pub use screen::Screen;

use balance::{Balance, Spent};
use board::{Choice, Row, Sort};
use draw::{Canvas, HELP, Head};
use failures::Failures;
use keys::{Key, Keys};
use ledger::{Found, Ledger};
use line::Line;
use pace::Pace;
use tree::Node;

/// What the screen shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Groups,
    /// The tree of a group.
    Tree(String),
    Help,
}

/// The full-screen view.
#[derive(Debug)]
pub struct Top {
    ledger: Ledger,
    balance: Balance,
    failures: Failures,
    /// As they are shown: the newest first.
    failed: Vec<String>,
    users: Users,
    style: Style,
    screen: Option<Screen>,
    keys: Keys,
    pace: Pace,
    /// At the last look.
    looked: Instant,
    machine: Machine,
    own_ns: u64,
    /// What was found then.
    found: Found,
    head: Head,
    /// What the keys have chosen.
    choice: Choice,
    shown: Shown,
    /// The filter is being typed.
    types: bool,
    paused: bool,
    /// The row that is chosen, and the first that is shown.
    chosen: usize,
    first: usize,
    rows: Vec<Row>,
    tree: Vec<Node>,
    size: (usize, usize),
}

impl Top {
    /// Reads what there is, while all of it may be read.
    pub fn new(style: Style) -> Self {
        Self {
            ledger: Ledger::new(),
            balance: Balance::default(),
            failures: Failures::new(),
            failed: Vec::new(),
            users: Users::read(),
            style,
            screen: None,
            keys: Keys::new(),
            pace: Pace::new(Instant::now()),
            looked: Instant::now(),
            machine: usage::machine().unwrap_or_default(),
            own_ns: now_ns(ClockId::ProcessCPUTime),
            found: Found::default(),
            head: Head::default(),
            choice: Choice::default(),
            shown: Shown::Groups,
            types: false,
            paused: false,
            chosen: 0,
            first: 0,
            rows: Vec::new(),
            tree: Vec::new(),
            size: (0, 0),
        }
    }

    /// The terminal is this view's as long as it lives.
    pub fn show_on(&mut self, screen: Screen) {
        self.screen = Some(screen);
    }

    /// Looks at what was used since the last look.
    fn refresh(&mut self) {
        let elapsed_ns = u64::try_from(self.looked.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.looked = Instant::now();
        let found = self.ledger.look(usage::all());
        let machine = usage::machine().unwrap_or(self.machine);
        let own_ns = now_ns(ClockId::ProcessCPUTime);
        let sum = |figure: fn(&ledger::Figures) -> u64| found.figures.values().map(figure).sum();
        let spent = Spent {
            elapsed_ns,
            // It may go back where a CPU is taken offline.
            busy_ns: machine.busy_ns.saturating_sub(self.machine.busy_ns),
            interrupts_ns: machine.interrupts_ns.saturating_sub(self.machine.interrupts_ns),
            stolen_ns: machine.stolen_ns.saturating_sub(self.machine.stolen_ns),
            living_ns: sum(|figures| figures.living_ns),
            gone_ns: sum(|figures| figures.gone_ns),
            kernels_ns: found.kernels_ns,
        };
        self.balance.add(spent);
        let own_before = std::mem::replace(&mut self.own_ns, own_ns);
        self.machine = machine;
        if self.paused {
            return;
        }
        self.head = Head {
            cpus: self.head.cpus,
            lost: self.head.lost,
            spent,
            window: self.balance.sum(),
            running: sum(|figures| figures.running),
            started: sum(|figures| figures.started),
            ended: sum(|figures| figures.ended),
            failed: sum(|figures| figures.failed),
            own_ns: own_ns.saturating_sub(own_before),
        };
        self.found = found;
        self.failed = self.failures.lines(self.canvas().failures());
        self.arrange();
    }

    /// Makes rows of what was found; the chosen one stays so, wherever it has gone.
    fn arrange(&mut self) {
        let name =
            self.rows.get(self.chosen).map(|row| row.name.clone()).filter(|_| self.chosen > 0);
        self.rows = self.choice.rows(&self.found.figures, self.ledger.places(), &self.users);
        let same = self.rows.iter().position(|row| Some(&row.name) == name.as_ref());
        self.chosen = same.unwrap_or(self.chosen).min(self.rows.len().saturating_sub(1));
        if let Shown::Tree(group) = &self.shown {
            let (by, places, users) = (self.choice.by, self.ledger.places(), &self.users);
            let is_member = |kind| by.group(kind, places, users) == *group;
            self.tree = tree::of(&self.ledger, &self.found.gone, is_member);
        }
    }

    /// Does what a key asks for.
    fn press(&mut self, key: Key) -> ControlFlow<()> {
        if self.types && self.type_filter(key) {
            return ControlFlow::Continue(());
        }
        let page = self.canvas().rows().max(1) as isize;
        match key {
            Key::Char('q') | Key::Ctrl('c') => return ControlFlow::Break(()),
            Key::Char('h' | '?') => self.show(Shown::Help),
            Key::Escape if self.shown == Shown::Groups => self.filter(String::new()),
            Key::Escape => self.show(Shown::Groups),
            Key::Char('g') => {
                self.choice.by = self.choice.by.next();
                self.chosen = 0;
                self.show(Shown::Groups);
            }
            Key::Char('<') => self.sort(self.choice.sort.step(-1)),
            Key::Char('>') => self.sort(self.choice.sort.step(1)),
            Key::Char('P') => self.sort(Sort::Cpu),
            Key::Char('M') => self.sort(Sort::Rss),
            Key::Char('/') => {
                self.show(Shown::Groups);
                self.types = true;
            }
            Key::Char(' ' | 'p') => self.paused = !self.paused,
            Key::Enter | Key::Char('t') if self.shown == Shown::Groups => {
                if let Some(row) = self.rows.get(self.chosen) {
                    self.show(Shown::Tree(row.name.clone()));
                }
            }
            Key::Enter | Key::Char('t') => self.show(Shown::Groups),
            Key::Up | Key::Char('k') => self.step(-1),
            Key::Down | Key::Char('j') => self.step(1),
            Key::PageUp => self.step(-page),
            Key::PageDown => self.step(page),
            Key::Home => self.step(isize::MIN),
            Key::End => self.step(isize::MAX),
            Key::Char(_) | Key::Ctrl(_) | Key::Backspace => {}
        }
        ControlFlow::Continue(())
    }

    /// Returns whether the key belongs to the text.
    fn type_filter(&mut self, key: Key) -> bool {
        let mut text = self.choice.filter.clone();
        match key {
            Key::Char(c) => text.push(c),
            Key::Backspace => drop(text.pop()),
            Key::Enter => self.types = false,
            Key::Escape => {
                self.types = false;
                text.clear();
            }
            _ => return false,
        }
        self.filter(text);
        true
    }

    fn filter(&mut self, text: String) {
        self.choice.filter = text;
        self.arrange();
    }

    fn sort(&mut self, sort: Sort) {
        self.choice.sort = sort;
        self.arrange();
    }

    fn show(&mut self, shown: Shown) {
        self.shown = shown;
        self.first = 0;
        self.arrange();
    }

    fn step(&mut self, by: isize) {
        let step = |place: usize, count: usize| {
            place.saturating_add_signed(by).min(count.saturating_sub(1))
        };
        match self.shown {
            Shown::Groups => self.chosen = step(self.chosen, self.rows.len()),
            Shown::Tree(_) | Shown::Help => self.first = step(self.first, self.furthest() + 1),
        }
    }

    /// The first line that is shown where the last one stands at the screen's end.
    fn furthest(&self) -> usize {
        let canvas = self.canvas();
        let (count, room) = match self.shown {
            Shown::Groups => (self.rows.len(), canvas.rows()),
            Shown::Tree(_) => (self.tree.len(), canvas.room()),
            Shown::Help => (HELP.len(), canvas.room()),
        };
        count.saturating_sub(room)
    }

    fn canvas(&self) -> Canvas {
        let (columns, lines) = self.size;
        Canvas { style: self.style, columns, lines }
    }

    fn draw(&mut self, out: &mut Vec<u8>) {
        let canvas = self.canvas();
        // There may be less to show than there was, or more room.
        self.first = self.first.min(self.furthest());
        let mut lines = draw::head(&canvas, &self.head);
        match &self.shown {
            Shown::Groups => self.draw_groups(&canvas, &mut lines),
            Shown::Tree(group) => {
                let mut title = Line::new(self.style, canvas.columns);
                title.put_in(
                    BOLD,
                    &format!(
                        " CPU%  {} {group}: its processes, those above and below them",
                        self.choice.by.name()
                    ),
                );
                lines.push(title.end());
                let nodes = self.tree.iter().skip(self.first).take(canvas.room());
                lines.extend(
                    nodes.map(|node| draw::node(&canvas, node, self.head.spent.elapsed_ns)),
                );
            }
            Shown::Help => {
                lines.push(String::new());
                lines.extend(HELP.iter().skip(self.first).map(|text| self.cut(text)));
            }
        }
        lines.resize(canvas.lines.saturating_sub(1), String::new());
        lines.push(self.foot(&canvas));
        line::show(&lines, out);
    }

    fn draw_groups(&mut self, canvas: &Canvas, lines: &mut Vec<String>) {
        lines.push(draw::columns(canvas, &self.choice));
        let room = canvas.rows();
        self.first = self.first.min(self.chosen).max((self.chosen + 1).saturating_sub(room));
        let rows = self.rows.iter().enumerate().skip(self.first).take(room);
        let (sort, elapsed_ns) = (self.choice.sort, self.head.spent.elapsed_ns);
        let draw = |(i, row)| draw::row(canvas, row, sort, elapsed_ns, i == self.chosen);
        lines.extend(rows.map(draw));
        if canvas.failures() > 0 {
            lines.resize(draw::HEAD + room, String::new());
            let mut title = Line::new(self.style, canvas.columns);
            title.put_in(BOLD, "Last failures");
            lines.push(title.end());
            lines.extend(self.failed.iter().map(|failure| self.cut(failure)));
        }
    }

    fn cut(&self, text: &str) -> String {
        self.style.cut(text, Some(self.size.0))
    }

    fn foot(&self, canvas: &Canvas) -> String {
        let mut line = Line::new(self.style, canvas.columns);
        if self.paused {
            line.put_in(RED, "PAUSED ");
        }
        if self.types || !self.choice.filter.is_empty() {
            line.put(&format!("filter: {}", self.choice.filter));
            line.put(if self.types { "_  Enter: done  Esc: all" } else { "  Esc: all" });
            return line.end();
        }
        let keys = match self.shown {
            Shown::Groups => {
                "q quit  h help  g group  < > order  / filter  space pause  Enter tree"
            }
            Shown::Tree(_) | Shown::Help => "Esc back  q quit  Up Down scroll",
        };
        line.put_in(DIM, keys);
        line.end()
    }
}

impl Sink for Top {
    fn begin(&mut self, meta: &Meta, _out: &mut Vec<u8>) {
        self.head.cpus = meta.cpus;
    }

    fn event(&mut self, event: &Event, _out: &mut Vec<u8>) {
        self.ledger.event(event);
        self.failures.event(event);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.head.lost = *lost;
    }

    fn look(&mut self, out: &mut Vec<u8>) -> ControlFlow<()> {
        let resumes = suspend::requested();
        if resumes && self.screen.as_mut().is_some_and(|screen| screen.suspend().is_err()) {
            return ControlFlow::Break(());
        }
        let Some(bytes) = screen::pressed() else { return ControlFlow::Break(()) };
        let size = screen::size();
        let keys = self.keys.read(&bytes, Instant::now());
        let is_due = self.pace.is_due(Instant::now());
        if !resumes && !is_due && keys.is_empty() && size == self.size {
            return ControlFlow::Continue(());
        }
        self.size = size;
        if is_due {
            self.refresh();
        }
        for key in keys {
            self.press(key)?;
        }
        self.draw(out);
        ControlFlow::Continue(())
    }
}
