// SPDX-License-Identifier: MIT OR Apache-2.0
//! What events fold into, and that it stays small.

use super::*;
use crate::view::fixtures::running;
use crate::view::fixtures::{Random, Story, basic, pipeline};

fn lives(mut lives: Lives, events: &[Event]) -> Lives {
    events.iter().for_each(|event| _ = lives.event(event));
    lives
}

/// In steps, for so many links.
fn cost(links: &[(u32, u32)]) -> u64 {
    let mut story = Story::default();
    for (us, (pid, ppid)) in links.iter().enumerate() {
        story.exec(us as u64, *pid, *ppid, &["true"]);
    }
    let lives = lives(Lives::for_picture(), &story.events);
    assert_eq!(lives.lives.len(), links.len() + 1, "one chain");
    assert_eq!(lives.children().of(None).len(), 1, "with one root");
    lives.steps
}

#[test]
fn chains_without_forks_take_steps_as_many_as_there_are_links() {
    type Links = fn(u32) -> Vec<(u32, u32)>;
    let shapes: [Links; 3] = [
        |n| (1..=n).map(|i| (i + 1, i)).collect(),
        |n| (1..=n).rev().map(|i| (i + 1, i)).collect(),
        // Pairs first, and then each pair below the one before it.
        |n| {
            let pairs = (1..=n).filter(|i| i % 2 == 1).map(|i| (i + 1, i));
            pairs.chain((1..=n).filter(|i| i % 2 == 0).map(|i| (i + 1, i))).collect()
        },
    ];
    for (i, shape) in shapes.iter().enumerate() {
        for n in [1_000, 2_000, 4_000] {
            let steps = cost(&shape(n));
            assert!(steps <= 4 * u64::from(n), "shape {i}: {steps} steps for {n} links");
        }
    }
}

#[test]
fn nobody_descends_from_themselves() {
    let mut story = Story::default();
    story.exec(0, 1, 2, &["a"]).exec(1, 2, 3, &["b"]).exec(2, 3, 1, &["c"]);
    let lives = lives(Lives::for_picture(), &story.events);
    let children = lives.children();
    assert_eq!(children.of(None).count(), 1);
    assert_eq!(children.of(children.of(None).next()).count(), 1);
}

#[test]
fn a_process_that_execs_on_and_on_is_as_large_as_one_that_did_so_a_hundred_times() {
    let after = |n: u64| {
        let mut story = Story::default();
        story.fork(0, 10, 9);
        (1..=n).for_each(|us| _ = story.exec(us, 10, 9, &["sh", &"x".repeat(1_000)]));
        let lives = lives(Lives::for_the_living(), &story.events);
        let (_, life) = lives.with_pid(10).expect("it lives");
        assert_eq!(life.exec_count() as u64, n);
        assert_eq!(life.execs().count() + life.execs_left_out(), life.exec_count());
        lives.bytes
    };
    let [a, b, c] = [200, 400, 800].map(after);
    assert!(a == b && b == c, "{a}, {b}, {c} bytes");
}

#[test]
fn what_is_kept_is_bounded_and_what_is_folded_is_counted() {
    const ROOM: usize = 64 << 10;
    let counts = [1_000, 2_000, 4_000].map(|n| {
        let mut story = Story::default();
        story.exec(0, 9, 1, &["make"]);
        for i in 0..n {
            let (us, pid) = (u64::from(i) * 10, 10 + i);
            story.fork(us, pid, 9).exec(us + 1, pid, 9, &["cc", &i.to_string()]);
            story.exit(us + 2 + u64::from(i % 7), pid, 9, u32::from(i % 10 == 0) << 8);
        }
        let all = lives(Lives::for_picture(), &story.events);
        let few = lives(Lives::new(ROOM, 1_000), &story.events);
        assert!(few.bytes <= ROOM + 1_000, "{} bytes", few.bytes);
        assert_eq!(few.summary(), all.summary());
        let (_, make) = few.with_pid(9).expect("it goes on");
        assert_eq!(make.folded().count as usize, few.folded());
        assert_eq!(make.folded().count as usize + few.lives.len(), n as usize + 2);
        // Those that lived longest are left: 8 us, of 2 to 8.
        let lived = |life: &Life| life.lived_ns(0) == Some(8_000) || life.pid < 10;
        let newest = few.iter().filter(|(_, life)| !lived(life)).count();
        assert!(newest <= 200, "{newest} short ones are left");
        few.lives.len()
    });
    assert!(counts.iter().all(|&count| count < 300), "{counts:?}");
}

#[test]
fn processes_that_never_end_are_bounded_as_well() {
    const ROOM: usize = 64 << 10;
    let mut story = Story::default();
    (0..5_000).for_each(|i| _ = story.exec(u64::from(i), 10 + i, 9, &["sleep"]));
    let lives = lives(Lives::new(ROOM, 1_000), &story.events);
    assert!(lives.bytes <= ROOM + 1_000 && lives.by_pid.len() == lives.lives.len());
    assert!(lives.with_pid(10).is_none() && lives.with_pid(5_009).is_some());
}

#[test]
fn the_bytes_are_those_of_all_that_is_kept() {
    for seed in 1..100 {
        let room = if seed % 2 == 0 { 4 << 10 } else { 1 << 20 };
        let mut lives = lives(Lives::new(room, 20), &Random(seed).capture());
        lives.settle();
        let bytes: usize = lives.lives.values().map(|life| life.bytes()).sum();
        assert_eq!(lives.bytes, bytes, "seed {seed}");
    }
}

#[test]
fn who_ran_before_has_the_name_that_proc_or_any_event_tells() {
    let mut story = Story::default();
    story.exec(0, 5, 4, &["make"]).exit(10, 6, 4, 0);
    story.thread(20, 8, 9, 7).exec(30, 8, 7, &["later"]).fork(40, 11, 4);
    let name = |lives: &Lives, pid| lives.name_of(pid, 0).map(|comm| comm.to_text().into_owned());
    let untold = lives(Lives::for_picture(), &story.events);
    assert_eq!(name(&untold, 4).as_deref(), Some("bash"), "its second child tells it");
    let line = |lives: &Lives, pid| lives.with_pid(pid).map(|(_, life)| life.command_line());
    assert_eq!(line(&untold, 8).as_deref(), Some("bash"), "its thread tells it");
    assert_eq!(name(&untold, 7), None);

    let mut told = Lives::for_picture();
    for (pid, comm) in [(4, "zsh"), (7, "init"), (99, "idle")] {
        told.runs_already(&running(pid, comm));
    }
    let told = lives(told, &story.events);
    assert_eq!(name(&told, 4).as_deref(), Some("zsh"));
    assert_eq!(name(&told, 7).as_deref(), Some("init"));
    assert_eq!(name(&told, 99).as_deref(), Some("idle"));
    assert!(told.with_pid(99).is_none(), "nothing happened to it");
}

#[test]
fn whoever_gets_a_pid_again_has_not_the_name_of_the_first() {
    let mut before = Lives::for_picture();
    before.runs_already(&running(77, "old"));
    let mut story = Story::default();
    story.exec(0, 5, 4, &["make"]).fork(100, 77, 76);
    let again = lives(before, &story.events[1..]);
    assert_eq!(again.name_of(77, 0).map(|comm| comm.to_text().into_owned()), Some("bash".into()));
    // Its fork was not seen.
    let mut before = Lives::for_picture();
    before.runs_already(&running(77, "old"));
    story.exec(200, 77, 76, &["new"]);
    let [make, _, exec] = &story.events[..] else { panic!("three events") };
    let again = lives(before, &[make.clone(), exec.clone()]);
    assert_eq!(again.with_pid(77).map(|(_, life)| life.command_line()), Some("new".into()));
}

#[test]
fn an_exec_says_nothing_of_what_ran_before() {
    let mut story = Story::default();
    story.events = pipeline();
    story.exec(5_000, 77, 1, &["new"]).fork(6_000, 79, 78).exec(7_000, 78, 1, &["other"]);
    let lives = lives(Lives::for_picture(), &story.events);
    let line = |pid| lives.with_pid(pid).map(|(_, life)| life.command_line());
    assert_eq!(line(77).as_deref(), Some("?"));
    assert_eq!(line(78).as_deref(), Some("bash"), "as its child was called");
    assert_eq!(line(4523).as_deref(), Some("grep root"), "its fork was seen");
    // A command's first event is its exec: nothing was drawn of it before.
    let first = basic(EventKind::Exec, 0, 5, 0, "make");
    let mut lives = Lives::for_picture();
    lives.event(&first);
    assert_eq!(lives.with_pid(5).map(|(_, life)| life.command_line()), Some("make".into()));
}
