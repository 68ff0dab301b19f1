// SPDX-License-Identifier: MIT OR Apache-2.0
//! What tracing needs of the kernel and of the caller's rights, and the remedy where it lacks.
//!
//! The checks come before the load because libbpf's own words for these failures
//! (`-ESRCH`, `invalid func unknown#195896080`) help nobody.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use libbpf_rs::MapType;
use rustix::thread::{self, CapabilitySet};

use crate::kernel::tracepoint::Tracefs;
use crate::model::failure::{Exit, Failure};

/// CO-RE resolves the kernel's types against this file; 5.8 is also the first kernel whose
/// `CONFIG_DEBUG_INFO_BTF` distributions set.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Checks all that the basic mode needs and opens the tracefs that it attaches through.
///
/// # Errors
/// The first thing that is missing, as a [`Failure`] with its remedy.
pub fn basic_mode() -> Result<Tracefs, Failure> {
    rights()?;
    btf()?;
    ring_buffer()?;
    interpreter()?;
    tracefs()
}

/// Checks all that the wide mode needs: no tracefs.
///
/// # Errors
/// As for [`basic_mode`].
pub fn wide_mode() -> Result<(), Failure> {
    rights()?;
    btf()?;
    ring_buffer()?;
    interpreter()
}

/// From 6.10 on the verifier leaves some calls, such as that of `bpf_get_current_task`, to the
/// compiler for arm64 (`bpf_jit_inlines_helper_call` of kernel/bpf/core.c), even where that is off:
/// the interpreter then jumps to nowhere, and the kernel dies (seen on 6.12). The compilers for
/// riscv64 and ppc64 learned that later; with theirs nothing after 6.12 was tried, whereas x86-64
/// up to 7.3 is all right.
///
/// # Errors
/// This is such a kernel, and its compiler is off.
fn interpreter() -> Result<(), Failure> {
    let faulty_from = if cfg!(target_arch = "aarch64") {
        (6, 10)
    } else if cfg!(any(target_arch = "riscv64", target_arch = "powerpc64")) {
        (6, 13)
    } else {
        return Ok(());
    };
    if has_jit() || kernel_before(faulty_from.0, faulty_from.1) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Kernel,
        "this kernel's BPF interpreter has a fault that can crash the machine",
        "sysctl net.core.bpf_jit_enable=1",
    ))
}

fn rights() -> Result<(), Failure> {
    user_namespace()?;
    capabilities()
}

/// BPF capabilities count in the initial user namespace only.
///
/// # Errors
/// This is another one.
pub fn user_namespace() -> Result<(), Failure> {
    if in_initial_user_namespace() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Rights,
        "the kernel can't be traced from inside a user namespace, not even by its root",
        "run it as root on the host, outside rootless containers",
    ))
}

/// What loading and attaching take.
///
/// # Errors
/// They are missing.
pub fn capabilities() -> Result<(), Failure> {
    let Ok(sets) = thread::capabilities(None) else { return Ok(()) };
    let bpf = CapabilitySet::BPF | CapabilitySet::PERFMON;
    if sets.effective.contains(CapabilitySet::SYS_ADMIN) || sets.effective.contains(bpf) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Rights,
        "tracing requires the capabilities CAP_BPF and CAP_PERFMON, which this user lacks",
        "run it as root (sudo tuxscope ...)",
    ))
}

/// True also where /proc can't tell.
fn in_initial_user_namespace() -> bool {
    /// `PROC_USER_INIT_INO` of include/uapi/linux/nsfs.h
    const INITIAL_USER_NAMESPACE: u64 = 0xEFFF_FFFD;
    fs::metadata("/proc/self/ns/user").map_or(true, |meta| meta.ino() == INITIAL_USER_NAMESPACE)
}

/// The kernel's description of its types.
///
/// # Errors
/// It is missing.
pub fn btf() -> Result<(), Failure> {
    if Path::new(KERNEL_BTF).exists() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Kernel,
        format!("this kernel has no type information: {KERNEL_BTF} is missing"),
        "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (most distributions have it from 5.8 on), and mount sysfs",
    ))
}

/// The ring buffer that events come through.
///
/// # Errors
/// The kernel has none.
pub fn ring_buffer() -> Result<(), Failure> {
    match MapType::RingBuf.is_supported() {
        Ok(false) => Err(Failure::new(
            Exit::Kernel,
            "this kernel has no BPF ring buffer",
            "boot Linux 5.8 or newer; in a container or sandbox, allow the bpf system call",
        )),
        // A probe that itself failed proves nothing: the load will tell.
        Ok(true) | Err(_) => Ok(()),
    }
}

/// The tracefs that the basic mode attaches through.
///
/// # Errors
/// It can't be read, or the kernel has none.
pub fn tracefs() -> Result<Tracefs, Failure> {
    Tracefs::open().map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Rights,
            format!("tracefs can't be read: {error}"),
            "run it as root (sudo tuxscope ...), or use --wide, which doesn't need tracefs",
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel has no tracefs: {error}"),
            "boot a kernel with CONFIG_FTRACE=y, or mount it: mount -t tracefs none /sys/kernel/tracing",
        ),
    })
}

/// Whether the kernel compiles BPF programs; where it doesn't say, it can't be switched off.
pub fn has_jit() -> bool {
    let text = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable");
    text.map_or(true, |text| text.trim() != "0")
}

/// Whether programs are loaded that cast what they are handed, which spares the verifier a long
/// search (from 6.4 on). The cast is a kernel function, which only a compiled program may call; the
/// compilers for other architectures learned that later.
pub fn can_cast() -> bool {
    cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) && has_jit() && !kernel_before(6, 4)
}

/// Whether the running kernel is older. Of one that doesn't tell, the worst is assumed.
pub fn kernel_before(major: u32, minor: u32) -> bool {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(x), Some(y)) => (x, y) < (major, minor),
        _ => true,
    }
}

/// Lockdown's confidentiality mode withholds from BPF what reads kernel memory.
///
/// # Errors
/// It is on.
pub fn lockdown() -> Result<(), Failure> {
    let modes = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    if !modes.contains("[confidentiality]") {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Kernel,
        "this kernel is locked down (confidentiality mode): BPF may not read its memory",
        "boot with lockdown=integrity or without lockdown",
    ))
}
