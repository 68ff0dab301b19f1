#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Two real rsyslogd, with dist/rsyslog.conf and dist/rsyslog-receiver.conf, over RELP on this host: first made-up lines,
then what tuxscope captures, as root, while its file is rotated, the receiver is killed and stays away (for OUTAGE
seconds), and both daemons are restarted. What arrives is compared with what was captured, and goes into ClickHouse's
engine, where no line may be twice."""

import collections
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import clickhouse

LIMIT_S = 180
FILES = 3
LINES = 500
LOAD = 'while :; do /bin/true "$((i += 1))"; sleep 0.02; done'


def event(number: int) -> str:
    comm = 'a "quoted" name, \\ and ü, "host":"web1"' if number % 2 else "sh"
    args = ["x" * 100_000 if number % LINES == 7 else "x"]
    record = {"pid": number, "comm": comm, "args": args}
    if number % 3:
        record["host"] = "web7"
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


class Daemon:
    """rsyslogd with one of the configurations."""

    def __init__(self, name: str, directory: pathlib.Path, port: int, capture: pathlib.Path):
        self.directory = directory / name
        self.directory.mkdir()
        self.config = self.directory / "conf"
        text = pathlib.Path(f"dist/{name}.conf").read_text()
        changes = {'"2514"': f'"{port}"'}
        if name == "rsyslog":
            changes |= {"/var/log/tuxscope/events.jsonl": str(capture), "logs.example.net": "127.0.0.1"}
        else:
            changes |= {"/var/spool/tuxscope/": f"{self.directory}/spool/",
                        'input(type="imrelp"': 'input(type="imrelp" address="127.0.0.1"'}
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        self.config.write_text(f'global(workDirectory="{self.directory}")\n{text}')
        subprocess.run([rsyslogd(), "-N1", "-f", self.config], check=True, capture_output=True)
        self.process = None

    def start(self) -> None:
        pid = self.directory / "pid"
        pid.unlink(missing_ok=True)
        # It tells of each try to reach a receiver that isn't there.
        with (self.directory / "said").open("a") as said:
            self.process = subprocess.Popen([rsyslogd(), "-n", "-f", self.config, "-i", pid], stderr=said)
        while not pid.exists():
            if self.process.poll() is not None:
                sys.exit(f"rsyslog: {self.config} doesn't start")
            time.sleep(0.1)

    def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(by)
        self.process.wait()

    def lines(self) -> list[str]:
        spool = sorted((self.directory / "spool").glob("*.jsonl"))
        return "".join(file.read_text() for file in spool).splitlines()


def rsyslogd() -> str:
    found = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin")
    if not found:
        sys.exit("rsyslogd is missing: apt-get install rsyslog rsyslog-relp")
    return found


def wait_for(receiver: Daemon, wanted: set[str]) -> list[str]:
    """Until all is there, or nothing has come for long."""
    seen, since = 0, time.monotonic()
    while True:
        lines = receiver.lines()
        if wanted <= set(lines):
            return lines
        if len(lines) != seen:
            seen, since = len(lines), time.monotonic()
        if time.monotonic() - since > LIMIT_S / 3:
            return lines
        time.sleep(0.5)


def with_host(line: str, host: str) -> str:
    return line if "host" in json.loads(line) else '{"host":"' + host + '",' + line[1:]


def made_up(sender: Daemon, receiver: Daemon, capture: pathlib.Path, host: str) -> bool:
    receiver.start()
    sender.start()
    wanted = [event(number) for number in range(FILES * LINES)]
    for start in range(0, len(wanted), LINES):
        if start:
            # As --rotate-size does it: the next file begins where this one was.
            capture.rename(capture.with_name(f"{capture.name}.{FILES - start // LINES}"))
        with capture.open("w", encoding="utf-8") as file:
            for line in wanted[start : start + LINES]:
                file.write(line + "\n")
                file.flush()
        time.sleep(2)
    wanted = [with_host(line, host) for line in wanted]
    got = wait_for(receiver, set(wanted))
    for daemon in sender, receiver:
        daemon.stop()
    if got != wanted:
        print(f"rsyslog: {len(got)} of {len(wanted)} lines arrived, or changed", file=sys.stderr)
        return False
    print(f"rsyslog: {len(got)} lines in {FILES} files arrived whole and in order")
    return True


def young(capture: pathlib.Path) -> None:
    """Waits until the file is not about to be rotated: what is left of one that is, while the sender is not
    there, isn't read (docs/fleet.md)."""
    while not 20_000 < capture.stat().st_size < 200_000:
        time.sleep(0.05)


def restart(sender: Daemon, capture: pathlib.Path) -> None:
    young(capture)
    sender.stop()
    sender.start()


def outage(sender: Daemon, receiver: Daemon, capture: pathlib.Path, host: str, tuxscope: str, seconds: float) -> bool:
    receiver.start()
    sender.start()
    shell = subprocess.Popen(["sh", "-c", LOAD])
    tracer = subprocess.Popen([
        tuxscope, "proc", "--wide", "--format", "json", "--host-fields", "--no-exit-args", "--follow",
        "--pid", str(shell.pid), "--output", capture, "--rotate-size", "512K", "--rotate-keep", "1000",
    ])
    try:
        time.sleep(5)
        receiver.stop(signal.SIGKILL)
        before = len(receiver.lines())
        time.sleep(seconds)
        receiver.start()
        time.sleep(5)
        # While lines are under way.
        restart(sender, capture)
        time.sleep(2)
        receiver.stop()
        time.sleep(2)
        receiver.start()
        time.sleep(5)
    finally:
        tracer.send_signal(signal.SIGINT)
        status = tracer.wait()
        shell.kill()
        shell.wait()
    if status:
        sys.exit(f"rsyslog: tuxscope ended with {status}")
    files = list(capture.parent.glob(capture.name + "*"))
    wanted = [with_host(line, host) for file in files for line in file.read_text().splitlines()]
    got = wait_for(receiver, set(wanted))
    for daemon in sender, receiver:
        daemon.stop()
    missing = set(wanted) - set(got)
    twice = sum((collections.Counter(got) - collections.Counter(wanted)).values())
    print(f"rsyslog: {len(wanted)} lines in {len(files)} files, the receiver away for {seconds:g} s from line {before} on:"
          f" {len(missing)} missing, {twice} came twice")
    if len(files) < 2:
        sys.exit("rsyslog: nothing was rotated: the machine is too slow for this")
    if missing or set(got) - set(wanted):
        print("rsyslog: missing or changed:", *list(missing | set(got) - set(wanted))[:5], sep="\n", file=sys.stderr)
        for daemon in sender, receiver:
            print((daemon.directory / "said").read_text()[-3000:], file=sys.stderr)
        return False

    events = {line for line in wanted if json.loads(line)["event_type"] in ("fork", "exec", "exit")}
    base = clickhouse.database(str(receiver.directory / "db"))
    # Twice, as by a loader that ended before it could remove what it had loaded.
    for _ in range(2):
        base.query(clickhouse.LOAD.format(receiver.directory / "spool/*.jsonl"))
    [stored, kept] = map(int, str(base.query("select (select count() from events), (select count() from history)")).split(","))
    print(f"rsyslog: in ClickHouse {stored} events, {kept} by the history, {len(events)} captured")
    return kept == len(events)


def main() -> int:
    tuxscope, seconds = sys.argv[1], float(os.environ.get("OUTAGE", "10"))
    host = socket.gethostname().split(".")[0]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    passed = True
    for what in made_up, outage:
        with tempfile.TemporaryDirectory() as name:
            directory = pathlib.Path(name)
            capture = directory / "events.jsonl"
            receiver = Daemon("rsyslog-receiver", directory, port, capture)
            sender = Daemon("rsyslog", directory, port, capture)
            more = () if what is made_up else (tuxscope, seconds)
            try:
                passed &= what(sender, receiver, capture, host, *more)
            finally:
                for daemon in sender, receiver:
                    if daemon.process and daemon.process.poll() is None:
                        daemon.stop()
    return 0 if passed else 1


sys.exit(main())
