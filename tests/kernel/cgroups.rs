// SPDX-License-Identifier: MIT OR Apache-2.0
//! The paths of cgroups, also of those that are gone before anybody could look.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, Tuxscope};
use crate::wide::Capture;
use crate::{machine, namespace, process, worker};

/// A directory of the v2 hierarchy, which is removed with all below it.
pub struct Cgroup(pub PathBuf);

impl Cgroup {
    /// Makes one.
    pub fn make(name: &str) -> Self {
        let dir = mount_point().join(format!("tuxscope-test-{}-{name}", std::process::id()));
        fs::create_dir(&dir).expect("a cgroup");
        Self(dir)
    }

    /// Where it lies, as `/proc/PID/cgroup` has it for a process in it.
    fn path_in_proc(dir: &Path) -> String {
        let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(dir.join("cgroup.procs"), sleeper.id().to_string()).expect("moved");
        let text = fs::read(format!("/proc/{}/cgroup", sleeper.id())).unwrap();
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let path = text.split("0::").nth(1).expect("a v2 hierarchy");
        path.strip_suffix('\n').unwrap().to_owned()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = Command::new("find")
            .arg(&self.0)
            .args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])
            .status();
    }
}

fn mount_point() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    mount.expect("a v2 hierarchy").split(' ').nth(1).unwrap().into()
}

/// Each is born in a cgroup of its own, which goes with it.
#[test]
fn every_line_of_a_thousand_short_cgroups_has_its_path() {
    let Some(_machine) = machine::alone() else { return };
    let parent = Cgroup::make("short");
    let tuxscope = Tuxscope::start(&["--format", "json", "--wide", "--buffer-size", "64M"]);
    let lives: Vec<_> = (0..1000)
        .map(|i| {
            let dir = parent.0.join(format!("number-{i}"));
            fs::create_dir(&dir).unwrap();
            let life = worker::into_cgroup(dir.to_str().unwrap());
            process::eventually(|| fs::remove_dir(&dir).is_ok());
            life
        })
        .collect();
    let capture = Capture::complete(&tuxscope.stop());
    let unknown = capture.events.iter().filter(|event| event.cgroup.is_none()).count();
    assert_eq!(unknown, 0, "of {} lines", capture.events.len());
    let root = Cgroup::path_in_proc(&parent.0);
    for (i, life) in lives.iter().enumerate() {
        let events = capture.of(life.pid);
        assert!(events.len() >= 2);
        for event in events {
            assert_eq!(event.cgroup.as_deref(), Some(&*format!("{root}/number-{i}")));
        }
    }
}

#[test]
fn the_path_is_the_one_that_proc_tells() {
    let Some(_machine) = machine::shared() else { return };
    let parent = Cgroup::make("names");
    let long = "n".repeat(255);
    let deep = (0..40).map(|i| i.to_string()).collect::<Vec<_>>().join("/");
    // A short one, control bytes, quotes; several of the longest; many.
    let names = ["a.slice", "\u{1b}[2J\t\"\\", "\u{c4}\u{1f427}", &[&*long; 6].join("/"), &deep];
    for (i, name) in names.iter().enumerate() {
        let dir = parent.0.join(name);
        fs::create_dir_all(&dir).unwrap();
        let wanted = Cgroup::path_in_proc(&dir);
        // A second capture tells of ids that an earlier one was told of.
        for _ in 0..2 {
            let tuxscope = Tuxscope::start(&["--format", "json", "--wide"]);
            let life = worker::into_cgroup(dir.to_str().unwrap());
            let capture = Capture::complete(&tuxscope.stop());
            for event in capture.of(life.pid) {
                assert_eq!(event.cgroup.as_deref(), Some(&*wanted), "{i}");
            }
        }
    }
}

/// Each line of what runs there would repeat it, six times as long.
#[test]
fn a_path_that_takes_too_much_in_json_is_left_out() {
    let Some(_machine) = machine::shared() else { return };
    let parent = Cgroup::make("hostile");
    let dir = parent.0.join([&*"\u{1}".repeat(255); 3].join("/"));
    fs::create_dir_all(&dir).unwrap();
    let tuxscope = Tuxscope::start(&["--format", "json", "--wide"]);
    let life = worker::into_cgroup(dir.to_str().unwrap());
    let capture = Capture::complete(&tuxscope.stop());
    let exit = capture.one("exit", life.pid);
    assert_eq!((exit.cgroup.as_deref(), exit.cgroup_id > 0), (None, true));
}

/// A capture in a cgroup namespace that begins at `root`, after `mounts` was done there.
fn in_cgroup_namespace(root: &Path, mounts: &str) -> Tuxscope {
    let mut inside = Command::new("unshare");
    inside.args(["--cgroup", "sh", "-c", &format!("{mounts} exec \"$@\""), "sh", program::BINARY]);
    inside.args(["proc", "--wide", "--format", "json"]);
    let unseen = namespace::command("true", "", &inside);
    let moves = "echo $$ > \"$1/cgroup.procs\" && shift && exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", moves, "sh"]).arg(root);
    command.arg(unseen.get_program()).args(unseen.get_args());
    let mut tuxscope = Tuxscope::spawn(command);
    tuxscope.await_tracing();
    tuxscope
}

/// As a container sees it: from its own root on.
#[test]
fn in_a_cgroup_namespace_paths_begin_at_its_root() {
    let Some(_machine) = machine::shared() else { return };
    let outer = Cgroup::make("outer");
    let inner = outer.0.join("inner");
    fs::create_dir(&inner).unwrap();
    let tuxscope = in_cgroup_namespace(&outer.0, "mount -t cgroup2 none /sys/fs/cgroup &&");
    let life = worker::into_cgroup(inner.to_str().unwrap());
    let stranger = worker::case("fork").remove(0);
    let capture = Capture::complete(&tuxscope.stop());
    assert_eq!(capture.one("exit", life.pid).cgroup.as_deref(), Some("/inner"));
    assert_eq!(capture.one("exit", stranger.pid).cgroup, None, "it is outside");
}

/// A container that was given the host's cgroups: dist/kubernetes/daemonset.yaml.
#[test]
fn where_the_whole_hierarchy_is_mounted_paths_begin_at_its_root() {
    let Some(_machine) = machine::shared() else { return };
    let outer = Cgroup::make("host");
    let other = Cgroup::make("other");
    let tuxscope = in_cgroup_namespace(&outer.0, "");
    let life = worker::into_cgroup(other.0.to_str().unwrap());
    let capture = Capture::complete(&tuxscope.stop());
    let path = capture.one("exit", life.pid).cgroup.clone().unwrap();
    assert!(other.0.ends_with(path.trim_start_matches('/')), "{path}");
}

/// Made as systemd and the runtimes name them.
#[test]
fn the_unit_and_the_container_are_told() {
    let Some(_machine) = machine::shared() else { return };
    let slice = Cgroup::make("names.slice");
    let id = "0123456789abcdef".repeat(4);
    let pod = "8a1b2c3d-0011-2233-4455-66778899aabb";
    let kubepods = format!("kubepods.slice/kubepods-pod{}.slice", pod.replace('-', "_"));
    let cri = format!("cri-containerd-{id}.scope");
    let (docker, nspawn) = (format!("docker-{id}.scope"), "machine-web\\x2d1.scope");
    let paths = [
        ("a.slice/foo.service/below".to_owned(), Some("foo.service"), None, [None; 3]),
        ("_cpu.service".to_owned(), Some("cpu.service"), None, [None; 3]),
        (
            "user@1000.service/app.slice/a.scope".to_owned(),
            Some("user@1000.service"),
            Some("a.scope"),
            [None; 3],
        ),
        (docker.clone(), Some(&*docker), None, [Some(&*id), Some("docker"), None]),
        (
            format!("{nspawn}/payload/system.slice/b.service"),
            Some(nspawn),
            None,
            [Some("web-1"), Some("systemd-nspawn"), None],
        ),
        (
            format!("{kubepods}/{cri}"),
            Some(&*cri),
            None,
            [Some(&*id), Some("containerd"), Some(pod)],
        ),
        ("nothing/a.service".to_owned(), None, None, [None; 3]),
    ];
    let tuxscope = Tuxscope::start(&["--format", "json", "--wide"]);
    let lives: Vec<_> = paths
        .iter()
        .map(|(path, ..)| {
            let dir = slice.0.join(path);
            fs::create_dir_all(&dir).unwrap();
            worker::into_cgroup(dir.to_str().unwrap())
        })
        .collect();
    let capture = Capture::complete(&tuxscope.stop());
    for ((path, unit, user_unit, container), life) in paths.iter().zip(lives) {
        for event in capture.of(life.pid) {
            let units = (event.unit.as_deref(), event.user_unit.as_deref());
            assert_eq!(units, (*unit, *user_unit), "{path}");
            let told = [&event.container, &event.runtime, &event.pod_uid].map(|key| key.as_deref());
            assert_eq!(told, *container, "{path}");
        }
    }
}

/// A ring that no record of a long path fits into.
#[test]
fn a_path_too_long_for_the_ring_is_told_to_be_unknown() {
    let Some(_machine) = machine::alone() else { return };
    let parent = Cgroup::make("long");
    let dir = parent.0.join([&*"n".repeat(255); 6].join("/"));
    fs::create_dir_all(&dir).unwrap();
    let wanted = Cgroup::path_in_proc(&dir);
    for (size, path) in [("4096", None), ("8192", Some(&*wanted))] {
        let cgroup = dir.to_str().unwrap();
        // Nobody else's events, not even for later lines' sake, so that there is room.
        let more = ["-e", "fork,exec", "--cgroup", cgroup, "--buffer-size", size];
        let args = [&["--format", "json", "--wide"], &more[..]].concat();
        let tuxscope = Tuxscope::start(&args);
        let life = worker::into_cgroup(cgroup);
        let capture = Capture::complete(&tuxscope.stop());
        assert_eq!(capture.of(life.pid).len(), 2);
        for event in capture.of(life.pid) {
            assert_eq!(event.cgroup.as_deref(), path, "{size}");
        }
    }
}

/// Whether a child that is born there lies below `--cgroup` can't be told.
#[test]
fn a_birth_too_deep_to_be_filtered_is_counted() {
    let Some(_machine) = machine::shared() else { return };
    let parent = Cgroup::make("deep");
    let below = |depth: usize| vec!["d"; depth].join("/");
    let dir = parent.0.join(below(70));
    fs::create_dir_all(&dir).unwrap();
    for (depth, lost) in [(0, 1), (60, 0)] {
        let wanted = parent.0.join(below(depth));
        let args = ["--format", "json", "--wide", "--cgroup", wanted.to_str().unwrap()];
        let tuxscope = Tuxscope::start(&args);
        let life = worker::into_cgroup(dir.to_str().unwrap());
        let run = tuxscope.stop();
        let capture = Capture::parse(&run.stdout);
        let events = capture.of(life.pid);
        let forks = events.iter().filter(|event| event.event_type == "fork").count() as u64;
        assert_eq!((forks, run.closing().lost), (1 - lost, [lost, 0, 0]), "{depth}");
        assert_eq!(events.len() as u64, 3 - lost, "{events:?}");
    }
}

/// Of these, in this order, which are chosen.
fn chosen(slice: &Cgroup, paths: &[String], args: &[&str]) -> Vec<String> {
    let args = [&["--format", "json"], args].concat();
    // Made when the capture runs already.
    let tuxscope = Tuxscope::start(&args);
    let lives: Vec<_> = paths
        .iter()
        .map(|path| {
            let dir = slice.0.join(path);
            fs::create_dir_all(&dir).unwrap();
            worker::into_cgroup(dir.to_str().unwrap())
        })
        .collect();
    let capture = Capture::complete(&tuxscope.stop());
    let makers: Vec<u32> = lives.iter().map(|life| life.ppid).collect();
    assert!(!capture.events.iter().any(|event| makers.contains(&event.pid)), "a maker is outside");
    let chosen = paths.iter().zip(&lives).filter_map(|(path, life)| {
        let events = capture.of(life.pid);
        assert!(events.is_empty() || events.len() == 3, "all of a life or nothing: {events:?}");
        (!events.is_empty()).then(|| path.clone())
    });
    chosen.collect()
}

/// By the rules by which the keys are told, also one that begins later.
#[test]
fn by_unit_and_by_container() {
    let Some(_machine) = machine::shared() else { return };
    let slice = Cgroup::make("by.slice");
    let id = "fedcba9876543210".repeat(4);
    let long = format!("{}.service", "n".repeat(240));
    let paths = [
        "foo.service".to_owned(),
        "a.slice/foo.service/below/deep".to_owned(),
        "_foo.service".to_owned(),
        "foo.service2".to_owned(),
        "2foo.service".to_owned(),
        "other.service/foo.service".to_owned(),
        "user@1000.service/app.slice/foo.service".to_owned(),
        "user@1000.service/init.scope".to_owned(),
        "session-3.scope/foo.service".to_owned(),
        "user@1000.service/user@1000.service/foo.service".to_owned(),
        "notslice/foo.service".to_owned(),
        long.clone(),
        format!("docker-{id}.scope/system.slice/foo.service"),
        format!("docker-{id}.scope/docker/{}", id.replace('f', "0")),
        format!("libpod-{id}.scope/container"),
        format!("libpod-conmon-{id}.scope"),
        format!("docker/{id}"),
        format!("docker-{}.scope", id.replace("fed", "fee")),
        format!("kubepods/burstable/pod8a1b2c3d-0011-2233-4455-66778899aabb/{id}"),
        format!("other/{id}"),
        "lxc.payload.web-1/init".to_owned(),
        "lxc.payload.web-11".to_owned(),
        "machine-web\\x2d1.scope/payload".to_owned(),
        "machine-web\\x2d1.scope/supervisor".to_owned(),
        "systemd-nspawn@web-1.service/payload/init.scope".to_owned(),
        "machine.slice/web-1.scope/payload".to_owned(),
        "machine.slice/web-1.scope/supervisor".to_owned(),
        "system.slice/web-1.scope/payload".to_owned(),
    ];
    let units = [0, 1, 2, 6, 8].map(|at| paths[at].clone());
    assert_eq!(chosen(&slice, &paths, &["--unit", "foo"]), units);
    assert_eq!(chosen(&slice, &paths, &["--unit", &long]), [long]);
    let managers = [6, 7, 9].map(|at| paths[at].clone());
    assert_eq!(chosen(&slice, &paths, &["--unit", "user@1000"]), managers);
    let containers = [12, 13, 14, 16, 18].map(|at| paths[at].clone());
    assert_eq!(chosen(&slice, &paths, &["--container", &id[..12]]), containers);
    assert_eq!(chosen(&slice, &paths, &["--container", &id]), containers);
    let inner = id.replace('f', "0");
    assert_eq!(chosen(&slice, &paths, &["--container", &inner]), paths[13..14]);
    let named = [20, 22, 24, 25].map(|at| paths[at].clone());
    assert_eq!(chosen(&slice, &paths, &["--container", "web-1"]), named);
    let docker = format!("docker-{id}.scope");
    let both = ["--unit", &docker, "--container", &id[..12]];
    assert_eq!(chosen(&slice, &paths, &both), paths[12..14]);
}
