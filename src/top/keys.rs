// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, from what a terminal sends for them.

use std::time::{Duration, Instant};

/// A key that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Backspace,
    Escape,
    /// Ctrl and a letter.
    Ctrl(char),
}

/// How long a key's first bytes may wait for its others: a line, or a multiplexer, may hand them
/// over in parts. What then stands alone is a key of its own, as Escape is.
const PATIENCE: Duration = Duration::from_millis(50);
/// No key has more bytes.
const MAX_LEN: usize = 16;

/// Reads keys from bytes as they come.
#[derive(Debug)]
pub struct Keys {
    /// The first bytes of a key.
    part: Vec<u8>,
    since: Instant,
}

impl Keys {
    /// None is being read.
    pub fn new() -> Self {
        Self { part: Vec::new(), since: Instant::now() }
    }

    /// The keys that are complete with these bytes, which may be none. What isn't known is left
    /// out.
    pub fn read(&mut self, bytes: &[u8], now: Instant) -> Vec<Key> {
        let is_over = bytes.is_empty() && now.saturating_duration_since(self.since) >= PATIENCE;
        if !bytes.is_empty() {
            self.since = now;
        }
        let mut all = std::mem::take(&mut self.part);
        all.extend_from_slice(bytes);
        let mut left = &all[..];
        let mut keys = Vec::new();
        while !left.is_empty() && (is_over || !is_part(left)) {
            let (key, len) = first(left);
            keys.extend(key);
            left = &left[len..];
        }
        self.part = left.to_vec();
        keys
    }
}

/// Whether these bytes begin a key, or a character, whose others are still to come.
fn is_part(bytes: &[u8]) -> bool {
    let is_cut = match bytes {
        [0x1b] => true,
        [0x1b, b'[' | b'O', ..] => sequence(&bytes[1..]).is_none(),
        _ => std::str::from_utf8(bytes)
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none()),
    };
    is_cut && bytes.len() < MAX_LEN
}

/// The first key in these bytes, of which there is one at least, and its length.
fn first(bytes: &[u8]) -> (Option<Key>, usize) {
    match bytes[0] {
        0x1b => sequence(&bytes[1..]).map_or((Some(Key::Escape), 1), |(key, len)| (key, 1 + len)),
        b'\r' | b'\n' => (Some(Key::Enter), 1),
        0x7f | 0x08 => (Some(Key::Backspace), 1),
        byte @ 1..=26 => (Some(Key::Ctrl(char::from(b'a' + byte - 1))), 1),
        0..=0x1f => (None, 1),
        _ => character(bytes),
    }
}

/// The first character, if these bytes begin with one, and its length.
fn character(bytes: &[u8]) -> (Option<Key>, usize) {
    let valid = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    match valid.chars().next() {
        Some(c) => (Some(Key::Char(c)), c.len_utf8()),
        None => (None, 1),
    }
}

/// What follows an escape: the key, if it is known, and how many bytes make it; none for a key of
/// its own.
fn sequence(after: &[u8]) -> Option<(Option<Key>, usize)> {
    let (b'[' | b'O') = after.first()? else { return None };
    let end = after.iter().skip(1).position(|byte| (0x40..=0x7e).contains(byte))? + 1;
    let key = match &after[1..=end] {
        b"A" => Some(Key::Up),
        b"B" => Some(Key::Down),
        b"5~" => Some(Key::PageUp),
        b"6~" => Some(Key::PageDown),
        b"H" | b"1~" | b"7~" => Some(Key::Home),
        b"F" | b"4~" | b"8~" => Some(Key::End),
        _ => None,
    };
    Some((key, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys that these bytes are, in parts that come at once, and after them nothing.
    fn read(parts: &[&[u8]]) -> Vec<Key> {
        let mut keys = Keys::new();
        let now = Instant::now();
        let mut all: Vec<Key> = parts.iter().flat_map(|part| keys.read(part, now)).collect();
        all.extend(keys.read(b"", now + PATIENCE));
        assert!(keys.part.is_empty(), "{keys:?}");
        all
    }

    #[test]
    fn keys_are_told_apart() {
        let cases: [(&[u8], &[Key]); 9] = [
            (b"q", &[Key::Char('q')]),
            ("jé日".as_bytes(), &[Key::Char('j'), Key::Char('é'), Key::Char('日')]),
            (b"\x1b[A\x1bOB", &[Key::Up, Key::Down]),
            (b"\x1b[5~\x1b[6~\x1b[1~\x1b[F", &[Key::PageUp, Key::PageDown, Key::Home, Key::End]),
            (b"\x1b", &[Key::Escape]),
            (b"\x1b[1;5Cx", &[Key::Char('x')]),
            (b"\x03\r\x7f", &[Key::Ctrl('c'), Key::Enter, Key::Backspace]),
            (b"\xffa\x00", &[Key::Char('a')]),
            (b"", &[]),
        ];
        for (bytes, keys) in cases {
            assert_eq!(read(&[bytes]), keys, "{bytes:?}");
        }
    }

    #[test]
    fn keys_may_come_in_parts() {
        assert_eq!(read(&[b"\x1b", b"[B"]), [Key::Down]);
        let parts: [&[u8]; 4] = [b"j\x1b[", b"6", b"~\xc3", b"\xa9"];
        assert_eq!(read(&parts), [Key::Char('j'), Key::PageDown, Key::Char('é')]);
    }

    #[test]
    fn escape_is_one_that_nothing_follows() {
        let mut keys = Keys::new();
        let now = Instant::now();
        assert_eq!(keys.read(b"\x1b", now), []);
        assert_eq!(keys.read(b"", now + PATIENCE / 2), []);
        assert_eq!(keys.read(b"", now + PATIENCE), [Key::Escape]);
        assert_eq!(keys.read(b"\x1bq", now), [Key::Escape, Key::Char('q')]);
        assert_eq!(read(&[b"\x1b[111111111111111111111"]).first(), Some(&Key::Escape));
    }

    #[test]
    fn any_bytes_have_an_end() {
        for first in 0..=255 {
            for second in 0..=255 {
                read(&[&[first, second, b'[', 0x1b, b'[']]);
            }
        }
    }
}
