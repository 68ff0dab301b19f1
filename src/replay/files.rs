// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files that a replay is given -> captures, each of one file, or of several that were rotated.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Input;
use crate::sorted;

/// What compressed files end with.
const COMPRESSED: [&[u8]; 3] = [b".gz", b".zst", b".zstd"];

/// The files of one capture.
#[derive(Debug)]
pub struct Set {
    /// The oldest first.
    pub files: Vec<Input>,
    /// The name that the newest has, or will have.
    pub path: PathBuf,
    /// What isn't there, or is there twice.
    pub remarks: Vec<String>,
}

impl Set {
    /// One file.
    pub fn of(input: Input) -> Self {
        Self { path: PathBuf::from(input.name()), files: vec![input], remarks: Vec::new() }
    }
}

/// How old a file is among those of its capture: the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// `FILE-20261127`, as logrotate's `dateext` has it.
    Dated(Vec<u8>),
    /// `FILE.2`
    Numbered(Reverse<u32>),
    /// `FILE`
    Current,
}

/// The name of the capture that a file belongs to, and its place in it.
fn told_by_name(name: &[u8]) -> (&[u8], Age) {
    let plain = COMPRESSED.iter().find_map(|end| name.strip_suffix(*end)).unwrap_or(name);
    let split = |by: u8| {
        let at = memchr::memrchr(by, plain).filter(|&at| at > 0)?;
        let rest = &plain[at + 1..];
        let digits = rest.first().is_some_and(u8::is_ascii_digit)
            && rest.iter().all(|&byte| byte.is_ascii_digit());
        digits.then_some((&plain[..at], rest))
    };
    if let Some((base, digits)) = split(b'.') {
        // Longer ones are dates, or hashes, or nothing that is known here.
        let number = std::str::from_utf8(digits).ok().filter(|digits| digits.len() <= 6);
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            return (base, Age::Numbered(Reverse(number)));
        }
    }
    match split(b'-') {
        Some((base, date)) if date.len() >= 8 => (base, Age::Dated(date.to_vec())),
        // A file that is named FILE.zst from the start has no others.
        _ => (plain, Age::Current),
    }
}

/// Opens files, and those in directories, and puts those of one capture together. Captures have the
/// order in which they are named first.
///
/// # Errors
/// A file can't be opened, or is named twice, or a directory has none.
pub fn sets(paths: &[PathBuf]) -> Result<Vec<Set>> {
    let mut found: Vec<(PathBuf, Vec<(Age, PathBuf)>)> = Vec::new();
    // Of each capture the place in the list, for a directory may have a file a minute.
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut named: HashSet<PathBuf> = HashSet::new();
    for path in paths {
        for file in expanded(path)? {
            let (base, age) = told_by_name(file.file_name().map_or(b"", OsStr::as_bytes));
            let base = file.with_file_name(OsString::from_vec(base.to_vec()));
            // Only what is written to a file is rotated.
            let (base, age) = match is_standard_input(&file) {
                true => (file.clone(), Age::Current),
                false => (base, age),
            };
            if !named.insert(file.clone()) {
                bail!("{} is named twice", file.display());
            }
            let place = *places.entry(base).or_insert_with_key(|base| {
                found.push((base.clone(), Vec::new()));
                found.len() - 1
            });
            found[place].1.push((age, file));
        }
    }
    let sets: Vec<Set> =
        found.into_iter().map(|(base, files)| open(base, files)).collect::<Result<_>>()?;
    let mut all: Vec<&Input> = sets.iter().flat_map(|set| &set.files).collect();
    sorted::by_key(&mut all, |input| input.identity());
    for pair in all.windows(2) {
        if pair[0].is_same_file(pair[1]) {
            bail!("{} and {} are the same file", pair[0].name(), pair[1].name());
        }
    }
    Ok(sets)
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// The files of a directory, but for hidden ones; a file itself.
fn expanded(path: &Path) -> Result<Vec<PathBuf>> {
    if is_standard_input(path) || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let name = path.display();
    let mut files = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("can't read {name}"))? {
        let file = entry.with_context(|| format!("can't read {name}"))?.path();
        let hidden = file.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if !hidden && file.is_file() {
            files.push(file);
        }
    }
    if files.is_empty() {
        bail!("{name} has no files");
    }
    sorted::by(&mut files, PathBuf::cmp);
    Ok(files)
}

fn open(base: PathBuf, mut files: Vec<(Age, PathBuf)>) -> Result<Set> {
    // FILE.1 comes before FILE.1.zst, which is made of it.
    sorted::by(&mut files, Ord::cmp);
    let mut remarks = Vec::new();
    for pair in files.windows(2) {
        let [(older, one), (newer, other)] = pair else { continue };
        let (one, other) = (one.display(), other.display());
        match (older, newer) {
            (older, newer) if older == newer => {
                remarks.push(format!("{other} is left out: {one} is there, too"));
            }
            (Age::Numbered(Reverse(from)), Age::Numbered(Reverse(to))) if from - to > 1 => {
                remarks.push(format!("files are missing between {one} and {other}"));
            }
            (Age::Numbered(Reverse(from)), Age::Current) if *from > 1 => {
                remarks.push(format!("files are missing between {one} and {other}"));
            }
            _ => {}
        }
    }
    files.dedup_by(|(newer, _), (older, _)| newer == older);
    let path = files.last().filter(|(age, _)| *age == Age::Current).map(|(_, file)| file.clone());
    let files = files.iter().map(|(_, file)| Input::open(file)).collect::<Result<_>>()?;
    Ok(Set { files, path: path.unwrap_or(base), remarks })
}

/// Opens what a file that was rotated is followed by: those that were rotated since, too.
///
/// # Errors
/// One of them can't be opened.
pub fn after(before: &Input, path: &Path) -> Result<Vec<Input>> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let mut newer = vec![Input::open(path)?];
    // It was cut and is written anew.
    if newer[0].is_same_file(before) {
        return Ok(newer);
    }
    for number in 1.. {
        match Input::open(&numbered(number)) {
            Ok(file) if !file.is_same_file(before) => newer.push(file),
            Ok(_) => break,
            // It is gone, or compressed already: what came between can't be told.
            Err(_) => {
                newer.truncate(1);
                break;
            }
        }
    }
    newer.reverse();
    Ok(newer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_which_files_are_of_one_capture() {
        let told = |name: &'static str| told_by_name(name.as_bytes());
        let numbered = |number| Age::Numbered(Reverse(number));
        assert_eq!(told("e.jsonl"), (&b"e.jsonl"[..], Age::Current));
        assert_eq!(told("e.jsonl.gz"), (&b"e.jsonl"[..], Age::Current));
        assert_eq!(told("e.jsonl.12"), (&b"e.jsonl"[..], numbered(12)));
        assert_eq!(told("e.jsonl.12.zst"), (&b"e.jsonl"[..], numbered(12)));
        let dated = Age::Dated(b"20261127".to_vec());
        assert_eq!(told("e.jsonl-20261127.gz"), (&b"e.jsonl"[..], dated));
        for name in ["host-7", "v1.jsonl", ".5", "e.", "e.12a", "e.99999999999", "e-2026112x"] {
            assert_eq!(told(name), (name.as_bytes(), Age::Current));
        }
    }

    fn names(inputs: &[Input]) -> Vec<String> {
        let last = |input: &Input| input.name().rsplit('/').next().unwrap_or("").to_owned();
        inputs.iter().map(last).collect()
    }

    #[test]
    fn the_oldest_comes_first_and_what_is_missing_is_said() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for name in ["a", "a.1", "a.2.zst", "a.10", "a.1.zst", "b-20260102", "b-20260101", ".a.3"] {
            fs::write(dir.path().join(name), "")?;
        }
        let sets = sets(&[dir.path().to_owned()])?;
        let found: Vec<_> = sets.iter().map(|set| names(&set.files)).collect();
        assert_eq!(found[0], ["a.10", "a.2.zst", "a.1", "a"]);
        assert_eq!(found[1], ["b-20260101", "b-20260102"]);
        assert_eq!(sets[1].path, dir.path().join("b"));
        let said = sets[0].remarks.join("\n").replace(&format!("{}/", dir.path().display()), "");
        let wanted =
            "files are missing between a.10 and a.2.zst\na.1.zst is left out: a.1 is there, too";
        assert_eq!(said, wanted);
        for (files, said) in [(["c", "c.1"], 0), (["d", "d.2"], 1)] {
            let dir = tempfile::tempdir()?;
            files.iter().try_for_each(|name| fs::write(dir.path().join(name), ""))?;
            assert_eq!(self::sets(&[dir.path().to_owned()])?[0].remarks.len(), said);
        }
        Ok(())
    }

    #[test]
    fn a_file_that_is_named_twice_is_refused() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("a");
        fs::write(&file, "")?;
        let error = sets(&[dir.path().to_owned(), file]).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.ends_with("/a is named twice")));
        let (one, other) = (dir.path().join("a"), dir.path().join("other"));
        fs::hard_link(&one, &other)?;
        let error = sets(&[one, other]).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.ends_with("are the same file")));
        Ok(())
    }

    #[test]
    fn what_was_rotated_meanwhile_is_not_left_out() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("a");
        fs::write(&path, "")?;
        let read = Input::open(&path)?;
        fs::rename(&path, dir.path().join("a.3"))?;
        for name in ["a.2", "a.1", "a"] {
            fs::write(dir.path().join(name), "")?;
        }
        assert_eq!(names(&after(&read, &path)?), ["a.2", "a.1", "a"]);
        fs::remove_file(dir.path().join("a.3"))?;
        assert_eq!(names(&after(&read, &path)?), ["a"]);
        Ok(())
    }
}
