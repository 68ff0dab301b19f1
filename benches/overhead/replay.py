# SPDX-License-Identifier: MIT OR Apache-2.0
"""How fast captures are read. benches/replay.sh does the same beside jq and DuckDB."""

import os
import subprocess
import time
from statistics import median

EVENTS = 1_000_000
RUNS = 3


def measure(binary, generator, directory):
    """Rows of events and bytes a second, and peak memory, from a made-up capture to a summary."""
    rows = []
    for view in ("basic", "wide"):
        capture = directory / f"{view}.jsonl"
        with open(capture, "wb") as file:
            subprocess.run([generator, str(EVENTS), view], check=True, stdout=file)
        runs = [once([binary, "replay", "--format", "summary", str(capture)]) for _ in range(RUNS)]
        seconds = median(seconds for seconds, _ in runs)
        rows.append({"view": view, "events": EVENTS, "events_per_s": EVENTS / seconds,
                     "bytes_per_s": capture.stat().st_size / seconds,
                     "peak_rss_kb": max(rss_kb for _, rss_kb in runs)})
        capture.unlink()
    return rows


def once(command):
    """Seconds and peak memory of one run (which is more than ours, that a child begins with)."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return time.monotonic() - began, usage.ru_maxrss
