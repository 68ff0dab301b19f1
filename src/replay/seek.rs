// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file is searched by halves for the time from which on it is wanted.

use std::cell::OnceCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use memchr::{memchr, memchr_iter};

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
pub fn to_time(input: &Input, since_ns: u64) -> Option<Skipped> {
    if !input.is_plain() {
        return None;
    }
    let wanted = since_ns.saturating_sub(MARGIN_NS);
    let to = search(input.file(), input.size()?, wanted).ok().filter(|&to| to >= NEAR)?;
    let file = input.file().try_clone().ok()?;
    Some(Skipped { file, to, lines: OnceCell::new() })
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
