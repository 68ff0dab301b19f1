// SPDX-License-Identifier: MIT OR Apache-2.0
//! Points in time as people give them, as in journalctl(1).

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

/// Nanoseconds since 1970 of `2026-11-23T14:00:00Z`, `2026-11-23 14:00`, `2026-11-23` (its begin),
/// `14:00` (of today), `today`, `yesterday`, `now`, `-2h` (before now), or `@1700000000.5` (seconds since
/// 1970); local time where the text names no other.
///
/// # Errors
/// It is none; the text says what one is.
pub fn parse(text: &str) -> Result<u64, String> {
    at(text, &Zoned::now())
}

fn at(text: &str, now: &Zoned) -> Result<u64, String> {
    let zone = now.time_zone();
    let found = match text {
        "now" => Some(now.timestamp()),
        "today" => begin_of(now.date(), zone),
        "yesterday" => now.date().yesterday().ok().and_then(|date| begin_of(date, zone)),
        _ => before(text, now)
            .or_else(|| since_1970(text.strip_prefix('@')?))
            .or_else(|| text.parse().ok())
            .or_else(|| local(text.parse::<DateTime>().ok()?, zone))
            .or_else(|| begin_of(text.parse().ok()?, zone))
            .or_else(|| local(now.date().to_datetime(text.parse().ok()?), zone)),
    };
    let ns = found.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    ns.ok_or_else(|| {
        "a time is needed, such as 2026-11-23T14:00:00Z, '2026-11-23 14:00', 14:00, today, yesterday, \
         now or -2h"
            .to_owned()
    })
}

/// So long before now.
fn before(text: &str, now: &Zoned) -> Option<Timestamp> {
    let ago: SignedDuration = text.strip_prefix('-')?.trim_start().parse().ok()?;
    if ago.is_negative() { None } else { now.timestamp().checked_sub(ago).ok() }
}

fn since_1970(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    let ns = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, ns).ok()
}

fn begin_of(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    local(date.to_datetime(jiff::civil::Time::midnight()), zone)
}

fn local(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    time.to_zoned(zone.clone()).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_journalctl() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now: DateTime = "2026-11-23T14:30:00".parse().expect("a time");
        let now = now.to_zoned(zone).expect("a time");
        let seconds = |text: &str| at(text, &now).map(|ns| ns / 1_000_000_000);
        let of = |text: &str| text.parse::<Timestamp>().expect(text).as_second() as u64;
        for (text, utc) in [
            ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z"),
            ("2026-11-23T12:00:00+05:00", "2026-11-23T07:00:00Z"),
            ("2026-11-23 14:00", "2026-11-23T13:00:00Z"),
            ("2026-11-23T14:00:05", "2026-11-23T13:00:05Z"),
            ("2026-11-23", "2026-11-22T23:00:00Z"),
            ("14:00", "2026-11-23T13:00:00Z"),
            ("today", "2026-11-22T23:00:00Z"),
            ("yesterday", "2026-11-21T23:00:00Z"),
            ("now", "2026-11-23T13:30:00Z"),
            ("-2h", "2026-11-23T11:30:00Z"),
            ("-90s", "2026-11-23T13:28:30Z"),
            ("@1795438800", "2026-11-23T13:00:00Z"),
            ("@1795438800.250", "2026-11-23T13:00:00.25Z"),
            ("-1h 30m", "2026-11-23T12:00:00Z"),
        ] {
            assert_eq!(seconds(text), Ok(of(utc)), "{text}");
        }
        for text in [
            "",
            "-",
            "2h",
            "tomorrow",
            "2026-13-01",
            "25:00",
            "1969-01-01T00:00:00Z",
            "--2h",
            "@",
            "@x",
            "@1.",
            "@1.-5",
        ] {
            assert!(seconds(text).is_err_and(|error| error.contains("-2h")), "{text}");
        }
    }
}
