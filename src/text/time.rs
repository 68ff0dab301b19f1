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
