#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Starts the image's program in a container of a guest, as dist/kubernetes/daemonset.yaml asks, and
judges what it captured.

    container.py IMAGE.tar ROOT.tar KERNEL    ROOT has crun, a static busybox, and Podman's seccomp profile

What a kubelet and its runtime make of the manifest is written down here as far as the manifest says
something: capabilities, namespaces, mounts, seccomp profile. There is no Kubernetes in it. What
happens in the guest: container.init.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import yaml

import guest
import initramfs
from archive import Archive

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target/vm"
MANIFEST = HERE.parents[1] / "dist/kubernetes/daemonset.yaml"
MEMORY = 1024  # MiB: the root is there twice
SECONDS = 600
NODE = "node-of-the-guest"
# The pod whose life the container must tell of.
POD_UID = "0a1b2c3d-1111-2222-3333-444455556666"
CONTAINER = "c0ffee" * 10 + "c0de"
POD = (f"/kubepods.slice/kubepods-pod{POD_UID.replace('-', '_')}.slice/"
       f"cri-containerd-{CONTAINER}.scope")
WITHOUT = ["BPF", "PERFMON"]  # each capability, missing


def unpack(image, folder):
    """The root of the image's container and its configuration, by umoci."""
    layout = folder / "layout"
    run("skopeo", "copy", "--quiet", f"oci-archive:{image}", f"oci:{layout}:test")
    run("umoci", "unpack", "--image", f"{layout}:test", folder / "bundle")
    return json.loads((folder / "bundle/config.json").read_text())["process"]


def run(*command):
    """A command that may not fail; what it says is shown if it does."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr}")
    return done.stdout


def runtime_config(process, pod, capabilities, profile):
    """The OCI runtime's configuration of the manifest's only container."""
    container, = pod["containers"]
    security = container["securityContext"]
    volumes = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"]}
    over = {mount["mountPath"] for mount in container["volumeMounts"]}
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
    ]
    mounts = [mount for mount in mounts if mount["destination"] not in over]
    mounts += [{"destination": mount["mountPath"], "type": "bind", "source": volumes[mount["name"]],
                "options": ["rbind", "ro" if mount.get("readOnly") else "rw"]}
               for mount in container["volumeMounts"]]
    # containerd gives each container of a host with cgroups of version 2 alone a cgroup namespace.
    spaces = ["mount", "ipc", "cgroup"] + ["pid"] * (not pod.get("hostPID"))
    spaces += ["network", "uts"] * (not pod.get("hostNetwork"))
    capabilities = [f"CAP_{name}" for name in capabilities]
    named = {"hostname": "the-pod"} if "uts" in spaces else {}
    return named | {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": security["readOnlyRootFilesystem"]},
        "process": {
            "user": {"uid": security["runAsUser"], "gid": 0},
            "args": process["args"][:1] + container["args"],
            "env": process["env"],
            "cwd": process["cwd"],
            "noNewPrivileges": not security["allowPrivilegeEscalation"],
            "capabilities": {kind: capabilities
                             for kind in ("bounding", "effective", "inheritable", "permitted")},
        },
        "mounts": mounts,
        "linux": {
            "namespaces": [{"type": space} for space in spaces],
            "cgroupsPath": "/kubepods.slice/tuxscope",
            "seccomp": seccomp(profile, capabilities),
        },
    }


def seccomp(profile, capabilities):
    """Podman's profile, for a container with these capabilities."""
    def holds(rule):
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        return (set(includes.get("caps", [])) <= set(capabilities)
                and "amd64" in includes.get("arches", ["amd64"])
                and "amd64" not in excludes.get("arches", [])
                and not set(excludes.get("caps", [])) & set(capabilities))
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{key: rule[key] for key in ("names", "action", "errnoRet", "args") if rule.get(key)}
                     for rule in profile["syscalls"] if holds(rule)],
    }


def files_of(bundle):
    """What is below a directory, as initramfs.build takes it."""
    return {f"bundle/{path.relative_to(bundle)}": path.read_bytes()
            for path in bundle.rglob("*") if path.is_file()}


def guest_image(image, root):
    """The initramfs."""
    pod = yaml.safe_load(MANIFEST.read_text())["spec"]["template"]["spec"]
    with tarfile.open(root) as tar:
        profile = json.load(tar.extractfile("./usr/share/containers/seccomp.json"))
    granted = pod["containers"][0]["securityContext"]["capabilities"]["add"]
    with tempfile.TemporaryDirectory() as folder:
        process = unpack(image, Path(folder))
        bundle = Path(folder) / "bundle"
        configs = {"config": granted}
        configs |= {f"without-{name}": [other for other in granted if other != name]
                    for name in WITHOUT}
        for name, capabilities in configs.items():
            config = runtime_config(process, pod, capabilities, profile)
            (bundle / f"{name}.json").write_text(json.dumps(config))
        files = files_of(bundle)
    folders = [volume["hostPath"]["path"] for volume in pod["volumes"]
               if volume["hostPath"]["type"] == "DirectoryOrCreate"]
    settings = f"{NODE}\n{POD}\n{' '.join(folders)}\n"
    files |= {"init": (HERE / "container.init").read_bytes(), "settings": settings.encode()}
    # A folder that is empty, or only mounted over, is none of build's.
    empty = [f"bundle/rootfs/{folder}/.keep" for folder in ("dev", "proc", "sys", "tmp", "run/tuxscope",
                                                            "var/log/tuxscope")]
    return initramfs.of_root(root) + initramfs.build(files | {path: b"" for path in empty})


def judge(files):
    """All complaints."""
    def text(name):
        return files[name].decode(errors="replace").strip()
    complaints = [f"{name}: status {text(name)}, not {status}"
                  for name, status in [("run-status", "0"), ("stop-status", "0")]
                  + [(f"without-{name}-status", "77") for name in WITHOUT] if text(name) != status]
    records = [json.loads(line) for line in text("events.jsonl").splitlines()]
    head, last = records[0], records[-1]
    if head["host"] != NODE:
        complaints.append(f"the host is {head['host']}")
    if last["event_type"] != "summary" or not last["complete"] or any(last["lost"].values()):
        complaints.append(f"the end is {last}")
    # From its last exec on: before, it moves there.
    life = [record for record in records if record.get("pid") == int(text("child"))][-2:]
    if [event["event_type"] for event in life] != ["exec", "exit"]:
        complaints.append(f"the child's life is {life}")
    wanted = {"cgroup": POD, "container": CONTAINER, "runtime": "containerd", "pod_uid": POD_UID}
    complaints += [f"{event['event_type']} says {event}, not {wanted}" for event in life
                   if {key: event.get(key) for key in wanted} != wanted]
    if life and life[-1].get("exit_code") != 7:
        complaints.append(f"its exit is {life[-1]}")
    status = dict(line.split(":\t", 1) for line in text("process").splitlines() if ":\t" in line)
    none = "0" * 16
    told = {"CapEff": none, "CapPrm": none, "CapBnd": f"{1 << 39 | 1 << 38:016x}", "NoNewPrivs": "1",
            "Seccomp": "2"}
    complaints += [f"{name} is {status.get(name)}, not {value}" for name, value in told.items()
                   if status.get(name) != value]
    if "tuxscope_processes_ended_total" not in text("metrics.prom"):
        complaints.append(f"its metrics are {text('metrics.prom')}")
    return complaints


def main(image, root, version):
    package, kernel = Archive("amd64").kernel(version, "cloud-amd64")
    initrd = TARGET / "initramfs-container"
    initrd.write_bytes(guest_image(image, root))
    began = time.monotonic()
    files = guest.run("amd64", kernel, initrd, TARGET / "console-container.log", MEMORY, seconds=SECONDS)
    try:
        complaints = judge(files)
    except (KeyError, ValueError, IndexError) as error:
        complaints = [f"can't be read: {error!r}"]
    what = f"{files['crun'].decode().splitlines()[0]}, Linux {package}"
    print(f"{'FAILED ' if complaints else 'ok     '} {what}, {time.monotonic() - began:.0f} s")
    for complaint in complaints:
        print(f"    {complaint}")
    for name in sorted(files) if complaints else []:
        if name.endswith("messages"):
            print(f"    {name}: {files[name].decode(errors='replace')}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
