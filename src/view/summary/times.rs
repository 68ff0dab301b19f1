// SPDX-License-Identifier: MIT OR Apache-2.0
//! A distribution of times, every one of them counted.

use hdrhistogram::{Counter, Histogram};

use super::figures::{Bin, Spread};

/// 73 years, near the largest value that a histogram takes. Only a broken capture has more.
const LONGEST_NS: u64 = 1 << 61;

/// Times with `DIGITS` significant decimal digits; C is what a bucket counts with. 2 digits take
/// up to 30 KiB at 4 bytes a count, 3 digits 450 KiB at 8.
#[derive(Debug)]
pub struct Times<C: Counter, const DIGITS: u8> {
    histogram: Option<Histogram<C>>,
    min_ns: u64,
    max_ns: u64,
}

impl<C: Counter, const DIGITS: u8> Default for Times<C, DIGITS> {
    fn default() -> Self {
        Self { histogram: None, min_ns: u64::MAX, max_ns: 0 }
    }
}

impl<C: Counter, const DIGITS: u8> Times<C, DIGITS> {
    /// Counts one.
    pub fn record(&mut self, ns: u64) {
        const { assert!(DIGITS <= 5, "more are refused") };
        let ns = ns.min(LONGEST_NS);
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        if self.histogram.is_none() {
            self.histogram = Histogram::new(DIGITS).ok();
        }
        if let Some(histogram) = &mut self.histogram {
            // It grows up to LONGEST_NS.
            let _ = histogram.record(ns);
        }
    }

    /// The figures: the extremes are exact, the rest as exact as the digits allow.
    pub fn spread(&self) -> Spread {
        let Some(times) = &self.histogram else { return Spread::default() };
        let at = |quantile| times.value_at_quantile(quantile).clamp(self.min_ns, self.max_ns);
        let power = |ns: u64| ns.checked_ilog2().unwrap_or(0);
        let bins = (power(self.min_ns)..=power(self.max_ns)).map(|power| {
            let from_ns = 1_u64 << power;
            // 0 lies with 1. The histogram's buckets end at powers of two, too.
            let low = if power == 0 { 0 } else { from_ns };
            Bin { from_ns, count: times.count_between(low, 2 * from_ns - 1) }
        });
        Spread {
            count: times.len(),
            min_ns: self.min_ns,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            max_ns: self.max_ns,
            histogram: bins.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(times: impl IntoIterator<Item = u64>) -> Spread {
        let mut all = Times::<u64, 3>::default();
        times.into_iter().for_each(|ns| all.record(ns));
        all.spread()
    }

    #[test]
    fn percentiles_are_exact_to_their_digits_and_extremes_wholly() {
        let spread = spread((1..=10_000).map(|us| us * 1000));
        assert_eq!((spread.count, spread.min_ns, spread.max_ns), (10_000, 1000, 10_000_000));
        for (got, want) in
            [(spread.p50_ns, 5_000_000), (spread.p90_ns, 9_000_000), (spread.p99_ns, 9_900_000)]
        {
            assert!(u64::abs_diff(got, want) * 1000 <= want, "{got} for {want}");
        }
    }

    #[test]
    fn the_bins_lie_between_powers_of_two_and_hold_everything() {
        let spread = spread([0, 1, 2, 3, 4, 1023, 1024, 1 << 40, (1 << 41) - 1, u64::MAX]);
        let bins = &spread.histogram;
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 10);
        let full: Vec<_> =
            bins.iter().filter(|bin| bin.count > 0).map(|bin| (bin.from_ns, bin.count)).collect();
        let want = [(1, 2), (2, 2), (4, 1), (512, 1), (1024, 1), (1 << 40, 2), (LONGEST_NS, 1)];
        assert_eq!(full, want);
        assert_eq!(bins[0].from_ns, 1);
    }

    #[test]
    fn nothing_gives_zeros() {
        let spread = spread([]);
        assert_eq!((spread.count, spread.p99_ns, spread.histogram.len()), (0, 0, 0));
    }

    #[test]
    fn one_time_is_every_percentile() {
        let spread = spread([123_456_789]);
        assert_eq!([spread.p50_ns, spread.p90_ns, spread.p99_ns], [123_456_789; 3]);
    }
}
