// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules about a capture: how they are written, what they measure, what becomes of them. Knows
//! processes, the host, the text and the model.

mod judge;
pub mod junit;
pub mod parse;
pub mod rule;
mod sight;
mod tally;
mod verdict;
mod whose;
mod words;

pub use judge::{GRACE_NS, Judge};
pub use tally::Outcome;
pub use verdict::Verdict;

/// Rules of a capture at most.
pub const MAX_RULES: usize = 100;

/// A line a rule: what became of it, what was measured, and who was first.
pub fn report(outcomes: &[Outcome]) -> String {
    let line = |outcome: &Outcome| {
        let Outcome { rule, verdict, measured, offenders } = outcome;
        let mut shown = String::new();
        crate::text::escape(rule.as_bytes(), &mut shown);
        let first = match (verdict, offenders.first()) {
            (Verdict::Ok, _) | (_, None) => String::new(),
            (_, Some(first)) => format!(", first: {first}"),
        };
        format!("{}: {shown}: {measured}{first}\n", verdict.name())
    };
    outcomes.iter().map(line).collect()
}
