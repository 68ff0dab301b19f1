// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much CPU time was used when, as far as those that ended tell.

/// So many spans at most: when there are more, each two become one.
const SPANS: usize = 128;
/// The shortest span.
const SHORTEST_NS: u64 = 1_000_000;

/// CPU time by time. When in its life a process used it isn't known: it counts as used evenly.
#[derive(Debug)]
pub struct Usage {
    /// When the first span begins; none before the first process.
    from_ns: Option<u64>,
    span_ns: u64,
    used_ns: Vec<f64>,
}

impl Default for Usage {
    fn default() -> Self {
        Self { from_ns: None, span_ns: SHORTEST_NS, used_ns: Vec::new() }
    }
}

impl Usage {
    /// Nothing that was used before counts, and the spans begin here.
    pub fn begin(&mut self, ns: u64) {
        self.from_ns.get_or_insert(ns);
    }

    /// A process that lived in this time used so much.
    pub fn add(&mut self, begin_ns: u64, end_ns: u64, cpu_ns: u64) {
        let from_ns = *self.from_ns.get_or_insert(begin_ns);
        let Some(last) = end_ns.checked_sub(from_ns) else { return };
        while last / self.span_ns >= SPANS as u64 {
            self.used_ns = self.used_ns.chunks(2).map(|two| two.iter().sum()).collect();
            self.span_ns = self.span_ns.saturating_mul(2);
        }
        let (first, last) = (begin_ns.saturating_sub(from_ns), last);
        let lived = end_ns.saturating_sub(begin_ns).max(1) as f64;
        let spans = (first / self.span_ns) as usize..=(last / self.span_ns) as usize;
        if self.used_ns.len() <= *spans.end() {
            self.used_ns.resize(*spans.end() + 1, 0.0);
        }
        for span in spans {
            let begin = (span as u64 * self.span_ns).max(first);
            let end = (span as u64 + 1)
                .saturating_mul(self.span_ns)
                .min(last.max(first.saturating_add(1)));
            let part = end.saturating_sub(begin) as f64 / lived;
            self.used_ns[span] += cpu_ns as f64 * part.min(1.0);
        }
    }

    /// When the first span begins; none where nothing was counted.
    pub fn began_ns(&self) -> Option<u64> {
        self.from_ns
    }

    /// The span's length in nanoseconds, and how many CPUs were used in each, to four digits.
    pub fn figures(&self) -> (u64, Vec<f64>) {
        let span = self.span_ns as f64;
        let digits = |cpus: f64| (cpus * 1e4).round() / 1e4;
        (self.span_ns, self.used_ns.iter().map(|used| digits(used / span)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(usage: &Usage) -> f64 {
        let (span_ns, used) = usage.figures();
        used.iter().sum::<f64>() * span_ns as f64
    }

    #[test]
    fn nothing_is_added_and_nothing_is_lost() {
        let mut usage = Usage::default();
        usage.begin(1_000);
        usage.add(1_000, 3_001_000, 3_000_000);
        let (span_ns, used) = usage.figures();
        assert_eq!((span_ns, used.len()), (1_000_000, 4));
        for (got, want) in used.iter().zip([1.0, 1.0, 1.0, 0.0]) {
            assert!((got - want).abs() < 1e-9, "{used:?}");
        }
        // Far behind: the spans become longer.
        usage.add(10_000_000_000, 10_000_000_001, 500);
        assert!((all(&usage) - 3_000_500.0).abs() < 20_000.0, "{}", all(&usage));
        assert!(usage.figures().1.len() <= SPANS);
        // Of what began before, the part since then.
        let mut usage = Usage::default();
        usage.begin(5_000_000);
        usage.add(0, 10_000_000, 1_000);
        assert!((all(&usage) - 500.0).abs() < 100.0, "{}", all(&usage));
        usage.add(0, 1, 7);
        usage.add(u64::MAX - 5, u64::MAX, 7);
        usage.add(9, 3, 7);
    }
}
