# SPDX-License-Identifier: MIT OR Apache-2.0
"""What /proc tells of a running process."""

import time
from pathlib import Path


def cpu_ns(pid):
    """CPU time of all its threads: what utime + stime count, to the nanosecond."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass  # the thread has ended
    return total


def status(pid, key):
    """A number of /proc/PID/status: memory in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return int(value.split()[0])
    raise KeyError(key)


def sleeps(pid):
    """How often its threads went to sleep, which is how often they were woken."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def wait_until_idle(pid, quiet_s=0.15, limit_s=10.0):
    """Until it uses no CPU: what it had to catch up with is done."""
    end = time.monotonic() + limit_s
    before = cpu_ns(pid)
    while time.monotonic() < end:
        time.sleep(quiet_s)
        now = cpu_ns(pid)
        if now - before < 2_000_000:
            return
        before = now
