// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay: moves the records of captures from files to a sink and its output.

use std::io;
use std::ops::Range;

use anyhow::{Error, Result, anyhow};

use crate::expect::Judge;
use crate::json::read::Record;
use crate::model::event::{Event, Lost, Meta, Totals};
use crate::model::failure::{Exit, Failure};
use crate::output::progress::Progress;
use crate::output::{Output, WRITE_SIZE, WriteFailed};
use crate::process::filter::Filter;
use crate::runtime::report;
use crate::runtime::stop::Stop;
use crate::text::elapsed::Elapsed;
use crate::text::quantity::counted;
use crate::view::{Across, Sink};
use hosts::{Hosts, MAX_BOOTS};
use merge::Merge;
use source::{MAX_SAID, Source, say_at};
use stream::{Item, Kind, Place};

mod capture;
mod files;
mod gzip;
mod hosts;
mod input;
mod lines;
mod merge;
mod seek;
mod source;
mod stream;

pub use files::{Set, sets};
pub use input::Input;
pub use lines::{Line, Lines, MAX_LINE};
pub use stream::ALWAYS;

/// Characters of a message about a line: some quote what they found.
const MAX_REASON: usize = 200;

/// What is replayed, and how.
pub struct Plan<'a> {
    /// The captures.
    pub sets: Vec<Set>,
    /// Which events are shown.
    pub filter: Filter,
    /// Earlier and later events need not be read: nanoseconds since 1970.
    pub wanted: Range<u64>,
    /// The one capture is gone on with as it grows.
    pub tail: bool,
    /// The first is for a capture of the basic mode, the other for one of the wide mode.
    pub sinks: [Box<dyn Sink>; 2],
    /// What they make of several hosts.
    pub across: Across,
    /// Takes all events, whatever the filter.
    pub judge: Option<&'a mut Judge>,
}

/// What a replay came to.
#[derive(Debug)]
pub struct Outcome {
    /// The captures lost nothing, were ended, and were replayed to their ends, as far as can be told:
    /// the basic mode's has no mark there.
    pub complete: bool,
    /// Lines that were skipped because they could not be read.
    pub unreadable: u64,
    /// There was nothing to read.
    pub empty: bool,
    /// A file or the output failed. A pipe that was closed is no failure.
    pub error: Option<Error>,
    /// What the captures came to.
    pub totals: Totals,
}

/// Replays captures to their ends, or until the stop is requested.
///
/// # Errors
/// A filter needs what a capture does not tell, or the view can't show several hosts.
pub fn run(plan: Plan<'_>, output: &mut Output, stop: &Stop) -> Result<Outcome> {
    let Plan { sets, filter, wanted, tail, sinks, across, judge } = plan;
    let mut replay = Replay {
        sources: sets.iter().map(|_| Source::default()).collect(),
        hosts: Hosts::new(sets.len(), filter.for_another_host()),
        named: sets.len() > 1 || filter.host().is_some(),
        told: <(String, String)>::default(),
        lost: Lost::default(),
        first: None,
        filter,
        sinks,
        sink: None,
        across,
        output,
        stop,
        judge,
        judged: None,
        over: false,
        error: None,
        printed: 0,
        unreadable: 0,
        empty: false,
    };
    let mut merge = Merge::new(sets, &wanted, tail, stop);
    let mut progress = Progress::new();
    while !replay.over && !stop.requested() {
        let next = merge.next(|merge| {
            replay.flush();
            progress.show(replay.output, || {
                merge.progress().map(|done| format!("{:3.0} % read", done * 100.0))
            });
        });
        let Some((at, item)) = next else { break };
        // A message belongs on a line of its own.
        if !matches!(item, Item::Record(Record::Event(_))) {
            progress.clear();
        }
        replay.sources[at].capture.has_skipped |= merge.has_skipped(at);
        replay.sources[at].capture.was_left |= merge.was_left(at);
        match item {
            Item::Record(Record::Event(event)) => replay.event(at, event, &merge)?,
            Item::Record(record) => replay.about(at, record, &merge)?,
            Item::Begins(name) => replay.sources[at].begin(name),
            Item::Unreadable(reason) => replay.unreadable(at, merge.place(), &reason),
            Item::Ends { first, error, whole } => replay.ends(at, first, error, whole),
        }
    }
    progress.clear();
    replay.end()
}

/// Refuses others than the one that is shown.
fn only_one(others: Option<(String, String)>, what: &str) -> Result<(), Failure> {
    match others {
        Some((these, remedy)) => {
            Err(Failure::new(Exit::Usage, format!("there are {these}, and {what}"), remedy))
        }
        None => Ok(()),
    }
}

/// Formats records and writes the result.
struct Replay<'a> {
    sources: Vec<Source>,
    hosts: Hosts,
    /// The boot of the first event that was taken by what takes one host's.
    first: Option<usize>,
    /// Events tell their hosts, whether they did or not.
    named: bool,
    /// The host and the boot that the output names as those of all others.
    told: (String, String),
    /// What was lost of all captures so far, as far as it was told with a time.
    lost: Lost,
    filter: Filter,
    /// For the basic mode and for the wide one.
    sinks: [Box<dyn Sink>; 2],
    /// Which of them.
    sink: Option<usize>,
    across: Across,
    output: &'a mut Output,
    stop: &'a Stop,
    judge: Option<&'a mut Judge>,
    /// The capture that it was told of first.
    judged: Option<usize>,
    /// The output takes no more.
    over: bool,
    error: Option<Error>,
    printed: u64,
    unreadable: u64,
    /// A file was.
    empty: bool,
}

impl Replay<'_> {
    fn event(&mut self, at: usize, mut event: Event, merge: &Merge) -> Result<()> {
        let source = &mut self.sources[at];
        source.has_record();
        source.capture.saw(event.timestamp_ns);
        let Some(boot) = self.hosts.of(at, &event) else {
            let what =
                format!("more than {MAX_BOOTS} hosts, or boots of them, can't be replayed at once");
            return Err(Failure::new(Exit::Usage, what, "give fewer files").into());
        };
        if self.sources.len() > 1 {
            self.look_for_overlap(at, boot, &event, merge);
        }
        if self.named || !self.hosts.are_of(boot, &self.told) {
            self.hosts.name(boot, &mut event);
        }
        let is_chosen = self.hosts.is_chosen(boot) || event.wide.is_none();
        if self.judge.is_some() && is_chosen {
            let first = *self.first.get_or_insert(boot);
            only_one(self.hosts.differ(first, boot), "--expect is about one")?;
        }
        if let Some(judge) = self.judge_of(at, is_chosen) {
            judge.event(&event);
        }
        if !self.hosts.get(boot).filter.keeps(&event)? {
            return Ok(());
        }
        if self.across == Across::Refused {
            let first = *self.first.get_or_insert(boot);
            let others =
                self.hosts.differ(first, boot).or_else(|| self.hosts.restarted(first, boot));
            only_one(others, "this format shows one")?;
        }
        if self.across == Across::Summed {
            self.hosts.tell_apart(boot, &mut event);
        }
        self.begin_with(at, event.wide.is_some())?;
        if let Some(sink) = self.sink {
            self.sinks[sink].event(&event, self.output.buffer());
            self.printed += 1;
        }
        if self.output.buffer().len() >= WRITE_SIZE {
            self.flush();
        }
        Ok(())
    }

    /// The judge, if what a capture tells is of the host that was chosen.
    fn judge_of(&mut self, at: usize, is_chosen: bool) -> Option<&mut Judge> {
        let judge = self.judge.as_deref_mut().filter(|_| is_chosen)?;
        if *self.judged.get_or_insert(at) != at {
            judge.is_of_several();
        }
        Some(judge)
    }

    /// Two captures of a host that tell of the same time show what happened twice.
    fn look_for_overlap(&mut self, at: usize, boot: usize, event: &Event, merge: &Merge) {
        let boot = self.hosts.get(boot);
        if let Some(wide) = event.wide.as_deref() {
            boot.until_ns = boot.until_ns.max(wide.time_ns);
        }
        let Some(before) = boot.last_teller.replace(at).filter(|&before| before != at) else {
            // Nobody else has told of it since it did, if any did.
            if boot.tellers.is_empty() {
                boot.tellers.push(at);
            }
            return;
        };
        if !boot.tellers.contains(&at) {
            boot.tellers.push(at);
        } else if !self.sources[at].overlaps {
            self.sources[at].overlaps = true;
            let other = self.sources[before].name.clone();
            let what = format!(
                "{other} tells of the same time on the same host: what both have is shown twice"
            );
            say_at(merge.place(), what);
        }
    }

    fn about(&mut self, at: usize, record: Record, merge: &Merge) -> Result<()> {
        let source = &mut self.sources[at];
        source.has_record();
        match record {
            Record::Meta(meta) => self.meta(at, *meta, merge)?,
            Record::Lost { time_ns, lost } => {
                let before = source.capture.totals().lost;
                source.capture.lost(*lost);
                let more = source.capture.totals().lost.less(&before);
                source.losses_said += 1;
                if source.losses_said <= MAX_SAID {
                    let total = counted(lost.total(), "event");
                    say_at(merge.place(), format_args!("{total} lost up to here ({lost})"));
                }
                if !self.hosts.may_be_shown(at) {
                    return Ok(());
                }
                self.lost = self.lost.plus(&more);
                // Each capture counts for itself.
                let lost = match self.across {
                    Across::Summed => self.lost,
                    _ if self.sources.len() > 1 => return Ok(()),
                    _ => *lost,
                };
                self.begin_with(at, true)?;
                if let Some(sink) = self.sink {
                    self.sinks[sink].lost(&lost, time_ns, self.output.buffer());
                }
            }
            Record::Summary(totals) => source.capture.end(*totals),
            Record::Event(_) | Record::Unknown => {}
        }
        Ok(())
    }

    fn meta(&mut self, at: usize, mut meta: Meta, merge: &Merge) -> Result<()> {
        let source = &mut self.sources[at];
        // Another host's end says nothing of this one.
        let same_host = self.hosts.is_of(at, &meta.host);
        let until_ns = if same_host { source.capture.until_ns() } else { 0 };
        let another = source.capture.begin(&meta);
        let until_ns = match self.hosts.meta(at, &meta) {
            Some(boot) => until_ns.max(boot.until_ns),
            None => until_ns,
        };
        if let Some(judge) = self.judge_of(at, self.hosts.may_be_shown(at)) {
            judge.begin(&meta, another);
        }
        let began_ns = meta.clock_offset_ns.wrapping_add(meta.began_ns);
        let gap_ns = began_ns.saturating_sub(until_ns);
        let gap = (until_ns > 0 && meta.began_ns > 0 && gap_ns > 0)
            .then(|| format!("nothing was captured for {} before it", Elapsed(gap_ns)));
        match (another, gap) {
            (true, Some(gap)) => say_at(
                merge.place(),
                format_args!("another capture begins here; both are shown as one; {gap}"),
            ),
            (true, None) => {
                say_at(merge.place(), "another capture begins here; both are shown as one");
            }
            (false, Some(gap)) => say_at(merge.place(), format_args!("a capture begins; {gap}")),
            (false, None) => {}
        }
        if meta.no_args && self.filter.matches_args() {
            say_at(merge.place(), "the capture has no arguments: --match looks at names alone");
        }
        if self.sources.len() > 1 && self.across != Across::Refused {
            // What the one first tells is not true of the others.
            meta = Meta { host: String::new(), boot_id: String::new(), cpus: 0, ..meta };
        }
        if self.across == Across::Summed {
            // As `Hosts::tell_apart` does with those of events. Another one may have begun before.
            let first_ns = merge.began_ns.filter(|_| self.filter.host().is_none());
            meta.began_ns = match meta.began_ns {
                0 => 0,
                _ => first_ns.map_or(began_ns, |first_ns| first_ns.min(began_ns)),
            };
            meta.clock_offset_ns = 0;
        }
        if !self.hosts.may_be_shown(at) {
            return Ok(());
        }
        // Which of those in a file is shown is known with the first event of it.
        if self.across == Across::Refused {
            self.sources[at].meta = Some(meta);
            return Ok(());
        }
        self.begin(true, meta)
    }

    fn begin_with(&mut self, at: usize, wide: bool) -> Result<()> {
        let meta = self.sources[at].meta.as_ref().filter(|_| self.sink.is_none());
        self.begin(wide, meta.cloned().unwrap_or_default())
    }

    fn begin(&mut self, wide: bool, mut meta: Meta) -> Result<()> {
        if self.sink.is_none() {
            self.output.begin()?;
            meta.filters.extend(self.filter.words());
            self.told = (meta.host.clone(), meta.boot_id.clone());
            let sink = *self.sink.insert(usize::from(wide));
            self.sinks[sink].begin(&meta, self.output.buffer());
        }
        Ok(())
    }

    fn unreadable(&mut self, at: usize, place: Option<Place>, reason: &str) {
        self.unreadable += 1;
        let source = &mut self.sources[at];
        source.unreadable += 1;
        if source.unreadable <= MAX_SAID {
            let cut = reason.char_indices().nth(MAX_REASON).map_or(reason.len(), |(at, _)| at);
            match (source.records, place) {
                (0, Some(place)) => source.unsaid.push((place, reason[..cut].to_owned())),
                (_, place) => say_at(place, &reason[..cut]),
            }
        }
    }

    /// A file ends. What can't be read of it is said, and the others are gone on with.
    fn ends(
        &mut self,
        at: usize,
        first: Option<Kind>,
        error: Option<(Place, io::Error)>,
        whole: bool,
    ) {
        let mut failed = None;
        match error {
            Some((place, error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.unreadable(at, Some(place), "the compressed data is cut off here");
            }
            Some((_, error)) => {
                let name = &self.sources[at].name;
                failed = Some(anyhow!("can't read the rest of {name}: {error}"));
            }
            None => {}
        }
        let source = &mut self.sources[at];
        source.open = false;
        source.cut |= !whole;
        let name = &source.name;
        let nothing = source.records == 0 && (source.unreadable > 0 || failed.is_some());
        if whole && first.is_none() && source.unreadable == 0 {
            self.empty = true;
            report::say(format_args!("{name} is empty: no event was captured"));
        }
        let more = source.unreadable.saturating_sub(MAX_SAID);
        if more > 0 && !nothing {
            let more = counted(more, "more line");
            report::say(format_args!("{name}: {more} could not be read"));
        }
        let failed = failed.or_else(|| nothing.then(|| source.no_capture(first)));
        source.unsaid.clear();
        if let Some(failed) = failed {
            self.fail(failed);
        }
    }

    fn fail(&mut self, error: Error) {
        if let Some(before) = self.error.replace(error) {
            report::error(&before);
        }
    }

    fn end(mut self) -> Result<Outcome> {
        for at in 0..self.sources.len() {
            if self.sources[at].open {
                self.ends(at, None, None, false);
            }
        }
        // Other hosts' losses are none of the one that was chosen.
        let chosen = self.sources.iter().enumerate().filter(|(at, _)| self.hosts.may_be_shown(*at));
        let chosen: Vec<&Source> = chosen.map(|(_, source)| source).collect();
        let captures = chosen.iter().map(|source| source.capture.totals());
        let mut totals = captures.reduce(|all, one| all.plus(&one)).unwrap_or_default();
        totals.printed = self.printed;
        totals.cut_off |= chosen.iter().any(|source| source.cut);
        chosen.iter().for_each(|source| source.say_what_is_missing());
        // What can't be replayed at all is no cause to empty a file.
        let nothing = self.sources.iter().all(|source| !source.told) && self.error.is_some();
        if !nothing {
            let meta = self.sources.iter_mut().find_map(|source| source.meta.take());
            self.begin(meta.is_some(), meta.unwrap_or_default())?;
        }
        if let Some(sink) = self.sink {
            self.sinks[sink].end(&totals, self.output.buffer());
        }
        self.flush();
        let empty = self.empty && self.sources.iter().all(|source| !source.told);
        let (complete, unreadable, error) = (totals.complete(), self.unreadable, self.error);
        Ok(Outcome { complete, unreadable, empty, error, totals })
    }

    fn flush(&mut self) {
        if let Err(WriteFailed { cause, .. }) =
            self.output.settle(|output| self.stop.await_room(output, None))
        {
            self.over = true;
            if cause.kind() != io::ErrorKind::BrokenPipe {
                let what = format!("can't write {}: {cause}", self.output.name());
                self.fail(anyhow!(what));
            }
        }
        if let (Some(sink), Some(columns)) = (self.sink, self.output.columns()) {
            self.sinks[sink].resize(columns, self.output.buffer());
        }
    }
}
