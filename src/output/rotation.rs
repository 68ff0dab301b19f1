// SPDX-License-Identifier: MIT OR Apache-2.0
//! An output that was opened by name, and so can go on in another file of that name.

use std::fs::File;
use std::path::Path;

use anyhow::Result;

use crate::model::failure::{Exit, Failure};
use crate::output::compressor::{Compressor, identity};
use crate::output::destination::Destination;
use crate::output::lines::first_line;
use crate::output::ownership::Source;
use crate::runtime::report;
use crate::runtime::unblocked::Unblocked;

/// When to go on in a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before a file is larger than so many bytes.
    pub size: u64,
    /// How many old files are kept.
    pub keep: u32,
    /// They are to be compressed.
    pub compress: bool,
}

/// The name, and what each file of that name begins with.
#[derive(Debug)]
pub struct Named {
    pub destination: Destination,
    pub source: Source,
    pub rotation: Option<Rotation>,
    pub head: Vec<u8>,
    /// At work once there is something to compress.
    pub compressor: Option<Compressor>,
}

impl Named {
    /// Opens what has the name, and creates it where nothing has.
    pub fn open(path: &Path, rotation: Option<Rotation>) -> Result<(Self, File)> {
        let destination = Destination::find(path)?;
        let name = path.display();
        // The link would be renamed, and the file that it leads to grow on or be forgotten.
        if rotation.is_some() && destination.is_link() {
            let what = format!("{name} can't be rotated: it is a symbolic link");
            return Err(Failure::new(Exit::Usage, what, "use the path that it leads to").into());
        }
        if rotation.is_some() {
            destination.check_renames("--rotate-size")?;
        }
        let (file, source) = destination.open()?;
        if rotation.is_some() && !file.metadata()?.is_file() {
            let what = format!("{name} can't be rotated: it is not a regular file");
            return Err(Failure::new(Exit::Usage, what, "omit --rotate-size").into());
        }
        Ok((Self { destination, source, rotation, head: Vec::new(), compressor: None }, file))
    }

    /// How many of these bytes go into a file of this size: whole lines, and one at least.
    pub fn room(&self, size: u64, bytes: &[u8]) -> usize {
        let Some(rotation) = self.rotation else { return bytes.len() };
        let room = usize::try_from(rotation.size.saturating_sub(size)).unwrap_or(usize::MAX);
        let fits = bytes.len().min(room);
        if fits == bytes.len() {
            return fits;
        }
        memchr::memrchr(b'\n', &bytes[..fits]).map_or_else(|| first_line(bytes), |end| end + 1)
    }

    /// Whether the first of these lines would make a file of this size too large. One that is
    /// larger than a whole file has a file of its own.
    pub fn is_full(&self, size: u64, bytes: &[u8]) -> bool {
        let empty = size <= self.head.len() as u64;
        let with_line = size + first_line(bytes) as u64;
        !empty && self.rotation.is_some_and(|rotation| with_line > rotation.size)
    }

    /// Puts the file that is written aside and makes a new one.
    pub fn rotate(&mut self, written: &Unblocked) -> Result<Unblocked> {
        let keep = self.rotation.map_or(0, |rotation| rotation.keep);
        if let Some(rotation) = self.rotation.as_mut().filter(|rotation| rotation.compress) {
            rotation.compress = false;
            match Compressor::start(self.destination.clone(), keep, identity(written)) {
                Ok(compressor) => self.compressor = Some(compressor),
                Err(error) => report::say(format_args!("can't compress old files: {error}")),
            }
        }
        let names = self.compressor.as_ref().map(Compressor::names);
        // Where this fails, the compressor has been told of the right one still.
        let file = Unblocked::regular(self.destination.rotate(keep)?);
        if let Some(mut names) = names {
            *names = identity(&file);
        }
        self.compressor.iter().for_each(Compressor::wake);
        Ok(file)
    }

    /// What is written from now on is this one.
    pub fn goes_on_in(&self, file: &Unblocked) {
        if let Some(compressor) = &self.compressor {
            *compressor.names() = identity(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::output::Output;

    fn rotating(size: u64, keep: u32) -> (tempfile::TempDir, Output) {
        let dir = tempfile::tempdir().expect("a directory");
        let rotation = Some(Rotation { size, keep, compress: false });
        let mut output = Output::open(&dir.path().join("out"), rotation).expect("an output");
        output.begin().expect("begun");
        (dir, output)
    }

    fn write(output: &mut Output, text: &str) {
        output.buffer().extend(text.bytes());
        output.flush().expect("written");
    }

    /// The files from the newest on.
    fn files(dir: &tempfile::TempDir) -> Vec<String> {
        let names = (0..).map(|n| if n == 0 { "out".to_owned() } else { format!("out.{n}") });
        let read = |name| fs::read_to_string(dir.path().join(name)).ok();
        let files: Vec<String> = names.map_while(read).collect();
        assert_eq!(fs::read_dir(dir).expect("a directory").count(), files.len());
        files
    }

    #[test]
    fn goes_on_in_a_new_file_before_one_is_too_large() {
        let (dir, mut output) = rotating(8, 9);
        write(&mut output, "1234567\n");
        assert_eq!(files(&dir), ["1234567\n"]);
        write(&mut output, "ab\ncd\nef\ngh\n12345\n");
        assert_eq!(files(&dir), ["12345\n", "ef\ngh\n", "ab\ncd\n", "1234567\n"]);
    }

    #[test]
    fn a_line_that_is_too_large_has_its_own_file() {
        let (dir, mut output) = rotating(4, 9);
        write(&mut output, "a\n1234567890\nb\nc\n");
        assert_eq!(files(&dir), ["b\nc\n", "1234567890\n", "a\n"]);
    }

    #[test]
    fn keeps_so_many_files() {
        let (dir, mut output) = rotating(2, 2);
        write(&mut output, "a\nb\nc\nd\n");
        assert_eq!(files(&dir), ["d\n", "c\n", "b\n"]);
    }

    #[test]
    fn each_file_begins_with_the_head() {
        let (dir, mut output) = rotating(10, 9);
        output.buffer().extend(b"HEAD\n");
        output.keep_head();
        write(&mut output, "aaaa\nbbbb\n12345678901\ncccc\n");
        let wanted = ["HEAD\ncccc\n", "HEAD\n12345678901\n", "HEAD\nbbbb\n", "HEAD\naaaa\n"];
        assert_eq!(files(&dir), wanted);
    }

    fn again(dir: &tempfile::TempDir, size: u64, text: &str) {
        let rotation = Some(Rotation { size, keep: 2, compress: false });
        let mut again = Output::open(&dir.path().join("out"), rotation).expect("an output");
        again.begin().expect("begun");
        again.buffer().extend(b"HEAD\n");
        again.keep_head();
        write(&mut again, text);
    }

    /// A service that is started again and again keeps what it has.
    #[test]
    fn what_was_there_is_continued_while_there_is_room() {
        let (dir, mut output) = rotating(40, 2);
        write(&mut output, "first\n");
        for _ in 0..4 {
            again(&dir, 40, "");
        }
        again(&dir, 40, "second\nthird\n");
        assert_eq!(files(&dir), ["HEAD\nthird\n", "first\nHEAD\nHEAD\nHEAD\nHEAD\nHEAD\nsecond\n"]);
        again(&dir, 8, "4\n");
        assert_eq!(files(&dir)[0], "HEAD\n4\n", "what is there is too large for a smaller limit");
    }

    #[test]
    fn a_line_that_was_torn_is_not_continued() {
        let (dir, mut output) = rotating(40, 2);
        write(&mut output, "first\nsec");
        again(&dir, 40, "third\n");
        assert_eq!(files(&dir), ["first\nsec\nHEAD\nthird\n"]);
    }

    #[test]
    fn reopens_behind_what_is_there() {
        let (dir, mut output) = rotating(100, 9);
        let (path, moved) = (dir.path().join("out"), dir.path().join("moved"));
        output.buffer().extend(b"HEAD\n");
        output.keep_head();
        write(&mut output, "a\n");
        output.reopen().expect("the same file");
        write(&mut output, "b\n");
        fs::rename(&path, &moved).expect("renamed");
        write(&mut output, "c\n");
        output.buffer().extend(b"d\n");
        output.reopen().expect("a new file");
        write(&mut output, "e\n");
        assert_eq!(fs::read_to_string(moved).expect("moved"), "HEAD\na\nb\nc\nd\n");
        assert_eq!(fs::read_to_string(path).expect("new"), "HEAD\ne\n");
    }

    #[test]
    fn a_file_that_is_emptied_has_all_its_room_again() {
        let (dir, mut output) = rotating(8, 9);
        write(&mut output, "12345\n");
        fs::write(dir.path().join("out"), "").expect("emptied");
        write(&mut output, "67890\n");
        assert_eq!(files(&dir), ["67890\n"]);
    }

    #[test]
    fn goes_on_in_the_old_file_where_no_new_one_can_be() {
        let (dir, mut output) = rotating(2, 1);
        fs::create_dir_all(dir.path().join("out.1/full")).expect("in the way");
        write(&mut output, "a\nb\nc\n");
        assert_eq!(fs::read_to_string(dir.path().join("out")).expect("written"), "a\nb\nc\n");
        output.reopen().expect("the same file");
        write(&mut output, "d\n");
        assert_eq!(fs::read_to_string(dir.path().join("out")).expect("written"), "a\nb\nc\nd\n");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 2, "nothing unfinished");
    }

    #[test]
    fn what_a_killed_capture_left_behind_is_in_nobodys_way() {
        let (dir, mut output) = rotating(2, 1);
        let left = dir.path().join(format!(".out.{}.tmp", std::process::id()));
        fs::write(left, "torn").expect("written");
        write(&mut output, "a\nb\n");
        assert_eq!(files(&dir), ["b\n", "a\n"]);
    }
}
