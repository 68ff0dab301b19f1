// SPDX-License-Identifier: MIT OR Apache-2.0
//! The systemd unit that a cgroup belongs to, by its path.
//!
//! The rules are those of systemd's src/basic/cgroup-util.c (`cg_path_get_unit` and
//! `cg_path_get_user_unit`), so that the answer is what `systemctl status PID` shows.

/// The units that a path names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units<'a> {
    /// Of the system's manager: `cron.service`, `session-3.scope`, `user@1000.service`.
    pub system: Option<&'a str>,
    /// Of a user's manager, below `user@UID.service` (or a capsule's, from systemd 256 on).
    pub user: Option<&'a str>,
}

/// The whole name of a unit, as systemctl(1) completes it: `cron` is `cron.service`.
///
/// # Errors
/// There is no unit of that name that a process could belong to.
pub fn whole_name(name: &str) -> Result<String, String> {
    if name.ends_with(".slice") && is_unit_name(name) {
        return Err("a slice holds units; --cgroup chooses all that is below it".to_owned());
    }
    let whole = match name.rsplit_once('.') {
        Some((_, kind)) if TYPES.contains(&kind) => name.to_owned(),
        _ => format!("{name}.service"),
    };
    match is_unit_name(&whole) {
        true => Ok(whole),
        false => Err("a unit's name is such as cron.service, or cron for short".to_owned()),
    }
}

/// The names that the cgroup of a unit may have.
pub fn cgroup_names(unit: &str) -> [String; 2] {
    [unit.to_owned(), format!("_{unit}")]
}

/// The units of a cgroup, given by its path below the root of the hierarchy.
pub fn of(path: &str) -> Units<'_> {
    let below = skip_slices(path);
    let (first, rest) = split_first(below);
    let system = unit(first);
    let users = is_user_manager(first) || is_session(first);
    let user = users.then(|| unit(split_first(skip_slices(rest)).0)).flatten();
    Units { system, user }
}

/// A path without the slices that it begins with.
fn skip_slices(mut path: &str) -> &str {
    loop {
        let (first, rest) = split_first(path);
        if !is_slice(first) {
            return path;
        }
        path = rest;
    }
}

fn split_first(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    path.split_at(path.find('/').unwrap_or(path.len()))
}

/// systemd puts `_` before a name that the kernel might use itself, and before one of these.
fn unescape(name: &str) -> &str {
    name.strip_prefix('_').unwrap_or(name)
}

fn is_slice(name: &str) -> bool {
    let name = unescape(name);
    name.ends_with(".slice") && !name.contains('@') && is_unit_name(name)
}

fn unit(name: &str) -> Option<&str> {
    let name = unescape(name);
    (is_unit_name(name) && !name.ends_with(".slice")).then_some(name)
}

fn is_user_manager(name: &str) -> bool {
    let Some(name) = name.strip_suffix(".service") else { return false };
    let uid = name.strip_prefix("user@");
    let capsule = name.strip_prefix("capsule@");
    uid.is_some_and(|uid| uid.parse::<u32>().is_ok())
        || capsule.is_some_and(|name| !name.is_empty())
}

fn is_session(name: &str) -> bool {
    let id = name.strip_prefix("session-").and_then(|rest| rest.strip_suffix(".scope"));
    id.is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The types of units.
const TYPES: [&str; 11] = [
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];

/// `unit_name_is_valid` of src/basic/unit-name.c, without templates.
fn is_unit_name(name: &str) -> bool {
    /// `UNIT_NAME_MAX`
    const MAX: usize = 256;
    let Some((before, kind)) = name.rsplit_once('.') else { return false };
    let legal = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    let (prefix, instance) = match before.split_once('@') {
        Some((prefix, instance)) => (prefix, Some(instance)),
        None => (before, None),
    };
    name.len() < MAX
        && TYPES.contains(&kind)
        && before.chars().all(legal)
        && !prefix.is_empty()
        && instance != Some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, system: Option<&str>, user: Option<&str>) {
        assert_eq!(of(path), Units { system, user }, "{path}");
    }

    #[test]
    fn a_system_unit_lies_below_its_slices() {
        check("/system.slice/cron.service", Some("cron.service"), None);
        check("/init.scope", Some("init.scope"), None);
        let getty = "getty@tty1.service";
        check("/system.slice/system-getty.slice/getty@tty1.service", Some(getty), None);
        check("/system.slice/docker.service/a/b", Some("docker.service"), None);
        check("/machine.slice/machine-a.scope/payload", Some("machine-a.scope"), None);
    }

    #[test]
    fn a_users_unit_lies_below_its_manager() {
        let manager = Some("user@1000.service");
        let base = "/user.slice/user-1000.slice/user@1000.service";
        check(base, manager, None);
        check(&format!("{base}/init.scope"), manager, Some("init.scope"));
        check(&format!("{base}/app.slice/a.service"), manager, Some("a.service"));
        let nested = format!("{base}/app.slice/app-dbus.slice/dbus-:1.2-x@0.service");
        check(&nested, manager, Some("dbus-:1.2-x@0.service"));
        check("/user.slice/user-0.slice/session-3.scope", Some("session-3.scope"), None);
        let session = Some("session-3.scope");
        check("/user.slice/user-0.slice/session-3.scope/a.service", session, Some("a.service"));
        check("/system.slice/user@x.service/a.service", Some("user@x.service"), None);
        let capsule = Some("capsule@web.service");
        check("/capsule.slice/capsule@web.service/app.slice/a.service", capsule, Some("a.service"));
    }

    #[test]
    fn names_are_unescaped_as_systemctl_prints_them() {
        check("/system.slice/_cpu.service", Some("cpu.service"), None);
        let mount = "dev-disk-by\\x2dlabel-a.mount";
        check(&format!("/system.slice/{mount}"), Some(mount), None);
    }

    #[test]
    fn a_name_is_completed_as_systemctl_does() {
        let whole = |name: &str| whole_name(name).ok();
        for (name, wanted) in [
            ("cron", "cron.service"),
            ("cron.service", "cron.service"),
            ("foo.bar", "foo.bar.service"),
            ("getty@tty1", "getty@tty1.service"),
            ("session-3.scope", "session-3.scope"),
        ] {
            assert_eq!(whole(name).as_deref(), Some(wanted));
        }
        for name in ["", "a b", "a/b", "getty@", "getty@.service", "user.slice"] {
            assert_eq!(whole(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_no_unit_is_none() {
        for path in [
            "",
            "/",
            "/system.slice",
            "/docker/0123",
            "/a.slice/b.slice/",
            "/system.slice/@.service",
            "/system.slice/a@.service",
            "/system.slice/a b.service",
            "/system.slice/.service",
            "/a.timers",
        ] {
            check(path, None, None);
        }
        check(&format!("/{}.service", "x".repeat(248)), None, None);
    }
}
