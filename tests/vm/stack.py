# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the BPF programs take of the stack."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What libbpf's headers call the architectures.
HEADERS_OF = {"amd64": "x86", "arm64": "arm64", "ppc64el": "powerpc", "riscv64": "riscv", "s390x": "s390"}
# What a program and the functions that it calls have together: MAX_BPF_STACK of include/linux/filter.h. The verifier
# rounds each frame up to so many bytes, an empty one, too.
MOST_STACK = 512
# What one function has at most.
MOST_FRAME = 256
FRAME = 32
LABEL = re.compile(r"(\w+):")
CALL = re.compile(r"\s+call (\D\w*)")


def compiled(mode, arch, headers, path):
    """Compiles the programs of a mode for an architecture, but in this machine's byte order, since bpftool reads no
    other. Returns program -> bytes of the stack that it takes with what it calls."""
    clang = ["clang", "-target", "bpf", "-g", "-O2", "-mcpu=v3", f"-D__TARGET_ARCH_{HEADERS_OF[arch]}", "-Ivmlinux",
             f"-I{headers}", f"bpf/{mode}.bpf.c"]
    subprocess.run([*clang, "-fstack-usage", "-c", "-o", path], cwd=ROOT, check=True)
    frames = {name.rpartition(":")[2]: max(1, -(-int(size) // FRAME)) * FRAME for name, size, _ in
              (line.split() for line in path.with_suffix(".su").read_text().splitlines())}
    assembly = subprocess.run([*clang, "-S", "-o", "-"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    calls, function = {name: set() for name in frames}, None
    for line in assembly.splitlines():
        if (label := LABEL.match(line)) and label[1] in frames:
            function = label[1]
        elif (call := CALL.match(line)) and call[1] in frames:
            calls[function].add(call[1])

    def taken(name):
        return frames[name] + max(map(taken, calls[name]), default=0)

    called = set().union(*calls.values())
    programs = {name: taken(name) for name in frames if name not in called}
    if max(frames.values()) > MOST_FRAME:
        sys.exit(f"{mode}, {arch}: a function takes more than {MOST_FRAME} bytes of the stack: {frames}")
    if max(programs.values()) > MOST_STACK:
        sys.exit(f"{mode}, {arch}: more than {MOST_STACK} bytes of the stack: {programs}")
    return programs
