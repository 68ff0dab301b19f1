// SPDX-License-Identifier: MIT OR Apache-2.0
//! Users by name and number, from /etc/passwd.
//!
//! Not by getpwnam(3): a static binary can't load the NSS modules that it would need. Users whom
//! only a directory service knows keep their numbers.

use std::collections::HashMap;
use std::fs;

/// What /etc/passwd says.
#[derive(Clone, Debug, Default)]
pub struct Users {
    names: HashMap<u32, String>,
}

/// A user that a command can be run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// User id.
    pub uid: u32,
    /// The main group's id.
    pub gid: u32,
}

const PASSWD: &str = "/etc/passwd";

impl Users {
    /// Reads /etc/passwd; without it nobody has a name.
    pub fn read() -> Self {
        let names = lines().filter_map(|(name, account)| Some((account?.uid, name))).collect();
        Self { names }
    }

    /// The name of a user.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(String::as_str)
    }
}

/// The account of a user given by name.
pub fn account(name: &str) -> Option<Account> {
    lines().find(|(known, _)| known == name)?.1
}

/// The ids of all groups that list the user as a member.
pub fn groups(name: &str) -> Vec<u32> {
    let text = fs::read_to_string("/etc/group").unwrap_or_default();
    let member = |line: &str| {
        let mut fields = line.split(':').skip(2);
        let gid = fields.next()?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == name).then_some(gid)
    };
    text.lines().filter_map(member).collect()
}

/// The user id that a name or number stands for.
pub fn uid(text: &str) -> Option<u32> {
    text.parse().ok().or_else(|| Some(account(text)?.uid))
}

fn lines() -> impl Iterator<Item = (String, Option<Account>)> {
    let text = fs::read_to_string(PASSWD).unwrap_or_default();
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let mut ids = fields.skip(1).map(|field| field.parse().ok());
            let account = ids.next()?.zip(ids.next()?);
            Some((name, account.map(|(uid, gid)| Account { uid, gid })))
        })
        .collect();
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_user_0() {
        assert_eq!(Users::read().name(0), Some("root"));
        assert_eq!(account("root"), Some(Account { uid: 0, gid: 0 }));
        assert_eq!(uid("root"), Some(0));
        assert_eq!(uid("4242"), Some(4242));
        assert_eq!(uid("no such user"), None);
    }
}
