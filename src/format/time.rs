// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wall-clock times as text.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};

/// Nanoseconds since 1970, shown as `2026-11-22T15:04:05.123456789Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rfc3339(pub u64);

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));
        // Any u64 is within jiff's range, which ends in the year 9999.
        let time = Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        f.write_str(&PRINTER.timestamp_to_string(&time))
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

/// A time that passed, in nanoseconds, shown with three digits: `812 ns`, `3.21 ms`, `2m 05s`.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed(pub u64);

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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

/// The wall clock now, in nanoseconds since 1970; 0 for a clock set before.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_nanoseconds() {
        assert_eq!(Rfc3339(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Rfc3339(951_782_400_000_000_001).to_string(), "2000-02-29T00:00:00.000000001Z");
        assert!(Rfc3339(u64::MAX).to_string().starts_with("2554-"));
    }

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
