// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wide mode: who a process is, where it runs, and when.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::time::ClockId;

use crate::program::Tuxscope;
use crate::wide::Capture;
use crate::{machine, process, worker};

fn start() -> Tuxscope {
    Tuxscope::start(&["--wide", "--format", "json", "--buffer-size", "16M"])
}

fn shell(script: &str) -> (u32, String) {
    let mut child = Command::new("bash")
        .args(["-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    let pid = child.id();
    let stdout = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    process::wait(&mut child);
    (pid, stdout)
}

#[test]
fn the_user_is_the_real_one_at_the_time() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = start();
    let script = "exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c :";
    let (pid, _) = shell(script);
    let capture = Capture::complete(&tuxscope.stop());
    let uids: Vec<_> = capture.of(pid).iter().map(|e| (&*e.event_type, e.uid)).collect();
    let wanted = [("fork", 0), ("exec", 0), ("exec", 0), ("exec", 65534), ("exit", 65534)];
    assert_eq!(uids, wanted);
}

/// `start_ns` is /proc's, which counts ticks of 10 ms on a clock that goes on in suspend.
#[test]
fn the_start_is_that_of_proc() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = start();
    let (pid, stat) = shell("read -r line </proc/$$/stat; echo \"$line\"");
    let capture = Capture::complete(&tuxscope.stop());
    let ticks: u64 = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
    let clock = |clock| {
        let now = rustix::time::clock_gettime(clock);
        now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
    };
    let monotonic = clock(ClockId::Monotonic);
    let suspended = clock(ClockId::Boottime) - monotonic;
    let fork = capture.one("fork", pid);
    let off = (fork.start_ns + suspended).abs_diff(ticks * 10_000_000);
    assert!(off <= 11_000_000, "{off} ns");
    assert!(fork.timestamp_ns - fork.start_ns < 1_000_000_000, "{fork:?}");
}

/// The wall clock lies between what `date` said before and after.
#[test]
fn the_time_is_the_wall_clocks() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = start();
    let (pid, dates) = shell("date +%s%N; sh -c 'echo $$'; date +%s%N");
    let capture = Capture::complete(&tuxscope.stop());
    let numbers: Vec<u64> = dates.lines().map(|line| line.parse().unwrap()).collect();
    let [before, inner, after] = numbers[..] else { panic!("{dates}") };
    assert_ne!(u64::from(pid), inner);
    for event in capture.of(inner as u32) {
        let wall = ns_of(&event.time);
        // date(1) itself takes a while to look at the clock, so this is no narrow bound.
        assert!((before..=after).contains(&wall), "{before} {wall} {after}");
    }
    assert_eq!(capture.of(inner as u32).len(), 3);
}

fn ns_of(time: &str) -> u64 {
    let output = process::output(Command::new("date").args(["-d", time, "+%s%N"]));
    output.trim().parse().unwrap()
}

/// A cgroup of the v2 hierarchy; dropped, it is removed.
struct Cgroup(PathBuf);

impl Cgroup {
    fn make(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
        let root = mount.expect("a cgroup2 mount").split(' ').nth(1).unwrap();
        let path = Path::new(root).join(format!("tuxscope-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a cgroup");
        fs::create_dir(path.join("below")).expect("a cgroup");
        Self(path)
    }

    /// Runs a shell in it.
    fn run(&self, below: &str, script: &str) -> u32 {
        let procs = self.0.join(below).join("cgroup.procs");
        shell(&format!("echo $$ >{}; {script}", procs.display())).0
    }

    fn name(&self) -> String {
        format!("/{}", self.0.file_name().unwrap().to_str().unwrap())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for dir in [self.0.join("below"), self.0.clone()] {
            // A process that has ended may linger in it for a moment.
            let gone = (0..200).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(5));
                fs::remove_dir(&dir).is_ok()
            });
            assert!(gone || std::thread::panicking(), "{} is still there", dir.display());
        }
    }
}

#[test]
fn the_cgroup_is_named_by_id_and_path() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = start();
    // Made after the start: paths are looked up when an id is new.
    let cgroup = Cgroup::make("identity");
    let id = fs::metadata(&cgroup.0).unwrap().ino();
    let below = fs::metadata(cgroup.0.join("below")).unwrap().ino();
    let before =
        process::output(Command::new("sh").args(["-c", "sed -n s/^0:://p /proc/self/cgroup"]));
    let pid = cgroup.run("", "exec true");
    let deep = cgroup.run("below", "exec true");
    let capture = Capture::complete(&tuxscope.stop());
    assert_eq!(capture.one("fork", pid).cgroup.as_deref(), Some(before.trim()));
    let name = cgroup.name();
    let exit = capture.one("exit", pid);
    assert_eq!((exit.cgroup_id, exit.cgroup.as_deref()), (id, Some(&*name)));
    let exit = capture.one("exit", deep);
    let name = format!("{name}/below");
    assert_eq!((exit.cgroup_id, exit.cgroup.as_deref()), (below, Some(&*name)));
}

#[test]
fn by_cgroup_and_below_in_both_views() {
    let Some(_machine) = machine::shared() else { return };
    let cgroup = Cgroup::make("filter");
    let path = cgroup.0.to_str().unwrap().to_owned();
    for given in [path, cgroup.name()] {
        let wide = Tuxscope::start(&["--wide", "--format", "json", "--cgroup", &given]);
        let basic = Tuxscope::start(&["--format", "json", "--cgroup", &given]);
        let pid = cgroup.run("", "exec true");
        let deep = cgroup.run("below", "exec true");
        let (outside, _) = shell("exec true");
        let capture = Capture::complete(&wide.stop());
        let story: Vec<_> = capture.events.iter().map(|e| (&*e.event_type, e.pid)).collect();
        let wanted = [("exec", pid), ("exit", pid), ("exec", deep), ("exit", deep)];
        assert_eq!(story, wanted);
        let events = basic.stop().complete();
        let story: Vec<_> = events.iter().map(|e| (&*e.event_type, e.pid)).collect();
        assert_eq!(story, wanted);
        assert!(!capture.events.iter().any(|event| event.pid == outside));
    }
}

/// `CLONE_INTO_CGROUP`, as systemd and runtimes of containers do it.
#[test]
fn who_is_born_in_a_cgroup_is_in_it_from_the_fork_on() {
    let Some(_machine) = machine::shared() else { return };
    let (cgroup, other) = (Cgroup::make("born"), Cgroup::make("elsewhere"));
    let wide = |path: &str| Tuxscope::start(&["--wide", "--format", "json", "--cgroup", path]);
    let (inside, above) = (wide(&format!("{}/below", cgroup.name())), wide(&cgroup.name()));
    let outside = wide(&other.name());
    let life = worker::into_cgroup(cgroup.0.join("below").to_str().unwrap());
    // A fork from `other` into `cgroup` is none of `other`.
    let script = format!(
        "echo $$ >{}/cgroup.procs; exec {} into-cgroup {}",
        other.0.display(),
        worker::path().display(),
        cgroup.0.display()
    );
    let (maker, _) = shell(&script);
    let kinds = |tuxscope: Tuxscope, pid| {
        let capture = Capture::complete(&tuxscope.stop());
        let kinds = capture.of(pid).iter().map(|e| e.event_type.clone()).collect::<Vec<_>>();
        (kinds, capture)
    };
    for tuxscope in [inside, above] {
        let (kinds, capture) = kinds(tuxscope, life.pid);
        assert_eq!(kinds, ["fork", "exec", "exit"]);
        assert!(capture.of(life.ppid).is_empty());
    }
    let (kinds, capture) = kinds(outside, maker);
    assert_eq!(kinds, ["exec", "exit"]);
    assert_eq!(capture.events.len(), 2, "{:#?}", capture.events);
}

#[test]
fn what_is_no_cgroup_is_refused() {
    let Some(_machine) = machine::shared() else { return };
    for (path, words) in [
        ("/nonexistent", &["/nonexistent", "No such file"][..]),
        ("/tmp", &["/tmp", "cgroup2"]),
        ("/etc/passwd", &["/etc/passwd"]),
    ] {
        let command = crate::program::command(&["--wide", "--cgroup", path]);
        Tuxscope::spawn(command).end().refused(2, words);
    }
}

/// What /proc says of it, from outside: the ids in all its namespaces, the innermost last.
fn proc_says(pid: u32) -> (Vec<u32>, u64, u32) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap();
    let ids = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let namespace = fs::metadata(format!("/proc/{pid}/ns/pid")).unwrap().ino();
    let login = fs::read_to_string(format!("/proc/{pid}/loginuid")).unwrap();
    (ids, namespace, login.trim().parse().unwrap())
}

/// The pids below one, until it has none.
fn descendants(pid: u32) -> Vec<u32> {
    // One that has ended meanwhile has none.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().map(|pid| pid.parse().unwrap());
    children.flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

#[test]
fn the_pid_in_its_own_namespace_is_that_of_proc() {
    let Some(_machine) = machine::shared() else { return };
    let tuxscope = start();
    // Namespaces in namespaces, each with several processes, the last of which wait.
    let script = "unshare --pid --fork --kill-child sh -c \
        ': & sleep 60 & unshare --pid --fork --kill-child sh -c \": & : & sleep 61 & sleep 62\"; :'; :";
    let mut shell = Command::new("sh").args(["-c", script]).spawn().unwrap();
    let waits = |args: &str| {
        let found = descendants(shell.id()).into_iter().find(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line == format!("sleep\0{args}\0").into_bytes()
        });
        found.expect(args)
    };
    process::eventually(|| {
        let count = descendants(shell.id()).into_iter().filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"))
        });
        count.count() == 3
    });
    let truth = ["60", "61", "62"].map(|args| (waits(args), proc_says(waits(args))));
    for (pid, _) in &truth {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(*pid as i32).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
    }
    process::wait(&mut shell);
    let capture = Capture::complete(&tuxscope.stop());
    let outer = proc_says(std::process::id()).0.len();
    for (level, (pid, (ids, namespace, _))) in [1, 2, 2].into_iter().zip(truth) {
        assert_eq!(ids.len(), outer + level, "{ids:?}");
        let events = capture.of(pid);
        assert_eq!(events.len(), 3, "fork, exec, exit");
        for event in events {
            let told = (event.ns_pid, event.pidns.map(u64::from));
            assert_eq!(told, (ids.last().copied(), Some(namespace)), "{event:?}");
        }
    }
    let exit = capture.one("exit", shell.id());
    let inside = (outer > 1).then(|| exit.ns_pid.unwrap());
    assert_eq!(exit.ns_pid, inside, "missing in the initial namespace");
}

/// The kernel keeps it through every change of the user.
#[test]
fn who_logged_in_is_told_whatever_user_came_since() {
    let Some(_machine) = machine::shared() else { return };
    if !Path::new("/proc/self/loginuid").exists() {
        // Not eprintln!, which the test runner would hide.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"\nSKIPPED: this kernel has no audit, so nobody's login is known\n",
        );
        return;
    }
    let tuxscope = start();
    let script = "echo 1234 >/proc/self/loginuid; \
        setpriv --reuid=65534 --regid=65534 --clear-groups cat /proc/self/loginuid";
    let (pid, said) = shell(&format!("{script}; :"));
    let (before, _) = shell(":");
    let own: u32 = fs::read_to_string("/proc/self/loginuid").unwrap().trim().parse().unwrap();
    let capture = Capture::complete(&tuxscope.stop());
    assert_eq!(said.trim(), "1234");
    let own = Some(own).filter(|&uid| uid != u32::MAX);
    assert_eq!(capture.one("fork", pid).login_uid, own);
    assert_eq!(capture.one("exit", pid).login_uid, Some(1234));
    assert_eq!(capture.one("exit", before).login_uid, own);
    let nobody = capture.events.iter().find(|event| event.ppid == pid && event.uid == 65534);
    assert_eq!(nobody.expect("a change of the user").login_uid, Some(1234));
}
