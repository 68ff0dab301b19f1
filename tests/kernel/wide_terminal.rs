// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wide table: aligned, whole in a pipe, cut and coloured on a terminal.

use std::fs;
use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::program::{BINARY, Tuxscope};
use crate::{machine, process};

const HEADER: &str =
    "TIME          PID      PPID     USER      EVENT  STATUS   DURATION  CPU      COMMAND";

fn long() -> String {
    format!("/bin/false {}", "x".repeat(300))
}

/// A run's table as it comes out of a terminal of 100 columns.
fn on_a_terminal(options: &str, environment: &[(&str, &str)]) -> String {
    let inner = format!("stty cols 100; {BINARY} proc --wide {options} -- {}", long());
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::null());
    command.env("TERM", "xterm").env_remove("NO_COLOR").env("LC_ALL", "C.UTF-8");
    command.envs(environment.iter().copied());
    let output = command.output().expect("script(1) of bsdutils");
    let text = String::from_utf8(output.stdout).unwrap();
    // A whole line of blanks, which comes before rows, is seen no more.
    text.replace(&format!("{:100}\r\x1b[K", ""), "").replace('\r', "")
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out += before;
        rest = after.split_once('m').expect("a colour").1;
    }
    out + rest
}

#[test]
fn a_pipe_gets_whole_aligned_lines_without_colour() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = Tuxscope::start(&["--wide", "--comm", "false"]);
    let mut child =
        Command::new("/bin/false").args([&"x".repeat(300), "a b", "\x1b[2J\n"]).spawn().unwrap();
    process::wait(&mut child);
    let run = tuxscope.stop();
    run.success();
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(!text.contains('\x1b'));
    assert_eq!(text.lines().next(), Some(HEADER));
    let pid = format!("{:<9}", child.id());
    let rows: Vec<_> = text.lines().filter(|line| line[14..].starts_with(&pid)).collect();
    assert_eq!(rows.len(), 2, "{text}");
    let me = format!("{:<9}", std::process::id());
    for (row, event, status) in [(rows[0], "EXEC", ""), (rows[1], "EXIT", "1")] {
        let column = |name: &str, width: usize| &row[HEADER.find(name).unwrap()..][..width];
        assert_eq!(column("PPID", 9), me);
        assert_eq!(column("USER", 10), "root      ");
        assert_eq!(column("EVENT", 7).trim_end(), event);
        assert_eq!(column("STATUS", 9).trim_end(), status);
        let command = &row[HEADER.find("COMMAND").unwrap()..];
        assert_eq!(command, format!("/bin/false {} 'a b' $'\\x1b[2J\\n'", "x".repeat(300)));
    }
}

#[test]
fn a_terminal_gets_what_fits_and_colour() {
    let Some(_machine) = machine::shared() else { return };
    let text = on_a_terminal("", &[]);
    let row = text.lines().find(|line| line.contains("EXIT")).unwrap_or_else(|| panic!("{text}"));
    assert!(row.contains("\x1b["), "a failure stands out: {row:?}");
    let shown = plain(row);
    assert_eq!(shown.chars().count(), 100, "{shown}");
    assert!(shown.ends_with("x…"), "{shown}");
}

#[test]
fn rows_follow_the_terminals_width() {
    let Some(_machine) = machine::shared() else { return };
    // A shell that waits until what it did before is on the screen.
    let shell = "sh -c 'sleep 0.3; stty cols 72; sleep 0.3; /bin/false $X'";
    let inner = format!("stty cols 90; {BINARY} proc --wide -- {shell}");
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::null());
    command.env("X", "x".repeat(300)).env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
    let output = command.output().expect("script(1) of bsdutils");
    let text = String::from_utf8(output.stdout).unwrap().replace('\r', "");
    let widths = |line: &str| {
        let rows = text.lines().filter(|row| row.ends_with('…') && row.contains(line));
        rows.map(|row| row.chars().count()).collect::<Vec<_>>()
    };
    assert_eq!(widths("sh -c")[0], 90, "{text}");
    assert_eq!(widths("/bin/false"), [72, 72], "{text}");
}

/// Of a summary of all that fails while it is made, on a terminal of so many columns: what is shown
/// before the end, and the summary.
fn awaited_summary(columns: usize) -> (String, String) {
    let summary = tempfile::NamedTempFile::new().unwrap();
    let options = "--format summary --comm false --duration 2.5";
    let inner =
        format!("stty cols {columns}; {BINARY} proc {options} > {}", summary.path().display());
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut script = process::started(&mut command);
    while script.try_wait().unwrap().is_none() {
        process::wait(&mut process::started(&mut Command::new("/bin/false")));
    }
    let mut shown = String::new();
    script.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    (shown, fs::read_to_string(&summary).unwrap())
}

#[test]
fn who_waits_for_a_summary_on_a_terminal_sees_figures() {
    let Some(_machine) = machine::shared() else { return };
    let (shown, summary) = awaited_summary(80);
    let (before, closing) = shown.rsplit_once("\r\x1b[K").expect(&shown);
    assert!(closing.starts_with("tuxscope: ") && closing.contains(" 0 lost in "), "{shown:?}");
    let lines: Vec<_> = before.split('\r').filter_map(|line| line.strip_suffix("\x1b[K")).collect();
    assert!(lines.len() >= 2, "{shown:?}");
    let failed = |line: &str| {
        let (before, _) = line.split_once(" failed, 0 lost").expect(line);
        before.rsplit(' ').next().unwrap().replace(',', "").parse::<u64>().unwrap()
    };
    let failed: Vec<_> = lines.iter().map(|line| failed(line)).collect();
    assert!(failed[0] > 0 && failed.is_sorted(), "{failed:?}");
    let (_, total) = summary.split_once("\nFailed (").expect(&summary);
    let total: u64 = total.split_once(')').unwrap().0.replace(',', "").parse().unwrap();
    assert!(failed.last() <= Some(&total), "{failed:?} of {total}");

    let (shown, _) = awaited_summary(30);
    let width = |line: &str| line.strip_suffix("\x1b[K").map_or(0, str::len);
    let widest = shown.split('\r').map(width).max();
    assert!((20..30).contains(&widest.unwrap()), "a line that wraps can't be erased: {shown:?}");

    // Without a terminal nothing is shown before the end.
    let run = Tuxscope::start(&["--format", "summary", "--duration", "1.5"]).end();
    assert!(run.stderr.iter().all(|line| !line.contains('\r')), "{:?}", run.stderr);
    run.success();
}

#[test]
fn colour_is_as_it_was_asked_for() {
    let Some(_machine) = machine::shared() else { return };
    let coloured =
        |text: &str| text.lines().any(|line| line.contains("EXIT") && line.contains("\x1b["));
    assert!(!coloured(&on_a_terminal("", &[("NO_COLOR", "1")])));
    assert!(!coloured(&on_a_terminal("", &[("TERM", "dumb")])));
    assert!(!coloured(&on_a_terminal("--color never", &[])));
    assert!(coloured(&on_a_terminal("--color always", &[("NO_COLOR", "1")])));
    assert!(coloured(&on_a_terminal("", &[("NO_COLOR", "")])));
    let command = crate::program::command(&["--wide", "--color", "always", "--", "/bin/false"]);
    let run = Tuxscope::spawn(command).end();
    assert!(coloured(&run.stderr.join("\n")), "{:?}", run.stderr);
}

/// What a terminal shows: blanks, `\r`, `\n` and `ESC [ K`, and a line that wraps with the
/// character that has no room any more.
fn screen(text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![Vec::new()];
    let mut column = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\x1b[K") {
            rows.last_mut().unwrap().truncate(column);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' => column = 0,
            '\n' => rows.push(vec![' '; column]),
            c => {
                if column == columns {
                    rows.push(Vec::new());
                    column = 0;
                }
                let row = rows.last_mut().unwrap();
                row.resize(row.len().max(column + 1), ' ');
                row[column] = c;
                column += 1;
            }
        }
    }
    rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
}

/// A prompt, or a test's name: the command has begun a line when events come.
#[test]
fn events_begin_at_the_left_whatever_the_command_has_begun() {
    let Some(_machine) = machine::shared() else { return };
    // The pauses let what came before be told.
    let commands = "printf abc; sleep 0.5; /bin/true; sleep 0.5; echo def; sleep 0.5; /bin/false";
    let inner = format!(
        "stty cols 90; {BINARY} proc --wide --color never -- sh -c '{commands}'; stty sane"
    );
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::null());
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    let output = command.output().expect("script(1) of bsdutils");
    let text = String::from_utf8(output.stdout).unwrap();
    let screen = screen(&text, 90);
    let shown = screen.join("\n");
    for whole in ["abc", "def"] {
        assert!(screen.iter().any(|row| row == whole), "{whole} has a line of its own: {shown}");
    }
    let events = screen
        .iter()
        .filter(|row| row.split_whitespace().any(|word| ["FORK", "EXEC", "EXIT"].contains(&word)));
    // sh, and for true, false and each sleep a fork, an exec and an exit.
    assert!(events.count() >= 2 + 4 * 2, "{shown}");
    assert!(!screen.iter().any(|row| row.is_empty() && row != screen.last().unwrap()), "{shown}");
    assert!(!shown.contains("abc ") && !shown.contains("def "), "{shown}");
}
