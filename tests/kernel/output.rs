// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where events are written to: what ends well, and what fails in one plain line.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::program::{self, Ended, NEVER, Tuxscope};
use crate::{events, machine, namespace, worker};

#[test]
fn a_pipe_closed_after_a_line_is_success() {
    let Some(_machine) = machine::shared() else { return };
    for format in ["json", "table"] {
        let (tuxscope, pipe) = Tuxscope::start_piped(&["--format", format]);
        let mut pipe = BufReader::new(pipe);
        let mut line = String::new();
        worker::case("fork");
        pipe.read_line(&mut line).unwrap();
        drop(pipe);
        worker::case("fork");
        tuxscope.end().success();
    }
}

/// The write that waits for room is the one that fails.
#[test]
fn a_pipe_closed_while_a_write_blocks_is_success() {
    let Some(_machine) = machine::alone() else { return };
    let (tuxscope, pipe) = Tuxscope::start_piped(&["--format", "json"]);
    worker::storm("thread", 2000, 2); // 300 KB, and a pipe holds 64
    drop(pipe);
    tuxscope.end().success();
}

/// No write tells of the closed pipe: no event comes any more.
#[test]
fn a_pipe_closed_in_silence_is_noticed() {
    let Some(_machine) = machine::shared() else { return };
    for format in ["json", "table"] {
        let (tuxscope, pipe) = Tuxscope::start_piped(&["--format", format, "--pid", NEVER]);
        drop(pipe);
        let run = tuxscope.end();
        run.success();
        assert_eq!(run.closing().printed, 0);
    }
}

#[test]
fn a_socket_closed_in_silence_is_noticed() {
    let Some(_machine) = machine::shared() else { return };
    let (ours, its) = UnixStream::pair().unwrap();
    let stdout = Stdio::from(std::os::fd::OwnedFd::from(its));
    let mut tuxscope = Tuxscope::spawn_to(program::command(&["--pid", NEVER]), stdout);
    tuxscope.await_tracing();
    drop(ours);
    tuxscope.end().success();
}

#[test]
fn a_file_is_emptied_first_and_holds_everything() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    fs::write(&path, "old\n".repeat(10_000)).unwrap();
    let tuxscope = Tuxscope::start(&["--format", "json", "--output", path.to_str().unwrap()]);
    let life = worker::case("fork").remove(0);
    let run = tuxscope.stop();
    run.success();
    assert!(run.stdout.is_empty());
    let events = events::from_json(&fs::read(&path).unwrap());
    assert_eq!(run.closing().printed, events.len() as u64);
    assert!(events.iter().any(|event| event.is("exit", life.pid)));
}

#[test]
fn a_start_that_fails_leaves_what_was_there() {
    let Some(_machine) = machine::shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    fs::write(&path, "precious").unwrap();
    let rotate = ["--rotate-size", "1K"];
    for (code, wrong) in [
        (2, &["--threads"][..]),
        (2, &["--cgroup", "/nosuch"]),
        (2, &["--user", "nosuch", "--", "true"]),
    ] {
        for rotate in [&[][..], &rotate] {
            let args = [&["-o", path.to_str().unwrap()], rotate, wrong].concat();
            Tuxscope::spawn(program::command(&args)).end().refused(code, &[]);
        }
    }
    for rotate in [&[][..], &rotate] {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", program::BINARY, "proc", "-o"]);
        command.arg(&path).args(rotate);
        Tuxscope::spawn(command).end().refused(77, &["CAP_BPF"]);
    }
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

const FULL: &str = "No space left on device";

/// Between the tracing line and the closing line one line names the file and the cause.
fn failed(run: &Ended, name: &str, cause: &str) {
    assert_eq!(run.code, Some(1), "{:#?}", run.stderr);
    assert_eq!(run.stderr.len(), 3, "{:#?}", run.stderr);
    assert!(run.stderr[0].starts_with("tuxscope: tracing"), "{:#?}", run.stderr);
    assert!(run.stderr[1].contains(name), "{:#?}", run.stderr);
    assert!(run.stderr[1].contains(cause), "{:#?}", run.stderr);
}

#[test]
fn a_full_device_is_a_failure() {
    let Some(_machine) = machine::shared() else { return };
    for format in ["json", "table"] {
        let tuxscope = Tuxscope::start(&["--format", format, "-o", "/dev/full"]);
        worker::case("fork");
        let run = tuxscope.end();
        failed(&run, "/dev/full", FULL);
        assert_eq!(run.closing().printed, 0);

        let full = File::options().write(true).open("/dev/full").unwrap();
        let command = program::command(&["--format", format]);
        let mut tuxscope = Tuxscope::spawn_to(command, full.into());
        tuxscope.await_tracing();
        worker::case("fork");
        let run = tuxscope.end();
        failed(&run, "standard output", FULL);
        assert_eq!(run.closing().printed, 0);
    }
}

#[test]
fn a_full_file_system_leaves_whole_lines() {
    let Some(_machine) = machine::alone() else { return };
    // On a mount that a chroot sees, so that it can be kept from the host: see `namespace`.
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = dir.path().join("events");
    let name = path.to_str().unwrap();
    for (format, read) in
        [("json", events::from_json as fn(&[u8]) -> _), ("table", events::from_table)]
    {
        let program = program::command(&["--format", format, "-o", name]);
        let mount = "mount -t tmpfs -o size=16k none \"$1\"";
        let command = namespace::command(mount, dir.path().to_str().unwrap(), &program);
        let mut tuxscope = Tuxscope::spawn(command);
        tuxscope.await_tracing();
        // Opened now, the file stays after tuxscope and with it the namespace has gone.
        let root = format!("/proc/{}/root", tuxscope.pid().as_raw_nonzero());
        let mut file = File::open(format!("{root}{name}")).unwrap();
        worker::storm("fork", 500, 1);
        let run = tuxscope.end();

        failed(&run, name, FULL);
        let mut text = Vec::new();
        file.read_to_end(&mut text).unwrap();
        assert!(text.len() > 16_000 - 200, "{} bytes are in the file", text.len());
        assert_eq!(run.closing().printed, read(&text).len() as u64);
    }
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "the tmpfs was private");
}

/// The limit is a command's own, too, and ends that as it would without.
#[test]
fn a_file_at_the_limit_of_sizes_leaves_whole_lines() {
    let Some(_machine) = machine::alone() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events");
    let limited = |args: &[&str]| {
        let program = program::command(args);
        let mut command = Command::new("prlimit");
        command.arg("--fsize=4000").arg(program.get_program()).args(program.get_args());
        command
    };
    let mut tuxscope =
        Tuxscope::spawn(limited(&["--format", "json", "-o", path.to_str().unwrap()]));
    tuxscope.await_tracing();
    worker::storm("fork", 500, 1);
    let run = tuxscope.end();
    failed(&run, path.to_str().unwrap(), "File too large");
    let text = fs::read(&path).unwrap();
    assert!(text.len() > 4000 - 200, "{} bytes are in the file", text.len());
    assert_eq!(run.closing().printed, events::from_json(&text).len() as u64);

    let big = dir.path().join("big");
    let of = format!("of={}", big.to_str().unwrap());
    let dd = ["-o", "/dev/null", "--", "dd", "if=/dev/zero", &of, "count=100"];
    assert_eq!(Tuxscope::spawn(limited(&dd)).end().code, Some(128 + libc::SIGXFSZ));
}

#[test]
fn a_path_that_cannot_be_written_is_refused() {
    let Some(_machine) = machine::shared() else { return };
    for (path, cause) in
        [("/nonexistent/events", "No such file or directory"), ("/tmp", "Is a directory")]
    {
        let run = Tuxscope::spawn(program::command(&["-o", path])).end();
        run.refused(1, &[path, cause]);
    }
}

/// A terminal that is gone takes no messages; the capture goes on.
#[test]
fn standard_error_may_be_closed() {
    let Some(_machine) = machine::shared() else { return };
    let program = program::command(&["--format", "json", "--duration", "1"]);
    let script = "exec \"$@\" 2>&-";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(program.get_program()).args(program.get_args());
    let run = Tuxscope::spawn(command).end();
    assert_eq!(run.code, Some(0));
    events::from_json(&run.stdout);
}
