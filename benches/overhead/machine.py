# SPDX-License-Identifier: MIT OR Apache-2.0
"""The machine, and what the tracers need of it."""

import ctypes
import os
import platform
import subprocess
from pathlib import Path

CLONE_NEWNS = 0x20000


def private_tracefs():
    """Peers read tracefs, and some mount it themselves and leave it behind: so we and they get
    mounts of our own."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    if not Path("/sys/kernel/tracing/events").exists():
        subprocess.run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], check=True)


def describe():
    """What the numbers depend on."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in info if line.startswith("model name")),
                 platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "memory_gib": round(memory / 2**20),
        "virtual": any(line.startswith("flags") and " hypervisor" in line for line in info),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 2),
    }
