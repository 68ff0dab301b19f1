// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bytes of a capture: of a file or of standard input, decompressed where its first bytes
//! say so.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use flate2::bufread::MultiGzDecoder;

use crate::output::Output;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A capture that is open for reading.
pub struct Input {
    bytes: Box<dyn Read>,
    name: String,
    size: Option<u64>,
    identity: Option<(u64, u64)>,
    done: Rc<Cell<u64>>,
}

impl Input {
    /// Opens a file, or standard input where the path is `-`.
    ///
    /// # Errors
    /// The file can't be opened, or its first bytes can't be read.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, name) = if path == Path::new("-") {
            // Not io::stdin(): it has a buffer and a lock of its own.
            let fd = io::stdin().as_fd().try_clone_to_owned().context("standard input")?;
            (File::from(fd), "standard input".to_owned())
        } else {
            let name = path.display().to_string();
            (File::open(path).with_context(|| format!("can't read {name}"))?, name)
        };
        let kind = file.metadata().with_context(|| format!("can't read {name}"))?;
        if kind.is_dir() {
            bail!("can't read {name}: it is a directory");
        }
        let size = kind.is_file().then_some(kind.len());
        let identity = kind.is_file().then_some((kind.dev(), kind.ino()));
        let done = Rc::new(Cell::new(0));
        let counted = Counted { file, done: done.clone() };
        let bytes = decompressed(counted).with_context(|| format!("can't read {name}"))?;
        Ok(Self { bytes, name, size, identity, done })
    }

    /// The name for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the file that an output writes to.
    pub fn is(&self, output: &Output) -> bool {
        self.identity.is_some() && self.identity == output.identity()
    }

    /// The part of the file that was read, from 0 to 1, where its size is known.
    pub fn progress(&self) -> Option<f64> {
        self.size.filter(|&size| size > 0).map(|size| self.done.get() as f64 / size as f64)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

/// Looks at the first bytes and puts the decoder that they call for in between.
fn decompressed(mut raw: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::new();
    raw.by_ref().take(ZSTD.len() as u64).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(&GZIP), magic == ZSTD);
    let whole = Cursor::new(magic).chain(raw);
    Ok(if gzip {
        Box::new(MultiGzDecoder::new(BufReader::new(whole)))
    } else if zstd {
        Box::new(zstd::Decoder::with_buffer(BufReader::new(whole))?)
    } else {
        Box::new(whole)
    })
}

/// Counts what is read of a file.
struct Counted {
    file: File,
    done: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.done.set(self.done.get() + read as u64);
        Ok(read)
    }
}
