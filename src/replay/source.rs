// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known of a capture while it is replayed, and what is said of it.

use std::fmt::Display;
use std::rc::Rc;

use anyhow::{Error, anyhow};

use super::capture::Capture;
use super::stream::{Kind, Place};
use crate::model::event::{Meta, Totals};
use crate::runtime::report;
use crate::text::quantity::counted;

/// Messages of one kind that are printed before the rest is only counted.
pub const MAX_SAID: u64 = 10;

/// A capture that is replayed.
#[derive(Default)]
pub struct Source {
    /// Of the file.
    pub name: Rc<str>,
    /// What is known of it.
    pub capture: Capture,
    /// What the capture whose lines are read says of itself, to what shows one of them.
    pub meta: Option<Meta>,
    /// A file of it is read.
    pub open: bool,
    /// A file of it was not read to its end.
    pub cut: bool,
    /// Lines of the file that tell something.
    pub records: u64,
    /// Those that can't be read.
    pub unreadable: u64,
    /// What is wrong with lines before the first record: a file without any is no capture at all.
    pub unsaid: Vec<(Place, String)>,
    /// A file of it told something.
    pub told: bool,
    /// How often losses were told of.
    pub losses_said: u64,
    /// It was said that another capture tells of the same time.
    pub overlaps: bool,
}

impl Source {
    /// A file of it begins.
    pub fn begin(&mut self, name: Rc<str>) {
        self.name = name;
        self.open = true;
        (self.records, self.unreadable) = (0, 0);
    }

    /// A line that tells something.
    pub fn has_record(&mut self) {
        self.records += 1;
        self.told = true;
        for (place, reason) in std::mem::take(&mut self.unsaid) {
            say_at(Some(place), reason);
        }
    }

    /// After its end.
    pub fn say_what_is_missing(&self) {
        let (name, totals) = (&self.name, self.capture.totals());
        if !self.cut && totals.cut_off {
            let why = self.capture.why_incomplete();
            report::say(format_args!("{name}: the capture is not complete: {why}"));
        }
        let Totals { lost, missed, .. } = totals;
        if !lost.is_none() {
            let total = counted(lost.total(), "event");
            report::say(format_args!("{name}: the capture lost {total} ({lost})"));
        }
        if missed > 0 {
            let missed = counted(missed, "more event");
            report::say(format_args!("{name}: the kernel missed up to {missed}"));
        }
    }

    /// No line could be read.
    pub fn no_capture(&self, first: Option<Kind>) -> Error {
        let what = match (first, self.unsaid.first()) {
            (Some(Kind::Table), _) => "a table, which can't be replayed".to_owned(),
            (Some(Kind::Binary), _) => "binary data, not a capture".to_owned(),
            (_, Some((place, reason))) => {
                format!("not a capture (line {}: {reason})", place.number())
            }
            _ => "not a capture".to_owned(),
        };
        anyhow!("{} is {what}: capture with --format json", self.name)
    }
}

/// Says something about a line.
pub fn say_at(place: Option<Place>, what: impl Display) {
    match place {
        Some(place) => report::say(format_args!("{place}: {what}")),
        None => report::say(what),
    }
}
