# SPDX-License-Identifier: MIT OR Apache-2.0
"""How long a tracer takes from its start to the first event that it can show."""

import os
import time

from running import Failed, Running

# The longest that we wait for a first event.
PATIENCE_S = 6.0
PATIENCE_OURS_S = 0.5


def measure(tracer, programs, directory):
    """Milliseconds from the tracer's start to that of the first process that it saw, one of many
    that are started meanwhile, a millisecond apart."""
    began = time.monotonic()
    running = Running(tracer, directory, await_s=0)
    patience = PATIENCE_OURS_S if tracer.is_ours else PATIENCE_S
    started = {}
    while time.monotonic() - began < patience:
        now = time.monotonic()
        pid = os.posix_spawn(programs.nothing, [programs.nothing], {})
        os.waitpid(pid, 0)
        started[pid] = now
        time.sleep(0.001)
    running.end()
    for _, pid, _ in tracer.events(running.output):
        if pid in started:
            return (started[pid] - began) * 1e3
    raise Failed("it shows no event " + running.said()[:200])
