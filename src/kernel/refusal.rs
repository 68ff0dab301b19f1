// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said when the kernel or the rights don't allow a trace.

use std::io;

use anyhow::anyhow;
use libbpf_rs::ErrorKind;

use crate::kernel::config::Config;
use crate::kernel::preflight;
use crate::model::failure::{Exit, Failure};

/// Tells why the kernel refused the BPF object at `step`.
pub fn refused(error: &libbpf_rs::Error, step: &str, config: &Config) -> anyhow::Error {
    let more = if config.verbose { "" } else { "; -v shows libbpf's messages" };
    let code = errno(error);
    if let Some(failure) = code.and_then(|code| by_code(code, step, preflight::has_jit(), more)) {
        return failure.into();
    }
    match (error.kind(), preflight::lockdown()) {
        // The verifier does not know the helpers that lockdown withholds, and says EINVAL.
        (ErrorKind::PermissionDenied | ErrorKind::InvalidInput, Err(locked)) => locked.into(),
        // EPERM is said of rights, EACCES of a program that the verifier finds unsafe.
        (ErrorKind::PermissionDenied, _) if code == Some(libc::EACCES) => Failure::new(
            Exit::Kernel,
            format!("this kernel's verifier refuses the BPF programs: {error}"),
            format!("please report it with the kernel's release and the output of -v{more}"),
        )
        .into(),
        (ErrorKind::PermissionDenied, _) => Failure::new(
            Exit::Rights,
            format!("the kernel refused to {step} the BPF programs: {error}"),
            format!(
                "run it as root outside of containers; before Linux 5.11 also: ulimit -l unlimited{more}"
            ),
        )
        .into(),
        (ErrorKind::OutOfMemory, _) => anyhow!(
            "no memory for a ring buffer of {} bytes\nuse a smaller --buffer-size",
            config.buffer_size
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel can't {step} the BPF programs: {error}"),
            format!("tuxscope needs Linux 5.8 or newer{more}"),
        )
        .into(),
    }
}

/// The number of the error that is behind it, the kernel's or libbpf's own. libbpf-rs keeps it to
/// itself, but for the text: `... (os error 13)`.
fn errno(error: &libbpf_rs::Error) -> Option<i32> {
    let text = format!("{error:#}");
    let (_, number) = text.rsplit_once("(os error ")?;
    number.split(')').next()?.parse().ok()
}

/// What is known of some numbers. `has_jit`: BPF programs are compiled.
fn by_code(code: i32, step: &str, has_jit: bool, more: &str) -> Option<Failure> {
    /// `LIBBPF_ERRNO__ENDIAN` of libbpf.h
    const BYTE_ORDER: i32 = 4003;
    /// `ENOTSUPP` of include/linux/errno.h, which the kernel keeps to itself otherwise.
    const NOT_SUPPORTED: i32 = 524;
    match code {
        BYTE_ORDER => Some(Failure::new(
            Exit::Kernel,
            "the BPF programs in this tuxscope have the byte order of another architecture",
            "build it again for this one; build.rs goes by cargo's --target",
        )),
        NOT_SUPPORTED if !has_jit => Some(Failure::new(
            Exit::Kernel,
            format!(
                "can't {step} the BPF programs: they need the kernel's BPF compiler, which is off"
            ),
            format!("sysctl net.core.bpf_jit_enable=1{more}"),
        )),
        _ => None,
    }
}

/// Tells what `--unit` and `--container` take.
pub fn no_hierarchy() -> Failure {
    Failure::new(
        Exit::Kernel,
        "--unit and --container go by cgroups of version 2, and none are mounted here",
        "mount -t cgroup2 none DIRECTORY, or choose by --pid, --uid or --comm",
    )
}

/// Tells why a tracepoint could not be opened.
pub fn no_event(name: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Rights,
            format!("no permission to open the tracepoint sched:{name}: {error}"),
            "run it as root (sudo tuxscope ...), in a container with CAP_PERFMON and tracefs",
        ),
        _ => Failure::new(
            Exit::Kernel,
            format!("this kernel has no tracepoint sched:{name}: {error}"),
            "boot a kernel with CONFIG_FTRACE=y and CONFIG_PERF_EVENTS=y",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_behind_an_error_is_found() {
        use libbpf_rs::ErrorExt as _;
        let error = libbpf_rs::Error::from_raw_os_error(4003).context("failed to open object");
        assert_eq!(errno(&error), Some(4003));
    }

    #[test]
    fn some_numbers_say_what_is_wrong() {
        let said =
            |code, has_jit| by_code(code, "load", has_jit, "").map(|failure| failure.to_string());
        assert!(said(4003, true).is_some_and(|text| text.contains("byte order")));
        assert!(said(524, false).is_some_and(|text| text.contains("net.core.bpf_jit_enable=1")));
        assert_eq!(said(524, true), None);
        assert_eq!(said(libc::EPERM, false), None);
    }
}
