// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where lines end.

/// How many of these bytes to write at once: whole lines of at most `limit` bytes, or a part of
/// one that is longer.
pub fn whole_lines(bytes: &[u8], limit: usize) -> usize {
    let fits = bytes.len().min(limit);
    memchr::memrchr(b'\n', &bytes[..fits]).map_or(fits, |end| end + 1)
}

/// How many lines end in these bytes.
pub fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// The length of the first line.
pub fn first_line(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}
