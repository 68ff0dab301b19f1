// SPDX-License-Identifier: MIT OR Apache-2.0
//! Files that could not be executed, and why.

use foldhash::HashMap;

use super::figures::FailedExec;
use super::names::text;
use crate::model::errno::Errno;
use crate::sorted;

/// So many are told apart; of a name so many bytes.
const MANY: usize = 1024;
const MAX_NAME: usize = 4096;

/// A file, where its name is known, and why it could not be executed.
type File = (Option<Box<[u8]>>, Errno);

/// How often each was tried; None: all beyond `MANY`.
#[derive(Debug, Default)]
pub struct FailedFiles(HashMap<Option<File>, u64>);

impl FailedFiles {
    /// One was tried.
    pub fn add(&mut self, filename: Option<&[u8]>, errno: Errno) {
        let filename = filename.map(|name| name[..name.len().min(MAX_NAME)].into());
        let mut file = Some((filename, errno));
        if self.0.len() >= MANY && !self.0.contains_key(&file) {
            file = None;
        }
        *self.0.entry(file).or_default() += 1;
    }

    /// The most frequent first.
    pub fn figures(&self) -> Vec<FailedExec> {
        let all = self.0.iter();
        let mut list: Vec<FailedExec> = all
            .map(|(file, &count)| FailedExec {
                filename: file.as_ref().and_then(|(name, _)| Some(text(name.as_deref()?))),
                errno: file.as_ref().map(|(_, errno)| errno.name().into_owned()),
                count,
            })
            .collect();
        sorted::by(&mut list, |a, b| {
            let by_name = || (&a.filename, &a.errno).cmp(&(&b.filename, &b.errno));
            b.count.cmp(&a.count).then_with(by_name)
        });
        list
    }
}
