// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clocks, as this process sees them and as the kernel's own, which events have.

use std::fs;
use std::sync::LazyLock;

use rustix::time::{ClockId, clock_gettime};

/// A clock in nanoseconds.
pub fn now_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    // Not negative: the clocks begin at 0, and a time namespace refuses what would make them so.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// `CLOCK_MONOTONIC` as events have it, in a time namespace, too.
pub fn monotonic_ns() -> u64 {
    now_ns(ClockId::Monotonic).saturating_add_signed(-OFFSETS.monotonic)
}

/// The kernel's own `CLOCK_BOOTTIME` at an instant that this process knows by its own, such as the
/// start of a process in /proc.
pub fn boottime_ns(own_ns: u64) -> u64 {
    own_ns.saturating_add_signed(-OFFSETS.boottime)
}

/// What the time namespace of this process adds to the kernel's clocks, in nanoseconds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Offsets {
    monotonic: i64,
    boottime: i64,
}

static OFFSETS: LazyLock<Offsets> = LazyLock::new(|| {
    // CONFIG_TIME_NS=n has no such file.
    let text = fs::read_to_string("/proc/self/timens_offsets");
    Offsets::parse(&text.unwrap_or_default())
});

impl Offsets {
    /// As `time_namespaces(7)` has them: a line a clock, with seconds and nanoseconds.
    fn parse(text: &str) -> Self {
        let of = |clock| {
            let mut words = text.lines().map(str::split_ascii_whitespace);
            let mut words =
                words.find_map(|mut words| (words.next() == Some(clock)).then_some(words))?;
            let seconds: i64 = words.next()?.parse().ok()?;
            let rest: i64 = words.next()?.parse().ok()?;
            seconds.checked_mul(1_000_000_000)?.checked_add(rest)
        };
        let monotonic = of("monotonic").unwrap_or_default();
        Self { monotonic, boottime: of("boottime").unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_namespaces_offsets_may_be_negative() {
        let text = "monotonic          -1 500000000\nboottime         1000         7\n";
        let want = Offsets { monotonic: -500_000_000, boottime: 1_000_000_000_007 };
        assert_eq!(Offsets::parse(text), want);
        assert_eq!(Offsets::parse(""), Offsets::default());
        assert_eq!(Offsets::parse("monotonic x y\nboottime 1"), Offsets::default());
    }
}
