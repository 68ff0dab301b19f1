// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope top` in a terminal of its own, whose screen is read by a terminal emulator that isn't
//! ours.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::BINARY;
use crate::{machine, process, worker};

/// A terminal in which `tuxscope top` runs, and after it a shell that tells how it ended.
struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    fn start(columns: u16, lines: u16) -> Self {
        Self::start_in(columns, lines, &format!("{BINARY} top"))
    }

    /// With these commands of the shell, of which the last one tells how it ended.
    fn start_in(columns: u16, lines: u16, commands: &str) -> Self {
        let inner = format!(
            "stty cols {columns} rows {lines}; before=$(stty -g); {commands}; code=$?; \
             test \"$(stty -g)\" = \"$before\" && echo code=$code"
        );
        let mut command = Command::new("script");
        command.args(["-qfec", &inner, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
        let mut script = process::started(&mut command);
        let (keys, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let screen = Arc::new(Mutex::new(vt100::Parser::new(lines, columns, 0)));
        let shown = screen.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().process(&buffer[..n]);
            }
        });
        let terminal = Self { script, keys, screen, reader: Some(reader) };
        terminal.shows("EXAMPLE");
        terminal
    }

    fn rows(&self) -> Vec<String> {
        let parser = self.screen.lock().unwrap();
        let (_, columns) = parser.screen().size();
        parser.screen().rows(0, columns).collect()
    }

    /// Waits until something is so on the screen.
    fn until(&self, what: &str, so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let began = Instant::now();
        loop {
            let rows = self.rows();
            if so(&rows) {
                return rows;
            }
            assert!(began.elapsed() < process::LIMIT, "no {what}:\n{}", rows.join("\n"));
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn shows(&self, text: &str) -> Vec<String> {
        self.until(text, |rows| rows.iter().any(|row| row.contains(text)))
    }

    fn kill(&self, signal: Signal) {
        let pid = self.pid().parse().ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a pid"), signal).expect("it is ours");
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// The process itself.
    fn pid(&self) -> String {
        let mut below = self.script.id().to_string();
        // script, the shell, tuxscope
        for _ in 0..2 {
            let path = format!("/proc/{below}/task/{below}/children");
            let children = fs::read_to_string(path).unwrap();
            below = children.split_whitespace().last().expect("a child").to_owned();
        }
        below
    }

    /// It has ended, with this status, and the terminal is as it was before.
    fn ends(mut self, code: u8) {
        self.shows(&format!("code={code}"));
        process::wait(&mut self.script);
        self.reader.take().unwrap().join().unwrap();
        let parser = self.screen.lock().unwrap();
        assert!(!parser.screen().alternate_screen() && !parser.screen().hide_cursor());
        let text = parser.screen().contents();
        let seen = ["event seen, 0 lost", "events seen, 0 lost"];
        assert!(seen.iter().any(|seen| text.contains(seen)), "{text}");
    }
}

/// Where a test fails; what runs in the terminal gets SIGHUP.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

/// The row of a command, in words.
fn row<'a>(rows: &'a [String], command: &str) -> Option<Vec<&'a str>> {
    let words = rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>());
    words.into_iter().find(|words| words.get(7) == Some(&command))
}

/// Half of them only fork, half exec: none is there when somebody looks at /proc.
#[test]
fn what_ended_processes_used_is_shown_and_adds_up() {
    let Some(_machine) = machine::alone() else { return };
    let mut terminal = Terminal::start(100, 30);
    let storms = ["fork", "vfork-exec"].map(|kind| {
        thread::spawn(move || {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(8) {
                worker::storm(kind, 2_000, 1);
            }
        })
    });
    thread::sleep(Duration::from_secs(6));
    let rows = terminal.rows();
    terminal.press("q");
    storms.into_iter().for_each(|storm| storm.join().unwrap());
    let screen = rows.join("\n");

    let figure = |text: &str, after: &str| -> f64 {
        let rest = text.split_once(after).unwrap_or_else(|| panic!("{after}: {screen}")).1;
        let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        digits.parse().unwrap()
    };
    // /proc/stat counts in ticks: over half a minute 97 to 103 % are explained, in a few seconds, and
    // where a hypervisor takes its part, less exactly.
    let explained = figure(&rows[2], "");
    assert!((70.0..=140.0).contains(&explained), "{screen}");
    // The storms' own rows, for others may be at work: those that fork have the test's name or the
    // worker's, those that exec a row of theirs.
    let [mut cpu, mut gone] = [0.0, 0.0];
    for words in rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>()) {
        if words.get(7).is_some_and(|program| program.ends_with("worker")) {
            cpu += words[0].parse::<f64>().unwrap();
            gone += words[1].parse::<f64>().unwrap();
        }
    }
    let ended = figure(&rows[0], "ended ");
    assert!(cpu > 0.0 && gone > cpu / 3.0 && gone <= cpu, "{screen}");
    assert!(ended > cpu / 2.0, "most of it belongs to processes that are gone: {screen}");
    terminal.ends(0);
}

#[test]
fn keys_choose_what_is_shown() {
    let Some(_machine) = machine::shared() else { return };
    // A name of its own: other tests sleep, too.
    let dir = tempfile::tempdir().unwrap();
    let nap = dir.path().join("nap-of-top");
    process::output(Command::new("cp").arg("/bin/sleep").arg(&nap));
    let mut sleeper = process::started(Command::new(&nap).arg("300"));
    let mut terminal = Terminal::start(80, 24);
    for name in ["UNIT", "CONTAINER", "USER", "COMMAND"] {
        terminal.press("g");
        terminal.shows(name);
    }
    terminal.press("/nap-of-top\r");
    let rows =
        terminal.until("one row", |rows| rows[5].trim().is_empty() && rows[4].contains("nap"));
    assert_eq!(row(&rows, "nap-of-top").expect("its row")[2], "1", "{rows:?}");
    terminal.press("\r");
    let tree = terminal.shows("its processes");
    let line = tree.iter().find(|row| row.contains(&format!("{} {}", sleeper.id(), nap.display())));
    assert!(line.is_some(), "{tree:?}");
    terminal.press("\x1b");
    terminal.shows("EXAMPLE");
    terminal.press("\x1b");
    terminal.until("other rows", |rows| !rows[5].trim().is_empty());
    terminal.press("?");
    terminal.shows("q Ctrl-C");
    terminal.press("\x1b p");
    terminal.until("no pause", |rows| !rows.iter().any(|row| row.contains("PAUSED")));
    terminal.press(" ");
    terminal.shows("PAUSED");
    let before = terminal.rows();
    process::wait(&mut process::started(&mut Command::new("false")));
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(terminal.rows(), before, "it stands still");
    terminal.press("\x03");
    terminal.ends(0);
    sleeper.kill().unwrap();
    process::wait(&mut sleeper);
}

#[test]
fn failures_are_listed_and_names_steer_no_terminal() {
    // Others' failures would push these off the screen.
    let Some(_machine) = machine::alone() else { return };
    let mut terminal = Terminal::start(120, 40);
    let mut child = process::started(
        Command::new("bash").args(["-c", "exec -a $'x\\e[2Jy\\e[31m' bash -c 'exit 42'"]),
    );
    process::wait(&mut child);
    let rows = terminal.shows(&format!("{} bash exited with 42", child.id()));
    let line = rows.iter().find(|row| row.contains("exited with 42")).unwrap();
    assert!(line.contains(r"$'x\x1b[2Jy\x1b[31m'"), "{line}");
    let mut child = process::started(Command::new("sh").args(["-c", "kill -9 $$"]));
    process::wait(&mut child);
    terminal.shows(&format!("{} sh killed by SIGKILL, which it sent itself", child.id()));
    terminal.press("q");
    terminal.ends(0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let Some(_machine) = machine::shared() else { return };
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let terminal = Terminal::start(80, 24);
        terminal.kill(signal);
        terminal.ends(0);
    }
}

#[test]
fn a_stop_gives_the_terminal_back_and_takes_it_again() {
    let Some(_machine) = machine::shared() else { return };
    let commands = format!(
        "set -m; {BINARY} top; test \"$(stty -g)\" = \"$before\" && echo stopped; read -r _; fg"
    );
    let mut terminal = Terminal::start_in(80, 24, &commands);
    terminal.kill(Signal::TSTP);
    terminal.shows("stopped");
    assert!(!terminal.screen.lock().unwrap().screen().alternate_screen());
    terminal.press("\n");
    terminal.shows("EXAMPLE");
    assert!(terminal.screen.lock().unwrap().screen().alternate_screen());
    terminal.press("q");
    terminal.ends(0);
}

#[test]
fn it_fits_into_any_terminal() {
    let Some(_machine) = machine::shared() else { return };
    let mut terminal = Terminal::start(80, 24);
    let tty = fs::read_link(format!("/proc/{}/fd/0", terminal.pid())).unwrap();
    let stty = |columns: u16, lines: u16| {
        let [columns, lines] = [columns, lines].map(|n| n.to_string());
        let mut stty = Command::new("stty");
        process::output(stty.arg("-F").arg(&tty).args(["cols", &columns, "rows", &lines]));
    };
    for (columns, lines) in [(200, 50), (20, 5), (1, 1), (80, 24)] {
        terminal.screen.lock().unwrap().screen_mut().set_size(lines, columns);
        stty(columns, lines);
        thread::sleep(Duration::from_millis(1200));
        for keys in ["j", "\x1b[6~", "\r", "\x1b", "?", "\x1b", "/a", "\x1b"] {
            terminal.press(keys);
            thread::sleep(Duration::from_millis(120));
        }
    }
    terminal.until("the last line again", |rows| rows[23].starts_with("q quit"));
    // As a serial console has it.
    stty(0, 0);
    terminal.screen.lock().unwrap().process(b"\x1b[2J");
    terminal.until("rows of a usual size", |rows| {
        rows[3].contains("EXAMPLE") && rows[23].starts_with("q quit")
    });
    terminal.press("q");
    terminal.ends(0);
}

#[test]
fn without_a_terminal_it_says_so() {
    let Some(_machine) = machine::shared() else { return };
    let output = Command::new(BINARY).arg("top").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("needs a terminal") && said.contains("--format summary"), "{said}");
    assert!(output.stdout.is_empty());
}
