// SPDX-License-Identifier: MIT OR Apache-2.0
//! An `Option<u64>` that takes no more room than its number.

/// A number, or none. The greatest one stands for none: as nanoseconds that is 584 years.
#[derive(Clone, Copy, Debug)]
pub struct Maybe(u64);

impl Maybe {
    /// No number.
    pub const NONE: Self = Self(u64::MAX);

    /// The number, if there is one.
    pub fn get(self) -> Option<u64> {
        (self.0 != u64::MAX).then_some(self.0)
    }
}

impl From<Option<u64>> for Maybe {
    fn from(number: Option<u64>) -> Self {
        number.map_or(Self::NONE, Self)
    }
}
