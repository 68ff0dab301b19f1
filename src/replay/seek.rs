// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file is searched by halves for the time from which on it is wanted.

use std::cell::OnceCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use memchr::{memchr, memchr_iter, memmem};

use super::input::Input;
use crate::json::read::{event_host, event_time_ns};

/// What is read to find a line that tells a time.
const WINDOW: usize = 128 << 10;
/// What takes no longer to read on than to search.
const NEAR: u64 = 1 << 20;
/// Lines lie in the order of the kernel's clock; the wall clock may be adjusted meanwhile.
pub const MARGIN_NS: u64 = 60_000_000_000;

/// The first part of a file, which was passed over.
#[derive(Debug)]
pub struct Skipped {
    file: File,
    /// How many bytes it has.
    pub to: u64,
    lines: OnceCell<u64>,
}

impl Skipped {
    /// How many lines it has: counted only if somebody asks.
    pub fn lines(&self) -> u64 {
        *self.lines.get_or_init(|| count_lines(&self.file, self.to).unwrap_or(0))
    }
}

fn count_lines(file: &File, to: u64) -> io::Result<u64> {
    let mut window = vec![0; WINDOW];
    let (mut at, mut lines) = (0, 0);
    while at < to {
        let most = usize::try_from(to - at).map_or(WINDOW, |rest| rest.min(WINDOW));
        let read = file.read_at(&mut window[..most], at)?;
        if read == 0 {
            break;
        }
        lines += memchr_iter(b'\n', &window[..read]).count() as u64;
        at += read as u64;
    }
    Ok(lines)
}

/// Where a line begins before which no event is as late as this, if that lies far from the file's begin.
/// Where another capture begins in between nothing can be passed over: it may lie in any order, and its first
/// line tells whose the next ones are.
pub fn to_time(input: &Input, since_ns: u64) -> Option<Skipped> {
    if !input.is_plain() {
        return None;
    }
    let wanted = since_ns.saturating_sub(MARGIN_NS);
    let to = search(input.file(), input.size()?, wanted).ok().filter(|&to| to >= NEAR)?;
    if another_begins(input.file(), to).unwrap_or(true) {
        return None;
    }
    let file = input.file().try_clone().ok()?;
    Some(Skipped { file, to, lines: OnceCell::new() })
}

/// Whether a capture begins in the first `to` bytes, but at the first of them.
fn another_begins(file: &File, to: u64) -> io::Result<bool> {
    const META: &[u8] = b"{\"event_type\":\"meta\"";
    let finder = memmem::Finder::new(META);
    let mut window = vec![0; WINDOW];
    let mut at = 1;
    while at < to {
        let read = file.read_at(&mut window, at)?;
        if finder.find(&window[..read]).is_some_and(|found| at + (found as u64) < to) {
            return Ok(true);
        }
        if read < META.len() {
            break;
        }
        // It may lie across the end.
        at += (read - (META.len() - 1)) as u64;
    }
    Ok(false)
}

/// Where a line begins behind which all events that are as late as `wanted` lie. That of a file which
/// somebody has joined of several hosts' lines isn't known: one host's may come hours later than another's.
fn search(file: &File, size: u64, wanted: u64) -> io::Result<u64> {
    let (mut low, mut high) = (0, size);
    let mut window = vec![0; WINDOW];
    let mut host: Option<Vec<u8>> = None;
    while high.saturating_sub(low) > NEAR {
        let middle = low + (high - low) / 2;
        let read = file.read_at(&mut window, middle)?;
        let found = first_time(&window[..read]);
        if let Some(named) = found.and_then(|(_, _, line)| event_host(line)) {
            if host.get_or_insert_with(|| named.to_vec()) != named {
                return Ok(0);
            }
        }
        match found {
            Some((at, time_ns, _)) if time_ns < wanted => low = middle + at as u64,
            Some(_) => high = middle,
            // It tells no times here.
            None => break,
        }
    }
    Ok(low)
}

/// The first whole line that tells when an event was: where it begins, and the time.
fn first_time(window: &[u8]) -> Option<(usize, u64, &[u8])> {
    let mut at = memchr(b'\n', window)? + 1;
    while let Some(len) = memchr(b'\n', &window[at..]) {
        let line = &window[at..at + len];
        if let Some(time_ns) = event_time_ns(line) {
            return Some((at, time_ns, line));
        }
        at += len + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::ops::Range;

    use super::*;
    use crate::json::Writer;
    use crate::view::fixtures::Story;

    const SECOND: u64 = 1_000_000_000;

    /// An event of this second.
    fn line(second: u64, host: Option<&str>) -> Vec<u8> {
        let mut story = Story::default();
        story.fork(5, 77, 4);
        let event = &mut story.events[0];
        let wide = event.wide.as_deref_mut().expect("of the wide mode");
        (wide.time_ns, wide.host) = (second * SECOND, host.map(Into::into));
        let mut line = Vec::new();
        Writer::default().event(event, true, &mut line);
        line
    }

    /// A file with an event each second, and where in it each begins and ends; some other lines lie between
    /// them.
    fn file(
        host: impl Fn(u64) -> Option<&'static str>,
    ) -> (tempfile::NamedTempFile, Vec<Range<u64>>) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        for second in 0..20_000 {
            if second % 100 == 7 {
                bytes.extend_from_slice(b"{\"event_type\":\"lost\"}\n");
            }
            let from = bytes.len() as u64;
            bytes.extend(line(second, host(second)));
            places.push(from..bytes.len() as u64);
        }
        file.write_all(&bytes).expect("written");
        (file, places)
    }

    #[test]
    fn nothing_that_is_wanted_is_passed_over_and_little_else_is_read() {
        let (file, places) = file(|_| None);
        let size = places.last().expect("some").end;
        assert!(size > 4 * NEAR, "{size}");
        for second in (0..20_000).step_by(271).chain([19_999]) {
            let to = search(file.as_file(), size, second * SECOND).expect("read");
            let wanted = places[second as usize].start;
            assert!(
                to <= wanted && wanted - to <= NEAR + WINDOW as u64,
                "{second}: {to}, {wanted}"
            );
            let before = places.partition_point(|place| place.start < to);
            assert!(to == 0 || places[before].start == to, "{second}: {to} is no line's beginning");
            let lines =
                places[..before].len() as u64 + (before as u64).saturating_sub(7).div_ceil(100);
            assert_eq!(count_lines(file.as_file(), to).expect("read"), lines, "{second}");
        }
        let input = Input::open(file.path()).expect("a file");
        let margin = MARGIN_NS / SECOND;
        let found = to_time(&input, (15_000 + margin) * SECOND).expect("far from its beginning");
        assert_eq!(found.to, search(file.as_file(), size, 15_000 * SECOND).expect("read"));
        assert_eq!(found.lines(), count_lines(file.as_file(), found.to).expect("read"));
        assert!(to_time(&input, margin * SECOND).is_none(), "from its beginning on");
    }

    #[test]
    fn lines_of_several_hosts_have_no_order() {
        let of_one = file(|_| Some("one"));
        let size = of_one.1.last().expect("some").end;
        assert!(search(of_one.0.as_file(), size, 19_000 * SECOND).expect("read") > NEAR);
        let (joined, places) = file(|second| Some(if second < 12_000 { "one" } else { "other" }));
        let size = places.last().expect("some").end;
        assert_eq!(search(joined.as_file(), size, 19_000 * SECOND).expect("read"), 0);
    }

    #[test]
    fn the_first_time_is_that_of_a_whole_line() {
        let (first, second) = (line(3, None), line(4, None));
        let rest = &first[10..];
        let window = [rest, b"\n{}\n", &second, &first].concat();
        let whole = second.strip_suffix(b"\n").expect("a line");
        let at = rest.len() + b"\n{}\n".len();
        assert_eq!(first_time(&window), Some((at, 4 * SECOND, whole)));
        assert_eq!(first_time(&window[..at + whole.len()]), None, "it is cut");
        for window in [&b""[..], b"\n", b"\n\n", b"x"] {
            assert_eq!(first_time(window), None);
        }
    }
}
