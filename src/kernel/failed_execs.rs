// SPDX-License-Identifier: MIT OR Apache-2.0
//! How failed execs are seen: at the functions behind the system calls, where BPF programs may be
//! attached to functions, else at the exit of all system calls.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::kernel::preflight::kernel_before;
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
/// The first two, which every kernel has.
const NEEDED: usize = 2;

/// Whether programs may be attached to functions that sleep, as execve does: kernels before 5.12 can
/// crash when one is detached (e21aa341785c). And what is attached is never called where tracing of
/// functions is off, which no error tells.
fn can_attach() -> bool {
    let traced = fs::read_to_string("/proc/sys/kernel/ftrace_enabled");
    !kernel_before(5, 12) && !traced.is_ok_and(|text| text.trim() == "0")
}

/// Whether the kernel has a function, whatever its types tell.
fn is_function(name: &str) -> bool {
    let text = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    text.lines().any(|line| line.split(' ').nth(2) == Some(name))
}

impl Hook {
    /// Chooses the programs that are loaded.
    ///
    /// # Errors
    /// Programs can't be attached to the functions, or the kernel's types don't tell of them.
    pub fn choose(self, skel: &mut OpenWideSkel<'_>) -> Result<()> {
        let progs = &mut skel.progs;
        progs.wide_exec_failed.set_autoload(self == Self::EveryCall);
        let own_calls = [
            &mut progs.wide_execve,
            &mut progs.wide_execveat,
            &mut progs.wide_execve_32,
            &mut progs.wide_execveat_32,
        ];
        ensure!(self != Self::OwnCalls || can_attach(), "functions can't be traced");
        for (i, program) in own_calls.into_iter().enumerate() {
            program.set_autoload(false);
            if self != Self::OwnCalls {
                continue;
            }
            let name = *FUNCTIONS.get(i).context("not tried on this architecture")?;
            match program.set_attach_target(0, Some(name.to_owned())) {
                Ok(()) => program.set_autoload(true),
                Err(_) if i >= NEEDED && !is_function(name) => {}
                Err(error) => return Err(error).context(name),
            }
        }
        Ok(())
    }
}
