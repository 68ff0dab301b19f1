// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opens kernel tracepoints as perf events, to which BPF programs attach.
//!
//! libbpf can do it where tracefs is mounted; this does it everywhere, by one path.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Where tracefs is mounted when it is: since 4.1, and by way of debugfs before and still.
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A tracefs to read tracepoint ids from.
#[derive(Debug)]
pub enum Tracefs {
    /// Mounted by the system.
    Mounted(&'static str),
    /// Our own instance, attached nowhere: the host doesn't see it, and it goes with us.
    Detached(OwnedFd),
}

impl Tracefs {
    /// Finds the system's tracefs, or mounts one that only this process can reach.
    ///
    /// # Errors
    /// `PermissionDenied`: tracefs is readable for root only, and mounting it takes
    /// `CAP_SYS_ADMIN`. `NotFound` and others: the kernel has no tracefs.
    pub fn open() -> io::Result<Self> {
        for path in MOUNT_POINTS {
            match fs::metadata(format!("{path}/events/sched")) {
                Ok(_) => return Ok(Self::Mounted(path)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
                Err(_) => {}
            }
        }
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let mount =
            fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
        Ok(Self::Detached(mount))
    }

    /// The id of the tracepoint `sched/NAME`.
    fn id(&self, name: &str) -> io::Result<u64> {
        let path = format!("events/sched/{name}/id");
        let text = match self {
            Self::Mounted(root) => fs::read_to_string(format!("{root}/{path}"))?,
            Self::Detached(root) => {
                let flags = OFlags::RDONLY | OFlags::CLOEXEC;
                let file = openat(root, path, flags, Mode::empty())?;
                io::read_to_string(fs::File::from(file))?
            }
        };
        text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
    }

    /// Opens the tracepoint `sched/NAME` as a perf event. A program attached to it runs on every
    /// CPU, whichever one the event names.
    ///
    /// # Errors
    /// Of reading tracefs, or of `perf_event_open(2)`: `PermissionDenied` without `CAP_PERFMON`.
    pub fn open_sched_event(&self, name: &str) -> io::Result<OwnedFd> {
        let mut attr = libbpf_sys::perf_event_attr {
            type_: libbpf_sys::PERF_TYPE_TRACEPOINT,
            size: size_of::<libbpf_sys::perf_event_attr>() as u32,
            config: self.id(name)?,
            ..Default::default()
        };
        let (any_task, cpu, no_group) = (-1, 0, -1);
        // SAFETY: attr is a whole perf_event_attr that says its own size, and outlives the call,
        // which keeps no pointer to it.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw mut attr,
                any_task,
                cpu,
                no_group,
                libbpf_sys::PERF_FLAG_FD_CLOEXEC,
            )
        };
        let fd = i32::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us; nothing else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}
