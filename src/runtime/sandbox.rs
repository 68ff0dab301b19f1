// SPDX-License-Identifier: MIT OR Apache-2.0
//! What remains allowed once a capture runs: it reads what others choose (names, arguments,
//! paths), so a mistake in reading them should lead nowhere.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use anyhow::Result;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, PathBeneath, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, path_beneath_rules,
};

/// The newest whose rights are handled here; an older kernel (Landlock came with 5.13) restricts
/// what it knows.
const KNOWN: ABI = ABI::V5;

/// Restricts the calling thread and those that it makes later to reading `readable`, to files in
/// the directories `writable`, and to descriptors that are open; TCP is over. Returns false where the
/// kernel has no Landlock, or has it switched off.
///
/// # Errors
/// The kernel has it, but refuses.
pub fn enter(readable: &[PathBuf], writable: &[BorrowedFd<'_>]) -> Result<bool> {
    let files: BitFlags<AccessFs> = AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::ReadFile | AccessFs::ReadDir))?;
    for dir in writable {
        rules = rules.add_rule(PathBeneath::new(dir, files))?;
    }
    Ok(rules.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}
