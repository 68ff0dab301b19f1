// SPDX-License-Identifier: MIT OR Apache-2.0
//! Signals by name: the numbers differ between architectures, and nobody knows 37 by heart.

use std::borrow::Cow;

/// glibc keeps the kernel's first two real-time signals for itself; SIGRTMIN is 34 for programs.
const SIGRTMIN: u8 = 34;

const NAMES: [(i32, &str); 31] = [
    (libc::SIGHUP, "SIGHUP"),
    (libc::SIGINT, "SIGINT"),
    (libc::SIGQUIT, "SIGQUIT"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGKILL, "SIGKILL"),
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGPIPE, "SIGPIPE"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGTERM, "SIGTERM"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGCHLD, "SIGCHLD"),
    (libc::SIGCONT, "SIGCONT"),
    (libc::SIGSTOP, "SIGSTOP"),
    (libc::SIGTSTP, "SIGTSTP"),
    (libc::SIGTTIN, "SIGTTIN"),
    (libc::SIGTTOU, "SIGTTOU"),
    (libc::SIGURG, "SIGURG"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGWINCH, "SIGWINCH"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGSYS, "SIGSYS"),
];

/// The name: `SIGSEGV`, `SIGRTMIN+3`, or `SIG99` where there is none.
pub fn name(number: u8) -> Cow<'static, str> {
    if let Some((_, name)) = NAMES.iter().find(|(known, _)| *known == i32::from(number)) {
        return (*name).into();
    }
    match number {
        SIGRTMIN => "SIGRTMIN".into(),
        35..=64 => format!("SIGRTMIN+{}", number - SIGRTMIN).into(),
        _ => format!("SIG{number}").into(),
    }
}

/// The number of a signal that [`name`] names.
pub fn number(name: &str) -> Option<u8> {
    (1..=u8::MAX).find(|&number| self::name(number) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_kill_l_prints() {
        assert_eq!(name(9), "SIGKILL");
        assert_eq!(name(34), "SIGRTMIN");
        assert_eq!(name(37), "SIGRTMIN+3");
        assert_eq!(name(64), "SIGRTMIN+30");
        assert_eq!(name(32), "SIG32");
    }

    #[test]
    fn every_name_leads_back_to_its_number() {
        for signal in 1..=127 {
            assert_eq!(number(&name(signal)), Some(signal));
        }
        assert_eq!(number("SIGNONE"), None);
    }
}
