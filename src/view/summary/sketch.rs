// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quantiles of times in little memory: there may be very many groups, most of them of few processes,
//! for each of which a histogram would take 30 KiB.

/// Each power of two has 2 to the power of this as parts.
const PARTS: u32 = 6;

/// Times, as how many lie in each part that has any.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// Parts with their counts, in order.
    parts: Vec<(u16, u64)>,
    sum: u64,
    count: u64,
    /// The shortest and the longest.
    range: Option<(u64, u64)>,
}

impl Sketch {
    /// Counts one.
    pub fn record(&mut self, ns: u64) {
        self.sum = self.sum.saturating_add(ns);
        self.count += 1;
        let (min, max) = self.range.unwrap_or((ns, ns));
        self.range = Some((min.min(ns), max.max(ns)));
        let part = part(ns);
        match self.parts.binary_search_by_key(&part, |(part, _)| *part) {
            Ok(at) => self.parts[at].1 += 1,
            Err(at) => self.parts.insert(at, (part, 1)),
        }
    }

    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The time that so many of all don't exceed, to 1/128; none where there are no times.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let (min, max) = self.range?;
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let at = self.parts.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        at.map(|&(part, _)| middle_of(part).clamp(min, max))
    }
}

/// Below 64 each time has a part of its own.
fn part(ns: u64) -> u16 {
    let power = ns.max(1).ilog2().saturating_sub(PARTS);
    ((power << PARTS) + (ns >> power) as u32) as u16
}

fn middle_of(part: u16) -> u64 {
    let part = u64::from(part);
    let power = (part >> PARTS).saturating_sub(1);
    let first = (part - (power << PARTS)) << power;
    first + ((1 << power) - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_lies_in_its_part() {
        let edges = (0..64).flat_map(|power| {
            let edge = 1_u64 << power;
            [edge - 1, edge, edge + 1, edge + edge / 3]
        });
        let mut before = (0, 0);
        let mut times: Vec<u64> = edges.chain(0..10_000).chain([u64::MAX]).collect();
        times.sort_unstable();
        for ns in times {
            let (part, middle) = (part(ns), middle_of(part(ns)));
            assert!(middle.abs_diff(ns) <= ns / 127, "{ns} in {part} around {middle}");
            assert!((part, middle) >= before, "{ns}");
            before = (part, middle);
        }
    }

    #[test]
    fn quantiles_are_those_of_a_sorted_list() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.quantile(0.5), None);
        let mut times: Vec<u64> = (1..=1000).map(|n| n * n * 37).collect();
        times.iter().rev().for_each(|&ns| sketch.record(ns));
        times.sort_unstable();
        for (quantile, rank) in [(0.5, 500), (0.99, 990), (1.0, 1000)] {
            let (got, want) = (sketch.quantile(quantile).expect("some"), times[rank - 1]);
            assert!(got.abs_diff(want) <= want / 127, "{quantile}: {got} for {want}");
        }
        assert_eq!(sketch.sum(), times.iter().sum::<u64>());
        let mut one = Sketch::default();
        one.record(123_456_789);
        assert_eq!(one.quantile(0.01), Some(123_456_789));
    }
}
