# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a system call costs that has nothing to do with processes: --failed-execs slows each one."""

import json
import statistics
import subprocess

from running import Running

CALLS = 2_000_000
PAIRS = 15


def measure(tracers, programs, directory):
    """Rows of nanoseconds a call, alone and traced; each traced run follows one that isn't."""
    rows = []
    for tracer in tracers:
        pairs = []
        for _ in range(PAIRS):
            alone = once(programs)
            running = Running(tracer, directory, await_s=10)
            pairs.append((alone, once(programs)))
            running.end()
        rows.append({
            "tracer": tracer.name,
            "alone_ns": statistics.median(alone for alone, _ in pairs),
            "traced_ns": statistics.median(traced for _, traced in pairs),
            "more_ns": statistics.median(traced - alone for alone, traced in pairs),
        })
    return rows


def once(programs):
    command = [programs.storm, "system-calls", str(CALLS)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)["ns_per_call"]
