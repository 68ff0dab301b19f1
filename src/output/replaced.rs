// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small file that is written anew again and again, whole: whoever reads it finds the old one or
//! the new one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

use anyhow::Result;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::destination::Destination;

/// For everybody to read, whatever the umask.
const READABLE: Mode = Mode::from_raw_mode(0o644);

/// The file.
#[derive(Debug)]
pub struct Replaced {
    place: Destination,
    /// The name that it has until it is whole.
    unfinished: OsString,
}

impl Replaced {
    /// The file that this path names, for this option; it need not be there.
    ///
    /// # Errors
    /// Its directory can't be opened, or no file be replaced there without capabilities.
    pub fn find(path: &Path, option: &str) -> Result<Self> {
        let place = Destination::find(path)?;
        place.check_renames(option)?;
        let mut unfinished = place.name().to_owned();
        unfinished.push(".new");
        Ok(Self { place, unfinished })
    }

    /// The directory that it is in.
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.place.dir().as_fd()
    }

    /// Writes it anew.
    ///
    /// # Errors
    /// Of the file system; the old file stays.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let (dir, new) = (self.place.dir(), &self.unfinished);
        // One that was left behind. Whatever else somebody put there is not written to.
        match unlinkat(dir, new, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut file = File::from(openat(dir, new, flags | OFlags::NOFOLLOW, READABLE)?);
        let written = file.write_all(bytes).and_then(|()| {
            fchmod(&file, READABLE)?;
            Ok(renameat(dir, new, dir, self.place.name())?)
        });
        if written.is_err() {
            let _ = unlinkat(dir, new, AtFlags::empty());
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn a_reader_finds_the_old_one_or_the_new_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.prom");
        let file = Replaced::find(&path, "--x").expect("a place");
        file.write(b"one\n").expect("written");
        let old = File::open(&path).expect("there");
        file.write(b"two\n").expect("written");
        assert_eq!(io::read_to_string(old).expect("readable"), "one\n");
        assert_eq!(fs::read_to_string(&path).expect("readable"), "two\n");
        assert_eq!(fs::metadata(&path).expect("there").mode() & 0o7777, 0o644);
        assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    #[test]
    fn what_a_stranger_put_there_is_not_written_to() {
        let dir = tempfile::tempdir().expect("a directory");
        let other = dir.path().join("other");
        fs::write(&other, "kept").expect("written");
        symlink(&other, dir.path().join("x.prom.new")).expect("a link");
        let file = Replaced::find(&dir.path().join("x.prom"), "--x").expect("a place");
        file.write(b"new").expect("written");
        assert_eq!(fs::read_to_string(&other).expect("readable"), "kept");
        assert!(Replaced::find(&dir.path().join("none/x.prom"), "--x").is_err());
    }
}
