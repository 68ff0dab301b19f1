// SPDX-License-Identifier: MIT OR Apache-2.0
//! The marks on a time axis.

use crate::text::elapsed::Elapsed;

const SECOND: u64 = 1_000_000_000;
const MAX_TICKS: u64 = 10;

/// The times that are marked, in nanoseconds from the left end, with their labels.
pub fn ticks(span_ns: u64) -> Vec<(u64, String)> {
    let step = steps().find(|step| span_ns / step <= MAX_TICKS).unwrap_or(span_ns.max(1));
    let times = (0..=span_ns / step).map(|i| i * step);
    times.map(|ns| (ns, label(ns, step))).collect()
}

/// 1, 2, 5 and their decimal multiples up to 10 s, then parts of minutes, hours and days.
fn steps() -> impl Iterator<Item = u64> {
    let decimal = (0..10).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
    let (minute, hour, day) = (60, 3_600, 86_400);
    let long = [10, 15, 30, minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute]
        .into_iter()
        .chain([hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour])
        .chain([1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 10_000, 100_000].map(|n| n * day));
    decimal.chain(long.map(|secs| secs * SECOND))
}

fn label(ns: u64, step: u64) -> String {
    let (unit, name) = match step {
        _ if ns == 0 => return "0".to_owned(),
        _ if ns >= 60 * SECOND => return Elapsed(ns).to_string(),
        0..1_000 if ns < 1_000 => (1, "ns"),
        0..1_000_000 if ns < 1_000_000 => (1_000, "us"),
        0..SECOND if ns < SECOND => (1_000_000, "ms"),
        _ => (SECOND, "s"),
    };
    format!("{} {name}", ns as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(span_ns: u64) -> Vec<String> {
        ticks(span_ns).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn marks_are_round_and_few() {
        assert_eq!(
            labels(4_000_000),
            ["0", "500 us", "1 ms", "1.5 ms", "2 ms", "2.5 ms", "3 ms", "3.5 ms", "4 ms"]
        );
        assert_eq!(
            labels(150 * SECOND),
            [
                "0", "15 s", "30 s", "45 s", "1m 00s", "1m 15s", "1m 30s", "1m 45s", "2m 00s",
                "2m 15s", "2m 30s"
            ]
        );
        assert_eq!(labels(0), ["0"]);
        for power in 0..64 {
            let count = labels(1 << power).len();
            assert!((2..=11).contains(&count), "{count} marks for {}", 1_u64 << power);
        }
        assert!(labels(u64::MAX).len() <= 11);
    }
}
