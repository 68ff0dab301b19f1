# SPDX-License-Identifier: MIT OR Apache-2.0
"""Storms of processes whose number is known."""

import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKERS = 16
# So many that one takes half a second on a small machine.
SIZES = {"vfork-exec": 12_000, "fork": 10_000, "thread": 40_000}


class Programs:
    """The two programs that make storms, compiled into a directory."""

    def __init__(self, directory):
        clang = os.environ.get("CLANG", "clang")
        self.storm = str(directory / "storm")
        self.nothing = str(directory / "nothing")
        worker = HERE.parent.parent / "tests/worker/worker.c"
        flags = ["-O2", "-static"]
        subprocess.run([clang, *flags, "-pthread", "-o", self.storm, worker], check=True)
        source = HERE / "nothing.c"
        subprocess.run([clang, *flags, "-nostdlib", "-o", self.nothing, source], check=True)

    def command(self, kind, count, workers=WORKERS):
        command = [self.storm, "storm", kind, str(count), str(workers)]
        return command + ([self.nothing] if kind == "vfork-exec" else [])

    def run(self, kind, count, workers=WORKERS):
        """What the storm says of itself: its nanoseconds, and how many of each kind it made."""
        output = subprocess.run(self.command(kind, count, workers), check=True,
                                stdout=subprocess.PIPE).stdout
        return json.loads(output)


def made(kind, truth, tracer):
    """Events of a storm that this tracer means to show."""
    counts = {name: truth[f"{name}s"] for name in ("fork", "exec", "exit")}
    if kind == "thread" and not tracer.threads:
        counts["fork"] = counts["exit"] = WORKERS
    return sum(counts[name] for name in tracer.kinds)
