// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wall-clock times as text.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, Serializer};

/// Nanoseconds since 1970, shown as `2026-11-22T15:04:05.123456789Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rfc3339(pub u64);

impl Rfc3339 {
    /// Reads a time, with any offset; none before 1970 or after 2554.
    pub fn parse(text: &str) -> Option<Self> {
        let time: Timestamp = text.parse().ok()?;
        u64::try_from(time.as_nanosecond()).ok().map(Self)
    }
}

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));
        // Any u64 is within jiff's range, which ends in the year 9999.
        let time = Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or_default();
        f.write_str(&PRINTER.timestamp_to_string(&time))
    }
}

/// Writes times one after the other: those of the same second have all but the fraction in common.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Of `head`: seconds since 1970.
    second: u64,
    /// Up to the point, or empty.
    head: String,
}

impl Clock {
    /// Appends a time.
    #[inline]
    pub fn write(&mut self, time: Rfc3339, out: &mut Vec<u8>) {
        let (second, fraction) = (time.0 / NANOSECONDS, time.0 % NANOSECONDS);
        if self.second != second || self.head.is_empty() {
            self.second = second;
            self.head = time.to_string();
            self.head.truncate("2026-11-22T15:04:05.".len());
        }
        out.extend_from_slice(self.head.as_bytes());
        let mut digits = *b"000000000Z";
        let mut rest = fraction;
        for digit in digits[..9].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&digits);
    }
}

const NANOSECONDS: u64 = 1_000_000_000;

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
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
    fn a_clock_writes_what_each_time_is() {
        let mut clock = Clock::default();
        for ns in [0, 999_999_999, 0, 951_782_400_000_000_001, 951_782_401_100_000_000, u64::MAX] {
            let mut out = Vec::new();
            clock.write(Rfc3339(ns), &mut out);
            assert_eq!(out, Rfc3339(ns).to_string().as_bytes());
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for ns in [0, 1, 951_782_400_000_000_001, u64::MAX] {
            assert_eq!(Rfc3339::parse(&Rfc3339(ns).to_string()), Some(Rfc3339(ns)));
        }
        assert_eq!(Rfc3339::parse("1970-01-01T01:00:00+01:00"), Some(Rfc3339(0)));
        for bad in ["", "now", "1969-12-31T23:59:59Z", "2555-01-01T00:00:00Z"] {
            assert_eq!(Rfc3339::parse(bad), None, "{bad}");
        }
    }
}
