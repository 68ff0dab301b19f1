// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture could not see: for each measure, why it may have been more.

use super::rule::{Measure, Rule};
use crate::model::event::{EventKind, Meta, Totals};
use crate::text;

/// What is known of a capture when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    /// How it was made, where it tells.
    pub meta: Option<&'a Meta>,
    /// Several captures that were joined.
    pub joined: bool,
    /// It has events of the basic mode.
    pub basic: bool,
    /// Lines that could not be read.
    pub unreadable: u64,
    /// What it came to.
    pub totals: &'a Totals,
    /// The end of the command that was run is in it.
    pub command_ended: bool,
}

/// Why a rule's measure may be more than was seen, if it may: for a terminal.
pub fn hidden(rule: &Rule, whole: &Whole<'_>) -> Option<String> {
    let measure = rule.measure;
    let Some(meta) = whole.meta else {
        return Some("the capture doesn't tell how it was made".to_owned());
    };
    if whole.basic {
        return Some("the basic mode doesn't tell enough".to_owned());
    }
    if whole.joined {
        return Some("several captures are joined here".to_owned());
    }
    if let Some(word) = meta.filters.iter().find(|word| !is_harmless(word, rule)) {
        let mut why = "the capture was made with ".to_owned();
        text::escape(word.as_bytes(), &mut why);
        return Some(why);
    }
    let seen = |kind: EventKind| captures(&meta.filters, kind);
    if let Some(kind) = needs(measure).iter().find(|kind| !seen(**kind)) {
        let option = match kind {
            EventKind::ExecFailed => "without --failed-execs".to_owned(),
            kind => format!("without events of the kind {}", kind.name()),
        };
        return Some(format!("the capture was made {option}"));
    }
    if let Some(lost) = losses(measure, rule.is_filtered(), whole.totals) {
        return Some(lost);
    }
    if whole.unreadable > 0 {
        return Some("lines of the capture could not be read".to_owned());
    }
    let of_a_command = matches!(measure, Measure::Wall | Measure::Leftovers);
    match meta.command_pid {
        0 if of_a_command => Some("the capture is not that of a command".to_owned()),
        0 if whole.totals.cut_off => Some("the capture has no end".to_owned()),
        0 => None,
        _ if whole.totals.cut_off || !whole.command_ended => {
            Some("the command's end is not in the capture".to_owned())
        }
        _ => None,
    }
}

/// The events that a measure is made of.
fn needs(measure: Measure) -> &'static [EventKind] {
    use EventKind::{Exec, ExecFailed, Exit, Fork};
    match measure {
        Measure::Failures | Measure::Killed | Measure::Oom | Measure::MaxRss => &[Exit],
        Measure::Execs => &[Exec],
        // An exec that succeeds ends a search.
        Measure::FailedExecs => &[ExecFailed],
        Measure::Processes | Measure::Leftovers | Measure::Cpu => &[Fork, Exec, Exit],
        Measure::Wall => &[Exit],
        Measure::Lost => &[],
    }
}

/// Whether a capture that was made with these options has such events.
fn captures(words: &[String], kind: EventKind) -> bool {
    let named = |word: &String| word.strip_prefix("--event=").map(|name| name == kind.name());
    let mut named = words.iter().filter_map(named).peekable();
    match kind {
        EventKind::ExecFailed => {
            words.iter().any(|word| word == "--failed-execs") || named.any(|this| this)
        }
        _ => named.peek().is_none() || named.any(|this| this),
    }
}

/// Whether an option left out nothing that counts for the rule.
fn is_harmless(word: &str, rule: &Rule) -> bool {
    let measure = rule.measure;
    if word.starts_with("--event=") || ["--failed-execs", "--follow"].contains(&word) {
        return true;
    }
    if measure == Measure::Lost {
        return true;
    }
    // Whose these were may change until their end.
    let changes = matches!(measure, Measure::Processes | Measure::Leftovers | Measure::Cpu);
    // The capture left out those whose arguments it didn't know, or had cut.
    let decided_unseen = word.starts_with("--match=");
    let asked = !changes && !decided_unseen && rule.filter.words().iter().any(|own| own == word);
    let fails = matches!(
        measure,
        Measure::Failures | Measure::Killed | Measure::Oom | Measure::FailedExecs
    );
    asked || (word == "--failed" && fails)
}

/// The losses that a measure could have been changed by.
fn losses(measure: Measure, filtered: bool, totals: &Totals) -> Option<String> {
    if matches!(measure, Measure::Lost) {
        return (totals.missed > 0).then(|| "the kernel skipped handlers".to_owned());
    }
    let lost = |kind: &EventKind| totals.lost.of(*kind) > 0;
    let of_kind = needs(measure).iter().find(|kind| lost(kind));
    if let Some(kind) = of_kind {
        return Some(format!("events of the kind {} were lost", kind.name()));
    }
    if measure == Measure::FailedExecs && lost(&EventKind::Exec) {
        return Some("events of the kind exec were lost".to_owned());
    }
    // It tells what a rule about arguments looks into, and that a search came to an end.
    let unshown = filtered || measure == Measure::FailedExecs;
    if totals.lost_unshown > 0 && unshown {
        return Some("events that were not to be shown were lost".to_owned());
    }
    if filtered && EventKind::USUAL.iter().any(lost) {
        return Some("events were lost that may have told whose others were".to_owned());
    }
    (totals.missed > 0 && measure != Measure::Wall)
        .then(|| "the kernel skipped handlers".to_owned())
}

/// Whether losses may also have made a measure too high: nothing is known for sure then.
pub fn may_be_less(measure: Measure, totals: &Totals) -> bool {
    let lost = |kind| totals.lost.of(kind) > 0 || totals.missed > 0;
    match measure {
        Measure::FailedExecs => lost(EventKind::Exec) || totals.lost_unshown > 0,
        Measure::Leftovers => lost(EventKind::Exit),
        _ => false,
    }
}
