// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a signal came about, by name: `si_code` of sigaction(2).

use std::borrow::Cow;

/// Codes that mean the same with each signal (include/uapi/asm-generic/siginfo.h).
const OF_ANY: [(i32, &str); 10] = [
    (0, "SI_USER"),
    (0x80, "SI_KERNEL"),
    (-1, "SI_QUEUE"),
    (-2, "SI_TIMER"),
    (-3, "SI_MESGQ"),
    (-4, "SI_ASYNCIO"),
    (-5, "SI_SIGIO"),
    (-6, "SI_TKILL"),
    (-7, "SI_DETHREAD"),
    (-60, "SI_ASYNCNL"),
];

/// The kernel's own codes of one signal, from 1 on (the same file).
const OF_ONE: [(i32, &[&str]); 7] = [
    (
        libc::SIGILL,
        &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ],
    ),
    (
        libc::SIGFPE,
        &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
    ),
    (
        libc::SIGSEGV,
        &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
            "SEGV_CPERR",
        ],
    ),
    (libc::SIGBUS, &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"]),
    (
        libc::SIGTRAP,
        &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"],
    ),
    (libc::SIGIO, &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"]),
    (libc::SIGSYS, &["SYS_SECCOMP", "SYS_USER_DISPATCH"]),
];

/// The name of a code that came with this signal, as sigaction(2) has it; where it has none, the
/// number.
pub fn name(signal: u8, code: i32) -> Cow<'static, str> {
    let any = OF_ANY.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    let own = || {
        let (_, names) = OF_ONE.iter().find(|(known, _)| *known == i32::from(signal))?;
        names.get(usize::try_from(code).ok()?.checked_sub(1)?).copied()
    };
    any.or_else(own).map_or_else(|| code.to_string().into(), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the C library's headers number those that it names.
    #[test]
    fn names_are_those_of_the_c_library() {
        for (signal, code, want) in [
            (libc::SIGTERM, libc::SI_USER, "SI_USER"),
            (libc::SIGTERM, libc::SI_QUEUE, "SI_QUEUE"),
            (libc::SIGABRT, libc::SI_TKILL, "SI_TKILL"),
            (libc::SIGALRM, libc::SI_TIMER, "SI_TIMER"),
            (libc::SIGKILL, libc::SI_KERNEL, "SI_KERNEL"),
            (libc::SIGSEGV, 1, "SEGV_MAPERR"),
            (libc::SIGSEGV, 2, "SEGV_ACCERR"),
            (libc::SIGBUS, libc::BUS_ADRERR, "BUS_ADRERR"),
            (libc::SIGTRAP, libc::TRAP_HWBKPT, "TRAP_HWBKPT"),
            (libc::SIGSYS, 1, "SYS_SECCOMP"),
            (libc::SIGTERM, 1, "1"),
            (libc::SIGSEGV, 99, "99"),
            (libc::SIGUSR1, -70, "-70"),
        ] {
            assert_eq!(name(signal as u8, code), want, "{signal} {code}");
        }
    }
}
