// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text for terminals: names that any user may choose must not steer the terminal.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};
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

/// What steers a terminal, changes the order of text or hides: control and format characters, line
/// and paragraph separators, what no known Unicode has assigned, and what fonts show nothing for.
pub fn misleads(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, Unassigned};
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let category = c.general_category();
    matches!(category, Control | Format | LineSeparator | ParagraphSeparator | Unassigned)
        || is_ignorable(c)
}

/// Of the property `Default_Ignorable_Code_Point`, what is a letter or a mark by its category:
/// fillers, joiners and variation selectors.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}')
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
    fn knows_what_misleads_by_what_unicode_says_of_it() {
        // The soft hyphen, bidirectional controls, fillers, selectors, tags; shorthand, musical
        // and hieroglyphic controls; separators; noncharacters.
        for c in "\u{ad}\u{61c}\u{202e}\u{2066}\u{34f}\u{3164}\u{fe0f}\u{e0001}\u{e01ef}\
                  \u{1bca0}\u{1d173}\u{13430}\u{110bd}\u{6dd}\u{2028}\u{2029}\u{85}\u{ffff}"
            .chars()
        {
            assert!(misleads(c), "{}", c.escape_unicode());
        }
        assert!(!"aß日한नि🦀\u{301}\u{3000}".chars().any(misleads));
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
