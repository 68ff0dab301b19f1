// SPDX-License-Identifier: MIT OR Apache-2.0
//! How to draw for a reader.

use crate::text;

/// For headings: a terminal sequence, as the next ones.
pub const BOLD: &str = "\x1b[1m";
/// For what can wait.
pub const DIM: &str = "\x1b[2m";
/// For what failed.
pub const RED: &str = "\x1b[1;31m";
/// For what is worth a look.
pub const YELLOW: &str = "\x1b[33m";
/// Ends any of them.
pub const RESET: &str = "\x1b[0m";

/// What the reader's terminal can show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Characters beyond ASCII.
    pub unicode: bool,
    /// Colours.
    pub color: bool,
    /// So many columns; none: as many as a line needs.
    pub width: Option<usize>,
}

impl Style {
    /// The sequence, where colours are wanted.
    pub fn color(self, sequence: &'static str) -> &'static str {
        if self.color { sequence } else { "" }
    }

    /// As much of the text as there is room for, with a mark where it was cut, in characters that
    /// can be shown.
    pub fn cut(self, text: &str, room: Option<usize>) -> String {
        let shown = room.map_or(text, |room| text::fit(text, room));
        let mut cut = shown.to_owned();
        if shown.len() < text.len() {
            cut.push(if self.unicode { '…' } else { '>' });
        }
        if !self.unicode && !cut.is_ascii() {
            cut = cut.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_to_the_room_there_is() {
        let style = Style { unicode: true, ..Style::default() };
        assert_eq!(style.cut("long text", Some(9)), "long text");
        assert_eq!(style.cut("long text", Some(6)), "long …");
        assert_eq!(style.cut("日本語", Some(4)), "日…");
        assert_eq!(style.cut("long text", None), "long text");
        assert_eq!(Style::default().cut("long text", Some(6)), "long >");
        assert_eq!(Style::default().cut("naïve", None), "na?ve");
    }
}
