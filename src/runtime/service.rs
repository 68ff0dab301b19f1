// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells a service manager of readiness and that it is alive. Without one, nothing is told.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};
use std::{env, io, process};

/// The conversation with the service manager that started this process, if one did.
#[derive(Debug)]
pub struct Service {
    watchdog: Option<Duration>,
    last: Instant,
}

impl Service {
    /// Tells that the capture has begun.
    pub fn ready() -> Self {
        tell("READY=1");
        let [usec, pid] = ["WATCHDOG_USEC", "WATCHDOG_PID"].map(|name| env::var(name).ok());
        Self { watchdog: watchdog(usec, pid), last: Instant::now() }
    }

    /// Tells that the capture goes on, twice as often as the watchdog asks for it.
    pub fn alive(&mut self) {
        if self.watchdog.is_some_and(|limit| self.last.elapsed() >= limit / 2) {
            tell("WATCHDOG=1");
            self.last = Instant::now();
        }
    }

    /// Tells that the capture ends; what is left is still to be read.
    pub fn stopping(&self) {
        tell("STOPPING=1");
    }
}

/// As `sd_watchdog_enabled(3)` reads them: what names another process was meant for the one that
/// started this one.
fn watchdog(usec: Option<String>, pid: Option<String>) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(process::id())) {
        return None;
    }
    let usec = usec?.parse().ok().filter(|&usec| usec > 0)?;
    Some(Duration::from_micros(usec))
}

fn tell(state: &str) {
    if let Some(socket) = env::var_os("NOTIFY_SOCKET") {
        // A manager that doesn't listen is no cause to end a capture.
        let _ = send(socket.as_bytes(), state);
    }
}

/// As `sd_notify(3)` does: to a path, or behind an `@` to a name that is in no file system.
fn send(socket: &[u8], state: &str) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(OsStr::from_bytes(socket))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_hears_it_by_either_kind_of_name() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("notify");
        let name = format!("tuxscope-notify-{}", process::id());
        let listens = [
            (UnixDatagram::bind(&path)?, path.as_os_str().as_bytes().to_vec()),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?,
                format!("@{name}").into_bytes(),
            ),
        ];
        for (socket, name) in listens {
            send(&name, "READY=1")?;
            let mut heard = [0; 64];
            let len = socket.recv(&mut heard)?;
            assert_eq!(&heard[..len], b"READY=1");
        }
        let nobody = dir.path().join("nobody");
        assert!(send(nobody.as_os_str().as_bytes(), "READY=1").is_err());
        Ok(())
    }

    #[test]
    fn a_watchdog_is_for_whom_it_names() {
        let some = |text: &str| Some(text.to_owned());
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog(some("1000000"), None), second);
        assert_eq!(watchdog(some("1000000"), some(&process::id().to_string())), second);
        for (usec, pid) in [
            (None, None),
            (some("0"), None),
            (some("soon"), None),
            (some("1000000"), some("1")),
            (some("1000000"), some("me")),
        ] {
            assert_eq!(watchdog(usec, pid), None);
        }
    }
}
