// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs `tuxscope replay`.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::thread;

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tuxscope"));
    command.arg("replay").args(args).env("LC_ALL", "C.UTF-8");
    command
}

/// With standard input and outputs as pipes.
pub fn spawn(args: &[&str]) -> Child {
    let pipe = Stdio::piped;
    command(args).stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn().unwrap()
}

/// Replays `input` from standard input.
pub fn replay(input: &[u8], args: &[&str]) -> Ran {
    let mut child = spawn(&[args, &["-"]].concat());
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // It may end before it has read everything.
        scope.spawn(move || _ = stdin.write_all(input));
        finish(child)
    })
}

pub fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().expect("not ended by a signal");
    Ran { status, out: text(output.stdout), err: text(output.stderr) }
}

/// A line of the basic mode.
pub fn line(kind: &str, pid: u32, ppid: u32, comm: &str, ns: u64) -> String {
    format!(
        "{{\"pid\":{pid},\"ppid\":{ppid},\"comm\":\"{comm}\",\"event_type\":\"{kind}\",\
         \"timestamp_ns\":{ns}}}\n"
    )
}

/// A line of the wide mode; `more` are the keys of its kind.
pub fn wide(
    kind: &str,
    pid: u32,
    ppid: u32,
    comm: &str,
    ns: u64,
    start_ns: u64,
    more: &str,
) -> String {
    let basic = line(kind, pid, ppid, comm, ns);
    format!(
        "{},\"time\":\"2026-01-01T00:00:00.{ns:09}Z\",\"tid\":{pid},\"uid\":{},\"start_ns\":{start_ns},\
         \"cgroup_id\":1,\"cgroup\":\"/a/b\",{more}}}\n",
        basic.trim_end().trim_end_matches('}'),
        pid % 10,
    )
}

pub const META: &str = "{\"event_type\":\"meta\",\"tool\":\"tuxscope\",\"version\":\"0.1.0\",\"schema\":1,\
     \"kernel\":\"6.1\",\"host\":\"h\",\"boot_id\":\"b\",\"filters\":[],\"clock_offset_ns\":5}\n";

pub fn end(complete: bool, lost: u64) -> String {
    format!(
        "{{\"event_type\":\"summary\",\"complete\":{complete},\"printed\":1,\
         \"lost\":{{\"fork\":{lost},\"exec\":0,\"exit\":0}},\"elapsed_ns\":2000000000}}\n"
    )
}
