// SPDX-License-Identifier: MIT OR Apache-2.0
//! `tuxscope proc -- COMMAND`: the command as it would be without, and all that it starts.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::program::{self, BINARY};
use crate::wide::{Capture, Event, exits};
use crate::{events, machine, namespace, process, worker};

/// A run whose events go to a file.
struct Run {
    dir: tempfile::TempDir,
    command: Command,
}

impl Run {
    fn new(options: &[&str], command: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut all = program::command(&["--format", "json", "-o"]);
        all.arg(dir.path().join("events")).args(options).arg("--").args(command);
        Self { dir, command: all }
    }

    fn events(&self) -> PathBuf {
        self.dir.path().join("events")
    }

    fn output(&mut self) -> std::process::Output {
        self.command.output().expect("starting tuxscope")
    }

    fn spawn(&mut self) -> Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.spawn().expect("starting tuxscope")
    }

    /// The wide mode's capture; it must be whole.
    fn capture(&self) -> Capture {
        let capture = Capture::parse(&fs::read(self.events()).unwrap());
        assert_eq!(capture.summary.as_ref().expect("a summary")["complete"], true);
        capture
    }

    fn basic(&self) -> Vec<events::Event> {
        events::from_json(&fs::read(self.events()).unwrap())
    }
}

fn code(options: &[&str], command: &[&str]) -> Option<i32> {
    Run::new(options, command).output().status.code()
}

#[test]
fn the_exit_status_is_the_commands() {
    let Some(_machine) = machine::shared() else { return };
    for mode in [&["--wide"][..], &[]] {
        assert_eq!(code(mode, &["true"]), Some(0));
        assert_eq!(code(mode, &["sh", "-c", "exit 42"]), Some(42));
        assert_eq!(code(mode, &["sh", "-c", "kill -TERM $$"]), Some(128 + 15));
        assert_eq!(code(mode, &["sh", "-c", "kill -KILL $$"]), Some(128 + 9));
    }
    let run = Run::new(&[], &["/nonexistent/program"]).output();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(127), "{said}");
    assert!(said.contains("tuxscope: can't run /nonexistent/program: No such file"), "{said}");
    assert_eq!(code(&[], &["no-such-program"]), Some(127));
    assert_eq!(code(&[], &["/etc/passwd"]), Some(126));
    assert_eq!(code(&[], &["/tmp"]), Some(126));
}

#[test]
fn the_arguments_reach_the_command_as_they_are() {
    let Some(_machine) = machine::shared() else { return };
    let given =
        ["printf", "%s|", "--", "-h", "--help", "", "-", "a b", "--wide", "--", "proc", "日"];
    let run = Run::new(&["--wide"], &given).output();
    assert_eq!(String::from_utf8_lossy(&run.stdout), "--|-h|--help||-|a b|--wide|--|proc|日|");
}

#[test]
fn its_streams_are_untouched() {
    let Some(_machine) = machine::shared() else { return };
    let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i * 7 + i / 251) as u8).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, &bytes).unwrap();
    let input = fs::File::open(&file).unwrap();
    let mut run = Run::new(&["--wide"], &["sh", "-c", "cat; echo problem >&2"]);
    let output = run.command.stdin(input).output().unwrap();
    assert!(output.stdout == bytes, "standard output differs");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.lines().any(|line| line == "problem"), "{said}");

    // Without --output the events go to standard error.
    let mut command = program::command(&["--wide", "--format", "json", "--", "cat"]);
    let output = command.stdin(fs::File::open(&file).unwrap()).output().unwrap();
    assert!(output.stdout == bytes, "standard output differs");
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().filter(|line| line.starts_with('{')).count();
    assert_eq!(lines, 1 + 2 + 1, "meta, exec, exit, summary: {said}");

    // No descriptor is left over in the command.
    let script = "ls -l /proc/self/fd | grep -v total | wc -l";
    let plain = process::output(Command::new("sh").args(["-c", script]).stderr(Stdio::null()));
    let traced =
        Run::new(&[], &["sh", "-c", script]).command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&traced.stdout), plain);
}

#[test]
fn the_capture_is_of_the_command_and_its_descendants() {
    let Some(_machine) = machine::shared() else { return };
    let script = "/bin/true; (/bin/true; exit 3); sh -c '/bin/true'; exit 5";
    let mut run = Run::new(&["--wide"], &["sh", "-c", script]);
    let mut noise = worker::Endless::start("fork", 1);
    let output = run.output();
    assert!(noise.goes_on());
    assert_eq!(output.status.code(), Some(5));
    let capture = run.capture();
    let first = &capture.events[0];
    assert_eq!(first.event_type, "exec", "it begins with the command's own exec");
    assert_eq!(first.args.as_ref().unwrap()[..2], ["sh", "-c"]);
    let last = capture.events.last().unwrap();
    assert!(last.is("exit", first.pid) && last.exit_code == Some(5), "{last:?}");
    let family = capture.family(first.pid);
    assert_eq!(family.len(), capture.events.len(), "no stranger");
    let truths = |e: &&&Event| e.event_type == "exec" && e.args.as_ref().unwrap()[0] == "/bin/true";
    assert_eq!(family.iter().filter(truths).count(), 3);

    let mut run = Run::new(&[], &["sh", "-c", script]);
    assert_eq!(run.output().status.code(), Some(5));
    let events = run.basic();
    let [forks, _, exits] = events::count(&events);
    assert_eq!(exits, forks + 1);
    assert_eq!(events[0].event_type, "exec");
}

#[test]
fn a_storm_is_counted_as_waitpid_does() {
    let Some(_machine) = machine::alone() else { return };
    let worker = worker::command(&[]).get_program().to_str().unwrap().to_owned();
    let options = ["--wide", "--buffer-size", "64M"];
    let mut run = Run::new(&options, &[&worker, "tally", "4000", "4"]);
    let output = run.output();
    assert_eq!(output.status.code(), Some(0));
    let tally: worker::Tally = serde_json::from_slice(&output.stdout).unwrap();
    let capture = run.capture();
    let mut wanted = std::collections::BTreeMap::from_iter(tally.statuses);
    *wanted.entry(0).or_default() += 5;
    let mut seen = std::collections::BTreeMap::new();
    for exit in exits(&capture.events.iter().collect::<Vec<_>>()).values() {
        *seen.entry(exit.wait_status()).or_default() += 1_u64;
    }
    assert_eq!(seen, wanted);
}

/// The daemon ends 0.4 s after the command, which is a thread's whole work at most.
const DAEMON: &str = "setsid sh -c '(sleep 0.4; exec sh -c \"exit 7\") &'; exit 2";

#[test]
fn the_capture_ends_with_the_command_or_with_all() {
    let Some(_machine) = machine::shared() else { return };
    for mode in [&["--wide"][..], &[]] {
        let mut run = Run::new(mode, &["sh", "-c", DAEMON]);
        assert_eq!(run.output().status.code(), Some(2));
        let open = fs::read_to_string(run.events()).unwrap();

        let mut run = Run::new(&[mode, &["--wait", "all"]].concat(), &["sh", "-c", DAEMON]);
        assert_eq!(run.output().status.code(), Some(2));
        let whole = fs::read_to_string(run.events()).unwrap();
        let count = |text: &str, kind: &str| text.matches(&format!(":\"{kind}\"")).count();
        assert_eq!(count(&whole, "exit"), count(&whole, "fork") + 1);
        assert!(count(&open, "exit") <= count(&open, "fork"), "the daemon's end is not in it");
    }
}

/// Threads that leave together, a leader that goes first, exec from a thread: in both modes the
/// count of those alive comes back to 0, and the wait ends.
#[test]
fn waiting_for_all_ends_whatever_threads_do() {
    let Some(_machine) = machine::shared() else { return };
    let worker = worker::command(&[]).get_program().to_str().unwrap().to_owned();
    for mode in [&["--wide"][..], &[]] {
        let mut run = Run::new(&[mode, &["--wait", "all"]].concat(), &[&worker, "case", "all"]);
        let mut child = run.spawn();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(process::wait(&mut child).success());
        assert!(text.lines().count() > 70);
    }
}

/// The thread takes its leader's id, and the one that it had ends with nobody; who gets it then is a
/// stranger.
#[test]
fn waiting_for_all_is_not_ended_by_an_id_that_an_exec_gave_up() {
    let Some(_machine) = machine::alone() else { return };
    let daemon = format!("{} thread-execs sleep 2 & exit 4", worker::path().display());
    for mode in [&["--wide"][..], &[]] {
        let options = [mode, &["--wait", "all"]].concat();
        let mut run = Run::new(&options, &["sh", "-c", &daemon]);
        let mut child = run.spawn();
        let tid = first_number(&mut child);
        process::eventually(|| !PathBuf::from(format!("/proc/{tid}")).exists());
        thread::sleep(Duration::from_millis(200)); // until the exec is told
        worker::same_pid(tid, 1);
        assert_eq!(process::wait(&mut child).code(), Some(4));
        let text = fs::read_to_string(run.events()).unwrap();
        let count = |kind: &str| text.matches(&format!(":\"{kind}\"")).count();
        assert_eq!(count("exit"), count("fork") + 1, "the daemon's end is in it: {text}");
    }
}

#[test]
fn sigterm_ends_both() {
    let Some(_machine) = machine::shared() else { return };
    for options in
        [&["--wide"][..], &[], &["--wait", "all"], &["--count", "1"], &["--duration", "0.2"]]
    {
        let mut run = Run::new(options, &["sh", "-c", "echo $$; exec sleep 60"]);
        let mut child = run.spawn();
        let pid = first_number(&mut child);
        thread::sleep(Duration::from_millis(500));
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(process::wait(&mut child).code(), Some(128 + 15), "{options:?}");
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    }
}

/// Who started us counts on the command to have ended, whatever became of the capture.
#[test]
fn the_command_is_waited_for_when_the_output_fails() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let late = dir.path().join("late");
    let script = format!("true; sleep 1; echo done >{}; exit 7", late.display());
    let mut command = program::command(&["-o", "/dev/full", "--", "sh", "-c", &script]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("can't write /dev/full"), "{said}");
    assert!(late.exists());
}

/// The reader never sees the end of what is on the ring, and still hears what it is told.
#[test]
fn sigterm_reaches_the_command_where_the_output_is_slow() {
    let Some(_machine) = machine::shared() else { return };
    let storm = worker::command(&["storm", "thread", "100000000", "1"]);
    let mut command = program::command(&["--format", "json", "--buffer-size", "256K", "--"]);
    command.arg(storm.get_program()).args(storm.get_args()).process_group(0);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stderr.take().unwrap();
    let reader = thread::spawn(move || {
        let mut buffer = [0; 8192];
        while pipe.read(&mut buffer).unwrap() > 0 {
            thread::sleep(Duration::from_millis(4));
        }
    });
    thread::sleep(Duration::from_millis(1500));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(process::wait(&mut child).code(), Some(128 + 15));
    // The storm's own workers live on, and hold the pipe.
    kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    reader.join().unwrap();
}

/// Runs `script` with the events on a standard error that nobody reads.
fn unread(script: &str) -> Child {
    let mut command = program::command(&["--format", "json", "--", "sh", "-c", script]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn sigterm_reaches_the_command_where_nobody_reads_the_events() {
    let Some(_machine) = machine::shared() else { return };
    // The second one has to be sent again.
    let traps = ["trap 'exit 9' TERM", "trap 'trap \"exit 9\" TERM' TERM"];
    for (trap, signals) in traps.into_iter().zip([1, 2]) {
        let mut child = unread(&format!("{trap}; echo $$; while :; do /bin/true; done"));
        let pid = first_number(&mut child);
        thread::sleep(Duration::from_millis(1500)); // some thousand processes, 150 bytes each
        for _ in 0..signals {
            thread::sleep(Duration::from_millis(1100));
            kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        }
        assert_eq!(process::wait(&mut child).code(), Some(9));
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    }
}

#[test]
fn the_end_of_the_command_is_the_end_where_nobody_reads_the_events() {
    let Some(_machine) = machine::shared() else { return };
    let mut child = unread("i=0; while [ $i -lt 600 ]; do /bin/true; i=$((i+1)); done; exit 7");
    assert_eq!(process::wait(&mut child).code(), Some(7));
}

#[test]
fn a_command_that_can_not_be_run_shows_nothing_of_ours() {
    let Some(_machine) = machine::shared() else { return };
    let mut run = Run::new(&["--wide"], &["/nonexistent/program"]);
    assert_eq!(run.output().status.code(), Some(127));
    let capture = run.capture();
    let [exit] = &capture.events[..] else { panic!("{:#?}", capture.events) };
    assert_eq!((&*exit.event_type, &*exit.comm, exit.exit_code), ("exit", "program", Some(127)));
    assert_eq!(exit.args, None);
}

fn first_number(child: &mut Child) -> u32 {
    let mut text = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    let mut byte = [0];
    while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        text.push(char::from(byte[0]));
    }
    text.parse().expect(&text)
}

/// With a daemon left over, SIGTERM and SIGINT end the capture in the ordinary way.
#[test]
fn waiting_for_a_daemon_can_be_ended() {
    let Some(_machine) = machine::shared() else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let script = "setsid sleep 5 >/dev/null 2>&1 & echo $!; exit 3";
        let mut run = Run::new(&["--wide", "--wait", "all"], &["sh", "-c", script]);
        let mut child = run.spawn();
        let daemon = first_number(&mut child);
        thread::sleep(Duration::from_millis(500));
        assert!(child.try_wait().unwrap().is_none(), "it waits for the daemon");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(process::wait(&mut child).code(), Some(3));
        assert!(run.capture().summary.is_some());
        let _ = kill_process(Pid::from_raw(daemon as i32).unwrap(), Signal::KILL);
    }
}

/// As from a terminal: the whole process group gets SIGINT.
#[test]
fn ctrl_c_is_the_commands_to_answer() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let events = dir.path().join("events");
    for (script, code) in [
        ("trap 'exit 11' INT; echo ready; while :; do sleep 0.05; done", 11),
        ("echo ready; exec sleep 60", 128 + 2),
    ] {
        // script(1) gives a terminal, whose line discipline makes ^C a signal to the group.
        let inner = format!(
            "{BINARY} proc --wide --format json -o {} -- sh -c \"{script}\"; echo code=$?",
            events.display()
        );
        let mut child = Command::new("script")
            .args([
                "-qec",
                &format!("sh -c 'trap : INT; {}'", inner.replace('\'', "'\\''")),
                "/dev/null",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) of bsdutils");
        let mut stdout = child.stdout.take().unwrap();
        let mut seen = String::new();
        let mut buffer = [0; 4096];
        while !seen.contains("ready") {
            let n = stdout.read(&mut buffer).unwrap();
            assert!(n > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        thread::sleep(Duration::from_millis(200));
        use std::io::Write as _;
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"\x03").unwrap();
        stdin.flush().unwrap();
        while let Ok(n @ 1..) = stdout.read(&mut buffer) {
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        process::wait(&mut child);
        assert!(seen.contains(&format!("code={code}")), "{seen}");
        assert!(seen.contains("events printed, 0 lost"), "{seen}");
        let capture = Capture::parse(&fs::read(&events).unwrap());
        assert!(capture.summary.is_some());
    }
}

#[test]
fn the_command_runs_as_another_user() {
    let Some(_machine) = machine::shared() else { return };
    let mut run = Run::new(&["--wide", "--user", "nobody"], &["sh", "-c", "id -u; id -g; id -G"]);
    fs::set_permissions(run.dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let output = run.output();
    let wanted = process::output(
        Command::new("sh").args(["-c", "id -u nobody; id -g nobody; id -G nobody"]),
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{output:?}");
    let capture = run.capture();
    assert!(capture.events.iter().all(|event| event.uid == 65534));

    let output = Run::new(&["--user", "no-such-user"], &["true"]).output();
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    // SIGTERM still reaches it.
    let mut run = Run::new(&["--user", "nobody"], &["sh", "-c", "echo $$; exec sleep 60"]);
    let mut child = run.spawn();
    first_number(&mut child);
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(process::wait(&mut child).code(), Some(128 + 15));
}

#[test]
fn filters_narrow_a_run_down() {
    let Some(_machine) = machine::shared() else { return };
    let script = "/bin/true; /bin/false; sh -c 'exit 4'; :";
    let mut run = Run::new(&["--wide", "--failed"], &["sh", "-c", script]);
    assert_eq!(run.output().status.code(), Some(0));
    let capture = run.capture();
    let codes: Vec<_> = capture.events.iter().map(|event| event.exit_code.unwrap()).collect();
    assert_eq!(codes, [1, 4]);
    assert_eq!(capture.events[0].args.as_ref().unwrap(), &["/bin/false"]);
}

#[test]
fn it_works_in_a_pid_namespace() {
    let Some(_machine) = machine::shared() else { return };
    for mode in [&["--wide"][..], &[]] {
        let mut run = Run::new(
            &[mode, &["--wait", "all"]].concat(),
            &["sh", "-c", "echo $$; /bin/true; exit 6"],
        );
        run.command = namespace::of_pids(&run.command);
        let output = run.output();
        assert_eq!(output.status.code(), Some(6), "{output:?}");
        let text = fs::read_to_string(run.events()).unwrap();
        assert_eq!(text.matches(":\"fork\"").count(), 1, "{text}");
        assert_eq!(text.matches(":\"exec\"").count(), 2, "{text}");
        assert_eq!(text.matches(":\"exit\"").count(), 2, "{text}");
        // The pids are the kernel's, not those of the namespace.
        let inner: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        assert!(inner < 10);
        assert!(!text.contains(&format!("{{\"pid\":{inner},")), "{text}");
    }
}

/// Whoever finds the hidden subcommand gets no more from it than a status.
#[test]
fn what_is_no_gate_is_a_usage_error() {
    for gate in ["-1", "1000000", "gate", ""] {
        let status = Command::new(BINARY).args(["hold-command", "--", gate, "", "true"]).status();
        assert_eq!(status.unwrap().code(), Some(2), "{gate:?}");
    }
}
