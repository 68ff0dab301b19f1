// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the reader's terminal and locale allow.

use std::env;
use std::ffi::OsString;

use crate::output::Output;
use crate::text::style::Style;

/// How to draw on this output: in ASCII where the locale isn't UTF-8, and in colour if `color`
/// says so; where it says nothing, on a terminal, unless `NO_COLOR` is set or it is a dumb one.
pub fn style(output: &Output, color: Option<bool>) -> Style {
    let get = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    Style {
        unicode: is_utf8(get),
        color: color.unwrap_or_else(|| {
            output.is_terminal()
                && get("NO_COLOR").is_none()
                && get("TERM").is_some_and(|term| term != "dumb")
        }),
        width: output.columns(),
    }
}

/// Whether the terminal does what [`to_line_start`] needs: any but a dumb one.
pub fn wraps() -> bool {
    env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Moves the cursor to the start of a line that is free: of this one, if it is there already, else
/// of the next one. Where it is can't be known, for others write, too; but a whole line of blanks
/// wraps, unless it begins at the left: there a terminal waits for one character more.
pub fn to_line_start(columns: usize) -> Vec<u8> {
    let mut moves = vec![b' '; columns];
    moves.extend_from_slice(b"\r\x1b[K");
    moves
}

/// The locale's character set, by the first of the variables that is set, as in locale(7).
fn is_utf8(get: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get);
    let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf8(variables: &[(&str, &str)]) -> bool {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        is_utf8(|name| find(name).map(|(_, value)| value.into()))
    }

    #[test]
    fn the_first_variable_that_is_set_decides() {
        assert!(!utf8(&[]));
        assert!(!utf8(&[("LANG", "C")]));
        assert!(!utf8(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]));
        assert!(utf8(&[("LC_CTYPE", "de_DE.utf8"), ("LANG", "C")]));
        assert!(utf8(&[("LANG", "C.UTF-8")]));
    }
}
