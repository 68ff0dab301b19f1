// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines of bounded length, out of reads of any size.

use std::io::{self, Read};

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

use tuxscope::replay::{Line, Lines, MAX_LINE};

/// Gives at most so many bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = buffer.len().min(self.1);
        self.0.read(&mut buffer[..size])
    }
}

#[derive(Debug, PartialEq)]
enum Got {
    Whole(Vec<u8>),
    Last(Vec<u8>),
    TooLong,
}

fn lines(input: impl Read) -> Vec<Got> {
    let mut lines = Lines::new(input);
    let mut all = Vec::new();
    while let Some(line) = lines.next_line().unwrap() {
        all.push(match line {
            Line::Whole(text) => Got::Whole(text.to_vec()),
            Line::Last(text) => Got::Last(text.to_vec()),
            Line::TooLong => Got::TooLong,
        });
        assert_eq!(lines.number(), all.len() as u64);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn lines_are_what_lies_between_line_ends(
        input in vec(proptest::sample::select(b"ab\n".to_vec()), 0..300),
        size in 1..9_usize,
    ) {
        let mut want: Vec<Got> =
            input.split(|&byte| byte == b'\n').map(|line| Got::Whole(line.to_vec())).collect();
        match want.pop() {
            Some(Got::Whole(last)) if !last.is_empty() => want.push(Got::Last(last)),
            _ => {}
        }
        prop_assert_eq!(lines(Trickle(&input, size)), want);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 16, ..Default::default() })]

    #[test]
    fn long_lines_are_skipped_whole(
        lengths in vec(MAX_LINE - 2..MAX_LINE + 3, 1..4),
        size in 60_000..300_000_usize,
        end in any::<bool>(),
    ) {
        let mut input = Vec::new();
        for &length in &lengths {
            input.resize(input.len() + length, b'x');
            input.push(b'\n');
        }
        if !end {
            input.pop();
        }
        let got: Vec<usize> = lines(Trickle(&input, size)).into_iter().map(|line| match line {
            Got::Whole(text) | Got::Last(text) => text.len(),
            Got::TooLong => 0,
        }).collect();
        let want: Vec<usize> =
            lengths.iter().map(|&length| if length > MAX_LINE { 0 } else { length }).collect();
        prop_assert_eq!(got, want);
    }
}

#[test]
fn a_read_that_is_interrupted_is_repeated() {
    struct Interrupted(u32);
    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 | 3 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    buffer[..2].copy_from_slice(b"ab");
                    Ok(2)
                }
                4 => {
                    buffer[..2].copy_from_slice(b"c\n");
                    Ok(2)
                }
                _ => Ok(0),
            }
        }
    }
    assert_eq!(lines(Interrupted(0)), [Got::Whole(b"abc".to_vec())]);
}
