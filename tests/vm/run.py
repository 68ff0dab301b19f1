#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Boots the kernels of kernels.toml and tries the static program on each.

    run.py [KERNEL...]    5.10, 6.12-arm64, newest, newest-arm64; none: all, and docs/kernels.md
"""

import os
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import compare
import guest
import initramfs
import report
import stack
from archive import Archive, Unavailable

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target"
PAGE = HERE.parents[1] / "docs/kernels.md"
# What the compilers call the architectures.
STATIC = {"amd64": "x86_64", "arm64": "aarch64", "ppc64el": "powerpc64le", "riscv64": "riscv64", "s390x": "s390x"}


def known(config):
    """Names on the command line -> version, architecture and flavour, in the order of the list."""
    return {name(kernel["version"], flavour): (kernel["version"], *package)
            for flavour, package in config["flavours"].items() for kernel in config["kernel"]
            if flavour in kernel["flavours"]}


def name(version, flavour):
    """What a kernel is called here."""
    return version if flavour == "cloud" else f"{version}-{flavour}"


def choose(names, listed):
    """The kernels that are asked for; all of them when none is."""
    newest = {f"newest{asked.removeprefix(version)}": asked for asked, (version, _, _) in listed.items()}
    chosen = {newest.get(asked, asked): None for asked in names} or listed
    for asked in chosen:
        if asked not in listed:
            sys.exit(f"run.py: no kernel {asked}; there are: {' '.join(listed)} {' '.join(newest)}")
    return list(chosen)


def programs(arch, busybox):
    """What the guest holds."""
    files = {
        "init": HERE / "init",
        "bin/busybox": busybox,
        "tuxscope": TARGET / f"static/tuxscope-{STATIC[arch]}",
        "worker": TARGET / f"static/worker-{STATIC[arch]}",
    }
    return {path: file.read_bytes() for path, file in files.items()}


def attempt(archive, asked, version, flavour):
    """Tries one kernel."""
    row = report.Row(asked)
    root, arch = TARGET / "vm", archive.arch
    try:
        row.package, kernel = archive.kernel(version, flavour)
        busybox = archive.busybox()
    except Unavailable as error:
        row.skipped = str(error)
        return row
    image = root / f"initramfs-{arch}"
    image.write_bytes(initramfs.build(programs(arch, busybox)))
    began = time.monotonic()
    try:
        files = boot(arch, kernel, image, root / f"console-{asked}.log")
        row.boots = True
        row.attaches = compare.attached(files, "unmounted")
        row.wrong_events = compare.captures(files) + compare.too_much_to_verify(files) + compare.slowed(files)
        row.verified = compare.verified(files)
        row.wrong_refusals = compare.refusals(files) + compare.checks(files)
    except guest.Wedged as error:
        row.failure = str(error)
    row.seconds = time.monotonic() - began
    return row


def boot(arch, kernel, image, log, **more):
    """Kernels patch their own code at boot, which QEMU without KVM now and then gets wrong: one that
    dies so, before anything of ours runs, is booted once more."""
    try:
        return guest.run(arch, kernel, image, log, **more)
    except guest.NeverBegan as error:
        print(f"booted again, having died before /init: {error}", flush=True)
        return guest.run(arch, kernel, image, log, **more)


def frames():
    """BPF program -> bytes of the stack that it takes with what it calls, on whichever architecture that is most."""
    headers = next(TARGET.glob("static/x86_64/*/release/build/libbpf-sys-*/out/include"))
    most = {}
    with tempfile.TemporaryDirectory() as folder:
        for arch in STATIC:
            for mode in ("proc", "wide"):
                taken = stack.compiled(mode, arch, headers, Path(folder) / f"{mode}.bpf.o")
                most |= {program: max(size, most.get(program, 0)) for program, size in taken.items()}
    return most


def main(names):
    with open(HERE / "kernels.toml", "rb") as file:
        config = tomllib.load(file)
    listed = known(config)
    chosen = choose(names, listed)
    archives = {arch: Archive(arch) for arch in {listed[asked][1] for asked in chosen}}

    stack_taken = {} if names else frames()
    rows = []
    for asked in chosen:
        version, arch, flavour = listed[asked]
        row = attempt(archives[arch], asked, version, flavour)
        rows.append(row)
        print("\n".join([report.line(row), *row.details()]), flush=True)
    print(f"\n{report.table(rows)}")
    if not names:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(report.page(rows, config["kernel"], stack_taken))

    skipped = [row.kernel for row in rows if row.skipped]
    if skipped:
        print(f"\nNOT TRIED, the archive did not give them: {' '.join(skipped)}")
    if any(not row.passed() and not row.skipped for row in rows):
        return 1
    # Elsewhere a machine without a network may build and test; CI must not lose a kernel unseen.
    return 1 if skipped and (os.environ.get("CI") == "true" or len(skipped) == len(rows)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
