// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where a process runs: its cgroup, and what the cgroup's path names.

use std::sync::OnceLock;

/// A cgroup, and what its path names. Many events share one.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The path below the root of the v2 hierarchy.
    pub cgroup: Box<str>,
    /// The systemd unit: `cron.service`.
    pub unit: Option<Box<str>>,
    /// The unit of a user's systemd, where it is below that.
    pub user_unit: Option<Box<str>>,
    /// The id of the innermost container, or its name where the runtime has no ids.
    pub container: Option<Box<str>>,
    /// Which runtime made that container.
    pub runtime: Option<Box<str>>,
    /// The uid of the Kubernetes pod that the container is one of.
    pub pod_uid: Option<Box<str>>,
    /// The text of its keys in a line, once it has been made.
    pub line: OnceLock<Box<[u8]>>,
}

impl Place {
    /// What is known of it, by the names of its keys; the cgroup first.
    pub fn told(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("cgroup", Some(&self.cgroup)),
            ("unit", self.unit.as_deref()),
            ("user_unit", self.user_unit.as_deref()),
            ("container", self.container.as_deref()),
            ("runtime", self.runtime.as_deref()),
            ("pod_uid", self.pod_uid.as_deref()),
        ]
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.told() == other.told()
    }
}

impl Eq for Place {}
