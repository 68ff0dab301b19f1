// SPDX-License-Identifier: MIT OR Apache-2.0
//! The paths of cgroups by their ids.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procfs::process::Process;

/// Looks up cgroups of the v2 hierarchy, which hybrid systems have, too. An id is the inode
/// number of the cgroup's directory (since 5.5, and never used twice).
#[derive(Debug, Default)]
pub struct Cgroups {
    root: Option<PathBuf>,
    /// `None` for one that was gone when it was looked for.
    paths: HashMap<u64, Option<Arc<str>>>,
    /// How many there were when the others were last forgotten.
    there: usize,
}

/// So many are remembered at least: a capture of weeks sees cgroups come and go without end.
const REMEMBERED: usize = 10_000;

impl Cgroups {
    /// Of the hierarchy that is mounted; without one nothing will be found.
    pub fn new() -> Self {
        Self { root: mount_point(), ..Self::default() }
    }

    /// The path below the hierarchy's root, such as `/system.slice/cron.service`.
    pub fn path(&mut self, id: u64) -> Option<Arc<str>> {
        if let Some(path) = self.paths.get(&id) {
            return path.clone();
        }
        // One walk tells of all, and ids that are still unknown are of cgroups made since the
        // last one; so there is a walk for each new cgroup, and none for each event. One that is
        // gone and forgotten costs another, so as many as there are are always remembered.
        let forgets = self.paths.len() > REMEMBERED.max(2 * self.there);
        if forgets {
            self.paths.clear();
        }
        if let Some(root) = &self.root {
            if let Ok(meta) = fs::metadata(root) {
                self.paths.insert(meta.ino(), Some("/".into()));
            }
            walk(root, root, &mut self.paths);
        }
        if forgets {
            self.there = self.paths.len();
        }
        self.paths.entry(id).or_default().clone()
    }
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

fn walk(root: &Path, dir: &Path, paths: &mut HashMap<u64, Option<Arc<str>>>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let path = entry.path();
            if let Ok(below) = path.strip_prefix(root) {
                let name = format!("/{}", below.to_string_lossy());
                paths.insert(entry.ino(), Some(name.into()));
            }
            walk(root, &path, paths);
        }
    }
}

/// Where the v2 hierarchy is mounted.
pub fn mount_point() -> Option<PathBuf> {
    let mounts = Process::myself().ok()?.mountinfo().ok()?;
    mounts.into_iter().find(|mount| mount.fs_type == "cgroup2").map(|mount| mount.mount_point)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> (tempfile::TempDir, Cgroups) {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(dir.path().join("system.slice/cron.service")).expect("directories");
        let cgroups = Cgroups { root: Some(dir.path().to_owned()), ..Cgroups::default() };
        (dir, cgroups)
    }

    #[test]
    fn an_id_is_an_inode_number() {
        let (dir, mut cgroups) = fixture();
        let ino = |path: &Path| fs::metadata(path).expect("is there").ino();
        let cron = ino(&dir.path().join("system.slice/cron.service"));
        assert_eq!(cgroups.path(cron).as_deref(), Some("/system.slice/cron.service"));
        assert_eq!(cgroups.path(ino(dir.path())).as_deref(), Some("/"));
        assert_eq!(cgroups.path(u64::MAX), None);
    }

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
    fn a_cgroup_that_comes_later_is_found() {
        let (dir, mut cgroups) = fixture();
        assert_eq!(cgroups.path(u64::MAX), None);
        let late = dir.path().join("late");
        fs::create_dir(&late).expect("a directory");
        let ino = fs::metadata(&late).expect("is there").ino();
        assert_eq!(cgroups.path(ino).as_deref(), Some("/late"));
    }

    #[test]
    fn those_that_are_gone_are_forgotten_in_the_end() {
        let (dir, mut cgroups) = fixture();
        let gone = |i: usize| u64::MAX - i as u64;
        cgroups.paths.extend((0..=REMEMBERED).map(|i| (gone(i), Some("/gone".into()))));
        assert_eq!(cgroups.path(gone(0)).as_deref(), Some("/gone"));
        assert_eq!(cgroups.path(0), None);
        assert_eq!(cgroups.paths.len(), 1 + 3, "the root, two below it, and the one asked for");

        // With more than that alive, not at every walk.
        for i in 0..REMEMBERED {
            fs::create_dir(dir.path().join(i.to_string())).expect("a directory");
        }
        for i in 0..3 {
            assert_eq!(cgroups.path(gone(i)), None);
        }
        let known = (0..3).filter(|&i| cgroups.paths.contains_key(&gone(i))).count();
        assert_eq!(known, 2, "the first of them was forgotten once");
    }
}
