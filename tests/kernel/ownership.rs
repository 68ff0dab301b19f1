// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose files a capture is written to: everyone's arguments are in it.

use std::fs::{self, File, Permissions};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid, fchown, mknodat, openat};
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{self, BINARY, Tuxscope};
use crate::{events, machine, process, worker};

const NOBODY: u32 = 65534;

/// A directory as /tmp is one, and one that only root may write to.
fn directories() -> [tempfile::TempDir; 2] {
    let shared = tempfile::tempdir().unwrap();
    fs::set_permissions(shared.path(), Permissions::from_mode(0o1777)).unwrap();
    [shared, tempfile::tempdir_in("/root").unwrap()]
}

fn make_fifo(path: &Path, owner: u32) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    chown(path, Some(owner), None).unwrap();
}

fn make_file(path: &Path, text: &str, mode: u32, owner: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    chown(path, Some(owner), None).unwrap();
}

fn refused(path: &Path, words: &[&str]) {
    let args = ["--duration", "0.1", "-o", path.to_str().unwrap()];
    Tuxscope::spawn(program::command(&args)).end().refused(1, words);
}

#[test]
fn another_users_file_is_refused_and_left_alone() {
    let Some(_machine) = machine::shared() else { return };
    for dir in directories() {
        let file = dir.path().join("file");
        make_file(&file, "theirs", 0o644, NOBODY);
        refused(&file, &["file is owned by another user (uid 65534)", "remove it"]);
        assert_eq!(fs::read(&file).unwrap(), b"theirs");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o644);
    }
}

/// An open that waits for a reader would never end.
#[test]
fn another_users_fifo_is_refused_at_once() {
    let Some(_machine) = machine::shared() else { return };
    for dir in directories() {
        let fifo = dir.path().join("fifo");
        make_fifo(&fifo, NOBODY);
        refused(&fifo, &["fifo is owned by another user"]);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let _reader = openat(CWD, &fifo, flags, Mode::empty()).unwrap();
        refused(&fifo, &["fifo is owned by another user"]);
    }
}

#[test]
fn an_existing_file_becomes_its_owners_alone_when_tracing_begins() {
    let Some(_machine) = machine::shared() else { return };
    for dir in directories() {
        let file = dir.path().join("file");
        make_file(&file, "old", 0o644, 0);
        let name = file.to_str().unwrap();
        let wrong = ["-o", name, "--cgroup", "/nosuch"];
        Tuxscope::spawn(program::command(&wrong)).end().refused(2, &[]);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o644, "a start that fails");
        Tuxscope::start(&["--duration", "0.1", "-o", name]).end().success();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);

        // Of whoever called sudo(8).
        make_file(&file, "old", 0o644, NOBODY);
        let mut command = program::command(&["--duration", "0.1", "-o", name]);
        command.env("SUDO_UID", NOBODY.to_string());
        Tuxscope::spawn(command).end().success();
        let meta = fs::metadata(&file).unwrap();
        assert_eq!((meta.mode() & 0o777, meta.uid()), (0o600, NOBODY));
        assert!(!fs::read_to_string(&file).unwrap().contains("old"));
    }
}

#[test]
fn a_file_with_other_names_is_refused_where_others_may_write() {
    let Some(_machine) = machine::shared() else { return };
    let [shared, own] = directories();
    for dir in [&shared, &own] {
        make_file(&dir.path().join("precious"), "precious", 0o600, 0);
        fs::hard_link(dir.path().join("precious"), dir.path().join("link")).unwrap();
    }
    refused(&shared.path().join("link"), &["link has other names (hard links)", "remove it"]);
    assert_eq!(fs::read(shared.path().join("precious")).unwrap(), b"precious");
    let link = own.path().join("link");
    Tuxscope::start(&["--duration", "0.1", "-o", link.to_str().unwrap()]).end().success();
}

/// What a redirection opened is whoever started tuxscope's to answer for.
#[test]
fn what_was_inherited_is_written_to_as_it_is() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    make_file(&file, "", 0o644, NOBODY);
    for name in ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"] {
        let command = program::command(&["--duration", "0.1", "-o", name]);
        let mut tuxscope = Tuxscope::spawn_to(command, File::create(&file).unwrap().into());
        tuxscope.await_tracing();
        tuxscope.end().success();
        let meta = fs::metadata(&file).unwrap();
        assert_eq!((meta.mode() & 0o777, meta.uid()), (0o644, NOBODY));
        assert!(meta.len() > 0);

        // `su -c 'tuxscope ...' | less`: the pipe is not root's.
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let nobody = (Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY)));
        fchown(writer.as_fd(), nobody.0, nobody.1).unwrap();
        let command = program::command(&["--duration", "0.1", "-o", name]);
        let mut tuxscope = Tuxscope::spawn_to(command, OwnedFd::into(writer));
        tuxscope.await_tracing();
        tuxscope.end().success();
        assert!(std::io::read_to_string(File::from(reader)).unwrap().contains("PID"));
    }
    let script = format!("{BINARY} proc --duration 0.1 -o >(cat >{}); sleep 0.1", file.display());
    process::output(Command::new("bash").args(["-c", &script]).stderr(Stdio::null()));
    process::eventually(|| fs::read_to_string(&file).unwrap().contains("PID"));
    Tuxscope::start(&["--duration", "0.1", "-o", "/dev/null"]).end().success();
}

/// Waits until it waits in openat(2).
fn await_open(child: &Child) {
    process::eventually(|| {
        let call = fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap();
        call.split_once(' ').is_some_and(|(number, _)| number == libc::SYS_openat.to_string())
    });
}

#[test]
fn ones_own_fifo_waits_for_its_reader_and_a_signal_ends_that() {
    use std::os::unix::process::ExitStatusExt as _;
    let Some(_machine) = machine::shared() else { return };
    for dir in directories() {
        let fifo = dir.path().join("fifo");
        make_fifo(&fifo, 0);
        let name = fifo.to_str().unwrap();
        let start = || {
            let mut command = program::command(&["--format", "json", "-o", name, "--", "true"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        for signal in [Signal::INT, Signal::TERM] {
            let mut child = start();
            await_open(&child);
            kill_process(Pid::from_child(&child), signal).unwrap();
            assert_eq!(process::wait(&mut child).signal(), Some(signal.as_raw()));
        }
        let mut child = start();
        await_open(&child);
        let events = events::from_json(&fs::read(&fifo).unwrap());
        assert!(process::wait(&mut child).success());
        assert_eq!(events.len(), 2, "the exec and the exit of true: {events:?}");
    }
}

/// The capture goes on in the file that it has, whatever the name leads to by then.
#[test]
fn nothing_of_others_is_reopened_nor_waited_for() {
    let Some(_machine) = machine::shared() else { return };
    for dir in directories() {
        let (path, moved) = (dir.path().join("out"), dir.path().join("moved"));
        let name = path.to_str().unwrap();
        let args = ["--wide", "--format", "json", "-o", name, "--reopen"];
        let mut tuxscope = Tuxscope::start(&args);
        fs::rename(&path, &moved).unwrap();
        let mut reopen = |cause: &str| {
            tuxscope.signal(Signal::HUP);
            tuxscope.await_line(cause);
            fs::remove_file(&path).unwrap();
        };
        make_fifo(&path, NOBODY);
        reopen("can't reopen the output");
        make_fifo(&path, 0);
        reopen("can't reopen the output");
        make_file(&path, "theirs", 0o666, NOBODY);
        reopen("is owned by another user");
        make_file(&path, "ours, and not emptied\n", 0o644, 0);
        tuxscope.signal(Signal::HUP);
        process::eventually(|| fs::metadata(&path).unwrap().mode() & 0o777 == 0o600);
        let life = worker::case("fork").remove(0);
        let run = tuxscope.stop();
        assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("ours"), "{text}");
        assert!(text.contains(&format!("{{\"pid\":{},", life.pid)), "{text}");
    }
}
