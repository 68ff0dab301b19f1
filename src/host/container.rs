// SPDX-License-Identifier: MIT OR Apache-2.0
//! The container that a cgroup belongs to, by its path: one table of the names that container
//! runtimes give their cgroups.

/// A container, as its cgroup's path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its id (64 hexadecimal digits), or its name where the runtime has no ids.
    pub id: String,
    /// The runtime, where the name tells which one it is.
    pub runtime: Option<&'static str>,
    /// The Kubernetes pod's uid, where it is in one.
    pub pod_uid: Option<String>,
}

/// What stands between the two fixed parts of a cgroup's name.
#[derive(Clone, Copy)]
enum Middle {
    /// 64 hexadecimal digits.
    Id,
    /// A machine's name, escaped as in systemd's unit names.
    Machine,
    /// Any name.
    Name,
}

/// A cgroup's own name, and the runtime that gives it.
struct Pattern {
    /// The name of the cgroup above, where the own one says too little.
    below: Option<&'static str>,
    before: &'static str,
    middle: Middle,
    after: &'static str,
    runtime: &'static str,
}

const fn id(before: &'static str, after: &'static str, runtime: &'static str) -> Pattern {
    Pattern { below: None, before, middle: Middle::Id, after, runtime }
}

/// So many digits of an id suffice: `docker ps` shows as many.
pub const SHORT_ID: usize = 12;

/// A name that the cgroup of a container may have, for those who look for it from the leaf up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CgroupName {
    /// It begins so.
    Prefix(String),
    /// It begins so, and the cgroup above it is a pod's or Docker's.
    BarePrefix(String),
    /// It is this.
    Whole(String),
    /// It is this, and the container lies in its `payload`.
    Machine(String),
    /// So, too, and the cgroup above it is [`MACHINES`].
    BareMachine(String),
}

/// The names that the cgroup of a container may have, given what [`is_meant`] takes.
pub fn cgroup_names(id: &str) -> Vec<CgroupName> {
    let bare = is_short_id(id).then(|| CgroupName::BarePrefix(id.to_owned()));
    let names = PATTERNS.iter().flat_map(|pattern| {
        let whole = |name: &str| format!("{}{name}{}", pattern.before, pattern.after);
        match pattern.middle {
            Middle::Id if pattern.below.is_some() || !is_short_id(id) => vec![],
            Middle::Id => vec![CgroupName::Prefix(format!("{}{id}", pattern.before))],
            Middle::Name => vec![CgroupName::Whole(whole(id))],
            Middle::Machine if pattern.below.is_some() => {
                vec![CgroupName::BareMachine(whole(id))]
            }
            // systemctl start systemd-nspawn@NAME takes the name as it is.
            Middle::Machine => {
                [id, &id.replace('-', "\\x2d")].map(|name| CgroupName::Machine(whole(name))).into()
            }
        }
    });
    names.chain(bare).collect()
}

fn is_short_id(text: &str) -> bool {
    text.len() >= SHORT_ID && text.bytes().all(is_digit)
}

/// The names, each with the source that makes it. "systemd" and "cgroupfs" are the two drivers
/// that runtimes have: the first makes scopes, the second plain directories.
const PATTERNS: [Pattern; 13] = [
    // moby, daemon/oci_linux.go: systemd, cgroupfs
    id("docker-", ".scope", "docker"),
    Pattern { below: Some("docker"), ..id("", "", "docker") },
    // podman, libpod/container.go and container_internal_linux.go: systemd, cgroupfs, and
    // --cgroups=split. conmon's own (libpod-conmon-ID) is outside of the container.
    id("libpod-", ".scope", "podman"),
    id("libpod-", "", "podman"),
    id("libpod-payload-", "", "podman"),
    // containerd, internal/cri/server/helpers.go: systemd; for cgroupfs see `in_pod`
    id("cri-containerd-", ".scope", "containerd"),
    // cri-o, internal/config/cgmgr: systemd, cgroupfs. crio-conmon-ID is outside.
    id("crio-", ".scope", "cri-o"),
    id("crio-", "", "cri-o"),
    // nerdctl, pkg/cmd/container/create.go: systemd
    id("nerdctl-", ".scope", "containerd"),
    // lxc, src/lxc/cgroups/cgfsng.c (from 4.0 on). lxc.monitor.NAME is outside.
    named("lxc.payload.", "", "lxc"),
    // systemd, src/nspawn: nspawn-register.c, units/systemd-nspawn@.service.in; the container is
    // what nspawn-cgroup.c puts into "payload". "supervisor" beside it is systemd-nspawn itself, and
    // virtual machines (libvirt's, systemd-vmspawn's) have scopes of the same name without either.
    machine("machine-", ".scope"),
    machine("systemd-nspawn@", ".service"),
    // nspawn-register.c makes such a scope, too: in systemd 257 where the machine is not registered, in
    // 262 always.
    Pattern { below: Some(MACHINES), ..machine("", ".scope") },
];

/// The slice of systemd's machines.
const MACHINES: &str = "machine.slice";

const fn named(before: &'static str, after: &'static str, runtime: &'static str) -> Pattern {
    Pattern { below: None, before, middle: Middle::Name, after, runtime }
}

const fn machine(before: &'static str, after: &'static str) -> Pattern {
    Pattern { below: None, before, middle: Middle::Machine, after, runtime: "systemd-nspawn" }
}

/// The innermost container of a cgroup, given by its path below the root of the hierarchy.
pub fn of(path: &str) -> Option<Container> {
    all(path).next()
}

/// Whether a cgroup belongs to a container, or to one inside of it.
pub fn holds(id: &str, path: &str) -> bool {
    all(path).any(|container| is_meant(&container.id, id))
}

/// Whether it is the container's id: that or [`SHORT_ID`] digits of it, or its name.
pub fn is_meant(container: &str, id: &str) -> bool {
    container == id || is_id(container) && is_short_id(id) && container.starts_with(id)
}

/// All of them, from the innermost on.
fn all(path: &str) -> impl Iterator<Item = Container> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    (0..names.len()).rev().filter_map(move |at| {
        let above = &names[..at];
        let (id, runtime) = PATTERNS
            .iter()
            .find_map(|pattern| pattern.find(above, names[at], names.get(at + 1).copied()))
            .map(|(id, runtime)| (id, Some(runtime)))
            .or_else(|| Some((in_pod(above, names[at])?, None)))?;
        Some(Container { id, runtime, pod_uid: above.iter().rev().find_map(|name| pod(name)) })
    })
}

impl Pattern {
    fn find(
        &self,
        above: &[&str],
        name: &str,
        next: Option<&str>,
    ) -> Option<(String, &'static str)> {
        if self.below.is_some_and(|below| above.last() != Some(&below)) {
            return None;
        }
        let middle = name.strip_prefix(self.before)?.strip_suffix(self.after)?;
        let id = match self.middle {
            Middle::Id => is_id(middle).then(|| middle.to_owned()),
            Middle::Name => (!middle.is_empty()).then(|| middle.to_owned()),
            Middle::Machine if next == Some("payload") => machine_name(middle),
            Middle::Machine => None,
        }?;
        Some((id, self.runtime))
    }
}

/// With the cgroupfs driver containerd's CRI and Docker's (cri-dockerd) name a container's cgroup by
/// the id alone, below the pod's, so that it can't be told whose it is.
fn in_pod(above: &[&str], name: &str) -> Option<String> {
    let in_pod = above.last().is_some_and(|parent| pod(parent).is_some());
    (in_pod && is_id(name)).then(|| name.to_owned())
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(is_digit)
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// The uid in the name of a pod's cgroup (kubelet, pkg/kubelet/cm): `podUID` with the cgroupfs
/// driver, `kubepods[-QOS]-podUID.slice` with systemd's, which has `_` for each `-` of it, and puts
/// the names of a `--cgroup-root` before it (`kubelet-kubepods-...` in kind).
fn pod(name: &str) -> Option<String> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => {
            let (root, rest) = slice.split_once("kubepods")?;
            if !root.is_empty() && !root.ends_with('-') {
                return None;
            }
            rest.rsplit_once("-pod")?.1.replace('_', "-")
        }
        None => name.strip_prefix("pod")?.to_owned(),
    };
    // A static pod's is a hash of its manifest.
    let bare: usize = uid.bytes().filter(u8::is_ascii_hexdigit).count();
    let dashes = uid.len() - bare;
    let uuid = dashes == 4 && uid.bytes().filter(|&byte| byte == b'-').count() == 4;
    (bare == 32 && (uuid || dashes == 0)).then_some(uid)
}

/// A machine's name: `\xNN` stands for what a unit's name may not contain, or means something
/// there.
fn machine_name(escaped: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = escaped;
    while let Some((plain, code)) = rest.split_once("\\x") {
        let byte = code.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
        name.push_str(plain);
        name.push(char::from(byte));
        rest = &code[2..];
    }
    name.push_str(rest);
    // `hostname_is_valid` of systemd: machines are named as hosts are.
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!name.is_empty() && name.len() <= 64 && name.chars().all(legal)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const POD: &str = "8a1b2c3d-0011-2233-4455-66778899aabb";

    #[track_caller]
    fn check(path: &str, id: &str, runtime: impl Into<Option<&'static str>>, pod: Option<&str>) {
        let path = path.replace("ID", ID).replace("POD_", &POD.replace('-', "_"));
        let path = path.replace("POD", POD);
        let pod_uid = pod.map(ToOwned::to_owned);
        let wanted = Container { id: id.replace("ID", ID), runtime: runtime.into(), pod_uid };
        assert_eq!(of(&path), Some(wanted), "{path}");
    }

    #[test]
    fn each_runtime_is_known_under_both_drivers() {
        check("/system.slice/docker-ID.scope", "ID", "docker", None);
        check("/docker/ID", "ID", "docker", None);
        check("/docker/ID/init.scope", "ID", "docker", None);
        check("/machine.slice/libpod-ID.scope/container", "ID", "podman", None);
        let user = "/user.slice/user-1000.slice/user@1000.service/user.slice";
        check(&format!("{user}/libpod-ID.scope"), "ID", "podman", None);
        check("/libpod_parent/libpod-ID", "ID", "podman", None);
        check("/system.slice/web.service/libpod-payload-ID", "ID", "podman", None);
        check("/system.slice/nerdctl-ID.scope", "ID", "containerd", None);
        check("/lxc.payload.web-1/system.slice/cron.service", "web-1", "lxc", None);
        let nspawn = "systemd-nspawn";
        check("/machine.slice/machine-web.scope/payload", "web", nspawn, None);
        check("/machine.slice/machine-web\\x2d1.scope/payload/a", "web-1", nspawn, None);
        check("/machine.slice/systemd-nspawn@web.service/payload/init.scope", "web", nspawn, None);
        check("/machine.slice/web-1.scope/payload/a", "web-1", nspawn, None);
    }

    #[test]
    fn pods_have_a_uid_under_both_drivers() {
        let burstable = "/kubepods.slice/kubepods-burstable.slice";
        let systemd = format!("{burstable}/kubepods-burstable-podPOD_.slice");
        let pod = Some(POD);
        check(&format!("{systemd}/cri-containerd-ID.scope"), "ID", "containerd", pod);
        check(&format!("{systemd}/crio-ID.scope/container"), "ID", "cri-o", pod);
        check(&format!("{systemd}/docker-ID.scope"), "ID", "docker", pod);
        check("/kubepods.slice/kubepods-podPOD_.slice/crio-ID.scope", "ID", "cri-o", pod);
        check("/kubepods/burstable/podPOD/ID", "ID", None, pod);
        check("/kubepods/podPOD/crio-ID", "ID", "cri-o", pod);
        let nested = format!("/system.slice/docker-{}.scope/kubelet", ID.replace('0', "f"));
        let nested = format!("{nested}{systemd}/cri-containerd-ID.scope");
        check(&nested, "ID", "containerd", pod);
        let kind = "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice";
        let kind = format!("/docker/{}{kind}/kubelet-kubepods-besteffort-podPOD_.slice", &ID);
        check(&format!("{kind}/cri-containerd-ID.scope"), "ID", "containerd", pod);
        let hash = "0123456789abcdef0123456789abcdef";
        let path = format!("/kubepods/burstable/pod{hash}/ID");
        check(&path, "ID", None, Some(hash));
    }

    #[test]
    fn what_stands_beside_a_container_is_not_in_it() {
        for path in [
            "/",
            "/system.slice/docker.service",
            "/system.slice/docker-0123.scope",
            "/machine.slice/libpod-conmon-ID.scope",
            "/kubepods.slice/kubepods-podPOD_.slice/crio-conmon-ID.scope",
            "/lxc.monitor.web",
            "/lxc.payload.",
            "/machine.slice/machine-web.scope/supervisor",
            "/machine.slice/web.scope/supervisor",
            "/system.slice/web.scope/payload",
            "/machine.slice/systemd-nspawn@web.service/supervisor",
            "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope",
            "/machine.slice/machine-a\\x2.scope",
            "/kubepods/burstable/podPOD",
            "/kubepods/burstable/podcast/ID",
            "/default/ID",
        ] {
            let path = path.replace("ID", ID).replace("POD_", &POD.replace('-', "_"));
            assert_eq!(of(&path.replace("POD", POD)), None, "{path}");
        }
    }

    #[test]
    fn twelve_digits_or_a_whole_name_suffice() {
        assert!(is_meant(ID, ID) && is_meant(ID, &ID[..12]) && is_meant("web-1", "web-1"));
        assert!(!is_meant(ID, &ID[..11]) && !is_meant(ID, &ID[1..]) && !is_meant("web-1", "web"));
        let inner = format!("/docker/{}/system.slice/docker-{ID}.scope", ID.replace('0', "f"));
        assert!(holds(ID, &inner) && holds(&ID.replace('0', "f")[..12], &inner));
        assert!(!holds(ID, "/docker/payload"));
    }

    /// What is looked for from the leaf up is what a path tells.
    #[test]
    fn each_pattern_is_found_by_its_names() {
        for pattern in &PATTERNS {
            let middle = if matches!(pattern.middle, Middle::Id) { ID } else { "web" };
            let cgroup = format!("{}{middle}{}", pattern.before, pattern.after);
            let found = cgroup_names(middle).into_iter().any(|name| match name {
                CgroupName::Prefix(prefix) | CgroupName::BarePrefix(prefix) => {
                    cgroup.starts_with(&prefix)
                }
                CgroupName::Whole(name)
                | CgroupName::Machine(name)
                | CgroupName::BareMachine(name) => cgroup == name,
            });
            assert!(found, "{cgroup}");
        }
        let machine = |name: &str| CgroupName::Machine(name.to_owned());
        assert!(cgroup_names("a-b").contains(&machine("machine-a\\x2db.scope")));
    }

    #[test]
    fn no_path_is_a_panic() {
        for path in ["/machine-\\x\u{e9}.scope", "/machine-\\xzz.scope", "//", "/pod/é", "/podé/a"]
        {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
