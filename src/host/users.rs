// SPDX-License-Identifier: MIT OR Apache-2.0
//! Users by name and number, from /etc/passwd.
//!
//! Not by getpwnam(3): a static binary can't load the NSS modules that it would need. Users whom
//! only a directory service knows keep their numbers.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::str;

/// What /etc/passwd says.
#[derive(Clone, Debug, Default)]
pub struct Users {
    names: HashMap<u32, String>,
}

/// A user that a command can be run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// The main group's id.
    pub gid: u32,
    /// The home directory.
    pub home: OsString,
    /// The login shell; `/bin/sh` where none is named, as passwd(5) has it.
    pub shell: OsString,
}

impl Users {
    /// Reads /etc/passwd; without it nobody has a name.
    pub fn read() -> Self {
        let name = |(name, account): (Vec<u8>, Option<Account>)| {
            Some((account?.uid, String::from_utf8_lossy(&name).into_owned()))
        };
        Self { names: accounts(&passwd()).filter_map(name).collect() }
    }

    /// The name of a user.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }
}

/// The account of a user given by name.
pub fn account(name: &str) -> Option<Account> {
    accounts(&passwd()).find(|(known, _)| known == name.as_bytes())?.1
}

/// The ids of all groups that list the user as a member.
pub fn groups(name: &str) -> Vec<u32> {
    groups_in(&fs::read("/etc/group").unwrap_or_default(), name)
}

/// The user id that a name or number stands for.
pub fn uid(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| Some(account(text)?.uid))
}

fn passwd() -> Vec<u8> {
    fs::read("/etc/passwd").unwrap_or_default()
}

// Bytes, not text: one name that isn't UTF-8 hides none of the others.
fn lines(text: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    text.split(|&byte| byte == b'\n').map(|line| line.split(|&byte| byte == b':').collect())
}

fn number(field: &[u8]) -> Option<u32> {
    str::from_utf8(field).ok()?.parse().ok()
}

/// Those whose ids can't be read are there, without an account.
fn accounts(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Option<Account>)> {
    lines(text).filter(|fields| fields.len() > 1).map(|fields| {
        let field = |place: usize| fields.get(place).copied().unwrap_or_default();
        let ids = number(field(2)).zip(number(field(3)));
        let shell = if field(6).is_empty() { b"/bin/sh" } else { field(6) };
        let account = ids.map(|(uid, gid)| Account {
            uid,
            gid,
            home: OsStr::from_bytes(field(5)).to_owned(),
            shell: OsStr::from_bytes(shell).to_owned(),
        });
        (field(0).to_owned(), account)
    })
}

fn groups_in(text: &[u8], name: &str) -> Vec<u32> {
    let member = |fields: Vec<&[u8]>| {
        let mut members = fields.get(3)?.split(|&byte| byte == b',');
        members.any(|member| member == name.as_bytes()).then(|| number(fields[2]))?
    };
    lines(text).filter_map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_user_0() {
        assert_eq!(Users::read().name(0), Some("root"));
        let root = account("root").expect("root");
        assert_eq!((root.uid, root.gid, root.home.to_str()), (0, 0, Some("/root")));
        assert_eq!(uid("root"), Some(0));
        assert_eq!(uid("4242"), Some(4242));
        assert_eq!(uid("no such user"), None);
    }

    #[test]
    fn one_name_that_is_not_utf_8_hides_no_other() {
        let text = b"j\xf6rg:x:7:8:J\xf6rg:/home/j\xf6rg:\nanna:x:9:10::/home/anna:/bin/zsh\nbad\n";
        let all: Vec<_> = accounts(text).collect();
        assert_eq!(all.len(), 2);
        let jorg = all[0].1.as_ref().expect("an account");
        assert_eq!((jorg.uid, jorg.gid, jorg.shell.to_str()), (7, 8, Some("/bin/sh")));
        assert_eq!(jorg.home.as_bytes(), b"/home/j\xf6rg");
        assert_eq!(all[1].1.as_ref().expect("an account").shell, "/bin/zsh");
        let groups = b"gr\xfcn:x:5:anna\nrot:x:6:j\xf6rg,anna\nblau:x:7:\n";
        assert_eq!(groups_in(groups, "anna"), [5, 6]);
    }
}
