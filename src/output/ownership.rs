// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whose files a capture may be written to, and who may read them then: it holds everyone's
//! arguments.

use std::env;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{FileType, FsWord, Mode, RawMode, fchmod, fstat, fstatfs};
use rustix::process::{geteuid, getuid};

use crate::model::failure::{Exit, Failure};

/// Read and write for the owner: arguments of commands may be secret.
pub const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
/// All that others, and the owner's group, may do.
const OTHERS: RawMode = 0o077;

/// Who answers for what was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was found by its name.
    Found,
    /// Whoever started this process had it open: `/dev/stdout`, `/dev/fd/3`, `>(...)`. Its owner
    /// and mode are theirs to choose.
    Inherited,
}

/// Looks at what was opened. `guarded`: others may write to its directory, and we are root.
///
/// # Errors
/// It isn't to be written to.
pub fn check(file: &File, path: &Path, guarded: bool) -> anyhow::Result<Source> {
    let meta = file.metadata()?;
    let kind = meta.file_type();
    if !kind.is_file() && !kind.is_fifo() {
        return Ok(Source::Found);
    }
    if is_unnamed_pipe(file) || is_open_already(file, &meta) {
        return Ok(Source::Inherited);
    }
    let path = path.display();
    let refuse = |what: String| {
        let remedy = "remove it, or write to another file";
        Err(Failure::new(Exit::Failed, what, remedy).into())
    };
    if !is_trusted(meta.uid()) {
        return refuse(format!("{path} is owned by another user (uid {})", meta.uid()));
    }
    if guarded && kind.is_file() && meta.nlink() > 1 {
        return refuse(format!("{path} has other names (hard links), where others may write"));
    }
    Ok(Source::Found)
}

/// Takes a regular file from all but its owner.
///
/// # Errors
/// Its mode can't be changed.
pub fn make_private(file: impl AsFd, path: &Path) -> Result<(), Failure> {
    let stat = fstat(&file).ok();
    let exposed = stat.is_some_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_mode & OTHERS != 0
    });
    if !exposed {
        return Ok(());
    }
    fchmod(&file, PRIVATE).map_err(|error| {
        let what = format!("others may read {}, and its mode can't be changed", path.display());
        let error = io::Error::from(error);
        Failure::new(
            Exit::Failed,
            format!("{what}: {error}"),
            "remove it, or write to another file",
        )
    })
}

/// Whether it is our own user's, or root's, or that of whoever called sudo(8).
pub fn is_trusted(uid: u32) -> bool {
    let sudo_uid = || env::var("SUDO_UID").ok()?.parse().ok();
    [0, geteuid().as_raw(), getuid().as_raw()].contains(&uid)
        || getuid().is_root() && sudo_uid() == Some(uid)
}

/// A pipe without a name can only have been inherited, from whomever.
fn is_unnamed_pipe(file: &File) -> bool {
    /// `PIPEFS_MAGIC` of include/uapi/linux/magic.h
    const PIPEFS: FsWord = 0x5049_5045;
    fstatfs(file).is_ok_and(|fs| fs.f_type == PIPEFS)
}

/// Whether another descriptor of this process names the same file.
fn is_open_already(file: &File, meta: &Metadata) -> bool {
    let own = file.as_raw_fd().to_string();
    let descriptors = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let mut others = descriptors.filter(|fd| fd.file_name() != *own);
    others.any(|fd| {
        fs::metadata(fd.path())
            .is_ok_and(|other| (other.dev(), other.ino()) == (meta.dev(), meta.ino()))
    })
}
