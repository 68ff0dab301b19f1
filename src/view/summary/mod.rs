// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture comes to: counts, latencies, life times, failures. Its memory is bounded by
//! what is alive at a time, and by the number of names that are told apart.

use std::time::Duration;

mod collect;
mod failed_files;
mod figures;
mod groups;
mod longest;
mod names;
mod periods;
mod ranked;
mod ranking;
mod sketch;
mod text;
mod times;

use super::{Across, Shape, Sink, Speaks, View};
use crate::json;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::text::style::Style;
pub use collect::Collector;
pub use figures::Group;
use periods::{Period, Periods};
pub use ranked::name as group_name;
pub use ranking::{By, Ranking, Sort};

/// `--format summary`
pub static TEXT: View = View {
    name: "summary",
    help: "Totals and losses; what used the CPU, by command or --by; latencies, run times, failures",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    across: Across::Summed,
    takes: &["by", "sort", "top", "every"],
    start: |settings| {
        Box::new(Summary::text(settings.style, settings.ranking).every(settings.every))
    },
};

/// `--format summary-json`
pub static JSON: View = View {
    name: "summary-json",
    help: "The figures of summary, as one JSON object",
    needs_wide: true,
    shape: Shape::Text,
    speaks: Speaks::AtTheEnd,
    across: Across::Summed,
    takes: &["by", "every"],
    start: |settings| Box::new(Summary::json(settings.ranking).every(settings.every)),
};

/// The sink of `--format summary` and `--format summary-json`: both show the same figures.
#[derive(Debug)]
pub struct Summary {
    collector: Collector,
    ranking: Ranking,
    /// None: as JSON.
    style: Option<Style>,
    /// None: one summary for all.
    periods: Option<Periods>,
    /// What was lost so far.
    lost: Lost,
}

impl Summary {
    /// For people.
    pub fn text(style: Style, ranking: Ranking) -> Self {
        Self {
            collector: Collector::new(ranking.by),
            ranking,
            style: Some(style),
            periods: None,
            lost: Lost::default(),
        }
    }

    /// One JSON object on one line.
    pub fn json(ranking: Ranking) -> Self {
        Self {
            collector: Collector::new(ranking.by),
            ranking,
            style: None,
            periods: None,
            lost: Lost::default(),
        }
    }

    /// With one for each such time.
    fn every(self, time: Option<Duration>) -> Self {
        Self { periods: time.map(Periods::new), ..self }
    }

    /// Ends the period if it was over by then.
    fn turn(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        let lost = self.lost;
        let over = self.periods.as_mut().and_then(|periods| periods.turn(now_ns, &lost));
        if let Some(period) = over {
            self.print(&period, out);
            let from_ns = self.periods.as_ref().map_or(now_ns, Periods::this_began_ns);
            self.collector.begin_anew(from_ns);
        }
    }

    fn print(&mut self, Period { totals, time }: &Period, out: &mut Vec<u8>) {
        let is_empty = self.collector.is_empty() && totals.lost.is_none();
        if is_empty && time.is_some() {
            return;
        }
        let mut figures = self.collector.figures(totals);
        figures.time.clone_from(time);
        match self.style {
            Some(style) => text::render(&figures, &self.ranking, style, out),
            None => {
                json::write(&figures, out);
                out.push(b'\n');
            }
        }
    }
}

impl Sink for Summary {
    fn begin(&mut self, meta: &Meta, _out: &mut Vec<u8>) {
        self.collector.begin(meta);
        if let Some(periods) = &mut self.periods {
            periods.begin(meta);
        }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.turn(event.timestamp_ns, out);
        self.collector.event(event);
    }

    fn cost(&mut self, exit: &Event) {
        self.collector.cost(exit);
    }

    fn lost(&mut self, lost: &Lost, _time_ns: u64, _out: &mut Vec<u8>) {
        self.lost = *lost;
    }

    fn tick(&mut self, now_ns: u64, out: &mut Vec<u8>) {
        self.turn(now_ns, out);
    }

    fn resize(&mut self, columns: usize, _out: &mut Vec<u8>) {
        if let Some(style) = &mut self.style {
            style.width = Some(columns);
        }
    }

    fn end(&mut self, totals: &Totals, out: &mut Vec<u8>) {
        let period = match &mut self.periods {
            Some(periods) => periods.last(totals),
            None => Period { totals: *totals, time: None },
        };
        self.print(&period, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::Story;

    /// CPU time in nanoseconds, and of how many it isn't known: of all, and of the groups.
    fn cpu(collector: &mut Collector) -> [(u64, u64); 2] {
        let figures = collector.figures(&Totals::default());
        let cpu = figures.cpu.expect("of the wide mode");
        let groups = figures.groups.expect("of the wide mode");
        let sum = |figure: fn(&Group) -> u64| groups.iter().map(figure).sum();
        let of_groups = (sum(|group| group.cpu_ns), sum(|group| group.cost_unknown));
        [(cpu.used_ns, cpu.unknown), of_groups]
    }

    #[test]
    fn a_cost_that_comes_late_is_counted_once() {
        for periods in [false, true] {
            let mut story = Story::default();
            story.exit(9, 77, 4, 0).exit(10, 78, 4, 0).costs(5, None);
            let mut collector = Collector::new(By::Command);
            story.events.iter().for_each(|event| collector.event(event));
            assert_eq!(cpu(&mut collector), [(5_000, 1); 2]);
            if periods {
                collector.begin_anew(20_000);
            }
            let mut later = Story::default();
            later.exit(9, 77, 4, 0).costs(2, Some(1));
            for _ in 0..2 {
                collector.cost(&later.events[0]);
                let (before, unknown) = if periods { (0, 0) } else { (5_000, 0) };
                assert_eq!(cpu(&mut collector), [(before + 2_000, unknown); 2]);
            }
        }
    }
}
