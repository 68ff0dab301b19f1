// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text for terminals: names that any user may choose must not steer the terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Appends `bytes` so that they show as they are and do nothing else: what isn't UTF-8, control
/// characters, and characters that reorder or hide text become `\xNN` or `\u{NNNN}`, a backslash
/// is doubled.
pub fn escape(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                c if c.is_ascii_control() => push_hex(c as u8, out),
                c if misleads(c) => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for &byte in chunk.invalid() {
            push_hex(byte, out);
        }
    }
}

/// Fills `text` with blanks up to `width` columns, with at least one behind it.
pub fn pad(text: &mut String, width: usize) {
    let blanks = width.saturating_sub(text.width()).max(1);
    text.extend(std::iter::repeat_n(' ', blanks));
}

/// As much of the text as fits, all of it or up to the last column but one: there goes a mark.
pub fn fit(text: &str, columns: usize) -> &str {
    if text.width() <= columns {
        return text;
    }
    let mut left = columns.saturating_sub(1);
    let too_wide = |c: char| match left.checked_sub(c.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            false
        }
        None => true,
    };
    text.find(too_wide).map_or(text, |end| &text[..end])
}

/// Appends `\xNN`.
pub fn push_hex(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.push_str("\\x");
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// Control characters, line and paragraph separators, and the format characters (general category Cf)
/// that change the order of text or take no room.
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = String::new();
        escape(bytes, &mut out);
        out
    }

    #[test]
    fn leaves_readable_text_alone() {
        assert_eq!(escaped("kworker/0:1 — naïve 日本".as_bytes()), "kworker/0:1 — naïve 日本");
    }

    #[test]
    fn shows_what_would_steer_a_terminal() {
        assert_eq!(escaped(b"\x1b[2J\n\x7f"), "\\x1b[2J\\x0a\\x7f");
        assert_eq!(escaped("\u{9b}2J".as_bytes()), "\\u{9b}2J");
        assert_eq!(escaped("a\u{202e}b".as_bytes()), "a\\u{202e}b");
    }

    #[test]
    fn shows_what_is_not_utf8() {
        assert_eq!(escaped(b"a\xff\xc3"), "a\\xff\\xc3");
    }

    #[test]
    fn cannot_be_imitated() {
        assert_eq!(escaped(b"\\x1b"), "\\\\x1b");
    }

    #[test]
    fn pads_to_columns_and_never_to_none() {
        let mut text = "日本".to_owned();
        pad(&mut text, 6);
        assert_eq!(text, "日本  ");
        pad(&mut text, 6);
        assert_eq!(text, "日本   ");
    }
}
