// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers for people.

/// A time with three significant digits and its unit: `412 µs`, `1.20 ms`, `5m03s`. The µ is a u
/// where only ASCII is allowed.
pub fn duration(ns: u64, unicode: bool) -> String {
    let micro = if unicode { "µs" } else { "us" };
    // The limits are where rounding would give four digits.
    let (unit, name) = match ns {
        0..1000 => return format!("{ns} ns"),
        1000..999_500 => (1e3, micro),
        999_500..999_500_000 => (1e6, "ms"),
        999_500_000..99_950_000_000 => (1e9, "s"),
        _ => return long(ns),
    };
    let value = ns as f64 / unit;
    let decimals = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    format!("{value:.decimals$} {name}")
}

/// `1m40s`, `2h05m`, `3d04h`
fn long(ns: u64) -> String {
    let seconds = ns.saturating_add(500_000_000) / 1_000_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        let times = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1000, "1.00 us"),
            (9_994, "9.99 us"),
            (9_996, "10.0 us"),
            (412_300, "412 us"),
            (999_499, "999 us"),
            (999_500, "1.00 ms"),
            (1_204_000, "1.20 ms"),
            (99_949_000_000, "99.9 s"),
            (99_950_000_000, "1m40s"),
            (3_599_400_000_000, "59m59s"),
            (3_600_000_000_000, "1h00m"),
            (86_400_000_000_000, "1d00h"),
        ];
        for (ns, text) in times {
            assert_eq!(duration(ns, false), text);
        }
        assert_eq!(duration(412_300, true), "412 µs");
        assert_eq!(duration(u64::MAX, true), "213503d23h");
    }

    #[test]
    fn digits_come_in_threes() {
        let counts = [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")];
        for (n, text) in counts {
            assert_eq!(count(n), text);
        }
    }
}
