#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Resolves the CO-RE relocations of the BPF programs against the types of kernels that aren't booted.

    btf.py [KERNEL...]    6.12-arm64, 6.1-rt-amd64; none: all of types.toml

What a kernel lacks must be what the programs ask for before they read it. And the compiler tells how much of the
stack they take.
"""

import lzma
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zlib
from pathlib import Path

import stack
from archive import Archive, Unavailable

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target"
# How `struct btf_header` of include/uapi/linux/btf.h begins: magic, version, flags; and its length.
HEADERS = {"little": bytes.fromhex("9feb0100"), "big": bytes.fromhex("eb9f0100")}
HEADER_SIZE = 24
LEAST = 1 << 20  # bytes of types: what is smaller is a module's, or chance
RELOCATION = re.compile(r"libbpf: prog '.*': relo #\d+: <(\w+)> \[\d+\] (.+?)(?: \(.*)?$")


def types(image):
    """The types in a kernel's image, however that is packed; none where there are none."""
    for unpacked in unpackings(image):
        for order, magic in HEADERS.items():
            at = unpacked.find(magic)
            while at >= 0:
                size = size_at(unpacked, at, order)
                if size:
                    return unpacked[at:at + size]
                at = unpacked.find(magic, at + 1)
    return None


def size_at(data, at, order):
    """How many bytes the types take whose header is there, if it is one."""
    header, types_at, types_len, strings_at, strings_len = (
        int.from_bytes(data[at + 4 + 4 * i:at + 8 + 4 * i], order) for i in range(5))
    size = HEADER_SIZE + strings_at + strings_len
    whole = types_at == 0 and strings_at == types_len and at + size <= len(data)
    return size if header == HEADER_SIZE and whole and types_len >= LEAST else None


def unpackings(image):
    """The image as it is, and all that is compressed in it."""
    yield image
    for magic, unpack in [(b"\xfd7zXZ\0", unxz), (b"\x28\xb5\x2f\xfd", unzstd),
                          (b"\x02\x21\x4c\x18", unlz4), (b"\x1f\x8b\x08", gunzip)]:
        at = image.find(magic)
        while at >= 0:
            unpacked = unpack(image[at:])
            if len(unpacked) > LEAST:
                yield unpacked
            at = image.find(magic, at + 1)


def unxz(data):
    """What comes behind the end is ignored, as by the others."""
    try:
        return lzma.LZMADecompressor().decompress(data)
    except lzma.LZMAError:
        return b""


def gunzip(data):
    try:
        return zlib.decompressobj(31).decompress(data)
    except zlib.error:
        return b""


def unzstd(data):
    return subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False).stdout


def unlz4(data):
    return subprocess.run(["lz4", "-dcq"], input=data, capture_output=True, check=False).stdout


def objects(arch, folder):
    """The BPF programs of both modes, as they are compiled for an architecture. Relocations go by names."""
    headers = next(TARGET.glob("release/build/libbpf-sys-*/out/include"))
    for mode in ("proc", "wide"):
        path = Path(folder) / f"{mode}-{arch}.bpf.o"
        taken = stack.compiled(mode, arch, headers, path)
        program = max(taken, key=taken.get)
        print(f"{arch}: {program} takes {taken[program]} bytes of the stack with what it calls", flush=True)
        yield path


def relocated(bpf, kernel):
    """What the programs ask for, and of what they read what isn't there: sets of specifications."""
    done = subprocess.run(["bpftool", "-d", "gen", "min_core_btf", kernel, "/dev/null", bpf],
                          capture_output=True, text=True, check=False)
    asked, read, absent, last = set(), set(), set(), None
    for line in (done.stdout + done.stderr).splitlines():
        if match := RELOCATION.match(line):
            last = match[2]
            (asked if match[1].endswith("exists") else read).add(last)
        elif "no matching targets found" in line:
            absent.add(last)
    if done.returncode or not read:
        raise ValueError(f"bpftool: {done.stderr.strip().splitlines()[-1:] or 'no relocation'}")
    return asked, read, absent


def complaints(bpf, kernel, optional):
    """What is wrong with an object on a kernel with these types."""
    asked, read, absent = relocated(bpf, kernel)
    for spec in sorted((read & absent) - asked):
        how, _, other = optional.get(spec, "").partition(" ")
        is_read = {"if": other not in absent, "unless": other in absent}.get(how, True)
        if is_read or other not in asked:
            yield f"{spec} isn't there, and nothing was asked first"


def listed(config):
    """Name -> series, architecture, flavour."""
    return {f"{series}-{flavour}": (series, arch, flavour)
            for arch, flavours in config["flavours"].items() for flavour in flavours
            for series in (config["series"] if flavour == flavours[0] else config["others"])}


def main(names):
    with open(HERE / "types.toml", "rb") as file:
        config = tomllib.load(file)
    kernels = listed(config)
    for name in names:
        if name not in kernels:
            sys.exit(f"btf.py: no kernel {name}; there are: {' '.join(kernels)}")
    archives = {arch: Archive(arch, TARGET / "btf" / arch)
                for arch in sorted({kernels[name][1] for name in names or kernels})}
    wrong, missing, untyped = 0, [], []
    with tempfile.TemporaryDirectory() as folder:
        bpf = {arch: list(objects(arch, folder)) for arch in archives}
        for name in names or kernels:
            series, arch, flavour = kernels[name]
            try:
                package, image = archives[arch].kernel(series, flavour)
            except Unavailable as error:
                missing.append(name)
                print(f"SKIPPED {name}: {error}", flush=True)
                continue
            kernel = image.with_name(f"{image.name}.btf")
            if not kernel.exists():
                found = types(image.read_bytes())
                if found is None:
                    untyped.append(name)
                    print(f"SKIPPED {name} ({package}): its image has no types", flush=True)
                    continue
                kernel.write_bytes(found)
                image.write_bytes(b"")  # it is known by its name; a hundred of them are gigabytes
            try:
                found = [f"{path.name}: {what}" for path in bpf[arch]
                         for what in complaints(path, kernel, config["optional"])]
            except ValueError as error:
                found = [str(error)]
            wrong += bool(found)
            print("\n    ".join([f"{'FAILED ' if found else 'ok     '} {name} ({package})", *found]), flush=True)
    tried = len(names or kernels) - len(missing) - len(untyped)
    print(f"{tried - wrong} passed, {wrong} failed; without types: {' '.join(untyped) or 'none'}; not in the archive: "
          f"{' '.join(missing) or 'none'}")
    return 1 if wrong or not tried or (names and (missing or untyped)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
