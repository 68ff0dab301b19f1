// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was measured for one rule, and what that makes of it.

use super::rule::{Measure, Rule};
use super::sight::{self, Whole};
use super::verdict::{Interval, Verdict};
use super::whose::{Answer, Whose};

/// Why a rule about resident sets is open.
pub const RSS_UNKNOWN: &str = "a process' resident set is not known";
/// Offenders of a rule that are named.
const NAMED: usize = 10;

/// A rule, and what was measured for it.
#[derive(Debug)]
pub struct Tally {
    /// The rule.
    pub rule: Rule,
    /// Who counts.
    pub whose: Whose,
    /// Seen for sure.
    pub sure: u64,
    /// Seen, but perhaps not one that the rule is about.
    pub perhaps: u64,
    /// Why there may be more than these.
    pub open: Option<&'static str>,
    /// Processes whose part is still to come.
    pub owed: u64,
    offenders: Vec<Offender>,
}

/// Somebody who counts for a rule.
#[derive(Clone, Debug)]
pub struct Offender {
    value: u64,
    text: String,
}

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The rule, as it was written.
    pub rule: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What was measured, or why it isn't known, for a terminal.
    pub measured: String,
    /// Those who count for it, for a terminal.
    pub offenders: Vec<String>,
}

impl Tally {
    /// Nothing was measured yet.
    pub fn new(rule: Rule) -> Self {
        Self {
            whose: Whose::new(&rule.filter),
            rule,
            sure: 0,
            perhaps: 0,
            open: None,
            owed: 0,
            offenders: Vec::new(),
        }
    }

    /// Whether this is what it measures, of one who is perhaps meant.
    pub fn counts(&self, measure: Measure, answer: Answer) -> bool {
        self.rule.measure == measure && answer != Answer::No
    }

    /// Counts so much in, of somebody who is named so.
    pub fn add(&mut self, value: u64, answer: Answer, text: impl FnOnce() -> String) {
        let sum = match answer {
            Answer::Yes => &mut self.sure,
            _ => &mut self.perhaps,
        };
        *sum = match self.rule.measure {
            Measure::MaxRss => value.max(*sum),
            _ => sum.saturating_add(value),
        };
        self.name(value, text);
    }

    /// Counts anew.
    pub fn forget(&mut self) {
        (self.sure, self.perhaps) = (0, 0);
        self.offenders.clear();
    }

    /// Keeps the first, or of what is large the largest.
    fn name(&mut self, value: u64, text: impl FnOnce() -> String) {
        let largest = matches!(self.rule.measure, Measure::Cpu | Measure::MaxRss);
        let full = self.offenders.len() >= NAMED;
        let at = match largest {
            true => self.offenders.partition_point(|offender| offender.value >= value),
            false if full => return,
            false => self.offenders.len(),
        };
        if at >= NAMED {
            return;
        }
        self.offenders.insert(at, Offender { value, text: text() });
        self.offenders.truncate(NAMED);
    }

    pub fn outcome(self, whole: &Whole<'_>) -> Outcome {
        let Self { rule, sure, perhaps, open, owed, offenders, .. } = self;
        let open = open.or(match rule.measure {
            _ if owed == 0 => None,
            Measure::MaxRss => Some(RSS_UNKNOWN),
            _ => Some("what a process used is not known"),
        });
        let both = match rule.measure {
            Measure::MaxRss => sure.max(perhaps),
            _ => sure.saturating_add(perhaps),
        };
        let hidden = sight::hidden(&rule, whole).or_else(|| open.map(str::to_owned));
        let low = if sight::may_be_less(rule.measure, whole.totals) { 0 } else { sure };
        let interval = Interval { low, high: hidden.is_none().then_some(both) };
        let verdict = Verdict::of(interval, rule.comparison, rule.value);
        let seen = rule.measure.tell(both);
        let measured = match (verdict, hidden) {
            (Verdict::Unknown, Some(why)) => format!("{why}; seen: {seen}"),
            (Verdict::Unknown, None) => {
                format!("{seen}, of which {} perhaps not meant", rule.measure.tell(perhaps))
            }
            _ => seen,
        };
        let offenders = offenders.into_iter().map(|offender| offender.text).collect();
        Outcome { rule: rule.text, verdict, measured, offenders }
    }
}
