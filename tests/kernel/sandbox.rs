// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a capture may still do once it runs, and what its service manager hears.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;

use crate::program::{self, Tuxscope};
use crate::{machine, process, worker};

/// The program reopens its output by name: a link leads it out of the directory, or would.
#[test]
fn files_elsewhere_are_out_of_reach() {
    let Some(_machine) = machine::shared() else { return };
    // Where links are followed, because root alone may write there: it is the sandbox that holds.
    let (dir, elsewhere) =
        (tempfile::tempdir_in("/root").unwrap(), tempfile::tempdir_in("/root").unwrap());
    let path = dir.path().join("out");
    let target = elsewhere.path().join("target");
    let name = path.to_str().unwrap();
    let mut tuxscope = Tuxscope::start(&["--format", "json", "-o", name, "--reopen"]);
    fs::rename(&path, dir.path().join("old")).unwrap();
    symlink(&target, &path).unwrap();
    tuxscope.signal(Signal::HUP);
    tuxscope.await_line("can't reopen");
    let life = worker::case("fork").remove(0);
    let run = tuxscope.stop();
    assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
    assert!(run.stderr[1].contains("Permission denied"), "{:#?}", run.stderr);
    assert!(!target.exists());
    // The old file went on.
    let old = fs::read_to_string(dir.path().join("old")).unwrap();
    assert!(old.contains(&format!("\"pid\":{},", life.pid)));
}

/// A command is no part of it.
#[test]
fn a_command_is_not_sandboxed() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("made");
    let touch = ["--", "touch", path.to_str().unwrap()];
    let run = Tuxscope::spawn(program::command(&touch)).end();
    assert_eq!(run.code, Some(0), "{:#?}", run.stderr);
    assert!(path.exists());
}

#[test]
fn a_service_manager_hears_of_the_beginning_of_life_and_of_the_end() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(process::LIMIT)).unwrap();
    let mut command = program::command(&["--wide"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut tuxscope = Tuxscope::spawn(command);
    let hear = || {
        let mut bytes = [0; 64];
        let len = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..len].to_vec()).unwrap().trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1");
    }
    tuxscope.await_tracing();
    tuxscope.signal(Signal::TERM);
    let last = std::iter::repeat_with(hear).find(|said| said != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    tuxscope.end().success();
}
