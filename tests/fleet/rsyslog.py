#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs the real rsyslogd with dist/rsyslog.conf on a capture that is rotated as it grows, and
compares what arrives with what was captured."""

import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

LIMIT_S = 60
FILES = 3
LINES = 500


def event(number: int) -> str:
    comm = 'a "quoted" name, \\ and ü' if number % 2 else "sh"
    args = ["x" * 100_000 if number % LINES == 7 else "x"]
    record = {"pid": number, "comm": comm, "args": args}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def receive(listener: socket.socket, lines: list[str]) -> None:
    connection, _ = listener.accept()
    with connection.makefile(encoding="utf-8") as stream:
        for line in stream:
            lines.append(line)


def main() -> int:
    rsyslogd = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
    if not rsyslogd:
        print("rsyslogd is missing: apt-get install rsyslog", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        capture = directory / "events.jsonl"
        listener = socket.create_server(("127.0.0.1", 0))
        text = pathlib.Path("dist/rsyslog.conf").read_text()
        for old, new in {
            "/var/log/tuxscope/events.jsonl": str(capture),
            "logs.example.net": "127.0.0.1",
            '"6514"': f'"{listener.getsockname()[1]}"',
        }.items():
            assert old in text, old
            text = text.replace(old, new)
        config = directory / "rsyslog.conf"
        config.write_text(f'global(workDirectory="{name}")\n{text}')
        subprocess.run([rsyslogd, "-N1", "-f", config], check=True, capture_output=True)

        received: list[str] = []
        threading.Thread(target=receive, args=(listener, received), daemon=True).start()
        daemon = subprocess.Popen([rsyslogd, "-n", "-f", config, "-i", directory / "pid"])
        try:
            wanted = [event(number) for number in range(FILES * LINES)]
            for start in range(0, len(wanted), LINES):
                if start:
                    # As --rotate-size does it: the next file begins where this one was.
                    capture.rename(directory / f"events.jsonl.{FILES - start // LINES}")
                with capture.open("w", encoding="utf-8") as file:
                    for line in wanted[start : start + LINES]:
                        file.write(line + "\n")
                        file.flush()
                time.sleep(2)
            deadline = time.monotonic() + LIMIT_S
            while len(received) < len(wanted) and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            daemon.terminate()
            daemon.wait()
    host = {json.loads(line).pop("host") for line in received}
    got = [{k: v for k, v in json.loads(line).items() if k != "host"} for line in received]
    if got != [json.loads(line) for line in wanted]:
        print(f"rsyslog: {len(got)} of {len(wanted)} lines arrived, or changed", file=sys.stderr)
        return 1
    print(f"rsyslog: {len(got)} lines in {FILES} files arrived whole and in order, from {host}")
    return 0


sys.exit(main())
