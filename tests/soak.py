#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/soak.py TUXSCOPE WORKER SECONDS: a long capture under storms, rotation, SIGHUPs and a reader
that is stopped. Its memory and descriptors stay as they are, and printed + lost = made. As root."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

# Nobody else's: the capture keeps the events of this user alone.
UID = 54321
STORMS = ("fork", "vfork-exec")
COUNT = 1500
# Between the first look, when all is warm, and the last.
MAX_GROWTH_KB = 4096


def made_by_storm(worker: str, kind: str) -> int:
    command = ["setpriv", f"--reuid={UID}", "--clear-groups", worker, "storm", kind, str(COUNT), "2"]
    storm = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    # Besides what it tells: its own exec, as this user, and its own exit.
    return storm["forks"] + storm["execs"] + storm["exits"] + 2


def rss_kb(pid: int) -> int:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def main() -> int:
    tuxscope, worker, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        there = pathlib.Path(name, "worker")
        there.write_bytes(pathlib.Path(worker).read_bytes())
        there.chmod(0o755)
        logs = pathlib.Path(name, "logs")
        logs.mkdir()
        output = logs / "events.jsonl"
        command = [tuxscope, "proc", "--wide", "--format", "json", "--uid", str(UID),
                   "--buffer-size", "128K", "--output", output,
                   "--rotate-size", "2M", "--rotate-keep", "1000", "--reopen"]
        capture = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert "tracing" in capture.stderr.readline()

        made = rounds = hangups = 0
        rss, fds = [], []
        print("   time       made   RSS KiB   fds   files", flush=True)
        start = shown = time.monotonic()
        while time.monotonic() - start < seconds:
            # Held back for a storm now and then, so that the ring overflows.
            stop = rounds % 5 == 4
            if stop:
                capture.send_signal(signal.SIGSTOP)
            made += made_by_storm(str(there), STORMS[rounds % 2])
            if stop:
                capture.send_signal(signal.SIGCONT)
            if rounds % 7 == 6 and output.exists():
                output.rename(logs / f"moved.{hangups}")
                capture.send_signal(signal.SIGHUP)
                hangups += 1
            rounds += 1
            time.sleep(0.5)
            if rounds == 10 or time.monotonic() - shown >= 30:
                shown = time.monotonic()
                rss.append(rss_kb(capture.pid))
                fds.append(descriptors(capture.pid))
                files = len(os.listdir(logs))
                print(f"{shown - start:6.0f} s {made:10} {rss[-1]:9} {fds[-1]:5} {files:7}", flush=True)
        capture.send_signal(signal.SIGTERM)
        said = capture.stderr.read()
        code = capture.wait()

        closing = re.search(r"(\d+) events? printed, (\d+) lost", said)
        printed, lost = int(closing[1]), int(closing[2])
        lines = summaries = 0
        for file in logs.iterdir():
            with file.open() as stream:
                assert json.loads(stream.readline())["event_type"] == "meta", file
                for line in stream:
                    record = json.loads(line)
                    lines += "pid" in record
                    summaries += record["event_type"] == "summary"
        print(f"{rounds} storms, {hangups} SIGHUPs, {len(os.listdir(logs))} files")
        print(f"made {made} = printed {printed} + lost {lost}; {lines} events in the files")
    checks = {
        "exit status 0": code == 0,
        "printed + lost = made": printed + lost == made,
        "as many events in the files as printed": lines == printed,
        "one summary": summaries == 1,
        "something was lost on purpose": lost > 0,
        "RSS flat": bool(rss) and max(rss) - rss[0] <= MAX_GROWTH_KB,
        "descriptors flat": bool(fds) and len(set(fds)) == 1,
    }
    for check, good in checks.items():
        print(f"{'ok' if good else 'FAILED':8}{check}")
    return 0 if all(checks.values()) else 1


sys.exit(main())
