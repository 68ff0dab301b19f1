// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys, from what a terminal sends for them.

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

/// The keys in these bytes, which came at once. What isn't known is left out.
pub fn read(mut bytes: &[u8]) -> Vec<Key> {
    let mut keys = Vec::new();
    while let Some(&first) = bytes.first() {
        let (key, len) = match first {
            0x1b => {
                sequence(&bytes[1..]).map_or((Some(Key::Escape), 1), |(key, len)| (key, 1 + len))
            }
            b'\r' | b'\n' => (Some(Key::Enter), 1),
            0x7f | 0x08 => (Some(Key::Backspace), 1),
            1..=26 => (Some(Key::Ctrl(char::from(b'a' + first - 1))), 1),
            0..=0x1f => (None, 1),
            _ => character(bytes),
        };
        keys.extend(key);
        bytes = &bytes[len..];
    }
    keys
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
            assert_eq!(read(bytes), keys, "{bytes:?}");
        }
    }

    #[test]
    fn any_bytes_have_an_end() {
        for first in 0..=255 {
            for second in 0..=255 {
                read(&[first, second, b'[', 0x1b, b'[']);
            }
        }
    }
}
