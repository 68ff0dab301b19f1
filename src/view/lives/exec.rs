// SPDX-License-Identifier: MIT OR Apache-2.0
//! The programs that a process ran, and those that it could not run.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::maybe::Maybe;
use crate::model::errno::Errno;
use crate::model::event::{Args, Comm};
use crate::text;
use crate::text::command;

/// What an exec takes in memory, in bytes, with a program of its own and what the allocator adds.
const EXEC_BYTES: usize = size_of::<Exec>() + size_of::<Program>() + 80;

/// Few processes have any.
#[derive(Debug, Default)]
pub(super) struct LaterExecs {
    pub kept: VecDeque<Exec>,
    pub left_out: usize,
}

/// Programs that a process could not run.
#[derive(Debug)]
pub struct FailedExecs {
    /// How often it tried.
    pub count: u32,
    /// The file of the last try, or what there is in its place.
    file: Box<[u8]>,
    errno: Errno,
}

impl FailedExecs {
    /// The last one: `/usr/bin/no: ENOENT`
    pub fn last(&self) -> String {
        let mut last = String::new();
        text::escape(&self.file, &mut last);
        last + ": " + &self.errno.name()
    }

    pub(super) fn new(count: u32, file: &[u8], errno: Errno) -> Self {
        Self { count, file: file.into(), errno }
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.file.len() + 32
    }
}

/// `failed exec of /usr/bin/no: ENOENT`, for a terminal
impl fmt::Display for FailedExecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "failed exec of {}", self.last()),
            count => write!(f, "{count} failed execs, the last one of {}", self.last()),
        }
    }
}

/// A program that a process ran.
#[derive(Debug)]
pub struct Exec {
    at_ns: Maybe,
    program: Arc<Program>,
}

/// What was run. Execs that are alike share one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Program {
    /// The name that it gave the process.
    pub comm: Arc<Comm>,
    /// Its file, where known.
    pub filename: Option<Box<[u8]>>,
    /// Its arguments, where known.
    pub args: Option<Args>,
}

impl Program {
    /// What its texts take in memory.
    pub fn bytes(&self) -> usize {
        self.filename.as_ref().map_or(0, |filename| filename.len())
            + self.args.as_ref().map_or(0, Args::len)
    }
}

impl Exec {
    pub(super) fn new(at_ns: Option<u64>, program: Arc<Program>) -> Self {
        Self { at_ns: at_ns.into(), program }
    }

    /// When; none where only the end of its run was seen.
    pub fn at_ns(&self) -> Option<u64> {
        self.at_ns.get()
    }

    /// The name that it gave the process.
    pub fn comm(&self) -> Comm {
        *self.program.comm
    }

    /// Its file, where known.
    pub fn filename(&self) -> Option<&[u8]> {
        self.program.filename.as_deref()
    }

    /// Its arguments, where known.
    pub fn args(&self) -> Option<&Args> {
        self.program.args.as_ref()
    }

    /// What was run, for a terminal: the arguments, else the file, else the name.
    pub fn command_line(&self) -> String {
        let mut out = String::new();
        match (self.args(), self.filename()) {
            (Some(args), _) if !args.is_empty() => command::quote(args, &mut out),
            (_, Some(filename)) => text::escape(filename, &mut out),
            _ => text::escape(self.comm().as_bytes(), &mut out),
        }
        out
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        EXEC_BYTES + self.program.bytes()
    }
}
