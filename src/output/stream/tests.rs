// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of the stream: what blocks, is given up, and stays whole.

use std::io::Read as _;
use std::os::fd::OwnedFd;

use super::*;

fn piped() -> (File, Output) {
    let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
    let file = Unblocked::inherited(OwnedFd::as_fd(&writer)).expect("a pipe");
    (File::from(reader), Output::new(file, "a pipe".to_owned()))
}

/// 100 lines of 2,000 bytes, where a pipe holds 65,536.
fn fill(output: &mut Output) {
    for _ in 0..100 {
        output.buffer().extend([b'x'; 1999]);
        output.buffer().push(b'\n');
    }
    output.flush().expect("no failure");
    assert!(output.is_blocked());
}

#[test]
fn what_finds_no_room_is_written_when_there_is_some() {
    let (mut reader, mut output) = piped();
    fill(&mut output);
    let mut read = vec![0; 1 << 20];
    let mut sum = 0;
    output
        .settle(|_| {
            sum += reader.read(&mut read).expect("reading");
            true
        })
        .expect("no failure");
    assert!(!output.is_blocked());
    drop(output);
    reader.read_to_end(&mut read).expect("reading");
    assert_eq!(sum + read.len() - (1 << 20), 200_000);
}

#[test]
fn what_is_given_up_is_counted_in_lines() {
    let (_reader, mut output) = piped();
    fill(&mut output);
    let failed = output.settle(|_| false).expect_err("given up");
    // 32 lines are in the pipe, and a part of the next one.
    assert_eq!((failed.cause.kind(), failed.lines_missing), (io::ErrorKind::TimedOut, 68));
    output.buffer().extend(b"an event\n");
    assert_eq!(output.flush().expect_err("given up").lines_missing, 1);
    output.buffer().extend(b"the end\n");
    output.uncounted();
    output.flush().expect("no event is missing");
    assert!(!output.is_blocked());
}

#[test]
fn a_head_that_finds_no_room_is_no_missing_event() {
    let (_reader, mut output) = piped();
    output.buffer().extend(std::iter::repeat_n(b"HEAD\n", 20_000).flatten());
    output.uncounted();
    output.flush().expect("no failure");
    output.buffer().extend(b"an event\n");
    assert_eq!(output.settle(|_| false).expect_err("given up").lines_missing, 1);
}

#[test]
fn a_command_s_pipe_gets_whole_lines() {
    assert_eq!(whole_lines(b"ab\ncd\nef\n", 7), 6);
    assert_eq!(whole_lines(b"ab\ncd\n", 7), 6);
    assert_eq!(whole_lines(b"abcdefghi\n", 7), 7);
    assert_eq!(whole_lines(b"abc", 7), 3);
}
