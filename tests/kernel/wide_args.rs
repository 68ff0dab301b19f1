// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wide mode: file names and arguments, whatever they are.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::program::{self, Tuxscope};
use crate::wide::{Capture, Event};
use crate::{machine, process, worker};

/// `/bin/true` with these arguments; the pid that it had.
fn run(program: impl AsRef<OsStr>, args: &[OsString]) -> u32 {
    let mut child =
        Command::new(program).args(args).stderr(Stdio::null()).spawn().expect("a program runs");
    let pid = child.id();
    process::wait(&mut child);
    pid
}

fn start(more: &[&str]) -> Tuxscope {
    Tuxscope::start(&[&["--wide", "--format", "json"], more].concat())
}

fn strings(args: &[OsString]) -> Vec<String> {
    args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect()
}

fn args_of(event: &Event) -> &[String] {
    event.args.as_deref().expect("arguments")
}

#[test]
fn exotic_arguments_keep_their_structure() {
    let Some(_machine) = machine::shared() else { return };
    let args: Vec<OsString> = vec![
        "".into(),
        "a b".into(),
        "it's \"quoted\" \\ `x` $y".into(),
        "two\nlines\tand \x1b[31m".into(),
        OsString::from_vec(b"not \xff\xfe UTF-8 \xc3".to_vec()),
        "日本".into(),
        "".into(),
        "".into(),
    ];
    let tuxscope = start(&[]);
    let pid = run("/bin/true", &args);
    let capture = Capture::complete(&tuxscope.stop());
    let wanted = [vec!["/bin/true".to_owned()], strings(&args)].concat();
    for kind in ["exec", "exit"] {
        let event = capture.one(kind, pid);
        assert_eq!(args_of(event), wanted, "{kind}");
        assert!(!event.args_truncated);
    }
    assert_eq!(capture.one("exec", pid).filename.as_deref(), Some("/bin/true"));
    assert_eq!(capture.one("fork", pid).args, None);
}

/// At the limit, one byte above and one below, for each room that the BPF side has.
#[test]
fn arguments_are_cut_at_the_limit_exactly() {
    let Some(_machine) = machine::shared() else { return };
    let name = "/bin/true";
    let limits: [usize; 11] = [1, 20, 127, 128, 129, 511, 512, 4095, 4096, 4097, 65536];
    for limit in limits {
        let tuxscope = start(&["--max-args", &limit.to_string(), "--buffer-size", "8M"]);
        let mut runs = Vec::new();
        for size in [limit - 1, limit, limit + 1, 100_000] {
            let Some(len) = size.checked_sub(name.len() + 2) else { continue };
            let arg = "x".repeat(len);
            runs.push((run(name, &[arg.clone().into()]), arg, size > limit));
        }
        let capture = Capture::complete(&tuxscope.stop());
        for (pid, arg, cut) in runs {
            let whole = format!("{name}\0{arg}\0");
            let wanted = if cut { &whole[..limit] } else { &whole };
            for kind in ["exec", "exit"] {
                let event = capture.one(kind, pid);
                assert_eq!(event.args_truncated, cut, "{limit} {kind}");
                let got = args_of(event).join("\0");
                assert_eq!(got, wanted.strip_suffix('\0').unwrap_or(wanted), "{limit} {kind}");
            }
        }
    }
}

#[test]
fn a_command_line_of_a_megabyte() {
    let Some(_machine) = machine::shared() else { return };
    let args: Vec<OsString> = (0..100_000).map(|i| format!("{i:09}").into()).collect();
    for (limit, kept) in [("4K", 4096), ("64K", 65536)] {
        let tuxscope = start(&["--max-args", limit]);
        let pid = run("/bin/true", &args);
        let capture = Capture::complete(&tuxscope.stop());
        for kind in ["exec", "exit"] {
            let event = capture.one(kind, pid);
            let got = args_of(event);
            assert!(event.args_truncated);
            let whole = [vec!["/bin/true".to_owned()], strings(&args)].concat();
            assert_eq!(got[..got.len() - 1], whole[..got.len() - 1]);
            let bytes: usize = got.iter().map(|arg| arg.len() + 1).sum();
            assert!((kept - 1..=kept + 1).contains(&bytes), "{bytes} of {kept} bytes");
        }
    }
}

/// A file of that path length; a path up to `PATH_MAX` can be given to execve.
fn program_at(dir: &tempfile::TempDir, len: usize) -> PathBuf {
    let mut path = dir.path().as_os_str().as_bytes().to_vec();
    while len - path.len() > 202 {
        path.push(b'/');
        path.extend(std::iter::repeat_n(b'd', 200));
    }
    let mut parents = PathBuf::from(OsString::from_vec(path.clone()));
    std::fs::create_dir_all(&parents).expect("directories");
    parents.push("f".repeat(len - path.len() - 1));
    std::os::unix::fs::symlink("/bin/true", &parents).expect("a link");
    parents
}

#[test]
fn file_names_up_to_path_max() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let lengths = [100, 126, 127, 128, 129, 300, 510, 511, 512, 513, 2000, 4094, 4095];
    let paths: Vec<_> = lengths.iter().map(|&len| program_at(&dir, len)).collect();
    let tuxscope = start(&["--max-args", "64K", "--buffer-size", "8M"]);
    let mut pids = Vec::new();
    for path in &paths {
        for arg in ["x", &"y".repeat(5000)] {
            let mut child = Command::new(path).arg0("short").arg(arg).spawn().expect("it runs");
            pids.push((child.id(), path, arg.to_owned()));
            process::wait(&mut child);
        }
    }
    let capture = Capture::complete(&tuxscope.stop());
    for (pid, path, arg) in pids {
        let exec = capture.one("exec", pid);
        assert_eq!(exec.filename.as_deref(), path.to_str(), "of {} bytes", path.as_os_str().len());
        assert_eq!(args_of(exec), ["short", &arg]);
        assert!(!exec.args_truncated);
    }
}

/// A script's interpreter gets other arguments than the caller gave; so does /proc/PID/cmdline.
#[test]
fn a_script_shows_what_its_interpreter_got() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("script");
    process::output(
        Command::new("sh").args(["-c", "printf '#!/bin/sh -e\n:\n' >$0; chmod +x $0"]).arg(&path),
    );
    let tuxscope = start(&[]);
    let pid = run(&path, &["a".into()]);
    let capture = Capture::complete(&tuxscope.stop());
    let exec = capture.one("exec", pid);
    let path = path.to_str().unwrap();
    assert_eq!(exec.filename.as_deref(), Some(path));
    assert_eq!(args_of(exec), ["/bin/sh", "-e", path, "a"]);
}

/// JSON writes a control character as six bytes: nobody may so fill a service's disk.
#[test]
fn what_json_must_escape_takes_no_more_than_its_room() {
    let Some(_machine) = machine::shared() else { return };
    for exits in [true, false] {
        let tuxscope = start(if exits { &[] } else { &["--no-exit-args"] });
        let pid = run("/bin/true", &["\u{1}".repeat(3000).into(), "\u{1b}".repeat(900).into()]);
        let stopped = tuxscope.stop();
        let own = format!("{{\"pid\":{pid},");
        let lines = String::from_utf8_lossy(&stopped.stdout);
        let longest = lines.lines().filter(|line| line.starts_with(&own)).map(str::len).max();
        // Twice 4 KiB, and the other keys.
        assert!((8000..9000).contains(&longest.unwrap()), "{longest:?}");
        let capture = Capture::complete(&stopped);
        let exec = capture.one("exec", pid);
        assert!(exec.args_truncated);
        assert_eq!(args_of(exec)[0], "/bin/true");
        let exit = capture.one("exit", pid);
        assert_eq!(exit.args, exec.args.clone().filter(|_| exits));
        assert_eq!(exit.args_truncated, exits);
    }
}

/// The largest line that can be, of a program's name and arguments that are all control bytes.
#[test]
fn no_line_takes_more_than_is_documented() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut program = dir.path().to_owned();
    program.extend(std::iter::repeat_n("\u{1}".repeat(255), 15));
    std::fs::create_dir_all(&program).unwrap();
    program.push("\u{1}".repeat(15));
    std::os::unix::fs::symlink("/bin/true", &program).unwrap();
    let tuxscope = Tuxscope::start(&["--wide", "--format", "json"]);
    let pid = run(&program, &["\u{1}".repeat(4095).into()]);
    let stopped = tuxscope.stop();
    let lines = String::from_utf8_lossy(&stopped.stdout);
    let own = format!("{{\"pid\":{pid},");
    let own: Vec<_> = lines.lines().filter(|line| line.starts_with(&own)).collect();
    let longest = own.iter().map(|line| line.len()).max().unwrap();
    assert!((12 << 10..=17 << 10).contains(&longest), "{longest}");
    let capture = Capture::complete(&stopped);
    let exec = capture.one("exec", pid);
    assert!(exec.filename_truncated);
    let told = exec.filename.as_deref().unwrap();
    assert!(program.to_str().unwrap().starts_with(told) && told.len() > 600, "{}", told.len());
}

/// Room that the ring doesn't have costs arguments, not the event. Others' events would take it.
#[test]
fn on_the_smallest_ring_a_long_command_line_is_cut_not_lost() {
    let Some(_machine) = machine::alone() else { return };
    let tuxscope = Tuxscope::start(&[
        "--wide",
        "--format",
        "json",
        "--buffer-size",
        "4096",
        "--comm",
        "true",
        "--max-args",
        "64K",
    ]);
    let mut pids = Vec::new();
    for len in [100, 1000, 20_000, 100_000] {
        pids.push(run("/bin/true", &["x".repeat(len).into()]));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let capture = Capture::complete(&tuxscope.stop());
    for pid in pids {
        let exec = capture.one("exec", pid);
        assert_eq!(args_of(exec)[0], "/bin/true");
        assert!(args_of(exec)[1].starts_with("xxxxxxxx"), "{exec:?}");
    }
}

/// The name of a program is never cut, on whatever ring.
#[test]
fn long_names_fit_on_a_small_ring() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut program = dir.path().to_owned();
    while program.as_os_str().len() < 600 {
        program.push("d".repeat(100));
    }
    std::fs::create_dir_all(&program).unwrap();
    program.push("true");
    std::os::unix::fs::symlink("/bin/true", &program).unwrap();
    let tuxscope = start(&["--buffer-size", "8K", "--comm", "true"]);
    let pid = run(&program, &["x".repeat(5000).into()]);
    let capture = Capture::parse(&tuxscope.stop().stdout);
    let exec = capture.one("exec", pid);
    assert_eq!(exec.filename.as_deref(), program.to_str());
    assert!(exec.args_truncated);
}

/// A process that ran before the start: `cat` reads until its input ends.
struct Early(Child);

impl Early {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn end(mut self) -> u32 {
        drop(self.0.stdin.take());
        process::wait(&mut self.0);
        self.0.id()
    }
}

#[test]
fn processes_that_ran_before_have_their_arguments() {
    let Some(_machine) = machine::shared() else { return };
    let odd = OsString::from_vec(b"a\nb \xff".to_vec());
    let early = Early::start(Command::new("cat").args(["-", "", "-"]).arg0(odd));
    let subshell = Early::start(Command::new("bash").args(["-c", "(read line; exit 3); exit 4"]));
    let long = Early::start(Command::new("cat").arg("-").arg("x".repeat(10_000)));
    std::thread::sleep(std::time::Duration::from_millis(100));
    let tuxscope = start(&[]);
    let (pid, shell, long) = (early.end(), subshell.end(), long.end());
    let capture = Capture::complete(&tuxscope.stop());
    let exit = capture.one("exit", pid);
    assert_eq!(args_of(exit), ["a\nb \u{fffd}", "-", "", "-"]);
    assert!(!exit.args_truncated);
    let age = exit.duration_ns.unwrap();
    assert!((100_000_000..60_000_000_000).contains(&age), "{age}");
    assert_eq!(args_of(capture.one("exit", shell))[..2], ["bash", "-c"]);
    let long = capture.one("exit", long);
    assert!(long.args_truncated);
    assert_eq!(args_of(long)[2].len(), 4096 - "cat\0-\0".len());
}

/// Its exec is another user's, its exit is not: the one that is told has the arguments.
#[test]
fn who_becomes_another_user_ends_with_the_arguments_of_its_last_exec() {
    let Some(_machine) = machine::shared() else { return };
    for more in [&[][..], &["-e", "exit"], &["--match", "become"]] {
        let args = ["--wide", "--format", "json", "--uid", "4242"];
        let tuxscope = Tuxscope::start(&[&args, more].concat());
        let mut become_other = worker::command(&["become", "4242"]);
        let mut child = become_other.spawn().expect("a worker");
        assert!(child.wait().expect("its end").success());
        let capture = Capture::complete(&tuxscope.stop());
        let exit = capture.one("exit", child.id());
        let args = exit.args.as_ref().expect("its arguments");
        assert_eq!(args[1..], ["become", "4242"], "{more:?}");
        assert!(!exit.args_unknown);
    }
}

/// The clocks of a time namespace are set apart, by which /proc shifts the starts of processes. A
/// machine that was suspended differs alike: the two clocks have moved apart since a process began.
#[test]
fn arguments_from_before_are_found_whatever_the_clocks_say() {
    let Some(_machine) = machine::shared() else { return };
    let mut shell = Command::new("sh");
    let mut shell = shell.args(["-c", "read x", "before"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut apart = Command::new("unshare");
    let offsets = ["--time", "--fork", "--kill-child", "--monotonic", "500", "--boottime", "1000"];
    apart.args(offsets).arg(program::BINARY);
    apart.args(["proc", "--wide", "--format", "json", "--duration", "2"]);
    let mut tuxscope = Tuxscope::spawn(apart);
    tuxscope.await_tracing();
    drop(shell.stdin.take());
    process::wait(&mut shell);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let capture = Capture::complete(&tuxscope.end());
    let exit = capture.one("exit", shell.id());
    assert_eq!(args_of(exit), ["sh", "-c", "read x", "before"]);
    let now = jiff::Timestamp::from_second(now.as_secs() as i64).unwrap();
    let time: jiff::Timestamp = exit.time.parse().unwrap();
    assert!(time.duration_since(now).as_secs().abs() < 100, "{time} is {now}");
}

/// They are read when tracing is on, and may be those of an exec that is on its way: whatever a
/// process execs meanwhile, its exit tells the last.
#[test]
fn an_exec_while_arguments_are_read_from_proc_is_not_mixed_up() {
    let Some(_machine) = machine::shared() else { return };
    let script = "n=$1; test -e \"$2\" && exit 0; exec bash \"$0\" $((n + 1)) \"$2\"";
    let dir = tempfile::tempdir().unwrap();
    let (file, end) = (dir.path().join("again.sh"), dir.path().join("end"));
    std::fs::write(&file, script).unwrap();
    let mut shells: Vec<_> = (0..4)
        .map(|_| Command::new("bash").arg(&file).arg("0").arg(&end).spawn().unwrap())
        .collect();
    let tuxscope = start(&[]);
    // Until each has exec'd once more: on a busy machine none may have had its turn.
    let command_line = |shell: &Child| std::fs::read(format!("/proc/{}/cmdline", shell.id()));
    for shell in &shells {
        let before = command_line(shell).unwrap();
        while command_line(shell).unwrap() == before {
            std::thread::yield_now();
        }
    }
    std::fs::write(&end, "").unwrap();
    shells.iter_mut().for_each(|shell| assert!(process::wait(shell).success()));
    let capture = Capture::complete(&tuxscope.stop());
    for shell in shells {
        let events = capture.of(shell.id());
        let [.., exec, exit] = &events[..] else { panic!("{events:?}") };
        assert_eq!((&*exec.event_type, &*exit.event_type), ("exec", "exit"));
        assert_eq!(args_of(exit), args_of(exec));
    }
}
