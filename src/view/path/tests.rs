// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains as they are shown.

use super::*;
use crate::view::fixtures::{Story, run};

fn path(story: &Story) -> String {
    run(Path { style: Style::default(), lives: Lives::for_picture() }, &story.events)
}

/// make runs a and b at once, then c: nobody waits for a.
fn build() -> Story {
    let mut story = Story::default();
    story.fork(0, 10, 1).exec(0, 10, 1, &["make"]);
    story.fork(100, 11, 10).exec(100, 11, 10, &["a"]);
    story.fork(100, 12, 10).exec(100, 12, 10, &["b"]);
    story.exit(2_000, 11, 10, 0).costs(1_500, Some(100)).exit(5_000, 12, 10, 0).costs(4_000, None);
    story.fork(5_100, 13, 10).exec(5_100, 13, 10, &["c"]);
    story.exit(9_000, 13, 10, 1).costs(3_900, Some(0)).exit(10_000, 10, 1, 2).costs(300, Some(100));
    story
}

#[test]
fn parts_and_sums_are_told_with_what_was_done_meanwhile() {
    let want = "\
The end of 10, after 10.0 ms: make

It waited for, from its beginning to its end
   LENGTH             CPU   NO CPU  WAITING      PID  COMMAND
   100 us   1.0%  25.0 us  8.33 us  66.6 us       10  make
  4.90 ms  49.0%  4.00 ms        -        -       12    b
   100 us   1.0%  25.0 us  8.33 us  66.6 us       10  make
  3.90 ms  39.0%  3.90 ms     0 ns     0 ns       13    c
  1.00 ms  10.0%   250 us  83.3 us   666 us       10  make

By command
   LENGTH             CPU   NO CPU  WAITING    PARTS  COMMAND
  4.90 ms  49.0%  4.00 ms        -        -        1  b
  3.90 ms  39.0%  3.90 ms     0 ns     0 ns        1  c
  1.20 ms  12.0%   300 us  99.9 us   800 us        3  make

Not waited for, and how much longer each could have taken
   LENGTH             CPU    SLACK      PID  COMMAND
  1.90 ms  19.0%  1.50 ms  3.00 ms       11  a
";
    assert_eq!(path(&build()), want);
}

/// sort waits for cat, which ends before it.
#[test]
fn a_sibling_that_worked_meanwhile_is_named() {
    let mut story = Story::default();
    story.fork(0, 10, 1).exec(0, 10, 1, &["sh"]);
    story.fork(10, 11, 10).exec(10, 11, 10, &["cat"]).fork(10, 12, 10).exec(10, 12, 10, &["wc"]);
    story.exit(9_000, 11, 10, 0).costs(8_000, Some(0)).exit(9_100, 12, 10, 0).costs(50, Some(0));
    story.exit(9_200, 10, 1, 0);
    let text = path(&story);
    assert!(text.contains("meanwhile 11 used some 8.00 ms: cat\n"), "{text}");
}

#[test]
fn what_is_not_known_is_said() {
    let mut story = Story::default();
    story.fork(0, 10, 1).exec(0, 10, 1, &["make"]).fork(9, 11, 10).exit(20, 11, 10, 0);
    let mut view = Path { style: Style::default(), lives: Lives::for_picture() };
    let mut out = Vec::new();
    story.events.iter().for_each(|event| view.event(event, &mut out));
    let lost = crate::model::event::Lost::new([1, 0, 2, 0], 0);
    view.end(&Totals { lost, cut_off: true, ..Totals::default() }, &mut out);
    let text = String::from_utf8(out).expect("text");
    for part in ["What is known of 10", "still ran", "3 events were lost", "cut off"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(path(&Story::default()), "no process is in the capture\n");
}
