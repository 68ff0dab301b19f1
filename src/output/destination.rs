// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file that output goes to, by name: created for its owner alone, rotated, opened again.
//!
//! Root must not be led astray by what somebody else put there: where others may write to the
//! directory, to one above it, or to one that a link leads through, no symbolic link is followed,
//! and no file with a hard link is written to. Where only root may write, links are root's own and
//! are followed (see [`links`]). A stranger's file or FIFO is refused everywhere (see
//! [`ownership`]), and no open waits for anybody but the reader of one's own FIFO.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustix::fs::{
    Access, AtFlags, CWD, Mode, OFlags, ResolveFlags, accessat, fcntl_setfl, fstat, openat,
    openat2, readlinkat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::model::failure::{Exit, Failure};
use crate::output::links;
use crate::output::ownership::{self, PRIVATE, Source};
use crate::runtime::rights;

/// How an old file is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As it was written: `FILE.2`.
    Plain,
    /// `FILE.2.zst`
    Compressed,
}

/// Each, and the other one. Where both are there, one was being made of the other.
const FORMS: [(Form, Form); 2] = [(Form::Plain, Form::Compressed), (Form::Compressed, Form::Plain)];

/// A name in a directory. The directory is held open: renaming it or one above changes nothing.
#[derive(Clone, Debug)]
pub struct Destination {
    path: PathBuf,
    dir: Arc<OwnedFd>,
    name: OsString,
    /// We are root, and others may write there, or on the way.
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
        let guarded = geteuid().is_root() && links::others_may_lead(path);
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
        let dir = Arc::new(dir);
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

    /// The name in that.
    pub fn name(&self) -> &OsStr {
        &self.name
    }

    /// Whether the name is a symbolic link's.
    pub fn is_link(&self) -> bool {
        readlinkat(&self.dir, &self.name, Vec::new()).is_ok()
    }

    /// Opens the file to write behind what is in it, and creates it where it isn't there. A FIFO
    /// is waited for until somebody reads it; a signal ends that as long as none is handled.
    ///
    /// # Errors
    /// It can't be written, or must not be.
    pub fn open(&self) -> Result<(File, Source)> {
        match openat(&self.dir, &self.name, self.flags(), Mode::empty()) {
            Err(Errno::NXIO) => self.await_reader(),
            opened => self.checked_or_new(opened),
        }
    }

    /// The same while a capture runs, which waits for nobody, and makes the file private at once.
    ///
    /// # Errors
    /// As for [`Self::open`]; nobody reads a FIFO; the mode can't be changed.
    pub fn reopen(&self) -> Result<File> {
        let opened = openat(&self.dir, &self.name, self.flags(), Mode::empty());
        let (file, source) = self.checked_or_new(opened)?;
        if source == Source::Found {
            ownership::make_private(&file, &self.path)?;
        }
        Ok(file)
    }

    /// Whether files can be renamed there once all capabilities are given up, as this option needs it.
    ///
    /// # Errors
    /// They can't.
    pub fn check_renames(&self, option: &str) -> Result<()> {
        const STICKY: u32 = 0o1000;
        let access = Access::WRITE_OK | Access::EXEC_OK;
        let allowed = rights::without(|| accessat(&self.dir, c".", access, AtFlags::EACCESS))?;
        let own = geteuid().as_raw();
        let dir = fstat(&self.dir)?;
        let owner = statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(own, |file| file.st_uid);
        let others = ![dir.st_uid, owner].contains(&own);
        // What else there is (a system call that a filter forbids) is no answer.
        let refused = matches!(allowed, Err(Errno::ACCESS | Errno::ROFS));
        if refused || dir.st_mode & STICKY != 0 && others {
            let path = self.path.display();
            let what = format!(
                "{path} can't be used for {option}: renaming files there requires rights that are \
                 dropped once tracing has begun"
            );
            let remedy =
                format!("write to a directory that the user who runs this owns, or omit {option}");
            return Err(Failure::new(Exit::Usage, what, remedy).into());
        }
        Ok(())
    }

    /// The name of the file that was put aside so many rotations ago.
    pub fn aside(&self, number: u32, form: Form) -> OsString {
        let end = match form {
            Form::Plain => "",
            Form::Compressed => ".zst",
        };
        self.followed_by(&format!(".{number}{end}"))
    }

    /// Of the file that will be one of those in the end: hidden, lest a replay of the directory take it for a
    /// capture.
    pub fn temporary(&self) -> OsString {
        [OsStr::new("."), &self.name, OsStr::new(".zst.tmp")].into_iter().collect()
    }

    /// Of the next FILE until the old ones have made room for it: hidden, too. Two captures into one FILE
    /// take nothing from each other; what one that was killed leaves behind is empty.
    fn next(&self) -> OsString {
        let end = format!(".{}.tmp", std::process::id());
        [OsStr::new("."), &self.name, OsStr::new(&end)].into_iter().collect()
    }

    fn followed_by(&self, end: &str) -> OsString {
        [&self.name, OsStr::new(end)].into_iter().collect()
    }

    /// Creates FILE anew, and renames what it was to FILE.1, FILE.1 to FILE.2 and so on up to FILE.`keep`,
    /// which is overwritten, whether they are compressed or not.
    ///
    /// The new one is made first, under another name: that is what fails where there is no room, or no
    /// descriptor, and then FILE is still called so, and no old one had to go.
    ///
    /// # Errors
    /// The directory can't be written, or somebody put there what can't be overwritten.
    pub fn rotate(&self, keep: u32) -> Result<File> {
        let next = self.next();
        // Of a capture that was killed and had our pid.
        let _ = unlinkat(&self.dir, &next, AtFlags::empty());
        let file = self
            .create(&next, OFlags::EXCL)
            .map_err(|error| not_writable(&self.path.with_file_name(&next), error))?;
        let renamed = self.shift(keep).and_then(|()| {
            let renamed = renameat(&self.dir, &next, &self.dir, &self.name);
            renamed.map_err(|error| not_writable(&self.path, error))
        });
        if renamed.is_err() {
            let _ = unlinkat(&self.dir, &next, AtFlags::empty());
        }
        renamed.map(|()| file.into())
    }

    /// Gives FILE and each that was put aside the next number.
    fn shift(&self, keep: u32) -> Result<()> {
        for number in (0..keep).rev() {
            for (form, other) in FORMS {
                let name = match (number, form) {
                    (0, Form::Plain) => self.name.clone(),
                    (0, Form::Compressed) => continue,
                    _ => self.aside(number, form),
                };
                if self.put_aside(&name, number + 1, form)? && number + 1 == keep {
                    // Most often there is none.
                    let _ = unlinkat(&self.dir, self.aside(keep, other), AtFlags::empty());
                }
            }
        }
        Ok(())
    }

    /// Whether there was something to rename.
    fn put_aside(&self, name: &OsStr, number: u32, form: Form) -> Result<bool> {
        match renameat(&self.dir, name, &self.dir, self.aside(number, form)) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(io::Error::from(error))
                .with_context(|| format!("can't rename {}", name.to_string_lossy())),
        }
    }

    fn flags(&self) -> OFlags {
        // Without O_APPEND, what is written to a file that somebody else has emptied (logrotate's
        // copytruncate) would come behind a hole as long as all that was in it.
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOCTTY;
        let follow = if self.guarded { OFlags::NOFOLLOW } else { OFlags::empty() };
        flags | follow | OFlags::NONBLOCK
    }

    fn create(&self, name: &OsStr, more: OFlags) -> Result<OwnedFd, Errno> {
        openat(&self.dir, name, self.flags() | OFlags::CREATE | more, PRIVATE)
    }

    fn checked_or_new(&self, opened: Result<OwnedFd, Errno>) -> Result<(File, Source)> {
        let opened = match opened {
            Err(Errno::NOENT) => match self.create(&self.name, OFlags::EXCL) {
                // A link to where nothing is yet.
                Err(Errno::EXIST) => self.create(&self.name, OFlags::empty()),
                // Whoever the file system says owns it.
                made => {
                    let made = made.map_err(|error| not_writable(&self.path, error))?;
                    return Ok((made.into(), Source::Found));
                }
            },
            opened => opened,
        };
        let file = match opened {
            Err(Errno::LOOP) if self.guarded => return Err(link(&self.path).into()),
            opened => File::from(opened.map_err(|error| not_writable(&self.path, error))?),
        };
        let source = ownership::check(&file, &self.path, self.guarded)?;
        // Only the open was not to wait.
        fcntl_setfl(&file, OFlags::APPEND)?;
        Ok((file, source))
    }

    /// Opens a FIFO that nobody reads yet, in two steps: what is waited for is what was looked at.
    fn await_reader(&self) -> Result<(File, Source)> {
        let not_writable = |error| not_writable(&self.path, error);
        let flags = OFlags::PATH | OFlags::CLOEXEC | (self.flags() & OFlags::NOFOLLOW);
        let found = openat(&self.dir, &self.name, flags, Mode::empty()).map_err(not_writable)?;
        let found = File::from(found);
        if !found.metadata()?.file_type().is_fifo() {
            return Err(not_writable(Errno::NXIO));
        }
        let source = ownership::check(&found, &self.path, self.guarded)?;
        let again = format!("/proc/self/fd/{}", found.as_raw_fd());
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(CWD, again, flags, Mode::empty()).map_err(not_writable)?;
        Ok((file.into(), source))
    }
}

fn not_writable(path: &Path, error: impl Into<io::Error>) -> anyhow::Error {
    anyhow::Error::from(error.into()).context(format!("can't write {}", path.display()))
}

fn link(path: &Path) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} is reached through a symbolic link, where others may write", path.display()),
        "use the path that the link leads to, or a directory that only root can write to",
    )
}
