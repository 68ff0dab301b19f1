// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of bounded length: a capture may be noise without a line end for gigabytes.

use std::io::{self, BufRead as _, BufReader, Read};

use memchr::memchr;

/// The longest line that is kept. The kernel caps a process' arguments at 6 MiB, but a line of
/// a capture has at most a few of their kilobytes.
pub const MAX_LINE: usize = 4 << 20;
/// Few reads, and still within a core's second-level cache.
pub const BUFFER_SIZE: usize = 256 << 10;

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// With a line end behind it.
    Whole(&'a [u8]),
    /// The input ends before its line end.
    Last(&'a [u8]),
    /// More than [`MAX_LINE`] bytes, which were skipped.
    TooLong,
}

/// Splits an input into lines. One that lies in the input's buffer is not copied.
#[derive(Debug)]
pub struct Lines<R> {
    input: BufReader<R>,
    /// Bytes of the input's buffer that belong to the line handed out last.
    taken: usize,
    /// A line that began in an earlier buffer.
    kept: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`.
    pub fn new(input: R) -> Self {
        Self::with_capacity(BUFFER_SIZE, input)
    }

    /// The lines of `input`, of which so many bytes are read at a time.
    pub fn with_capacity(size: usize, input: R) -> Self {
        Self { input: BufReader::with_capacity(size, input), taken: 0, kept: Vec::new(), number: 0 }
    }

    /// The number of the line handed out last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line; none at the end of the input.
    ///
    /// # Errors
    /// The input can't be read on. What came of a line before is dropped.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.input.consume(std::mem::take(&mut self.taken));
        self.kept.clear();
        self.number += 1;
        let mut too_long = false;
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let read = buffer.len();
            let end = memchr(b'\n', buffer);
            let part = end.unwrap_or(read);
            too_long |= self.kept.len() + part > MAX_LINE;
            if too_long {
                self.kept.clear();
            } else if end.is_none() || !self.kept.is_empty() {
                self.kept.extend_from_slice(&buffer[..part]);
            }
            if end.is_some() {
                self.taken = part + 1;
            } else if read > 0 {
                self.input.consume(read);
                continue;
            }
            return Ok(if too_long {
                Some(Line::TooLong)
            } else if end.is_none() {
                (!self.kept.is_empty()).then_some(Line::Last(&self.kept))
            } else if self.kept.is_empty() {
                // The same buffer again: nothing was consumed since.
                Some(Line::Whole(&self.input.fill_buf()?[..part]))
            } else {
                Some(Line::Whole(&self.kept))
            });
        }
    }

    /// Whether the next line can be had without waiting for the input.
    pub fn ready(&self) -> bool {
        self.input.buffer().get(self.taken..).is_some_and(|rest| memchr(b'\n', rest).is_some())
    }

    /// The input.
    pub fn input(&self) -> &R {
        self.input.get_ref()
    }
}
