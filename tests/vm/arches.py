#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares what the static programs of other architectures make of captures with what x86-64's makes of them,
byte for byte. They run under qemu-user, which has no BPF: only what reads captures can be tried.

    arches.py GENERATE    writes captures: benches/generate.rs
"""

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import run

STATIC = run.TARGET / "static"
SEEDS = run.TARGET.parent / "fuzz/seeds/reader"
EVENTS = 5000
OTHERS = sorted(set(run.STATIC.values()) - {"x86_64"})  # as gcc calls them
QEMU = {"powerpc64le": "ppc64le"}  # and where qemu differs


def captures(generate, folder):
    """Captures of both modes, among them one of each kind of line; one is compressed."""
    for mode in ("basic", "wide"):
        lines = subprocess.run([generate, str(EVENTS), mode], check=True, stdout=subprocess.PIPE).stdout
        (folder / f"{mode}.jsonl").write_bytes(lines)
    (folder / "wide.jsonl.gz").write_bytes(gzip.compress((folder / "wide.jsonl").read_bytes()))
    for seed in sorted(SEEDS.iterdir()):
        shutil.copy(seed, folder / f"seed-{seed.name}.jsonl")
    return sorted(folder.glob("*.jsonl*"))


def formats():
    """The values of --format, as the program tells them."""
    told = output([STATIC / "tuxscope-x86_64", "replay", "--help"])[1].decode()
    listed = told.partition("--format <")[2].partition("\n\n      --")[0]
    return re.findall(r"^ +- ([a-z-]+):", listed, re.MULTILINE)


def output(command):
    """Exit status, standard output and error."""
    done = subprocess.run(command, capture_output=True, check=False, timeout=300)
    return done.returncode, done.stdout, done.stderr


def main(generate):
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        files = captures(generate, Path(folder))
        tried = [["schema"], ["diff", files[0], files[1]]]
        tried += [["replay", "--format", name, file] for name in formats() for file in files]
        wanted = [output([STATIC / "tuxscope-x86_64", *arguments]) for arguments in tried]
        if len(wanted) < 50 or sum(1 for status, out, _ in wanted if status == 0 and out) < len(wanted) - 20:
            sys.exit("arches.py: x86-64's own program says too little to compare")
        for arch in OTHERS:
            name = QEMU.get(arch, arch)
            qemu = shutil.which(f"qemu-{name}-static") or shutil.which(f"qemu-{name}")
            differ = [" ".join(map(str, arguments)) for arguments, told in zip(tried, wanted)
                      if output([qemu, STATIC / f"tuxscope-{arch}", *arguments]) != told]
            wrong += bool(differ)
            print("\n    ".join([f"{'FAILED ' if differ else 'ok     '} {arch}: {len(tried)} outputs", *differ]), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
