// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a trace is asked for.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;

use anyhow::Result;

use crate::host::cgroup;
use crate::model::conditions::Conditions;
use crate::model::failure::{Exit, Failure};

/// Which set of BPF programs runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `bpf/proc.bpf.c`.
    Basic,
    /// `bpf/wide.bpf.c`.
    Wide {
        /// Tell of threads, too.
        threads: bool,
        /// Bytes of an argument array that are kept.
        max_args: u32,
    },
}

/// What to trace, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// The set of programs.
    pub mode: Mode,
    /// The events to keep; all but the pattern is decided in BPF.
    pub choice: Conditions,
    /// Follow what this process forks between `Tracer::set_adopting` on and off.
    pub adopt: bool,
    /// Size of the ring buffer in bytes: a power of two, and a multiple of the page size.
    pub buffer_size: u32,
    /// Let libbpf say on standard error what it does.
    pub verbose: bool,
}

/// The cgroup that `--cgroup` names.
#[derive(Debug)]
pub struct Cgroup<'a> {
    /// As it was given.
    pub path: &'a str,
    /// Held open.
    pub dir: File,
    /// Its inode number.
    pub id: u64,
}

impl<'a> Cgroup<'a> {
    /// Opens it.
    ///
    /// # Errors
    /// A `Failure` where there is none.
    pub fn open(path: &'a str) -> Result<Self> {
        let no = |error| no_cgroup(format!("can't open the cgroup {path}: {error}"));
        let dir = cgroup::open(path).map_err(no)?;
        let id = dir.metadata().map_err(no)?.ino();
        Ok(Self { path, dir, id })
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
