// SPDX-License-Identifier: MIT OR Apache-2.0
//! `--follow`: a process and all that descends from it, those alive at the start included.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use crate::program::{self, Ended, NEVER, Tuxscope};
use crate::wide::Capture;
use crate::{machine, namespace, process, worker};

/// A worker that goes on until it is told to end.
struct Late(Child);

impl Late {
    fn start(args: &[&str]) -> Self {
        Self::spawn(&mut worker::command(args))
    }

    fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a worker"))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it has written a line.
    fn await_line(&mut self) {
        let mut line = String::new();
        BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
    }

    /// Ends its input, and reads what it and its descendants tell, who may stay.
    fn end_input(mut self) -> Vec<Told> {
        drop(self.0.stdin.take());
        let stdout = BufReader::new(self.0.stdout.take().unwrap());
        let mut told: Vec<Told> = Vec::new();
        let mut number = None;
        for line in stdout.lines() {
            let line = line.unwrap();
            let one: Told = serde_json::from_str(&line).expect(&line);
            if one.parent == 0 && one.orphan == 0 {
                number = Some(one.number);
            }
            told.push(one);
            let orphans = told.iter().filter(|told| told.orphan > 0).count();
            if number == Some(orphans) {
                break;
            }
        }
        assert!(process::wait(&mut self.0).success());
        told
    }

    /// Ends it, and waits for the last of its descendants.
    fn finish(mut self) -> String {
        drop(self.0.stdin.take());
        let text = std::io::read_to_string(self.0.stdout.take().unwrap()).unwrap();
        assert!(process::wait(&mut self.0).success());
        text
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// A /proc that hides others' processes, but for a group that root isn't in.
#[test]
fn descendants_are_found_where_proc_hides_them() {
    let Some(_machine) = machine::shared() else { return };
    let worker = worker::command(&[]).get_program().to_owned();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = Command::new("setpriv");
    command.args(nobody).arg(worker).args(["hold", "3"]);
    let mut held = Late::spawn(&mut command);
    held.await_line();
    thread::sleep(Duration::from_millis(100)); // for the last grandchild
    let mount = "mount -t proc -o hidepid=invisible,gid=4242 proc /proc";
    let pid = held.pid().to_string();
    let trace = program::command(&["--wide", "--format", "json", "--follow", "--pid", &pid]);
    let mut tuxscope = Tuxscope::spawn(namespace::command(mount, "", &trace));
    tuxscope.await_tracing();
    thread::sleep(Duration::from_millis(300)); // until it has learnt who runs
    held.finish();
    let capture = Capture::complete(&tuxscope.stop());
    let exits = capture.events.iter().filter(|event| event.event_type == "exit");
    let with_args = exits.filter(|event| event.args.is_some()).count();
    assert_eq!(with_args, 1 + 3 + 3, "{:#?}", capture.events);
}

/// Where /proc has other pids than events have. What begins from then on needs no /proc.
#[test]
fn in_a_pid_namespace_it_says_that_those_already_running_are_missed() {
    let Some(_machine) = machine::shared() else { return };
    let (mut shell, pid) = Probe::start();
    let args = ["--format", "json", "--count", "2", "--follow", "--pid", &pid];
    let mut tuxscope = Tuxscope::spawn(namespace::of_pids(&program::command(&args)));
    tuxscope.await_tracing();
    writeln!(shell.stdin.as_ref().unwrap(), "x").unwrap();
    let run = tuxscope.end();
    drop(shell.stdin.take());
    process::wait(&mut shell);
    assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
    assert!(run.stderr[0].contains("descendants that already run are missed"), "{:#?}", run.stderr);
    assert_eq!(run.closing().printed, 2, "fork and exit: {:#?}", run.stderr);
}

#[test]
fn descendants_that_were_alive_at_the_start_are_followed() {
    let Some(_machine) = machine::shared() else { return };
    for wide in [true, false] {
        let mut held = Late::start(&["hold", "50"]);
        held.await_line();
        let mut other = Late::start(&["hold", "5"]);
        other.await_line();
        thread::sleep(Duration::from_millis(100)); // for the last grandchild
        let root = held.pid();
        let first = children(root);
        let second: Vec<_> = first.iter().flat_map(|&pid| children(pid)).collect();
        assert_eq!((first.len(), second.len()), (50, 50));
        let mut args = vec!["--format", "json", "--follow", "--pid"];
        let text = root.to_string();
        args.push(&text);
        if wide {
            args.push("--wide");
        }
        let tuxscope = Tuxscope::start(&args);
        other.finish();
        held.finish();
        let run = tuxscope.stop();
        let mut exits: Vec<u32> = match wide {
            true => {
                let capture = Capture::complete(&run);
                for event in &capture.events {
                    let code = match event.pid {
                        pid if pid == root => 0,
                        pid => 21 + u8::from(second.contains(&pid)),
                    };
                    assert_eq!((&*event.event_type, event.exit_code), ("exit", Some(code)));
                }
                capture.events.iter().map(|event| event.pid).collect()
            }
            false => run.complete().iter().map(|event| event.pid).collect(),
        };
        exits.sort_unstable();
        let mut wanted = [first, second, vec![root]].concat();
        wanted.sort_unstable();
        assert_eq!(exits, wanted, "wide: {wide}");
    }
}

fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the worker's `lineages` says.
#[derive(Debug, Deserialize)]
struct Told {
    number: usize,
    #[serde(default)]
    parent: u32,
    #[serde(default)]
    end_ns: u64,
    #[serde(default)]
    orphan: u32,
    #[serde(default)]
    forks: Vec<u64>,
}

/// Starts to follow a process while its descendants fork and lose their parents all the time.
fn lineages(args: &[&str]) -> (Ended, Vec<Told>, u32) {
    let worker = Late::start(&["lineages"]);
    thread::sleep(Duration::from_millis(200));
    let pid = worker.pid().to_string();
    let tuxscope =
        Tuxscope::start(&[&["--format", "json", "--follow", "--pid", &pid], args].concat());
    thread::sleep(Duration::from_millis(500));
    let root = worker.pid();
    let told = worker.finish();
    let told = told.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    (tuxscope.stop(), told, root)
}

/// Those whose parent was there when the first event came were descendants then.
fn descendants(told: &[Told], first_ns: u64) -> Vec<(&Told, &Told)> {
    let parents: HashMap<usize, &Told> =
        told.iter().filter(|told| told.end_ns > first_ns).map(|told| (told.number, told)).collect();
    let orphans = told.iter().filter(|told| told.orphan > 0);
    orphans.filter_map(|orphan| Some((*parents.get(&orphan.number)?, orphan))).collect()
}

#[test]
fn none_is_missed_while_all_fork_and_are_orphaned() {
    let Some(_machine) = machine::alone() else { return };
    // Many processes make /proc slow to read, and much can happen meanwhile.
    let mut crowd = Late::start(&["hold", "500"]);
    crowd.await_line();
    for _ in 0..3 {
        let (run, told, root) = lineages(&["--wide", "--buffer-size", "16M"]);
        let capture = Capture::complete(&run);
        let first_ns = capture.events.iter().map(|event| event.timestamp_ns).min().unwrap();
        let pairs = descendants(&told, first_ns);
        assert!(pairs.len() > 50, "{} lineages", pairs.len());
        let has = |kind: &str, pid: u32, since: u64| {
            let fits = |e: &&crate::wide::Event| e.is(kind, pid) && e.timestamp_ns >= since;
            capture.events.iter().any(|event| fits(&event))
        };
        for (parent, orphan) in pairs {
            assert!(has("exit", parent.parent, parent.end_ns), "{parent:?}");
            let last = *orphan.forks.last().unwrap();
            assert!(has("exit", orphan.orphan, last), "{orphan:?}");
            // A fork that began before the first event may have been told after it.
            let surely = orphan.forks.iter().filter(|&&ns| ns > first_ns).count();
            let own = capture.events.iter().filter(|event| {
                event.event_type == "fork"
                    && event.ppid == orphan.orphan
                    && event.timestamp_ns > orphan.forks[0]
            });
            let seen = own.count();
            assert!((surely..=surely + 1).contains(&seen), "{seen} of {surely}: {orphan:?}");
        }
        assert!(has("exit", root, first_ns));
        let known: HashSet<u32> = told.iter().flat_map(|told| [told.parent, told.orphan]).collect();
        let strangers = capture.events.iter().filter(|event| {
            event.pid != root && !known.contains(&event.pid) && !known.contains(&event.ppid)
        });
        // A child whose parent, an orphan, is known only by its later ppid: none of them outlives it.
        let strangers: Vec<_> = strangers
            .take(30)
            .map(|e| (&e.event_type, e.pid, e.ppid, &e.comm, e.timestamp_ns - first_ns))
            .collect();
        assert!(strangers.is_empty(), "root {root}: {strangers:?}");
    }
    crowd.finish();
}

/// A shell that is followed, too, and does nothing: when its child's exit comes out of the ring,
/// all that was there before has, and there is room.
struct Probe {
    shell: Child,
    lines: Receiver<String>,
    seen: Vec<(String, u32)>,
}

impl Probe {
    fn start() -> (Child, String) {
        let mut shell = Command::new("sh");
        shell.args(["-c", "while read x; do (exit 0); done"]);
        let shell = shell.stdin(Stdio::piped()).spawn().expect("a shell");
        let pid = shell.id().to_string();
        (shell, pid)
    }

    fn new(shell: Child, output: ChildStdout) -> Self {
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { shell, lines, seen: Vec::new() }
    }

    /// Takes what has come; returns the event types and pids of it all.
    fn take(&mut self, patience: Duration) -> &[(String, u32)] {
        let deadline = Instant::now() + patience;
        let left = || deadline.saturating_duration_since(Instant::now());
        while let Ok(line) = self.lines.recv_timeout(left()) {
            let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            if let (Some(kind), Some(pid)) = (line["event_type"].as_str(), line["pid"].as_u64()) {
                self.seen.push((kind.to_owned(), pid as u32));
            }
        }
        &self.seen
    }

    /// Has the shell make children until one of them is seen to end.
    fn await_room(&mut self) {
        let shell = self.shell.id();
        for _ in 0..200 {
            let before = self.seen.len();
            writeln!(self.shell.stdin.as_ref().unwrap(), "x").unwrap();
            let seen = &self.take(Duration::from_millis(150))[before..];
            if seen.iter().any(|(kind, pid)| kind == "exit" && *pid != shell) {
                return;
            }
        }
        panic!("nothing comes out of the ring any more");
    }
}

/// The ring loses events from the first moment on; whoever ends when there is room is still known.
#[test]
fn a_subtree_is_not_lost_with_the_events() {
    /// Their exits fit into a ring of 4 KiB, whatever its reader does.
    const FIT: usize = 16;
    let Some(_machine) = machine::alone() else { return };
    let mut crowd = Late::start(&["hold", "500"]);
    crowd.await_line();
    let mut lossy = 0;
    for wide in [&["--wide"][..], &[]] {
        let worker = Late::start(&["lineages", "stay"]);
        let (shell, shells_pid) = Probe::start();
        thread::sleep(Duration::from_millis(200));
        let pids = format!("{},{shells_pid}", worker.pid());
        let args = ["--format", "json", "--follow", "--pid", &pids, "--buffer-size", "4096"];
        let (tuxscope, output) = Tuxscope::start_piped(&[&args, wide].concat());
        let began_ns = now_ns();
        let mut probe = Probe::new(shell, output);
        probe.take(Duration::from_millis(500));
        let told = worker.end_input();
        // Those whose parent was there when the trace began were descendants then, and are quiet now.
        let pairs = descendants(&told, began_ns);
        assert!(pairs.len() > 50, "{} lineages", pairs.len());
        let orphans: Vec<u32> = pairs.iter().map(|(_, orphan)| orphan.orphan).collect();
        for some in orphans.chunks(FIT) {
            probe.await_room();
            for &pid in some {
                kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::TERM).expect("alive");
            }
            probe.await_room();
        }
        for told in told.iter().filter(|told| told.orphan > 0 && !orphans.contains(&told.orphan)) {
            let _ = kill_process(Pid::from_raw(told.orphan as i32).unwrap(), Signal::TERM);
        }
        drop(probe.shell.stdin.take());
        process::wait(&mut probe.shell);
        let run = tuxscope.stop();
        assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
        lossy += run.closing().lost.iter().sum::<u64>();
        let seen = probe.take(Duration::from_secs(1));
        let exits: HashSet<u32> =
            seen.iter().filter(|(kind, _)| kind == "exit").map(|(_, pid)| *pid).collect();
        let missing = orphans.iter().filter(|pid| !exits.contains(pid)).count();
        assert_eq!(missing, 0, "of {}, wide: {wide:?}", orphans.len());
    }
    crowd.finish();
    assert!(lossy > 0, "nothing was lost, so nothing was shown");
}

/// Forks, execs, daemons: whatever begins below the root is followed, and nothing else.
#[test]
fn what_begins_later_is_followed_wherever_it_goes() {
    let Some(_machine) = machine::shared() else { return };
    let script = "read line; setsid sh -c 'sleep 0.1 & exit 0'; \
                  (setsid sh -c '(sleep 0.2; exec sh -c \"exit 9\") & exit 0' &) ; \
                  for i in 1 2 3; do /bin/true; done; sleep 0.5; :";
    let mut shell = std::process::Command::new("bash")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash runs");
    let pid = shell.id();
    let args = ["--wide", "--format", "json", "-f", "-p", &pid.to_string()];
    let tuxscope = Tuxscope::start(&args);
    for _ in 0..20 {
        worker::case("fork"); // strangers
    }
    drop(shell.stdin.take());
    process::wait(&mut shell);
    let capture = Capture::complete(&tuxscope.stop());
    let count = |kind: &str| capture.events.iter().filter(|e| e.event_type == kind).count();
    assert_eq!(count("exit"), count("fork") + 1);
    let argv = |args: &[&str]| {
        let fits = |e: &&crate::wide::Event| {
            e.event_type == "exit" && e.args.as_ref().is_some_and(|a| a == args)
        };
        capture.events.iter().filter(fits).count()
    };
    assert_eq!(argv(&["/bin/true"]), 3);
    assert_eq!([argv(&["sleep", "0.1"]), argv(&["sleep", "0.2"]), argv(&["sleep", "0.5"])], [1; 3]);
    assert_eq!(argv(&["sh", "-c", "exit 9"]), 1);
    assert_eq!(capture.one("exit", pid).args.as_ref().unwrap()[0], "bash");
    let known: HashSet<u32> = capture.events.iter().map(|event| event.pid).collect();
    let forks = capture.events.iter().filter(|event| event.event_type == "fork");
    assert!(forks.into_iter().all(|fork| known.contains(&fork.ppid)), "no stranger's fork");
}

#[test]
fn nobody_is_followed_where_nobody_is_there() {
    let Some(_machine) = machine::shared() else { return };
    let args = ["--follow", "--pid", NEVER, "--duration", "1"];
    let run = Tuxscope::spawn(program::command(&args)).end();
    run.refused(2, &[&format!("no process has pid {NEVER}"), "--follow begins at processes"]);
}

/// A pid that comes round again is somebody else.
#[test]
fn a_pid_is_followed_only_while_its_owner_lives() {
    let Some(_machine) = machine::alone() else { return };
    let pid = worker::reserved_pid();
    let mut shell = std::process::Command::new("bash")
        .args(["-c", "read line"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash runs");
    for mode in [&["--wide"][..], &[]] {
        let (root, pid_text) = (shell.id().to_string(), pid.to_string());
        let pids = format!("{root},{pid_text}");
        let args = [&["--format", "json", "--follow", "--pid", &pids], mode].concat();
        let tuxscope = Tuxscope::start(&args);
        thread::sleep(Duration::from_millis(500)); // the start is over
        // The pid was named, but nobody had it; who gets it now is no root.
        worker::same_pid(pid, 1);
        let run = tuxscope.stop();
        run.success();
        let said =
            format!("no process has pid {pid} now; a later one with that pid is not followed");
        assert!(run.stderr[0].ends_with(&said), "{:#?}", run.stderr);
        assert_eq!(run.closing().printed, 0, "{}", String::from_utf8_lossy(&run.stdout));
    }
    drop(shell.stdin.take());
    process::wait(&mut shell);
}
