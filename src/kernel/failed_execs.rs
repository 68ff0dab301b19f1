// SPDX-License-Identifier: MIT OR Apache-2.0
//! How failed execs are seen: at the functions behind the system calls, where BPF programs may be
//! attached to functions, else at the exit of all system calls.

use anyhow::{Context as _, Result};

use crate::kernel::skel::wide::OpenWideSkel;

/// What sees execs that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Nothing does: they aren't asked for.
    None,
    /// Programs at the return of execve and execveat, which slow nothing else. A call that a
    /// seccomp filter refuses doesn't come so far.
    OwnCalls,
    /// A program at the exit of every system call of the machine.
    EveryCall,
}

/// The functions behind execve and execveat, by `asm/syscall_wrapper.h`; and those of 32-bit
/// callers, which not every kernel has. Other architectures' were not tried.
const FUNCTIONS: &[&str] = if cfg!(target_arch = "x86_64") {
    &[
        "__x64_sys_execve",
        "__x64_sys_execveat",
        "__ia32_compat_sys_execve",
        "__ia32_compat_sys_execveat",
    ]
} else if cfg!(target_arch = "aarch64") {
    &[
        "__arm64_sys_execve",
        "__arm64_sys_execveat",
        "__arm64_compat_sys_execve",
        "__arm64_compat_sys_execveat",
    ]
} else {
    &[]
};
/// So many of them every kernel has.
const NEEDED: usize = 2;

impl Hook {
    /// Chooses the programs that are loaded.
    ///
    /// # Errors
    /// The kernel doesn't tell of the functions.
    pub fn choose(self, skel: &mut OpenWideSkel<'_>) -> Result<()> {
        let progs = &mut skel.progs;
        progs.wide_exec_failed.set_autoload(self == Self::EveryCall);
        let own_calls = [
            &mut progs.wide_execve,
            &mut progs.wide_execveat,
            &mut progs.wide_execve_32,
            &mut progs.wide_execveat_32,
        ];
        for (i, program) in own_calls.into_iter().enumerate() {
            program.set_autoload(false);
            if self != Self::OwnCalls {
                continue;
            }
            let name = FUNCTIONS.get(i).context("unknown on this architecture")?;
            match program.set_attach_target(0, Some((*name).to_owned())) {
                Ok(()) => program.set_autoload(true),
                Err(error) if i < NEEDED => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(())
    }
}
