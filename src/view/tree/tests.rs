// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lines of trees.

use super::*;
use crate::model::event::EventKind;
use crate::view::fixtures::{self, Random, Story, basic, run};

const UNICODE: Style = Style { unicode: true, color: false, width: None };

fn draw(style: Style, events: &[Event]) -> String {
    run(Tree::new(style), events)
}

fn lines(style: Style, events: &[Event]) -> Vec<String> {
    draw(style, events).lines().map(str::to_owned).collect()
}

#[test]
fn a_pipeline() {
    assert_eq!(
        lines(UNICODE, &fixtures::pipeline()),
        [
            " PID  FORK-EXEC    LIVED  EXIT  COMMAND",
            "3890                            bash",
            "4521     600 us  4.00 ms  1     └─ sh -c 'cat /etc/passwd | grep root'",
            "4522     500 us  1.30 ms  0        ├─ cat /etc/passwd",
            "4523     600 us  1.50 ms  1        └─ grep root",
            "3 processes, 3 execs, 2 failed, in 4.00 ms",
        ]
    );
}

#[test]
fn a_daemon_in_ascii() {
    assert_eq!(
        lines(Style::default(), &fixtures::daemon()),
        [
            " PID  FORK-EXEC    LIVED  EXIT                   COMMAND",
            "3890                                             bash",
            "5000     500 us  4.00 ms  0                      `- daemon",
            "5001             2.00 ms  0                         `- daemon  [no exec]",
            "5002    3.00 ms  18.0 ms  SIGSEGV (core dumped)        `- sh -c 'exec work'  [1 more thread]  [adopted by 1]",
            "        4.00 ms                                           => work",
            "5004             11.0 ms  running                         `- work  [no exec]",
            "4 processes, 3 execs, 1 failed, 2 without exec, 1 still running, in 20.0 ms",
        ]
    );
}

#[test]
fn the_basic_mode_tells_threads_at_the_end() {
    use EventKind::{Exec, Exit, Fork};
    let events = [
        basic(Fork, 0, 10, 9, "bash"),
        basic(Exec, 100, 10, 0, "prog"),
        basic(Fork, 200, 11, 10, "prog"),
        basic(Fork, 300, 12, 11, "prog"),
        basic(Exec, 400, 12, 0, "ls"),
        basic(Exit, 500, 12, 0, "ls"),
        basic(Exit, 600, 10, 0, "worker"),
        basic(Exit, 700, 10, 0, "prog"),
    ];
    assert_eq!(
        lines(UNICODE, &events),
        [
            "PID  FORK-EXEC   LIVED  EXIT   COMMAND",
            "  9                            bash",
            " 10     100 us  700 us  ended  └─ prog  [1 more thread]",
            " 12     100 us  200 us  ended     └─ ls",
            "2 processes, 2 execs, in 700 us",
        ]
    );
}

#[test]
fn colours_and_a_width_of_their_own() {
    let style = Style { unicode: true, color: true, width: Some(64) };
    let text = draw(style, &fixtures::pipeline());
    assert!(text.contains("\x1b[2m3890                            bash\x1b[0m\n"), "{text}");
    assert!(text.contains("\x1b[1;31m1   \x1b[0m  \x1b[2m   └─ \x1b[0mgrep root\n"), "{text}");
    assert!(text.contains("\x1b[2m└─ \x1b[0msh -c 'cat /etc/passwd | gre…\n"), "{text}");
}

#[test]
fn nothing_and_losses_have_words() {
    assert_eq!(draw(UNICODE, &[]), "0 processes, 0 execs, in 0 ns\n");
    let mut out = Vec::new();
    Tree::new(UNICODE).end(&fixtures::totals(7), &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(text.ends_with("7 events were lost: the tree has gaps\n"), "{text}");
    let cut_off = Totals { cut_off: true, ..Totals::default() };
    let mut out = Vec::new();
    Tree::new(UNICODE).end(&cut_off, &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(text.contains("the capture was cut off: more happened than is shown\n"));
}

#[test]
fn a_pid_that_comes_back_is_another_process() {
    let mut story = Story::default();
    story.fork(0, 10, 9).exit(1, 10, 9, 0).fork(2, 10, 9).exit(3, 10, 9, 0);
    story.fork(4, 11, 10).fork(5, 11, 10);
    let text = draw(UNICODE, &story.events);
    assert_eq!(text.lines().filter(|line| line.starts_with(" 10")).count(), 3, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with(" 11")).count(), 2, "{text}");
}

#[test]
fn what_ran_before_an_exec_has_a_row_of_its_own() {
    let mut story = Story::default();
    story.fork(0, 10, 9).exit(5, 10, 9, 0).exec(10, 77, 1, &["new"]);
    let text = draw(UNICODE, &story.events);
    assert!(text.contains("running  ?\n"), "{text}");
    assert!(text.contains("  ⇒  new\n"), "{text}");
}

#[test]
fn a_pipe_gets_no_endless_lines_and_many_execs_are_counted() {
    let mut story = Story::default();
    story.fork(0, 10, 9).exec(1, 10, 9, &["ld", &"x".repeat(1_500)]);
    (2..1_000).for_each(|us| _ = story.exec(us, 10, 9, &["sh"]));
    let text = draw(UNICODE, &story.events);
    assert!(text.lines().all(|line| line.width() < 300) && text.contains("xxx…\n"), "{text}");
    assert!(text.contains("⇒  899 more execs\n"), "{text}");
    assert_eq!(text.matches("⇒  sh\n").count(), 99, "{text}");
    assert!(text.contains("1 process, 999 execs, 1 still running"), "{text}");
}

#[test]
fn those_that_there_is_no_room_for_are_counted() {
    let mut story = Story::default();
    for pid in 10..1_010 {
        let us = u64::from(pid) * 10;
        story.fork(us, pid, 9).exit(us + 1, pid, 9, (pid % 2) << 8);
    }
    let mut tree = Tree { lives: Lives::within(32 << 10), ..Tree::new(UNICODE) };
    let mut out = Vec::new();
    story.events.iter().for_each(|event| tree.event(event, &mut out));
    tree.end(&Totals::default(), &mut out);
    let text = String::from_utf8(out).expect("UTF-8");
    let folded = tree.lives.folded();
    let rows = text.lines().filter(|line| line.ends_with("bash  [no exec]")).count();
    assert_eq!(rows + folded, 1_000, "{text}");
    assert!(text.contains(&format!("└─ {folded} more, the shortest, ")), "{text}");
    let said = format!("too many processes to draw: {folded} only counted\n");
    assert!(text.ends_with(&said), "{text}");
    assert!(text.contains("1000 processes, 0 execs, 500 failed, 1000 without exec, in "));
}

#[test]
fn a_chain_of_any_length_is_drawn() {
    let mut story = Story::default();
    (1..20_000).for_each(|pid| {
        story.fork(u64::from(pid), pid + 1, pid);
    });
    let text = draw(UNICODE, &story.events);
    assert!(text.contains("19935 more, at deeper levels\n"), "{text}");
}

#[test]
fn takes_any_events() {
    for seed in 1..300 {
        let text = draw(Style::default(), &Random(seed).capture());
        assert!(text.is_ascii() && !fixtures::steers_a_terminal(&text), "seed {seed}: {text}");
    }
}

#[test]
fn a_command_that_is_not_there_is_said_behind_its_process() {
    let lines = lines(UNICODE, &fixtures::not_found());
    assert_eq!(
        lines[2..],
        [
            "4522             900 us  127   └─ bash  [no exec]  [failed exec of /bin/no: ENOENT]",
            "1 process, 0 execs, 1 failed, 1 failed exec, 1 without exec, in 900 us",
        ]
    );
}
