#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""ClickHouse's engine (chdb) with the history of many hosts: how fast lines go in, what an event takes on
disk, how long each question of dist/sql/clickhouse-questions.sql takes. The lines come out of
benches/fleet.rs by a pipe, and are on no disk."""

import argparse
import datetime
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/fleet"))
import clickhouse  # noqa: E402

TURNS = 3
# Rows that go in at a time: what a shipper sends in some minutes.
BLOCK = 1_000_000


def rows(base, query: str, **params) -> list[list]:
    answer = base.query(query, "JSONCompactEachRow", params={k: str(v) for k, v in params.items()})
    return [json.loads(line) for line in str(answer).splitlines()]


def stamp(time_s: float) -> str:
    return datetime.datetime.fromtimestamp(time_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def load(base, directory: pathlib.Path, generator: list[str]) -> float:
    """How many seconds it takes."""
    pipe = directory / "lines"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["sh", "-c", 'exec "$@" >"$0"', pipe, *generator])
    began = time.monotonic()
    base.query(
        clickhouse.LOAD.format(pipe)
        + f", min_insert_block_size_rows = {BLOCK}, min_insert_block_size_bytes = '1G',"
        " max_memory_usage = '6G'"
    )
    took = time.monotonic() - began
    if writer.wait():
        sys.exit("fleet.py: the generator failed")
    pipe.unlink()
    return took


def settle(base) -> None:
    """Until the merges that began are over."""
    while rows(base, "select count() from system.merges where table = 'events'") != [[0]]:
        time.sleep(2)


def ask(base, name: str, query: str, params: dict) -> dict:
    times, answer = [], None
    for _ in range(TURNS):
        began = time.monotonic()
        answer = base.query(query, "JSONCompactEachRow", params={k: str(v) for k, v in params.items()})
        times.append(time.monotonic() - began)
    return {
        "question": name,
        "median_s": round(statistics.median(times), 2),
        "turns_s": [round(turn, 2) for turn in times],
        "rows": len(str(answer).splitlines()),
    }


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("generator", help="benches/fleet.rs, compiled")
    options.add_argument("capture", help="a capture with --wide --host-fields, the pattern")
    options.add_argument("--hosts", type=int, default=300)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--events", type=int, default=100_000_000)
    options.add_argument("--directory", default="target/bench-fleet", help="where the database goes")
    options = options.parse_args()
    directory = pathlib.Path(options.directory).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)

    today = time.time() // 86400 * 86400
    begin = int(today) - (options.days - 1) * 86400
    until = begin + options.days * 86400
    arguments = [options.capture, options.hosts, options.days, options.events, begin]
    generator = [options.generator, *map(str, arguments)]
    sample = [options.generator, *map(str, [*arguments[:3], min(options.events, BLOCK), begin])]
    with subprocess.Popen(sample, stdout=subprocess.PIPE) as lines:
        size = sum(len(chunk) for chunk in iter(lambda: lines.stdout.read(1 << 20), b""))

    base = clickhouse.database(str(directory / "db"))
    # They are measured below.
    for view in ("unit", "command"):
        base.query(f"system stop view count_by_{view}")
    load_s = load(base, directory, generator)
    [[events]] = rows(base, "select count() from events")
    if events != options.events:
        print(f"fleet.py: {events} of {options.events} events are there", file=sys.stderr)
        return 1
    settle(base)
    result = {
        "engine": rows(base, "select version()")[0][0],
        "hosts": options.hosts, "days": options.days, "events": events, "load_s": round(load_s, 1),
        "events_per_s": round(events / load_s), "bytes_per_line": round(size / min(events, BLOCK)),
    }
    print(json.dumps(result), flush=True)
    sizes = rows(
        base,
        "select table, count(), sum(rows), sum(bytes_on_disk) from system.parts"
        " where active and database = currentDatabase() group by table order by table",
    )
    for table, parts, count, size in sizes:
        print(json.dumps({
            "table": table, "parts": parts, "rows": count, "bytes": size,
            "bytes_per_event": round(size / events, 2),
        }), flush=True)
    columns = rows(
        base,
        "select name, round(data_compressed_bytes / {events:UInt64}, 2) as bytes from system.columns"
        " where database = currentDatabase() and table = 'events' order by bytes desc limit 12",
        events=events,
    )
    print(json.dumps({"bytes_per_event": dict(columns)}), flush=True)

    # A process in the middle that has descendants, on one of the hosts.
    middle = begin + options.days * 86400 / 2
    [[host, pid, at]] = rows(
        base,
        "select host, ppid, toString(max(time)) from events where event_type = 'fork' and ppid > 1"
        " and time >= {at:DateTime64(9, 'UTC')} and time < {at:DateTime64(9, 'UTC')} + interval 1 hour"
        " group by host, ppid order by count() desc limit 1",
        at=stamp(middle),
    )
    whole = {"since": stamp(begin), "until": stamp(until)}
    day = {"since": stamp(until - 86400), "until": stamp(until)}
    one = {"host": host, "at": at, "pid": pid, "seconds": 60, "hours": 1}
    asked = clickhouse.questions()
    for name, span, params in (
        ("failed", "all hosts, 1 day", day),
        ("failed", "all hosts, all days", whole),
        ("around", "1 host, 2 days", one),
        ("new", "all hosts, 7 days", {"since": stamp(until - 7 * 86400)}),
        ("cpu", "all hosts, 1 day", day),
        ("cpu", "all hosts, all days", whole),
        ("killed", "all hosts, 1 day", day),
        ("killed", "all hosts, all days", whole),
        ("tree", "1 host, 2 hours", one),
    ):
        print(json.dumps({"of": span} | ask(base, name, asked[name], params)), flush=True)

    if events <= 20_000_000:
        began = time.monotonic()
        base.query("system start view count_by_unit")
        base.query("system refresh view count_by_unit")
        base.query("system wait view count_by_unit")
        by_unit = time.monotonic() - began
        counted = rows(base, "select sum(forks + execs + exits + failed_execs) from minutes_by_unit final")
        print(json.dumps({"count_by_unit_s": round(by_unit, 1), "counted": counted[0][0]}))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"max_rss_mb": memory}))
    return 0


sys.exit(main())
