# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a tracer uses while nothing happens."""

import time

import procfs
from running import Running

SECONDS = 10


def measure(tracers, directory):
    """Rows of wakeups and CPU time in a second. The tracers are those whose filter keeps nothing,
    so that the machine's own processes don't count."""
    rows = []
    for tracer in tracers:
        running = Running(tracer, directory, await_s=10)
        time.sleep(1)
        sleeps, cpu = procfs.sleeps(running.pid), procfs.cpu_ns(running.pid)
        time.sleep(SECONDS)
        rows.append({
            "tracer": tracer.name,
            "wakeups_per_s": (procfs.sleeps(running.pid) - sleeps) / SECONDS,
            "cpu_us_per_s": (procfs.cpu_ns(running.pid) - cpu) / SECONDS / 1e3,
        })
        running.end()
    return rows
