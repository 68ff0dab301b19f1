#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Storms in a guest with eight CPUs: of each task that is made one fork and one exit are told, as many as were made less
those that the kernel says it skipped, and each task's in the order in which they happened. Nothing is said of time: the
host has fewer CPUs, and one that stands still meanwhile tells a time that is later than its place.

    storms.py [KERNEL...]    none: 6.18, which skips nothing, and newest
"""

import json
import sys
import tomllib

import compare
import run
import wide
from archive import Archive

CPUS = 8


def judged(made, kind):
    """One storm: the files of its directory."""
    complaints = [f"{name} {made[name].decode().strip()}" for name in ("status", "worker-status")
                  if made[name].strip() != b"0"]
    events, found = wide.read(made["events"].decode().splitlines(), made)
    complaints += found
    complaints += compare.said(made["messages"].decode().splitlines(), len(events), True)
    truth = json.loads(made["truth"])
    # All that the worker made, and what they made.
    tree, told = {truth["pid"]}, {"fork": {}, "exec": {}, "exit": {}}
    for event in events:
        # Its fork may be among what the kernel skipped.
        if event["ppid"] in tree:
            tree.add(event["pid"])
        if event["pid"] in tree:
            task = event["pid"], event["tid"]
            told[event["event_type"]].setdefault(task, []).append(event)
    # Its own exec and exit are none of the storm's.
    own = truth["pid"], truth["pid"]
    for events_of in told.values():
        events_of.pop(own, None)
    missing = 0
    for name, wanted in [("fork", truth["forks"]), ("exec", truth["execs"]), ("exit", truth["exits"])]:
        missing += wanted - len(told[name])
        if len(told[name]) > wanted:
            complaints.append(f"{kind}: {len(told[name])} tasks have an event {name}, not {wanted}")
        twice = [task for task, events_of in told[name].items() if len(events_of) > 1]
        if twice:
            complaints.append(f"{kind}: more than one event {name} of {len(twice)} tasks, as of {twice[0]}")
    missed = json.loads(made["events"].decode().splitlines()[-1]).get("missed", 0)
    if missing > missed:
        complaints.append(f"{kind}: {missing} events are missing, and the kernel missed {missed}")
    return complaints + out_of_order(events)


def out_of_order(events):
    """Of each task: its fork is its first line and its exit its last, and times don't go back."""
    complaints, last = [], {}
    for event in events:
        task = event["pid"], event["tid"]
        before = last.get(task)
        if before and (event["event_type"] == "fork" or before["event_type"] == "exit"):
            complaints.append(f"{task}: {event['event_type']} behind its {before['event_type']}")
        if before and before["timestamp_ns"] > event["timestamp_ns"]:
            complaints.append(f"{task}: its {event['event_type']} is earlier than what comes before it")
        last[task] = event
    return complaints


def main(*names):
    with open(run.HERE / "kernels.toml", "rb") as file:
        config = tomllib.load(file)
    listed = run.known(config)
    root = run.TARGET / "vm"
    archive = Archive("amd64")
    wrong = 0
    for asked in run.choose(names or ("6.18", "newest"), listed):
        version, arch, flavour = listed[asked]
        package, kernel = archive.kernel(version, flavour)
        image = root / "initramfs-storms"
        image.write_bytes(run.initramfs.build(run.programs(arch, archive.busybox())))
        files = run.boot(arch, kernel, image, root / f"console-storms-{asked}.log", memory=2048, cpus=CPUS,
                         arguments="tuxscope.storms", seconds=900)
        complaints = []
        if files["cpus"].split() != [str(CPUS).encode()]:
            complaints.append(f"the guest has {files['cpus'].decode().strip()} CPUs")
        for kind in ("fork", "vfork-exec", "thread"):
            made = {path.removeprefix(f"{kind}/"): data for path, data in files.items()
                    if path.startswith(f"{kind}/")}
            complaints += judged(made, kind)
            print(f"{kind}: {made['messages'].decode().splitlines()[-1]}")
        wrong += bool(complaints)
        print("\n    ".join([f"{'FAILED ' if complaints else 'ok     '} {asked} ({package}) with {CPUS} CPUs",
                             *complaints[:12]]), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
