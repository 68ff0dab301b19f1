#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Starts containers by Podman, systemd-nspawn and LXC in a guest, and judges what tuxscope tells of them by
what these, systemd, /proc and a process inside tell.

    runtimes.py TUXSCOPE RELEASE=KERNEL...    trixie=6.12

The Debian release's root is target/vm/root-runtimes-RELEASE.tar. Cgroups there are of version 2 alone, and
systemd manages them. What happens in the guest: runtimes.sh.
"""

import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import guest
import initramfs
import report
from archive import Archive
from service import ARGUMENTS, ROOT, Notes, script_files

HERE = Path(__file__).resolve().parent
MEMORY = 2048  # MiB: the root is there twice for a moment
SECONDS = 1500  # it takes 110 where nothing else fills the host
# They wait for a network.
MASKED = "systemd.mask=lxc.service systemd.mask=lxc-net.service"
PLACE = ("cgroup", "container", "runtime", "unit", "user_unit", "pod_uid", "ns_pid", "pidns")
TOOLS = ("podman", "crun", "systemctl", "lxc-start")
UNREADABLE = (KeyError, ValueError, TypeError, IndexError)
CODE = 7  # what the known process of each container exits with


@dataclass(frozen=True)
class Case:
    """A container of runtimes.sh. `{}` stands for its id or name. It is in one of the units: not all releases
    name them alike."""

    runtime: str
    units: tuple = (None,)
    user_unit: str = None


CASES = {
    "podman-systemd": Case("podman", ("libpod-{}.scope",)),
    "podman-cgroupfs": Case("podman"),
    "podman-rootless": Case("podman", ("user@1000.service",), "libpod-{}.scope"),
    "podman-quadlet": Case("podman", ("quadlet.service",)),
    "nspawn": Case("systemd-nspawn", ("machine-web\\x2d1.scope", "{}.scope")),
    "nspawn-unregistered": Case("systemd-nspawn", ("{}.scope",)),
    "nspawn-service": Case("systemd-nspawn", ("systemd-nspawn@web-2.service",)),
    "lxc": Case("lxc"),
}


def capture(notes, name):
    """The lines of one tracer, and whether it is a whole one."""
    lines = [json.loads(line) for line in notes.text(f"{name}.jsonl").splitlines()]
    last = lines[-1]
    complaints = []
    if last["event_type"] != "summary" or not last["complete"] or any(last["lost"].values()):
        complaints.append(f"{name}: not the end of a whole capture: {last}")
    if notes.text(f"{name}.status") != "0":
        complaints.append(f"{name}: status {notes.text(f'{name}.status')}: {notes.text(f'{name}-messages')}")
    return [line for line in lines if line["event_type"] in ("fork", "exec", "exit")], complaints


def inode(text):
    """Of a namespace, as /proc links to it: pid:[4026531836]."""
    return int(text.removeprefix("pid:[").removesuffix("]"))


def truth(notes, phase, case):
    """What the known process' lines should say of its place, and where those who know differ."""
    container = notes.text(f"{phase}/container")
    status = notes.fields(f"{phase}/status", ":")
    told = {
        "unit": notes.text(f"{phase}/unit") or None,
        "user_unit": notes.text(f"{phase}/user-unit") if case.user_unit else None,
        "ns_pid": int(status["NSpid"].split()[-1]),
        "pidns": inode(notes.text(f"{phase}/pidns")),
    }
    units = [unit and unit.format(container) for unit in case.units]
    found = {
        "cgroup": notes.text(f"{phase}/cgroup").removeprefix("0::"),
        "container": container,
        "runtime": case.runtime,
        "unit": told["unit"] if told["unit"] in units else units[0],
        "user_unit": case.user_unit and case.user_unit.format(container),
        "ns_pid": int(notes.text(f"{phase}/told-pid")),
        "pidns": inode(notes.text(f"{phase}/told-pidns")),
    }
    complaints = [f"systemctl or /proc tells {key} {value!r}, not {found[key]!r}"
                  for key, value in told.items() if value != found[key]]
    # It is the child of what the runtime says is the container's first process.
    if status["PPid"] != notes.text(f"{phase}/first"):
        complaints.append(f"its parent is {status['PPid']}, not {notes.text(f'{phase}/first')}")
    return {key: value for key, value in found.items() if value is not None}, complaints


def place(event):
    """What a line says of the process' place."""
    return {key: event[key] for key in PLACE if key in event}


def identities(events):
    """How often there is which event: two tracers read the clock at different times."""
    return Counter((event["pid"], event["event_type"], event["start_ns"]) for event in events)


def judge_case(notes, phase, case, events):
    """What is wrong with one container."""
    expected, complaints = truth(notes, phase, case)
    known = int(notes.text(f"{phase}/known"))
    life = [event for event in events if event["pid"] == known]
    if [event["event_type"] for event in life] != ["fork", "exec", "exit"]:
        return [f"the known process' life is {life}"]
    complaints += [f"{event['event_type']} says {place(event)}, not {expected}"
                   for event in life if place(event) != expected]
    if life[1]["args"] != ["/bin/sh", "/known"] or life[2].get("exit_code") != CODE:
        complaints.append(f"the known process' life is {life}")

    # None of the runtime's own processes counts as one of the container's.
    complaints += [f"not in the container: {event}" for event in events
                   if event.get("container") == expected["container"] and event.get("pidns") != expected["pidns"]]

    # What the case's own tracer chose is what the other one's lines say of that container or unit.
    chosen, wrong = capture(notes, f"{phase}/chosen")
    key = notes.text(f"{phase}/chosen")
    wanted = [event for event in events if event.get(key) == expected[key]]
    chosen, wanted = identities(chosen), identities(wanted)
    if chosen != wanted:
        wrong.append(f"--{key} chose {chosen - wanted} too much, {wanted - chosen} too little")
    if not {(known, kind) for kind in ("fork", "exec", "exit")} <= {identity[:2] for identity in chosen}:
        wrong.append(f"--{key} did not choose the known process")
    return complaints + wrong


def judge(notes):
    """Complaints by case, and those of the whole."""
    try:
        events, complaints = capture(notes, "all/all")
    except UNREADABLE as error:
        said = {path: notes.text(path) for path in notes.files if path.endswith("/messages")}
        return {"all": [f"can't be read: {error!r}; the runtimes said {said}"]}
    found = {"all": complaints}
    for phase, case in CASES.items():
        try:
            found[phase] = judge_case(notes, phase, case, events)
        except UNREADABLE as error:
            found[phase] = [f"can't be read: {error!r}"]
    return found


def attempt(archive, program, release, version):
    """Tries the runtimes of one release."""
    package, kernel = archive.kernel(version, "cloud-amd64")
    image = ROOT / f"initramfs-runtimes-{release}"
    image.write_bytes(initramfs.of_root(ROOT / f"root-runtimes-{release}.tar")
                      + initramfs.build(script_files("runtimes.sh") | {
                          "init": (HERE / "runtimes.init").read_bytes(),
                          "test/tuxscope": program.read_bytes()}))
    began = time.monotonic()
    try:
        notes = Notes(guest.run("amd64", kernel, image, ROOT / f"console-runtimes-{release}.log",
                                MEMORY, f"rdinit=/init {MASKED} {ARGUMENTS}", SECONDS))
    except guest.Wedged as error:
        print(f"FAILED  {release}: {error}")
        return False
    found = judge(notes)
    versions = [notes.text(f"all/{tool}-version").splitlines()[0] for tool in TOOLS]
    print(f"{release}: {', '.join(versions)}, Linux {package}, {time.monotonic() - began:.0f} s")
    for phase, complaints in found.items():
        cgroup = notes.files.get(f"{phase}/cgroup", b"").decode().strip().removeprefix("0::")
        print(f"{'FAILED ' if complaints else 'ok     '} {phase} {cgroup}")
        for complaint in complaints[:report.SHOWN]:
            print(f"    {complaint}")
    return not any(found.values())


def main(program, *releases):
    archive = Archive("amd64")
    results = [attempt(archive, Path(program), *release.split("=")) for release in releases]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
