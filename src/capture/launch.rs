// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs a command under the trace: started, but held until the trace has begun.
//!
//! It is held by this program itself, run again with a hidden subcommand that waits for a byte
//! and then becomes the command. So the trace begins with the command's exec, no code runs
//! between fork and exec, and its standard streams are untouched.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Gid, Uid};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::{set_name, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::host::{running, users};
use crate::model::cost::Cost;
use crate::model::failure::{Exit, Failure};
use crate::model::trace::TraceContext;
use crate::runtime::stop::Stop;
use crate::runtime::{inherited, report};

/// The hidden subcommand.
pub const HOLD: &str = "hold-command";

/// What a shell answers for a command that it found but could not run, and for one that it
/// didn't find.
const CANNOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;

/// A command that was started.
#[derive(Debug)]
pub struct Launched {
    child: Child,
    pidfd: OwnedFd,
    gate: Option<UnixStream>,
    /// How often it was asked to end.
    terminated: u32,
    /// What was used to hold it.
    cost: Option<Cost>,
}

impl Launched {
    /// Starts the command, as another user if one is named, and holds it. Its TRACEPARENT is this
    /// one, if there is one.
    ///
    /// # Errors
    /// There is no such user, or a process can't be made.
    pub fn hold(
        command: &[OsString],
        user: Option<&str>,
        trace: Option<TraceContext>,
    ) -> Result<Self> {
        if let Some(user) = user.filter(|user| users::account(user).is_none()) {
            let what = format!("there is no user {user} in /etc/passwd");
            return Err(Failure::new(Exit::Usage, what, "name an existing user with --user").into());
        }
        let (mut gate, theirs) = UnixStream::pair().context("can't hold the command")?;
        fcntl_setfd(&theirs, FdFlags::empty()).context("can't hold the command")?;
        let mut held = Command::new("/proc/self/exe");
        held.arg(HOLD).arg(theirs.as_raw_fd().to_string());
        held.arg(user.unwrap_or_default()).args(command);
        if let Some(trace) = trace {
            held.env("TRACEPARENT", trace.to_string());
        }
        inherited::pass_on(&mut held);
        let child = held.spawn().context("can't start the command")?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.context("the command has no pid")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).context("can't watch the command")?;
        drop(theirs);
        // Not before it is there: posix_spawn(3) returns a moment before its own exec is traced.
        // Or never, because it was killed: then the pidfd tells, as of any end.
        match gate.read_exact(&mut [0]) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(error).context("can't hold the command");
            }
            _ => {}
        }
        Ok(Self { child, pidfd, gate: Some(gate), terminated: 0, cost: None })
    }

    /// Notes what was used to hold it, as far as /proc tells: until it is let go that is all.
    pub fn note_cost(&mut self) {
        self.cost = running::cost_of_sleeper(self.pid());
    }

    /// What [`Self::note_cost`] has found.
    pub fn cost(&self) -> Option<Cost> {
        self.cost
    }

    /// Lets the command begin, unless it was killed while it was held: then it has ended.
    ///
    /// # Errors
    /// Of `write(2)`.
    pub fn release(&mut self) -> Result<()> {
        let Some(mut gate) = self.gate.take() else { return Ok(()) };
        match gate.write_all(b"\n") {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("can't release the command")
            }
            _ => Ok(()),
        }
    }

    /// The command's process id, in this process' namespace.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Becomes readable when the command ends.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// What asks us to end asks the command to, and again when we are asked again.
    pub fn pass_on(&mut self, stop: &Stop) {
        let asked = u32::from(stop.requested()) + u32::from(stop.insisted());
        if self.terminated < asked {
            self.terminated = asked;
            // Where it has ended already, that is what was wanted.
            let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        }
    }

    /// To be called when it has ended: from then on the kernel tells what it has cost.
    ///
    /// # Errors
    /// Of `waitpid(2)`.
    pub fn reap(&mut self) -> Result<()> {
        self.child.try_wait().context("can't wait for the command").map(|_| ())
    }

    /// Waits for the end, and tells the exit status that a shell would: 128 and the signal's
    /// number where there was one.
    ///
    /// # Errors
    /// Of `waitpid(2)`.
    pub fn status(&mut self, stop: &Stop) -> Result<u8> {
        let interval = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let status = loop {
            if let Some(status) = self.child.try_wait().context("can't wait for the command")? {
                break status;
            }
            self.pass_on(stop);
            // A failure or a signal shortens the wait.
            let _ = poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&interval));
        };
        let code = status.code().or_else(|| Some(128 + status.signal()?));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }
}

/// The held process' side: waits at the gate, then becomes the command. Returns the exit status
/// if that fails.
///
/// `args`: the gate's descriptor, the user's name or nothing, the command.
pub fn held(args: &[OsString]) -> u8 {
    let [gate, user, program, args @ ..] = args else { return Exit::Usage as u8 };
    let Some(mut gate) = passed_on(gate) else { return Exit::Usage as u8 };
    let mut byte = [0];
    if gate.write_all(&byte).and_then(|()| gate.read_exact(&mut byte)).is_err() {
        // The parent is gone before it began to trace: nobody wants the command to run.
        return CANNOT_RUN;
    }
    drop(gate);
    // An attempt that fails is shown under the name that it would have had.
    let name = Path::new(program).file_name().map(|name| CString::new(name.as_bytes()));
    if let Some(Ok(name)) = name {
        let _ = set_name(&name);
    }
    let mut becomes = Command::new(program);
    becomes.args(args);
    if let Some(user) = user.to_str().filter(|user| !user.is_empty()) {
        match switch_user(user) {
            Ok(account) => {
                becomes.env("HOME", account.home).env("SHELL", account.shell);
                becomes.env("USER", user).env("LOGNAME", user);
            }
            Err(error) => {
                report::error(&error);
                return CANNOT_RUN;
            }
        }
    }
    inherited::pass_on(&mut becomes);
    let error = becomes.exec();
    let name = program.to_string_lossy();
    let not_found = error.kind() == io::ErrorKind::NotFound;
    match missing_interpreter(program).filter(|_| not_found) {
        Some(interpreter) => {
            report::say(format_args!("can't run {name}: its interpreter {interpreter} is missing"));
            CANNOT_RUN
        }
        None => {
            report::say(format_args!("can't run {name}: {error}"));
            if not_found { NOT_FOUND } else { CANNOT_RUN }
        }
    }
}

/// What a script's first line names, where the script itself is there.
fn missing_interpreter(program: &OsStr) -> Option<String> {
    let bytes = program.as_bytes();
    let path = env::var_os("PATH").filter(|_| !bytes.contains(&b'/')).unwrap_or_default();
    let file = env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| PathBuf::from(program));
    let mut line = Vec::new();
    // So much of it the kernel reads: BINPRM_BUF_SIZE.
    File::open(file).ok()?.take(256).read_to_end(&mut line).ok()?;
    let line = line.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let name = line.trim_ascii().split(u8::is_ascii_whitespace).next()?;
    let missing = !Path::new(OsStr::from_bytes(name)).exists();
    missing.then(|| String::from_utf8_lossy(name).into_owned())
}

/// The descriptor of this number, if it is open.
fn passed_on(number: &OsStr) -> Option<UnixStream> {
    let fd: RawFd = number.to_str()?.parse().ok()?;
    // SAFETY: F_GETFD only asks, and of any number.
    let open = unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    // SAFETY: the parent passed it on for this use; nothing else here owns it.
    open.then(|| UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// For a process with one thread, which will exec next.
fn switch_user(name: &str) -> Result<users::Account> {
    let account = users::account(name).context("no such user")?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    let groups: Vec<_> = users::groups(name).into_iter().map(Gid::from_raw).chain([gid]).collect();
    set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .with_context(|| format!("can't become {name}: --user requires root"))?;
    Ok(account)
}
