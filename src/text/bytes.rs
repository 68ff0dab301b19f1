// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sizes as text.

use std::fmt;

/// A number of bytes, shown as `ls -h` does: `812`, `1.2K`, `34M`, in powers of 1024, rounded up.
#[derive(Clone, Copy, Debug)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];
        if self.0 < 1024 {
            return f.pad(&self.0.to_string());
        }
        // Below 10 of a unit there is a digit behind the point.
        let found = UNITS.iter().enumerate().find_map(|(i, unit)| {
            let size = 1_u128 << (10 * (i + 1));
            let bytes = u128::from(self.0);
            let tenths = (bytes * 10).div_ceil(size);
            let whole = bytes.div_ceil(size);
            match (tenths, whole) {
                (..100, _) => Some(format!("{}.{}{unit}", tenths / 10, tenths % 10)),
                (_, ..1024) => Some(format!("{whole}{unit}")),
                _ => None,
            }
        });
        f.pad(&found.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_ls() {
        let sizes = [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10 << 10, "10K"),
            ((10 << 10) + 1, "11K"),
            (1023 << 10, "1023K"),
            ((1023 << 10) + 1, "1.0M"),
            (34 << 20, "34M"),
            (5 << 30, "5.0G"),
            (u64::MAX, "16E"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(Bytes(bytes).to_string(), text, "{bytes}");
        }
        assert_eq!(format!("{:>6}", Bytes(1024)), "  1.0K");
    }
}
