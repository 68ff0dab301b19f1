#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Storms in a guest with eight CPUs: of each task that is made one fork and one exit are told, in the order in which
they happened, and each exit has its cost. Nothing is said of time: the host has fewer CPUs.

    storms.py [KERNEL]    newest
"""

import json
import sys
import tomllib

import compare
import run
import wide
from archive import Archive

CPUS = 8
MOST_WITHOUT_COST = 0.001  # of the exits


def judged(made, kind):
    """One storm: the files of its directory."""
    complaints = [f"{name} {made[name].decode().strip()}" for name in ("status", "worker-status")
                  if made[name].strip() != b"0"]
    events, found = wide.read(made["events"].decode().splitlines(), made)
    complaints += found
    complaints += compare.said(made["messages"].decode().splitlines(), len(events), True)
    truth = json.loads(made["truth"])
    times = [event["timestamp_ns"] for event in events]
    if times != sorted(times):
        complaints.append("the lines are not in the order of time")
    # All that the worker made, and what they made.
    tree, told = {truth["pid"]}, {"fork": {}, "exec": {}, "exit": {}}
    for event in events:
        if event["event_type"] == "fork" and event["ppid"] in tree:
            tree.add(event["pid"])
        if event["pid"] in tree:
            task = event["pid"], event["tid"]
            told[event["event_type"]].setdefault(task, []).append(event)
    # Its own exec and exit are none of the storm's.
    own = truth["pid"], truth["pid"]
    for events_of in told.values():
        events_of.pop(own, None)
    for name, wanted in [("fork", truth["forks"]), ("exec", truth["execs"]), ("exit", truth["exits"])]:
        if len(told[name]) != wanted:
            complaints.append(f"{kind}: {len(told[name])} tasks have an event {name}, not {wanted}")
        twice = [task for task, events_of in told[name].items() if len(events_of) > 1]
        if twice:
            complaints.append(f"{kind}: more than one event {name} of {len(twice)} tasks, as of {twice[0]}")
    for task, exits in told["exit"].items():
        forks = told["fork"].get(task)
        if not forks or forks[0]["timestamp_ns"] > exits[0]["timestamp_ns"]:
            complaints.append(f"{kind}: the exit of {task} has no fork before it")
    bare = sum("cpu_ns" not in exits[0] for exits in told["exit"].values())
    if bare > MOST_WITHOUT_COST * truth["exits"]:
        complaints.append(f"{kind}: {bare} of {truth['exits']} exits have no cost")
    return complaints


def main(name="newest"):
    with open(run.HERE / "kernels.toml", "rb") as file:
        config = tomllib.load(file)
    listed = run.known(config["kernel"])
    version, arch = listed[run.choose([name], listed)[0]]
    root = run.TARGET / "vm"
    archive = Archive(root, config["suites"])
    package, kernel = archive.kernel(version, arch)
    image = root / "initramfs-storms"
    image.write_bytes(run.initramfs.build(run.programs(arch, archive.busybox(arch))))
    files = run.boot(arch, kernel, image, root / "console-storms.log", memory=2048, cpus=CPUS,
                     arguments="tuxscope.storms", seconds=900)
    complaints = []
    if files["cpus"].split() != [str(CPUS).encode()]:
        complaints.append(f"the guest has {files['cpus'].decode().strip()} CPUs")
    for kind in ("fork", "vfork-exec", "thread"):
        made = {path.removeprefix(f"{kind}/"): data for path, data in files.items()
                if path.startswith(f"{kind}/")}
        found = judged(made, kind)
        complaints += found
        print(f"{'FAILED ' if found else 'ok     '} {kind}: {made['messages'].decode().splitlines()[-1:]}")
    print("\n".join([f"{version}-{arch} ({package}) with {CPUS} CPUs: {len(complaints)} complaints", *complaints]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
