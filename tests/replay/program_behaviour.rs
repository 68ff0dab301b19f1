// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the program takes files, pipes and signals.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::program::{command, finish, line, replay, spawn, wide};

#[test]
fn a_replay_to_json_is_the_capture() {
    let exit = "\"thread\":false,\"exit_code\":7,\"duration_ns\":5";
    let basic = line("fork", 2, 1, "sh", 5) + &line("exit", 2, 0, "sh", 6);
    let other = wide("exit", 2, 1, "sh", 5, 3, exit);
    let wide = crate::program::META.to_owned() + &other + &crate::program::end(true, 0);
    for capture in [basic, wide] {
        assert_eq!(replay(capture.as_bytes(), &["--format", "json"]).out, capture);
    }
}

#[test]
fn files_are_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    let capture = line("fork", 2, 1, "sh", 5);
    std::fs::write(&from, &capture).unwrap();
    let ran = finish(spawn(&[&from, "--format", "json", "-o", &to]));
    assert_eq!((ran.status, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), capture);
    // Never onto itself.
    for arguments in ["-o \"$1\" \"$1\"", "\"$1\" >>\"$1\"", "- <\"$1\" >>\"$1\""] {
        let script = format!("ulimit -f 8; exec \"$0\" replay --format json {arguments}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_tuxscope"), &from]);
        let ran = finish(shell.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
        assert_eq!(ran.status, 1, "{arguments}");
        assert!(ran.err.contains("is also the output"), "{arguments}: {}", ran.err);
        assert_eq!(std::fs::read_to_string(&from).unwrap(), capture, "{arguments}");
    }
}

/// Its output and its status on a terminal.
fn on_a_terminal(args: &str) -> (String, Option<i32>) {
    let inner = format!("exec {} replay {args}", env!("CARGO_BIN_EXE_tuxscope"));
    let mut command = Command::new("script");
    command.args(["-qec", &inner, "/dev/null"]).stdin(Stdio::null());
    let output = command.output().expect("script(1) of bsdutils");
    (String::from_utf8(output.stdout).unwrap().replace('\r', ""), output.status.code())
}

#[test]
fn a_document_is_not_poured_onto_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    std::fs::write(&from, line("fork", 2, 1, "sh", 5) + &line("exit", 2, 0, "sh", 6)).unwrap();
    let from = from.to_str().unwrap();
    for format in ["timeline", "perfetto"] {
        let (text, status) = on_a_terminal(&format!("{from} --format {format}"));
        assert_eq!(status, Some(2), "{text}");
        assert_eq!(text.lines().count(), 2, "{text}");
        let named = text.contains(&format!("--format {format}")) && text.contains("-o FILE");
        assert!(named && text.contains("pipe"), "{text}");
        let (_, status) = on_a_terminal(&format!("{from} --format {format} -o /dev/null"));
        assert_eq!(status, Some(0), "{format}");
        let (text, _) = on_a_terminal(&format!("{from} --format {format} | wc -l"));
        assert!(text.trim().parse().is_ok_and(|lines: u32| lines > 0), "{text}");
    }
    let (text, status) = on_a_terminal(&format!("{from} --format tree"));
    assert_eq!(status, Some(0), "{text}");
}

#[test]
fn what_cannot_be_replayed_empties_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| dir.path().join(name).to_str().unwrap().to_owned());
    for (capture, filter, status) in
        [(line("fork", 2, 1, "sh", 5), "--uid=0", 2), ("nonsense\n".to_owned(), "--pid=1", 1)]
    {
        std::fs::write(&from, capture).unwrap();
        std::fs::write(&to, "precious").unwrap();
        let ran = finish(spawn(&[&from, "-o", &to, filter]));
        assert_eq!(ran.status, status, "{}", ran.err);
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "precious");
    }
    // Not so where nothing is chosen of a capture, nor where it is empty.
    for capture in [line("fork", 2, 1, "sh", 5), String::new()] {
        std::fs::write(&from, &capture).unwrap();
        std::fs::write(&to, "old").unwrap();
        let ran = finish(spawn(&[&from, "-o", &to, "--format", "json", "--pid", "7"]));
        assert_eq!(ran.status, 0);
        assert_eq!(ran.err.contains("is empty"), capture.is_empty(), "{}", ran.err);
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "");
    }
}

#[test]
fn a_file_s_name_does_not_steer_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a\x1b[31mb");
    for there in [false, true] {
        if there {
            std::fs::write(&file, "nonsense\n").unwrap();
        }
        let ran = finish(spawn(&[file.to_str().unwrap()]));
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains("a\\u{1b}[31mb") && !ran.err.contains('\x1b'), "{:?}", ran.err);
    }
}

#[test]
fn a_directory_that_is_not_there_becomes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["new/", "new/.", "new//"] {
        let path = dir.path().join(name);
        let ran = finish(spawn(&["/dev/null", "-o", path.to_str().unwrap()]));
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains("is a directory"), "{}", ran.err);
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn what_is_not_there_is_a_failure_in_one_line() {
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    for (file, why) in [("/nowhere/at-all", "No such file"), (empty, "has no files")] {
        let ran = finish(spawn(&[file]));
        assert_eq!(ran.status, 1);
        assert!(ran.err.contains(why) && ran.err.lines().count() == 1, "{}", ran.err);
    }
}

#[test]
fn a_pipe_that_is_closed_is_success() {
    let mut child = spawn(&["-"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(line("fork", 2, 1, "sh", 5).as_bytes()).unwrap();
    let mut header = String::new();
    out.read_line(&mut header).unwrap();
    drop(out);
    // More than any pipe holds: it ends when it finds nobody reading.
    while stdin.write_all(line("fork", 2, 1, "sh", 5).as_bytes()).is_ok() {}
    let ran = finish(child);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
}

/// As ssh makes what it shares with the programs beside it.
#[test]
fn a_pipe_that_does_not_block_is_waited_for() {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::NONBLOCK).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let capture = line("fork", 2, 1, "sh", 5).repeat(5000);
    std::fs::write(&file, &capture).unwrap();
    let mut command = command(&["--format", "json"]);
    let child = command.arg(file.path()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    // Long enough to fill the pipe.
    std::thread::sleep(std::time::Duration::from_millis(200));
    let mut out = String::new();
    std::fs::File::from(reader).read_to_string(&mut out).unwrap();
    let ran = finish(child);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(out == capture, "{} of {} bytes", out.len(), capture.len());
}

#[test]
fn events_are_shown_as_they_come() {
    let mut child = spawn(&["-", "--format", "json"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for pid in 1..5 {
        let event = line("fork", pid, 1, "sh", 5);
        stdin.write_all(event.as_bytes()).unwrap();
        let mut got = String::new();
        out.read_line(&mut got).unwrap();
        assert_eq!(got, event);
    }
    drop(stdin);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("", Some(0)));
}

/// Ctrl-C ends the `tuxscope proc` in front of the pipe, too, whose last words are waited for.
#[test]
fn ctrl_c_on_a_pipe_waits_for_its_end() {
    let mut child = spawn(&["-", "--format", "summary"]);
    let mut stdin = child.stdin.take().unwrap();
    // More than a pipe holds (64 KiB): when it is written, the program reads, its handler is in
    // place.
    let many = line("fork", 2, 1, "sh", 5).repeat(3000);
    stdin.write_all(many.as_bytes()).unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: kill(2) on our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    std::thread::sleep(std::time::Duration::from_millis(100));
    stdin.write_all(line("exec", 2, 0, "ls", 1005).as_bytes()).unwrap();
    drop(stdin);
    let ran = finish(child);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert!(ran.out.starts_with("3,001 events of the basic mode in 1.00 us"), "{}", ran.out);
}

fn signal(child: &std::process::Child, number: i32) {
    // SAFETY: kill(2) on our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(i32::try_from(child.id()).unwrap(), number) }, 0);
}

/// Waits until the program catches SIGTERM.
fn until_ready(child: &std::process::Child) {
    let status = format!("/proc/{}/status", child.id());
    loop {
        let text = std::fs::read_to_string(&status).unwrap();
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        if u64::from_str_radix(caught, 16).unwrap() & 1 << (libc::SIGTERM - 1) != 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn one_sigterm_ends_it_whatever_it_reads() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for (input, number) in [
        ("-", libc::SIGTERM),
        ("/dev/zero", libc::SIGTERM),
        (fifo.to_str().unwrap(), libc::SIGTERM),
        (fifo.to_str().unwrap(), libc::SIGINT),
        ("/dev/zero", libc::SIGINT),
    ] {
        let mut child = spawn(&[input, "--format", "json"]);
        // Kept open: a pipe in which nothing comes.
        let stdin = child.stdin.take();
        until_ready(&child);
        signal(&child, number);
        let ran = finish(child);
        assert_eq!((ran.status, ran.out.as_str()), (0, ""), "{input}: {}", ran.err);
        drop(stdin);
    }
}

#[test]
fn a_fifo_is_waited_for_and_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let child = spawn(&[fifo.to_str().unwrap(), "--format", "json"]);
    until_ready(&child);
    let capture = line("fork", 2, 1, "sh", 5).repeat(500);
    std::fs::write(&fifo, &capture).unwrap();
    let ran = finish(child);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    assert!(ran.out == capture, "{} bytes", ran.out.len());
}

/// The second Ctrl-C doesn't wait for whoever writes into the pipe.
#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let mut child = spawn(&["-", "--format", "json"]);
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(line("fork", 2, 1, "sh", 5).as_bytes()).unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
    signal(&child, libc::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(child.try_wait().unwrap().is_none(), "the first one waits");
    signal(&child, libc::SIGINT);
    use std::os::unix::process::ExitStatusExt as _;
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGINT));
    drop(stdin);
}

/// A capture is somebody else's: what reads it holds nothing that it could be led to use.
#[test]
fn what_reads_a_capture_is_confined() {
    let mut child = spawn(&["-", "--format", "table"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let done = "\"thread\":false,\"exit_code\":7,\"duration_ns\":5";
    stdin.write_all(wide("exit", 10, 1, "sh", 5, 3, done).as_bytes()).unwrap();
    let mut rows = [String::new(), String::new()];
    for row in &mut rows {
        out.read_line(row).unwrap();
    }
    assert!(rows[1].contains(" root "), "users have names: {}", rows[1]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let value = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    };
    assert_eq!(value("CapEff"), "0000000000000000");
    assert_eq!(value("CapPrm"), "0000000000000000");
    assert_eq!(value("NoNewPrivs"), "1");
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_terminal_locale_of_ascii_gets_ascii() {
    let capture = line("fork", 2, 1, "sh", 5) + &line("exec", 2, 0, "ls", 1005);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("capture");
    std::fs::write(&file, capture).unwrap();
    for (locale, ascii) in [("C", true), ("C.UTF-8", false)] {
        let out =
            command(&["--format", "summary"]).arg(&file).env("LC_ALL", locale).output().unwrap();
        assert_eq!(out.stdout.is_ascii(), ascii, "{}", String::from_utf8_lossy(&out.stdout));
    }
}
