// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines that fit on the screen, and the bytes that put them there.

use unicode_width::UnicodeWidthStr as _;

use crate::text::style::{BOLD, RESET, Style};

/// For what is chosen; no colour, so that it shows without any.
pub const REVERSE: &str = "\x1b[7m";

/// A line that is being written; what finds no room is cut.
#[derive(Debug)]
pub struct Line {
    style: Style,
    left: usize,
    text: String,
}

impl Line {
    /// An empty one, for so many columns.
    pub fn new(style: Style, columns: usize) -> Self {
        Self { style, left: columns, text: String::new() }
    }

    /// Appends text that has been escaped.
    pub fn put(&mut self, text: &str) {
        if self.left == 0 {
            return;
        }
        let shown = self.style.cut(text, Some(self.left));
        self.left -= shown.width().min(self.left);
        self.text.push_str(&shown);
    }

    /// Appends text in a terminal's sequence; colours only where they are wanted.
    pub fn put_in(&mut self, sequence: &'static str, text: &str) {
        let plain = !self.style.color && sequence != REVERSE && sequence != BOLD;
        let (sequence, reset) = if plain { ("", "") } else { (sequence, RESET) };
        self.text.push_str(sequence);
        self.put(text);
        self.text.push_str(reset);
    }

    /// Appends text and blanks, so many columns together.
    pub fn put_cell(&mut self, text: &str, width: usize) {
        let left_then = self.left.saturating_sub(width);
        self.put(&self.style.cut(text, Some(width)));
        let blanks = self.left.saturating_sub(left_then);
        self.text.extend(std::iter::repeat_n(' ', blanks));
        self.left -= blanks;
    }

    /// Fills it with blanks.
    pub fn fill(mut self) -> Self {
        self.text.extend(std::iter::repeat_n(' ', self.left));
        self.left = 0;
        self
    }

    /// The line.
    pub fn end(self) -> String {
        self.text
    }
}

/// Appends what makes a screen show these lines and nothing else. What was there is erased before a
/// line's text, not after it: where lines don't wrap, the cursor then stands on the last column of
/// one that fills the screen, and its last character would go, too.
pub fn show(lines: &[String], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[H");
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(b"\r\n");
        }
        let is_last = i + 1 == lines.len();
        out.extend_from_slice(if is_last { b"\x1b[J" } else { b"\x1b[K" });
        out.extend_from_slice(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_cut() {
        let style = Style { unicode: true, color: true, width: None };
        let mut line = Line::new(style, 8);
        line.put("ab");
        line.put_in(BOLD, "cdef");
        line.put("ghij");
        line.put("k");
        assert_eq!(line.end(), "ab\x1b[1mcdef\x1b[0mg…");
        let mut plain = Line::new(Style::default(), 4);
        plain.put_in(crate::text::style::RED, "ab");
        assert_eq!(plain.fill().end(), "ab  ");
    }

    /// No sequence that erases comes while the cursor may stand on a line's last character.
    #[test]
    fn what_was_there_is_erased_before_a_line() {
        let mut out = Vec::new();
        show(&["abc…".to_owned(), String::new(), "de".to_owned()], &mut out);
        let shown = String::from_utf8(out).expect("UTF-8");
        assert_eq!(shown, "\x1b[H\x1b[Kabc…\r\n\x1b[K\r\n\x1b[Jde");
    }
}
