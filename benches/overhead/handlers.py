# SPDX-License-Identifier: MIT OR Apache-2.0
"""What one run of a BPF handler takes, by the kernel's own count."""

import ctypes
import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import storms
from running import Running

BPF_ENABLE_STATS = 32
SYS_BPF = {"x86_64": 321, "aarch64": 280}


def enable_stats():
    """A descriptor: while it is open the kernel counts runs and their time (Linux 5.8)."""
    libc = ctypes.CDLL(None, use_errno=True)
    attr = (ctypes.c_uint32 * 30)()  # union bpf_attr; .type = BPF_STATS_RUN_TIME = 0
    fd = libc.syscall(SYS_BPF[platform.machine()], BPF_ENABLE_STATS, attr, ctypes.sizeof(attr))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "BPF_ENABLE_STATS")
    return fd


def counters(pid):
    """(name, runs, nanoseconds) of each program that a process holds."""
    shown = subprocess.run(["bpftool", "prog", "show", "-j"], check=True, stdout=subprocess.PIPE)
    names = {prog["id"]: prog.get("name", "") for prog in json.loads(shown.stdout)}
    found = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        if "run_cnt" in fields:
            name = names.get(int(fields["prog_id"]), "")
            found.append((name, int(fields["run_cnt"]), int(fields["run_time_ns"])))
    return sorted(found)


def measure(tracers, programs, directory):
    """Rows of nanoseconds per run, for each handler of each tracer, over all storms."""
    if not shutil.which("bpftool"):
        return []
    rows = []
    stats = enable_stats()
    try:
        for tracer in tracers:
            running = Running(tracer, directory, await_s=10)
            for kind, count in storms.SIZES.items():
                programs.run(kind, count)
            for name, runs, ns in counters(running.pid):
                if runs:
                    rows.append({"tracer": tracer.name, "handler": name, "runs": runs,
                                 "ns_per_run": ns / runs})
            running.end()
    finally:
        os.close(stats)
    return rows
