// SPDX-License-Identifier: MIT OR Apache-2.0
//! The paths of cgroups by their ids.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use foldhash::HashMap;
use procfs::process::{MountInfo, Process};

use super::container::{self, Container};
use super::unit;
use crate::model::place::Place;

/// The places of cgroups of the v2 hierarchy, which hybrid systems have, too, as the kernel told
/// them. An id is the inode number of the cgroup's directory (since 5.5, and never used twice).
#[derive(Debug, Default)]
pub struct Cgroups {
    places: Places,
    /// What was told before, until as much has been told again.
    old: Places,
}

/// `None` for one that can't be told.
type Places = HashMap<u64, Option<Arc<Place>>>;

/// So many are remembered twice: a capture of weeks sees cgroups come and go without end.
const REMEMBERED: usize = 5_000;

impl Cgroups {
    /// The place with this id.
    pub fn place(&self, id: u64) -> Option<Arc<Place>> {
        self.places.get(&id).or_else(|| self.old.get(&id)).cloned().flatten()
    }

    /// Remembers a place. Returns true when the older half of all was forgotten: from then on each
    /// id's has to be told again before its next event. Those that lie on the ring buffer by then
    /// are still known.
    pub fn learn(&mut self, id: u64, place: Option<Place>) -> bool {
        self.places.insert(id, place.map(Arc::new));
        let full = self.places.len() > REMEMBERED;
        if full {
            self.old = std::mem::take(&mut self.places);
        }
        full
    }
}

/// What a path below the hierarchy's root, such as `/system.slice/cron.service`, tells.
pub fn place(path: &str) -> Place {
    let units = unit::of(path);
    let container = container::of(path);
    let mut place = Place {
        cgroup: path.into(),
        unit: units.system.map(Box::from),
        user_unit: units.user.map(Box::from),
        ..Place::default()
    };
    if let Some(Container { id, runtime, pod_uid }) = container {
        place.container = Some(id.into());
        place.runtime = runtime.map(Box::from);
        place.pod_uid = pod_uid.map(Box::from);
    }
    place
}

/// Where the paths that this process sees begin, as `/proc/PID/cgroup` has them: the id of its
/// cgroup namespace's root, or 0 for the hierarchy's own. That is also what a container sees that has
/// the whole hierarchy mounted: runtimes give it a namespace of its own, which would hide all other
/// containers. None without a v2 hierarchy, or where the namespace's root can't be told.
pub fn root_id() -> Option<u64> {
    /// `PROC_CGROUP_INIT_INO` of include/uapi/linux/nsfs.h
    const INITIAL_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;
    /// Of the hierarchy's own root, on each host.
    const ROOT: u64 = 1;
    let mounts: Vec<MountInfo> = mounts().collect();
    mounts.first()?;
    let namespace = fs::metadata("/proc/self/ns/cgroup");
    let id = |mount: &MountInfo| fs::metadata(&mount.mount_point).ok().map(|meta| meta.ino());
    if namespace.is_ok_and(|meta| meta.ino() == INITIAL_CGROUP_NAMESPACE)
        || mounts.iter().any(|mount| mount.root.starts_with("/..") && id(mount) == Some(ROOT))
    {
        return Some(0);
    }
    id(mounts.iter().find(|mount| mount.root == "/")?)
}

/// The path below the hierarchy's root, without a slash at its end, of one that [`open`] takes. A
/// capture may be of another host, so the mount points are those that systemd gives it.
pub fn below_root(path: &str) -> String {
    let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let below = mounts.iter().find_map(|mount| path.strip_prefix(mount));
    let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    match below.trim_matches('/') {
        "" => String::new(),
        below => format!("/{below}"),
    }
}

/// Opens the directory of a cgroup, given by its path below the hierarchy's root or as a path of
/// the file system.
///
/// # Errors
/// Neither is there.
pub fn open(path: &str) -> io::Result<File> {
    // In this order: events show the root as `/`.
    let below = mount_point().map(|root| root.join(path.trim_start_matches('/')));
    below.and_then(|below| File::open(below).ok()).map_or_else(|| File::open(path), Ok)
}

/// Where the v2 hierarchy is mounted.
fn mount_point() -> Option<PathBuf> {
    mounts().next().map(|mount| mount.mount_point)
}

fn mounts() -> impl Iterator<Item = MountInfo> {
    let mounts = Process::myself().and_then(|me| me.mountinfo());
    let mounts = mounts.into_iter().flatten();
    mounts.filter(|mount| mount.fs_type == "cgroup2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_cgroup_is_the_same() {
        for path in ["a.slice/b", "/a.slice/b/", "/sys/fs/cgroup/a.slice/b"] {
            assert_eq!(below_root(path), "/a.slice/b");
        }
        assert_eq!(below_root("/sys/fs/cgroup/unified/a"), "/a");
        assert_eq!(below_root("/sys/fs/cgroups"), "/sys/fs/cgroups");
        assert_eq!(below_root("/"), "");
    }

    #[test]
    fn old_paths_are_forgotten_once_as_many_have_been_told_again() {
        let mut cgroups = Cgroups::default();
        let mut rounds = Vec::new();
        for id in 0..=3 * REMEMBERED as u64 {
            if cgroups.learn(id, Some(place(&format!("/{id}")))) {
                rounds.push(id);
            }
            assert_eq!(cgroups.place(id).as_deref(), Some(&place(&format!("/{id}"))));
            assert!(cgroups.places.len() + cgroups.old.len() <= 2 * REMEMBERED + 2);
        }
        assert_eq!(rounds.len(), 2);
        assert_eq!(cgroups.place(0), None);
        assert!(!cgroups.learn(7, None));
        assert_eq!(cgroups.place(7), None);
    }
}
