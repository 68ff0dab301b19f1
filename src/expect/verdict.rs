// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a measure may have been, and what that means for a rule.

use super::rule::Comparison;

/// A measure lies between what was seen for sure and that with all that may have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The least.
    pub low: u64,
    /// The most; none where nothing bounds it.
    pub high: Option<u64>,
}

/// What becomes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, whatever may have been missed.
    Ok,
    /// It doesn't hold, whatever may have been missed.
    Failed,
    /// It depends on what may have been missed.
    Unknown,
}

impl Verdict {
    /// For a comparison with a value.
    pub fn of(Interval { low, high }: Interval, comparison: Comparison, value: u64) -> Self {
        let exact = high == Some(low);
        let within = value >= low && high.is_none_or(|high| value <= high);
        let all_at_most = |limit: u64| high.is_some_and(|high| high <= limit);
        let (all, none) = match comparison {
            Comparison::Equal => (exact && within, !within),
            Comparison::NotEqual => (!within, exact && within),
            Comparison::AtMost => (all_at_most(value), low > value),
            Comparison::More => (low > value, all_at_most(value)),
            Comparison::Less => (high.is_some_and(|high| high < value), low >= value),
            Comparison::AtLeast => (low >= value, high.is_some_and(|high| high < value)),
        };
        match (all, none) {
            (true, _) => Self::Ok,
            (_, true) => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each value of an interval is tried.
    #[test]
    fn it_is_what_all_values_say() {
        for low in 0..6 {
            for high in low..6 {
                for value in 0..7 {
                    for (_, comparison) in Comparison::ALL {
                        let holds: Vec<bool> =
                            (low..=high).map(|measure| comparison.holds(measure, value)).collect();
                        let want = match (holds.contains(&true), holds.contains(&false)) {
                            (true, false) => Verdict::Ok,
                            (false, true) => Verdict::Failed,
                            _ => Verdict::Unknown,
                        };
                        let interval = Interval { low, high: Some(high) };
                        let got = Verdict::of(interval, comparison, value);
                        assert_eq!(got, want, "{interval:?} {comparison:?} {value}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_nothing_bounds_is_known_on_one_side_only() {
        for (_, comparison) in Comparison::ALL {
            for (low, value) in [(0, 0), (3, 2), (2, 3), (3, 3)] {
                // Far enough that no value of the test lies beyond.
                let far = Interval { low, high: Some(u64::MAX) };
                let open = Interval { low, high: None };
                let want = Verdict::of(far, comparison, value);
                assert_eq!(
                    Verdict::of(open, comparison, value),
                    want,
                    "{low} {comparison:?} {value}"
                );
            }
        }
    }
}
