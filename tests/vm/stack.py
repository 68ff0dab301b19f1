# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the BPF programs take of the stack."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What libbpf's headers call the architectures.
HEADERS_OF = {"amd64": "x86", "arm64": "arm64", "ppc64el": "powerpc", "riscv64": "riscv", "s390x": "s390"}
# What a program and the function that it calls have together: MAX_BPF_STACK of include/linux/filter.h. The verifier
# rounds each frame up to so many bytes.
MOST_STACK = 512
FRAME = 32
FUNCTIONS = {"send_cgroup", "look_for_place"}  # those that aren't inlined; neither calls the other
CALLERS = {"wide_fork", "wide_exec", "wide_exit", "wide_exec_failed"}


def compiled(mode, arch, headers, path):
    """Compiles the programs of a mode for an architecture, but in this machine's byte order, since bpftool reads no
    other. Returns program -> bytes of the stack that it takes with what it calls."""
    subprocess.run(["clang", "-target", "bpf", "-g", "-O2", "-mcpu=v3", "-fstack-usage",
                    f"-D__TARGET_ARCH_{HEADERS_OF[arch]}", "-Ivmlinux", f"-I{headers}", "-c", f"bpf/{mode}.bpf.c",
                    "-o", path], cwd=ROOT, check=True)
    frames = {name.rpartition(":")[2]: -(-int(size) // FRAME) * FRAME for name, size, _ in
              (line.split() for line in path.with_suffix(".su").read_text().splitlines())}
    called = max((size for name, size in frames.items() if name in FUNCTIONS), default=0)
    programs = {name: size + called * (name in CALLERS) for name, size in frames.items() if name not in FUNCTIONS}
    if max(programs.values()) > MOST_STACK or (mode == "wide" and not FUNCTIONS | CALLERS <= frames.keys()):
        sys.exit(f"{mode}, {arch}: more than {MOST_STACK} bytes of the stack ({programs}), or other functions than "
                 f"{' '.join(sorted(FUNCTIONS))}")
    return programs
