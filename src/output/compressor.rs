// SPDX-License-Identifier: MIT OR Apache-2.0
//! Compresses the files that rotation puts aside, in a thread of low priority: `FILE.2` becomes
//! `FILE.2.zst`. The capture waits for it only at its end.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, fdatasync, fstat, futimens,
    openat, renameat, statat, unlinkat,
};
use rustix::process::setpriority_process;

use crate::output::destination::{Destination, Form};
use crate::output::ownership::{self, PRIVATE};
use crate::runtime::report;

/// zstd(1)'s own default: higher ones take several times the time for a tenth of the size.
const LEVEL: i32 = 3;
/// The lowest priority but for `SCHED_IDLE`, in which it might never end.
const NICE: i32 = 19;
/// How often a file may have been renamed or removed meanwhile before the next rotation is waited for.
const MAX_IN_VAIN: u32 = 10;

/// A file, whatever its name.
pub type Identity = (u64, u64);

/// Which file this is.
pub fn identity(file: impl AsFd) -> Option<Identity> {
    fstat(file).ok().map(|stat| identity_in(&stat))
}

fn identity_in(stat: &Stat) -> Identity {
    (stat.st_dev, stat.st_ino)
}

/// Held while files are renamed, and which of them is written: that one is left alone under whichever name
/// a rotation that failed, or somebody else, may have given it.
type Names = Arc<Mutex<Option<Identity>>>;

/// The thread at work.
#[derive(Debug)]
pub struct Compressor {
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
    names: Names,
}

impl Compressor {
    /// Starts the thread, for files up to this number but the one that is `written`. It has the rights that
    /// the caller has now.
    ///
    /// # Errors
    /// There can't be another thread.
    pub fn start(
        destination: Destination,
        keep: u32,
        written: Option<Identity>,
    ) -> io::Result<Self> {
        // One that waits is enough: each looks for all that is to be done.
        let (wake, woken) = sync_channel(1);
        let names = Arc::new(Mutex::new(written));
        let work = Work { destination, keep, names: Arc::clone(&names) };
        let thread = thread::Builder::new().name("compressor".to_owned()).spawn(move || {
            if let Err(error) = setpriority_process(None, NICE) {
                report::say(format_args!("old files are compressed at normal priority: {error}"));
            }
            while woken.recv().is_ok() {
                work.compress_all();
            }
        })?;
        Ok(Self { wake, thread, names })
    }

    /// Lets files keep their names while this is held: for some system calls at most. What is
    /// written from now on is to be told here.
    pub fn names(&self) -> MutexGuard<'_, Option<Identity>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a file to compress.
    pub fn wake(&self) {
        // It was woken already, and hasn't looked yet.
        let _ = self.wake.try_send(());
    }

    /// Waits until all is compressed.
    pub fn finish(self) {
        drop(self.wake);
        // A panic has told of itself.
        let _ = self.thread.join();
    }
}

struct Work {
    destination: Destination,
    keep: u32,
    names: Names,
}

impl Work {
    /// The oldest first. What fails is tried again after the next rotation.
    fn compress_all(&self) {
        let mut in_vain = 0;
        while let Some(name) = self.oldest().filter(|_| in_vain < MAX_IN_VAIN) {
            let path = self.destination.path().with_file_name(&name);
            let what = || format!("can't compress {}, which stays as it is", path.display());
            match self.compress(&name).with_context(what) {
                Ok(true) => in_vain = 0,
                Ok(false) => in_vain += 1,
                Err(error) => return report::error(&error),
            }
        }
    }

    /// The name of the oldest file that isn't compressed. What else somebody may have put there is left alone.
    fn oldest(&self) -> Option<OsString> {
        let written = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let names = (1..=self.keep).rev().map(|number| self.destination.aside(number, Form::Plain));
        names.into_iter().find(|name| {
            let found = statat(self.destination.dir(), name, AtFlags::SYMLINK_NOFOLLOW);
            found.is_ok_and(|stat| {
                FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    && ownership::is_trusted(stat.st_uid)
                    && *written != Some(identity_in(&stat))
            })
        })
    }

    /// Whether there is a compressed file instead now; else another one had the name when it was opened, or
    /// it was removed since.
    fn compress(&self, name: &OsString) -> Result<bool> {
        let dir = self.destination.dir();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut from: File = match openat(dir, name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(rustix::io::Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let written = *self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if identity(&from).is_none_or(|from| written == Some(from)) {
            return Ok(false);
        }
        let temporary = self.destination.temporary();
        let result = self.compressed(&mut from, &temporary);
        if result.is_err() {
            // What can't be removed now is next time.
            let _ = unlinkat(dir, &temporary, AtFlags::empty());
        }
        result
    }

    fn compressed(&self, from: &mut File, temporary: &OsString) -> Result<bool> {
        let dir = self.destination.dir();
        // Of a capture that was killed.
        let _ = unlinkat(dir, temporary, AtFlags::empty());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let to = File::from(openat(dir, temporary, flags, PRIVATE)?);
        let stat = fstat(&*from)?;
        let mut encoder = zstd::Encoder::new(to, LEVEL)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(u64::try_from(stat.st_size).ok())?;
        io::copy(from, &mut encoder)?;
        let to = encoder.finish()?;
        // As zstd(1) and gzip(1) do: find(1) -mtime means the events.
        let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec: tv_nsec as i64 };
        futimens(
            &to,
            &Timestamps {
                last_access: time(stat.st_atime, stat.st_atime_nsec),
                last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
            },
        )?;
        // It is all that there is of these events once the other is gone.
        fdatasync(&to)?;
        self.replace(identity_in(&stat), temporary)
    }

    /// Gives the new file the number that the old one has by now.
    fn replace(&self, old: Identity, temporary: &OsString) -> Result<bool> {
        let dir = self.destination.dir();
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let number = (1..=self.keep).find(|&number| {
            let name = self.destination.aside(number, Form::Plain);
            statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| identity_in(&stat) == old)
        });
        let Some(number) = number else {
            // Meanwhile it was the oldest, and had to go.
            unlinkat(dir, temporary, AtFlags::empty())?;
            return Ok(false);
        };
        renameat(dir, temporary, dir, self.destination.aside(number, Form::Compressed))?;
        unlinkat(dir, self.destination.aside(number, Form::Plain), AtFlags::empty())?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;
    use crate::output::{Output, Rotation};

    fn open(dir: &tempfile::TempDir, keep: u32) -> Output {
        let rotation = Some(Rotation { size: 8, keep, compress: true });
        let mut output = Output::open(&dir.path().join("out"), rotation).expect("an output");
        output.begin().expect("begun");
        output
    }

    fn write(output: &mut Output, text: &str) {
        output.buffer().extend(text.bytes());
        output.flush().expect("written");
    }

    /// All files, those in zstd decompressed.
    fn files(dir: &tempfile::TempDir) -> BTreeMap<String, String> {
        let files = fs::read_dir(dir).expect("a directory").map(|entry| {
            let path = entry.expect("an entry").path();
            let bytes = fs::read(&path).expect("a file");
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let bytes = match name.ends_with(".zst") {
                true => zstd::decode_all(&*bytes).expect("zstd"),
                false => bytes,
            };
            (name, String::from_utf8(bytes).expect("text"))
        });
        files.collect()
    }

    fn named(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
    }

    #[test]
    fn what_is_put_aside_is_compressed_and_keeps_its_number_its_time_and_its_mode() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut output = open(&dir, 3);
        write(&mut output, "1111111\n");
        let time = fs::metadata(dir.path().join("out")).expect("a file").mtime_nsec();
        for text in ["2222222\n", "3333333\n"] {
            write(&mut output, text);
        }
        output.finish();
        let wanted = [("out", "3333333\n"), ("out.1.zst", "2222222\n"), ("out.2.zst", "1111111\n")];
        assert_eq!(files(&dir), named(&wanted));
        let old = fs::metadata(dir.path().join("out.2.zst")).expect("a file");
        assert_eq!((old.mtime_nsec(), old.mode() & 0o777), (time, 0o600));
        // Only so many are kept, in whichever form they are.
        let mut output = open(&dir, 3);
        for text in ["4444444\n", "5555555\n", "6666666\n"] {
            write(&mut output, text);
        }
        output.finish();
        let wanted = [
            ("out", "6666666\n"),
            ("out.1.zst", "5555555\n"),
            ("out.2.zst", "4444444\n"),
            ("out.3.zst", "3333333\n"),
        ];
        assert_eq!(files(&dir), named(&wanted));
    }

    #[test]
    fn files_move_up_in_whichever_form_they_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut output = open(&dir, 2);
        write(&mut output, "1111111\n2222222\n");
        output.finish();
        // Without the option now.
        let rotation = Some(Rotation { size: 8, keep: 2, compress: false });
        let mut output = Output::open(&dir.path().join("out"), rotation).expect("an output");
        write(&mut output, "3333333\n");
        let wanted = [("out", "3333333\n"), ("out.1", "2222222\n"), ("out.2.zst", "1111111\n")];
        assert_eq!(files(&dir), named(&wanted));
        write(&mut output, "4444444\n");
        let wanted = [("out", "4444444\n"), ("out.1", "3333333\n"), ("out.2", "2222222\n")];
        assert_eq!(files(&dir), named(&wanted));
        // What an earlier run left as it is, is compressed by the next.
        let mut output = open(&dir, 2);
        write(&mut output, "5555555\n");
        output.finish();
        let wanted = [("out", "5555555\n"), ("out.1.zst", "4444444\n"), ("out.2.zst", "3333333\n")];
        assert_eq!(files(&dir), named(&wanted));
    }

    #[test]
    fn what_is_no_old_file_is_left_alone_and_what_was_begun_is_begun_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        let other = tempfile::NamedTempFile::new().expect("a file");
        symlink(other.path(), dir.path().join("out.1")).expect("a link");
        fs::write(dir.path().join(".out.zst.tmp"), "torn").expect("written");
        let mut output = open(&dir, 2);
        write(&mut output, "1111111\n2222222\n");
        output.finish();
        assert!(dir.path().join("out.2").is_symlink());
        fs::remove_file(dir.path().join("out.2")).expect("removed");
        assert_eq!(files(&dir), named(&[("out", "2222222\n"), ("out.1.zst", "1111111\n")]));
    }

    #[test]
    fn what_cant_be_compressed_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(dir.path().join(".out.zst.tmp/full")).expect("in the way");
        let mut output = open(&dir, 2);
        write(&mut output, "1111111\n2222222\n");
        output.finish();
        fs::remove_dir_all(dir.path().join(".out.zst.tmp")).expect("removed");
        assert_eq!(files(&dir), named(&[("out", "2222222\n"), ("out.1", "1111111\n")]));
    }

    /// Its name may be an old one's: a rotation failed half way, or somebody renamed it.
    #[test]
    fn what_is_written_is_not_compressed_whatever_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["out.1", "out.2", "out.3"] {
            fs::write(dir.path().join(name), name).expect("written");
        }
        let written = File::open(dir.path().join("out.2")).expect("a file");
        let destination = Destination::find(&dir.path().join("out")).expect("a place");
        let names = Arc::new(Mutex::new(identity(&written)));
        let work = Work { destination, keep: 3, names };
        work.compress_all();
        // Chosen while another file was called so.
        assert!(!work.compress(&"out.2".into()).expect("left alone"));
        let wanted = [("out.1.zst", "out.1"), ("out.2", "out.2"), ("out.3.zst", "out.3")];
        assert_eq!(files(&dir), named(&wanted));
        *work.names.lock().expect("not poisoned") = None;
        work.compress_all();
        assert_eq!(files(&dir)["out.2.zst"], "out.2");
    }

    /// Rotated far quicker than anything can be compressed, nothing is lost but what is too old.
    #[test]
    fn each_line_is_there_once_whatever_is_renamed_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut output = open(&dir, 1000);
        for number in 0..100 {
            write(&mut output, &format!("{number:07}\n"));
        }
        output.finish();
        let files = files(&dir);
        assert_eq!(files.len(), 100);
        for (name, text) in files {
            let number = match name.strip_prefix("out.") {
                Some(rest) => rest.strip_suffix(".zst").expect("compressed").parse().expect("n"),
                None => 0,
            };
            assert_eq!(text, format!("{:07}\n", 99 - number));
        }
    }
}
