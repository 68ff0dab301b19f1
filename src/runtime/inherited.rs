// SPDX-License-Identifier: MIT OR Apache-2.0
//! What this process was started with, so that a command gets the same.
//!
//! Rust's runtime opens /dev/null in place of standard streams that are closed, and ignores
//! SIGPIPE, before `main`; its `Command` empties the signal mask and sets SIGPIPE to its default;
//! and libbpf raises the limit of locked memory before Linux 5.11. So it is noted before the
//! runtime begins, and set again behind all that, right before an exec.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;
use std::sync::OnceLock;

#[derive(Clone, Copy)]
struct Inherited {
    closed: [bool; 3],
    pipe_ignored: bool,
    mask: libc::sigset_t,
    memlock: libc::rlimit,
}

static INHERITED: OnceLock<Inherited> = OnceLock::new();

/// Run by the C library before Rust's runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static NOTE: extern "C" fn() = note;

extern "C" fn note() {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut memlock = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: all of these only ask. They write to what they are given, of which zeros are a
    // value, too.
    let inherited = unsafe {
        libc::sigaction(libc::SIGPIPE, ptr::null(), action.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, ptr::null(), mask.as_mut_ptr());
        libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut memlock);
        Inherited {
            closed: [0, 1, 2].map(|fd| libc::fcntl(fd, libc::F_GETFD) < 0),
            pipe_ignored: action.assume_init().sa_sigaction == libc::SIG_IGN,
            mask: mask.assume_init(),
            memlock,
        }
    };
    let _ = INHERITED.set(inherited);
}

/// Makes a command start as this process was started.
pub fn pass_on(command: &mut Command) {
    let Some(&inherited) = INHERITED.get() else { return };
    // SAFETY: between fork and exec it makes system calls only, and allocates nothing.
    unsafe { command.pre_exec(move || inherited.restore()) };
}

impl Inherited {
    fn restore(&self) -> io::Result<()> {
        let pipe = if self.pipe_ignored { libc::SIG_IGN } else { libc::SIG_DFL };
        // SAFETY: no handler is installed; the pointers are to values that live; and what the
        // descriptors named is /dev/null, which nobody here uses.
        unsafe {
            libc::signal(libc::SIGPIPE, pipe);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
            libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const self.memlock);
            for (fd, closed) in (0..).zip(self.closed) {
                // Not closed at once: the exec itself may yet be to be told to have failed.
                if closed {
                    libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                }
            }
        }
        Ok(())
    }
}
