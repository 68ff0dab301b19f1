# SPDX-License-Identifier: MIT OR Apache-2.0
"""What one run of a BPF handler takes, by the kernel's own count."""

import ctypes
import json
import os
import platform
import shutil
import subprocess

import storms
from running import Running

BPF_ENABLE_STATS = 32
SYS_BPF = {"x86_64": 321, "aarch64": 280}
NAMES = ("handle_fork", "handle_exec", "handle_exit", "wide_fork", "wide_exec", "wide_exit")


def enable_stats():
    """A descriptor: while it is open the kernel counts runs and their time (Linux 5.8)."""
    libc = ctypes.CDLL(None, use_errno=True)
    attr = (ctypes.c_uint32 * 30)()  # union bpf_attr; .type = BPF_STATS_RUN_TIME = 0
    fd = libc.syscall(SYS_BPF[platform.machine()], BPF_ENABLE_STATS, attr, ctypes.sizeof(attr))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "BPF_ENABLE_STATS")
    return fd


def counters():
    """(runs, nanoseconds) by the id of each of our loaded programs, and its name."""
    shown = subprocess.run(["bpftool", "prog", "show", "-j"], check=True, stdout=subprocess.PIPE)
    return {
        (prog["id"], prog["name"]): (prog.get("run_cnt", 0), prog.get("run_time_ns", 0))
        for prog in json.loads(shown.stdout)
        if prog.get("name") in NAMES
    }


def measure(tracers, programs, directory):
    """Rows of nanoseconds per run, for each handler of each tracer, over all storms."""
    if not shutil.which("bpftool"):
        return []
    rows = []
    stats = enable_stats()
    try:
        for tracer in tracers:
            others = counters().keys()
            running = Running(tracer, directory, await_s=10)
            for kind, count in storms.SIZES.items():
                programs.run(kind, count)
            for (number, name), (runs, ns) in sorted(counters().items()):
                if (number, name) not in others and runs:
                    rows.append({"tracer": tracer.name, "handler": name, "runs": runs,
                                 "ns_per_run": ns / runs})
            running.end()
    finally:
        os.close(stats)
    return rows
