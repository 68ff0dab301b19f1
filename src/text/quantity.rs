// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers for people.

use std::fmt::Display;

/// A whole number, its digits in groups of three: `1,234,567`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The name of so many: `process`, `processes`.
pub fn plural<N: PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let ending = match noun {
        _ if n == N::from(1) => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{noun}{ending}")
}

/// So many of what has this name: `1 process`, `2 processes`.
pub fn counted<N: Display + Copy + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    format!("{n} {}", plural(n, noun))
}

/// `1 process was`, `2 processes were`
pub fn were<N: Display + Copy + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let verb = if n == N::from(1) { "was" } else { "were" };
    format!("{} {verb}", counted(n, noun))
}

/// `1 event is`, `2 events are`
pub fn are<N: Display + Copy + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let verb = if n == N::from(1) { "is" } else { "are" };
    format!("{} {verb}", counted(n, noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        let counts = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (n, text) in counts {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn one_is_no_plural() {
        let texts = [0_u64, 1, 2].map(|n| counted(n, "process") + ", " + &counted(n, "exec"));
        assert_eq!(texts, ["0 processes, 0 execs", "1 process, 1 exec", "2 processes, 2 execs"]);
        assert_eq!([1_u8, 2].map(|n| were(n, "event")), ["1 event was", "2 events were"]);
        assert_eq!([1_u8, 2].map(|n| are(n, "event")), ["1 event is", "2 events are"]);
    }
}
