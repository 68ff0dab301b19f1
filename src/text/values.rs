// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values that mean the same in all options: times and sizes.

use std::time::Duration;

use jiff::SignedDuration;

/// A positive time: seconds, or one with units.
///
/// # Errors
/// It is none; the text says what one is.
pub fn duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let with_units = || Duration::try_from(text.parse::<SignedDuration>().ok()?).ok();
    match seconds.or_else(with_units) {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("a positive time is needed, in seconds or with units, such as 10, 0.5, 90s, 2m"
            .to_owned()),
    }
}

/// A number of bytes, with K, M or G for powers of 1024.
///
/// # Errors
/// It is none; the text says what one is.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a number of bytes, or one with K, M or G, such as 4M".to_owned();
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    Ok(number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_seconds_or_has_units() {
        let times = [
            ("10", 10_000),
            ("0.25", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h 30m", 5_400_000),
            ("1.5s", 1_500),
            ("250ms", 250),
        ];
        for (text, ms) in times {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "0", "0s", "-1", "-5s", "5s ago", "nan", "inf", "1x", "m", "1e400"] {
            assert!(duration(text).is_err_and(|error| error.contains("90s")), "{text}");
        }
    }
}
