// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file that output goes to, by name: created for its owner alone, rotated, opened again.
//!
//! Root must not be led astray by a link that somebody else put there: where others may write to
//! the directory, or to one above it, no symbolic link is followed and no stranger's file is
//! written to. Where only root may write, links are root's own and are followed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, fstat, openat, openat2, readlinkat, renameat};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::model::failure::{Exit, Failure};

/// Read and write for the owner: arguments of commands may be secret.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A name in a directory. The directory is held open: renaming it or one above changes nothing.
#[derive(Debug)]
pub struct Destination {
    path: PathBuf,
    dir: OwnedFd,
    name: OsString,
    /// We are root, and others may write there.
    guarded: bool,
}

impl Destination {
    /// The place that a path names; the file need not be there.
    ///
    /// # Errors
    /// The directory can't be opened.
    pub fn find(path: &Path) -> Result<Self> {
        // As for open(2), `name/` is a directory's, which Path takes for `name`.
        let name =
            path.file_name().filter(|name| path.as_os_str().as_bytes().ends_with(name.as_bytes()));
        let name = name.ok_or_else(|| not_writable(path, io::ErrorKind::IsADirectory))?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let guarded = geteuid().is_root() && others_may_write(parent);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // Only where it must: for a service with RestrictSUIDSGID=, which DynamicUser= brings,
        // systemd lets openat2 fail, because a seccomp filter can't read its flags.
        let dir = if guarded {
            openat2(CWD, parent, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)
        } else {
            openat(CWD, parent, flags, Mode::empty())
        };
        let dir = dir.map_err(|error| match error {
            Errno::LOOP if guarded => link(path).into(),
            error => not_writable(path, error),
        })?;
        Ok(Self { path: path.to_owned(), dir, name: name.to_owned(), guarded })
    }

    /// As it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory.
    pub fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    /// Whether the name is a symbolic link's.
    pub fn is_link(&self) -> bool {
        readlinkat(&self.dir, &self.name, Vec::new()).is_ok()
    }

    /// Opens the file to write behind what is in it, and creates it where it isn't there.
    ///
    /// # Errors
    /// It can't be written, or must not be.
    pub fn open(&self) -> Result<File> {
        self.open_with(OFlags::empty())
    }

    /// Renames FILE to FILE.1, FILE.1 to FILE.2 and so on up to FILE.`keep`, which is
    /// overwritten; and creates FILE anew. When this fails, what FILE was is open still.
    ///
    /// # Errors
    /// The directory can't be written, or somebody put another file there.
    pub fn rotate(&self, keep: u32) -> Result<File> {
        let name = |number: u32| match number {
            0 => self.name.clone(),
            n => [&self.name, OsStr::new("."), OsStr::new(&n.to_string())].into_iter().collect(),
        };
        for number in (0..keep).rev() {
            match renameat(&self.dir, name(number), &self.dir, name(number + 1)) {
                Err(error) if error != Errno::NOENT => {
                    return Err(io::Error::from(error)).with_context(|| {
                        format!("can't rename {}", name(number).to_string_lossy())
                    });
                }
                _ => {}
            }
        }
        self.open_with(OFlags::EXCL)
    }

    fn open_with(&self, more: OFlags) -> Result<File> {
        // Without O_APPEND, what is written to a file that somebody else has emptied (logrotate's
        // copytruncate) would come behind a hole as long as all that was in it.
        let mut flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | more;
        flags |= OFlags::CLOEXEC | OFlags::NOCTTY;
        if self.guarded {
            flags |= OFlags::NOFOLLOW;
        }
        let file = match openat(&self.dir, &self.name, flags, PRIVATE) {
            Err(Errno::LOOP) if self.guarded => return Err(link(&self.path).into()),
            file => File::from(file.map_err(|error| not_writable(&self.path, error))?),
        };
        if self.guarded {
            let owner = file.metadata()?.uid();
            // As fs.protected_regular has it: the directory's owner could replace the file anyway.
            if owner != geteuid().as_raw() && owner != fstat(&self.dir)?.st_uid {
                return Err(Failure::new(
                    Exit::Failed,
                    format!(
                        "{} is owned by another user, in a directory that others may write to",
                        self.path.display()
                    ),
                    "remove it, or write to another directory",
                )
                .into());
            }
        }
        Ok(file)
    }
}

fn not_writable(path: &Path, error: impl Into<io::Error>) -> anyhow::Error {
    anyhow::Error::from(error.into()).context(format!("can't write {}", path.display()))
}

fn link(path: &Path) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} is reached through a symbolic link, where others may write", path.display()),
        "give the path that the link leads to, or write to a directory of root's alone",
    )
}

/// Whether somebody but root may write to this directory or to one above it.
fn others_may_write(dir: &Path) -> bool {
    const GROUP_OR_OTHERS: u32 = 0o022;
    let Ok(dir) = std::path::absolute(dir) else { return true };
    dir.ancestors().any(|dir| {
        fs::metadata(dir).is_ok_and(|meta| meta.uid() != 0 || meta.mode() & GROUP_OR_OTHERS != 0)
    })
}
