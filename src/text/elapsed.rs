// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durations as text.

use std::fmt;

/// A time that passed, in nanoseconds, shown with three digits: `812 ns`, `3.21 ms`, `2m 05s`.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed(pub u64);

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0;
        let secs = ns / 1_000_000_000;
        let (unit, name) = match ns {
            0..1_000 => return f.pad(&format!("{ns} ns")),
            1_000..1_000_000 => (1_000, "us"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            1_000_000_000..60_000_000_000 => (1_000_000_000, "s"),
            _ => {
                let (big, small, names) = match secs {
                    0..3_600 => (secs / 60, secs % 60, "ms"),
                    3_600..86_400 => (secs / 3_600, secs / 60 % 60, "hm"),
                    _ => (secs / 86_400, secs / 3_600 % 24, "dh"),
                };
                let (big_name, small_name) = names.split_at(1);
                return f.pad(&format!("{big}{big_name} {small:02}{small_name}"));
            }
        };
        let (whole, thousandths) = (ns / unit, ns % unit * 1_000 / unit);
        f.pad(&match whole {
            0..10 => format!("{whole}.{:02} {name}", thousandths / 10),
            10..100 => format!("{whole}.{} {name}", thousandths / 100),
            _ => format!("{whole} {name}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_times_have_three_digits() {
        let texts = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_005, "1.00 us"),
            (3_219_999, "3.21 ms"),
            (32_100_000, "32.1 ms"),
            (999_999_999, "999 ms"),
            (59_999_999_999, "59.9 s"),
            (125_000_000_000, "2m 05s"),
            (3_600_000_000_000, "1h 00m"),
            (100_000_000_000_000, "1d 03h"),
            (u64::MAX, "213503d 23h"),
        ];
        for (ns, text) in texts {
            assert_eq!(Elapsed(ns).to_string(), text);
        }
        assert_eq!(format!("{:>9}", Elapsed(1_000)), "  1.00 us");
    }
}
