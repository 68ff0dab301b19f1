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
    match (error.kind(), preflight::lockdown()) {
        // The verifier does not know the helpers that lockdown withholds, and says EINVAL.
        (ErrorKind::PermissionDenied | ErrorKind::InvalidInput, Err(locked)) => locked.into(),
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

/// Tells what `--cgroup` takes.
pub fn no_cgroup(what: String) -> Failure {
    Failure::new(
        Exit::Usage,
        what,
        "--cgroup takes a directory below the cgroup2 mount (/sys/fs/cgroup or /sys/fs/cgroup/unified)",
    )
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
