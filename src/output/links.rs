// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may change where a path leads: whoever may write to a directory on its way, as it is written or
//! as a symbolic link continues it, can put a link there to anything.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{PROC_SUPER_MAGIC, statfs};

/// The kernel follows no more.
const MAX_LINKS: u32 = 40;

/// Whether somebody but root may. The file at the path's end need not be there. Where this can't be
/// found out, somebody may.
pub fn others_may_lead(path: &Path) -> bool {
    others_on_the_way(path).unwrap_or(true)
}

fn others_on_the_way(path: &Path) -> io::Result<bool> {
    // No link is in it but those of /proc, so that `..` is what is above.
    let mut here = PathBuf::from(".");
    if path.is_relative() && others_from_here_up(&here)? {
        return Ok(true);
    }
    let mut ahead = path.to_owned();
    let mut links = 0;
    loop {
        let mut steps = ahead.components();
        let Some(step) = steps.next() else { return Ok(false) };
        let rest = steps.as_path();
        let next = here.join(step);
        match fs::read_link(&next) {
            Ok(target) if !is_proc(&here)? => {
                links += 1;
                if links > MAX_LINKS {
                    return Ok(true);
                }
                ahead = target.join(rest);
            }
            // Whose the file is, is looked at when it is open.
            _ if rest.as_os_str().is_empty() => return Ok(false),
            linked => {
                here = next;
                let others = match linked {
                    // The kernel's own, such as /proc/self/cwd, leads to a directory, whatever its text says.
                    Ok(_) => others_from_here_up(&here)?,
                    Err(_) => match fs::metadata(&here) {
                        // Nobody gets there, as whoever opens it is told.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                        meta => others_may_write(&meta?),
                    },
                };
                if others {
                    return Ok(true);
                }
                ahead = rest.to_owned();
            }
        }
    }
}

fn others_from_here_up(dir: &Path) -> io::Result<bool> {
    let mut dir = dir.to_owned();
    let mut below = None;
    loop {
        let meta = fs::metadata(&dir)?;
        if others_may_write(&meta) {
            return Ok(true);
        }
        // Above the root is the root.
        let identity = Some((meta.dev(), meta.ino()));
        if identity == below {
            return Ok(false);
        }
        below = identity;
        dir.push("..");
    }
}

fn others_may_write(dir: &Metadata) -> bool {
    const GROUP_OR_OTHERS: u32 = 0o022;
    dir.uid() != 0 || dir.mode() & GROUP_OR_OTHERS != 0
}

fn is_proc(dir: &Path) -> io::Result<bool> {
    Ok(statfs(dir)?.f_type == PROC_SUPER_MAGIC)
}
