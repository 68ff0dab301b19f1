// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the user's locale allows.

use std::env;

/// Whether the terminal takes more than ASCII: the first of the variables that is set decides,
/// as in setlocale(3).
pub fn is_utf8() -> bool {
    let value = |name| env::var(name).ok().filter(|value| !value.is_empty());
    let charset = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(value);
    charset.is_some_and(|charset| {
        let charset = charset.to_ascii_lowercase();
        charset.contains("utf-8") || charset.contains("utf8")
    })
}
