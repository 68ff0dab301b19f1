// SPDX-License-Identifier: MIT OR Apache-2.0
//! Output files of their own: who may read them, what links may not do, and rotation.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use rustix::process::{Resource, Rlimit, Signal, prlimit};
use serde_json::Value;

use crate::program::{self, Tuxscope};
use crate::{machine, process, worker};

const NOBODY: u32 = 65534;

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "{} ends with a whole line", path.display());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event_type"] == kind).collect()
}

fn events(lines: &[Value]) -> u64 {
    lines.iter().filter(|line| line["pid"].is_u64()).count() as u64
}

/// A directory as /tmp is one.
fn sticky() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
    dir
}

fn writes(path: &Path) {
    let path = path.to_str().unwrap();
    Tuxscope::start(&["--duration", "0.1", "-o", path]).end().success();
}

fn refused(path: &Path, words: &[&str]) {
    let path = path.to_str().unwrap();
    Tuxscope::spawn(program::command(&["--duration", "0.1", "-o", path])).end().refused(1, words);
}

#[test]
fn a_file_is_its_owners_alone() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    writes(&path);
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn root_follows_no_link_where_others_may_write() {
    let Some(_machine) = machine::shared() else { return };
    let dir = sticky();
    let (target, link, below) =
        (dir.path().join("target"), dir.path().join("link"), dir.path().join("below"));
    fs::write(&target, "precious").unwrap();
    symlink(&target, &link).unwrap();
    symlink(dir.path(), &below).unwrap();
    refused(&link, &["link", "symbolic link"]);
    refused(&below.join("target"), &["below", "symbolic link"]);
    assert_eq!(fs::read(&target).unwrap(), b"precious");

    // A stranger's file would show the stranger what root traces.
    chown(&target, Some(NOBODY), None).unwrap();
    refused(&target, &["target", "another user"]);
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    writes(&dir.path().join("new"));
}

#[test]
fn root_follows_its_own_links() {
    let Some(_machine) = machine::shared() else { return };
    // Not below /tmp, which is everybody's.
    let dir = tempfile::tempdir_in("/root").unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    symlink(&target, &link).unwrap();
    writes(&link);
    assert!(target.exists());
}

/// What leads elsewhere then is not the link, but what others put where it leads through.
#[test]
fn root_follows_no_link_to_where_others_may_write() {
    let Some(_machine) = machine::shared() else { return };
    let (own, theirs) = (tempfile::tempdir_in("/root").unwrap(), tempfile::tempdir().unwrap());
    let (own, theirs) = (own.path(), theirs.path());
    chown(theirs, Some(NOBODY), None).unwrap();
    // Root's, but nobody's to replace by a link.
    let below = theirs.join("below");
    fs::create_dir(&below).unwrap();
    fs::create_dir(own.join("safe")).unwrap();
    symlink(&below, own.join("dir")).unwrap();
    symlink(below.join("out"), own.join("file")).unwrap();
    symlink(own.join("safe"), theirs.join("back")).unwrap();
    symlink(theirs.join("back"), own.join("there")).unwrap();
    for path in ["dir/out", "file", "there/out"] {
        refused(&own.join(path), &[path, "symbolic link", "only root can write to"]);
    }
    for dir in [&below, &own.join("safe")] {
        assert_eq!(fs::read_dir(dir).unwrap().count(), 0, "nothing was made");
    }
    // By a path that has no link.
    writes(&below.join("out"));

    symlink("safe", own.join("near")).unwrap();
    symlink(own.join("near"), own.join("far")).unwrap();
    writes(&own.join("far/../far/out"));
    assert!(own.join("safe/out").exists());
    let mut command = program::command(&["--duration", "0.1", "-o", "/proc/self/cwd/far/here"]);
    command.current_dir(own);
    let mut tuxscope = Tuxscope::spawn(command);
    tuxscope.await_tracing();
    tuxscope.end().success();
    assert!(own.join("safe/here").exists());
}

/// As logrotate, too, refuses them.
#[test]
fn links_are_not_rotated() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir_in("/root").unwrap();
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    symlink(&target, &link).unwrap();
    let args = ["-o", link.to_str().unwrap(), "--rotate-size", "2K", "--duration", "0.1"];
    let run = Tuxscope::spawn(program::command(&args)).end();
    run.refused(2, &["link can't be rotated", "symbolic link", "leads to"]);
    assert!(link.is_symlink());
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing was made");
}

#[test]
fn no_event_is_lost_or_torn_by_rotation() {
    let Some(_machine) = machine::alone() else { return };
    const SIZE: u64 = 64 << 10;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let tuxscope = Tuxscope::start(&[
        "--wide",
        "--format",
        "json",
        "--output",
        path.to_str().unwrap(),
        "--rotate-size",
        "64K",
        "--rotate-keep",
        "1000",
        "--buffer-size",
        "16M",
    ]);
    let storm = worker::storm("fork", 2000, 2);
    let run = tuxscope.stop();
    run.success();
    let closing = run.closing();
    assert_eq!(closing.lost, [0; 3]);

    let count = fs::read_dir(&dir).unwrap().count();
    assert!(count > 10, "{count} files");
    let names = (1..count).rev().map(|n| dir.path().join(format!("out.{n}"))).chain([path]);
    let mut whole = Vec::new();
    let mut all = Vec::new();
    let mut meta = None;
    for name in names {
        assert!(fs::metadata(&name).unwrap().len() <= SIZE);
        assert_eq!(fs::metadata(&name).unwrap().mode() & 0o777, 0o600);
        let lines = lines(&name);
        assert_eq!(lines[0]["event_type"], "meta");
        assert_eq!(meta.get_or_insert_with(|| lines[0].clone()), &lines[0]);
        assert_eq!(kinds(&lines, "meta").len(), 1);
        whole.extend(fs::read(&name).unwrap());
        all.extend(lines);
    }
    assert_eq!(kinds(&all, "summary").len(), 1);
    assert_eq!(all.last().unwrap()["event_type"], "summary");
    assert_eq!(events(&all), closing.printed);
    assert!(closing.printed >= storm.forks + storm.exits);

    // Put together again they are the capture, to replay as to anybody.
    let joined = dir.path().join("joined");
    fs::write(&joined, whole).unwrap();
    let mut replay = std::process::Command::new(program::BINARY);
    replay.args(["replay", "--strict", "--format", "json", joined.to_str().unwrap()]);
    let again = process::output(&mut replay);
    let again: Vec<Value> = again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events(&again), closing.printed);
    assert_eq!(again.last().unwrap()["complete"], true);
}

/// By a thread of the lowest priority, as nobody in particular, in the sandbox: 64 KiB at a time is quicker
/// than it can be, so that files get other numbers while they are compressed.
#[test]
fn what_is_put_aside_is_compressed_and_no_event_is_lost() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let name = path.to_str().unwrap();
    let args = ["-w", "--format", "json", "-o", name, "--buffer-size", "16M"];
    let rotate = ["--rotate-size", "64K", "--rotate-keep", "1000", "--rotate-compress"];
    let tuxscope = Tuxscope::start(&[&args[..], &rotate].concat());
    worker::storm("fork", 2000, 2);
    let tasks = format!("/proc/{}/task", tuxscope.pid());
    let nice = fs::read_dir(tasks).unwrap().find_map(|task| {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (comm, rest) = stat.split_once(") ")?;
        // The 19th field is the nice value, and the 3rd comes first here.
        comm.ends_with("(compressor").then(|| rest.split(' ').nth(16).unwrap().to_owned())
    });
    assert_eq!(nice.as_deref(), Some("19"));
    let run = tuxscope.stop();
    run.success();
    let closing = run.closing();
    assert_eq!(closing.lost, [0; 3]);

    let count = fs::read_dir(&dir).unwrap().count();
    assert!(count > 10, "{count} files");
    for number in 1..count {
        let old = dir.path().join(format!("out.{number}.zst"));
        assert_eq!(fs::metadata(old).unwrap().mode() & 0o777, 0o600);
    }
    let mut replay = std::process::Command::new(program::BINARY);
    replay.args(["replay", "--strict", "--format", "json", dir.path().to_str().unwrap()]);
    let again = process::output(&mut replay);
    let again: Vec<Value> = again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events(&again), closing.printed);
    assert_eq!(again.last().unwrap()["complete"], true);
}

/// Else each restart would push out a whole file, however little is in it.
#[test]
fn a_restart_continues_the_file() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let name = path.to_str().unwrap();
    let args = ["-w", "--format", "json", "-o", name, "--rotate-size", "1M", "--rotate-keep", "1"];
    let mut lives = Vec::new();
    for _ in 0..3 {
        let tuxscope = Tuxscope::start(&args);
        lives.push(worker::case("fork").remove(0).pid);
        tuxscope.stop().success();
    }
    // One that is killed may leave a part of a line.
    fs::write(&path, [&fs::read(&path).unwrap()[..], b"{\"pid\":1,"].concat()).unwrap();
    let tuxscope = Tuxscope::start(&args);
    lives.push(worker::case("fork").remove(0).pid);
    tuxscope.stop().success();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing was put aside");

    let mut replay = std::process::Command::new(program::BINARY);
    let replay = replay.args(["replay", "--format", "json", name]).output().unwrap();
    let said = String::from_utf8(replay.stderr).unwrap();
    assert_eq!(said.matches("another capture begins here").count(), 3, "{said}");
    assert_eq!(said.lines().count(), 4, "and one line is unreadable: {said}");
    let shown = String::from_utf8(replay.stdout).unwrap();
    for pid in lives {
        assert!(shown.contains(&format!("{{\"pid\":{pid},")), "{pid}");
    }
}

#[test]
fn sighup_reopens_the_file_when_asked_to() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("out"), dir.path().join("moved"));
    let name = path.to_str().unwrap();
    let tuxscope = Tuxscope::start(&["--wide", "--format", "json", "-o", name, "--reopen"]);
    worker::case("fork");
    fs::rename(&path, &moved).unwrap();
    tuxscope.signal(Signal::HUP);
    process::eventually(|| path.exists());
    let life = worker::case("fork").remove(0);
    let run = tuxscope.stop();
    run.success();
    let (old, new) = (lines(&moved), lines(&path));
    assert_eq!(old[0], new[0]);
    assert_eq!(events(&old) + events(&new), run.closing().printed);
    assert!(new.iter().any(|line| line["pid"] == life.pid && line["event_type"] == "exit"));
    assert!(kinds(&old, "summary").is_empty());
}

/// As logrotate's copytruncate does.
#[test]
fn a_file_that_is_emptied_meanwhile_begins_anew() {
    let Some(_machine) = machine::shared() else { return };
    for rotate in [&[][..], &["--rotate-size", "1M"]] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let name = path.to_str().unwrap();
        let tuxscope = Tuxscope::start(&[&["--format", "json", "-o", name], rotate].concat());
        worker::case("fork");
        process::eventually(|| fs::metadata(&path).unwrap().len() > 0);
        fs::write(&path, "").unwrap();
        let life = worker::case("fork").remove(0);
        tuxscope.stop().success();
        assert!(lines(&path).iter().any(|line| line["pid"] == life.pid));
    }
}

/// Root's rights are gone by then, and the directory is another user's.
#[test]
fn a_directory_that_can_no_longer_be_written_costs_no_event() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let name = path.to_str().unwrap();
    let tuxscope = Tuxscope::start(&["-w", "--format", "json", "-o", name, "--rotate-size", "8K"]);
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    chown(dir.path(), Some(NOBODY), None).unwrap();
    for _ in 0..30 {
        worker::case("fork");
    }
    let run = tuxscope.stop();
    assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
    assert!(run.stderr[1].contains("can't rotate"), "{:#?}", run.stderr);
    let files = fs::read_dir(&dir).unwrap().map(|file| lines(&file.unwrap().path()));
    assert_eq!(files.map(|lines| events(&lines)).sum::<u64>(), run.closing().printed);
}

/// Under the name of an old one it would be counted, compressed and in the end removed as such.
#[test]
fn where_no_file_can_be_made_the_one_that_is_written_keeps_its_name() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    fs::write(dir.path().join("out.1"), "oldest").unwrap();
    let name = path.to_str().unwrap();
    let rotate = ["--rotate-size", "8K", "--rotate-keep", "1", "--rotate-compress"];
    let mut tuxscope = Tuxscope::start(&[&["--format", "json", "-o", name][..], &rotate].concat());
    // No more than the standard streams, which are open.
    let limit = Rlimit { current: Some(3), maximum: Some(3) };
    prlimit(Some(tuxscope.pid()), Resource::Nofile, limit).unwrap();
    worker::storm("fork", 200, 1);
    tuxscope.await_line("can't rotate");
    let life = worker::case("fork").remove(0);
    let run = tuxscope.stop();
    assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
    let mut names: Vec<_> =
        fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["out", "out.1"]);
    assert_eq!(fs::read(dir.path().join("out.1")).unwrap(), b"oldest");
    let lines = lines(&path);
    assert_eq!(events(&lines), run.closing().printed);
    assert!(lines.iter().any(|line| line["pid"] == life.pid));
}

/// What the capture would come to know only when the first file is full.
#[test]
fn a_directory_in_which_nothing_can_be_renamed_is_refused_at_the_start() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let args = ["-o", path.to_str().unwrap(), "--rotate-size", "1M", "--duration", "0.1"];
    let refused = || {
        let run = Tuxscope::spawn(program::command(&args)).end();
        run.refused(2, &["out can't be used for --rotate-size", "omit --rotate-size"]);
    };
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    chown(dir.path(), Some(NOBODY), None).unwrap();
    refused();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing was made");
    // Sticky: what is another user's there, only that user and the directory's owner rename.
    fs::set_permissions(dir.path(), Permissions::from_mode(0o1777)).unwrap();
    fs::write(&path, "").unwrap();
    chown(&path, Some(1), None).unwrap();
    refused();
    fs::remove_file(&path).unwrap();
    Tuxscope::start(&args).end().success();
}

#[test]
fn a_single_document_is_not_rotated() {
    let command = program::command(&["--format", "tree", "-o", "/dev/null", "--rotate-size", "1M"]);
    Tuxscope::spawn(command).end().refused(2, &["format", "json"]);
    let command = program::command(&["-o", "/dev/null", "--rotate-size", "1M"]);
    Tuxscope::spawn(command).end().refused(2, &["/dev/null", "regular file"]);
}
