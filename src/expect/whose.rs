// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether an event is of whom a rule is about. Where the capture doesn't tell, it may be.

use crate::model::conditions::Conditions;
use crate::model::event::{Args, Detail, Event};
use crate::process::filter::Filter;

/// Whether a rule is about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    /// The capture doesn't tell.
    Maybe,
}

/// A rule's filter.
#[derive(Debug)]
pub struct Whose {
    whole: Filter,
    /// What a capture always tells of an event.
    certain: Filter,
    by_place: bool,
    by_pattern: bool,
}

impl Whose {
    /// Of these conditions.
    pub fn new(conditions: &Conditions) -> Self {
        let certain =
            Conditions { unit: None, container: None, pattern: None, ..conditions.clone() };
        Self {
            by_place: conditions.unit.is_some() || conditions.container.is_some(),
            by_pattern: conditions.pattern.is_some(),
            whole: Filter::new(conditions.clone()),
            certain: Filter::new(certain),
        }
    }

    /// `args`: the last that are known of the process. `seen`: its fork, or an exec, was seen before.
    pub fn answer(&mut self, event: &Event, args: Option<&Args>, seen: bool) -> Answer {
        let keeps = |filter: &mut Filter, event: &Event| filter.keeps(event).unwrap_or(false);
        if !keeps(&mut self.certain, event) {
            return Answer::No;
        }
        let Some(wide) = event.wide.as_deref() else { return Answer::Maybe };
        if self.by_place && wide.place.is_none() {
            return Answer::Maybe;
        }
        if !self.by_pattern {
            return if keeps(&mut self.whole, event) { Answer::Yes } else { Answer::No };
        }
        let unknown = match &wide.detail {
            Detail::Exit(ended) => args.is_none() && (ended.args_unknown.is_some() || !seen),
            _ => false,
        };
        // Where it is cut, the pattern's end may lie anywhere.
        if unknown || args.is_some_and(|args| args.truncated) {
            return Answer::Maybe;
        }
        let mut with_args = None;
        if let (Some(args), Detail::Exit(ended)) = (args, &wide.detail) {
            if ended.args.is_none() {
                let mut event = event.clone();
                if let Some(Detail::Exit(ended)) =
                    event.wide.as_deref_mut().map(|wide| &mut wide.detail)
                {
                    ended.args = Some(args.clone());
                }
                with_args = Some(event);
            }
        }
        let keeps = keeps(&mut self.whole, with_args.as_ref().unwrap_or(event));
        if keeps { Answer::Yes } else { Answer::No }
    }
}
