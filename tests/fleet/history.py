#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""dist/sql/clickhouse-schema.sql and -questions.sql by ClickHouse's engine (chdb), on what tuxscope captures
here, as root, under three hosts' names. The lines go in twice; each question's answer is compared with what a
plain recount of the lines comes to."""

import collections
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import clickhouse

# Fails, kills, is killed, runs what is not there, uses CPU, leaves an orphan behind.
WORK = r"""
ls /nowhere; ls /nowhere; false
sh -c 'sh -c "sleep 30 & kill -KILL \$!; wait"; exit 3'
sh -c 'kill -SEGV $$'
/nowhere/program
sh -c '(sleep 0.5; true) & exit 0'
mktemp -u /tmp/XXXXXX; expr 1234 + 99; expr 77 + 1; touch -c "/tmp/a b\"c"
sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'
sh -c ": $(uname -n) 1234"
sleep 1
"""
NS = 10**9


def capture(tuxscope: str, host: str) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        output = pathlib.Path(directory) / "events.jsonl"
        command = [tuxscope, "proc", "--wide", "--format", "json", "--host-fields", "--no-exit-args",
                   "--failed-execs", "--output", output, "--", "sh", "-c", WORK]
        inside = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host, *command]
        said = subprocess.run(inside, capture_output=True, text=True, check=False)
        lines = output.read_text().splitlines() if output.exists() else []
    if not lines or '"complete":true' not in lines[-1]:
        sys.exit(f"history: the capture is not complete: {said.stderr}")
    return lines


def earlier_boot(lines: list[str]) -> list[str]:
    """The same ids and timestamps an hour before, in another boot."""
    other = []
    for line in lines:
        record = json.loads(line)
        if "boot_id" in record:
            record["boot_id"] = "0" + record["boot_id"][1:]
        if "time" in record:
            record["time"] = text(nanoseconds(record["time"]) - 3600 * NS).replace(" ", "T") + "Z"
        if "clock_offset_ns" in record:
            record["clock_offset_ns"] -= 3600 * NS
        other.append(json.dumps(record, separators=(",", ":"), ensure_ascii=False))
    return other


def twins(line: str) -> list[str]:
    """Events that are like an exit but for one thing that tells them apart."""
    one = json.loads(line)
    others = {"host": "web9", "boot_id": "9" + one["boot_id"][1:], "pid": one["pid"] + 1, "tid": one["tid"] + 1,
              "start_ns": one["start_ns"] - 1, "event_type": "fork", "timestamp_ns": one["timestamp_ns"] + 1}
    return [json.dumps(one | {key: value}) for key, value in others.items()]


def nanoseconds(time: str) -> int:
    seconds, fraction = time.removesuffix("Z").split(".")
    whole = datetime.datetime.fromisoformat(seconds + "+00:00")
    return int(whole.timestamp()) * NS + int(fraction.ljust(9, "0"))


def text(time_ns: int) -> str:
    """As ClickHouse prints it."""
    whole = datetime.datetime.fromtimestamp(time_ns // NS, datetime.UTC)
    return whole.strftime("%Y-%m-%d %H:%M:%S") + f".{time_ns % NS:09}"


def status(event: dict) -> str:
    return event.get("signal") or str(event["exit_code"])


def shape(args: list[str]) -> tuple[str, ...]:
    number = re.compile(r"\b[0-9a-f]*[0-9][0-9a-f]*\b", re.ASCII)
    return tuple(number.sub("#", arg) for arg in args)


class Recount:
    """The questions' answers, from the lines alone."""

    def __init__(self, lines: list[str]):
        records = [json.loads(line) for line in lines]
        key = ("host", "boot_id", "pid", "tid", "start_ns", "event_type", "timestamp_ns")
        events = {tuple(r[k] for k in key): r for r in records if "pid" in r}
        self.events = [event for event in events.values() if not event.get("thread")]
        for event in self.events:
            event["ns"] = nanoseconds(event["time"])
            event["began"] = event["ns"] - (event["timestamp_ns"] - event["start_ns"])
        self.events.sort(key=lambda event: event["ns"])
        self.exits = [event for event in self.events if event["event_type"] == "exit"]

    def lives(self, host: str) -> list[dict]:
        """Of one host."""
        groups = collections.defaultdict(list)
        for event in self.events:
            if event["host"] == host:
                groups[event["boot_id"], event["pid"], event["start_ns"]].append(event)
        lives = []
        for (boot, pid, start), group in groups.items():
            end = next((e for e in group if e["event_type"] == "exit"), None)
            lives.append({
                "boot": boot, "pid": pid, "start": start, "began": min(e["began"] for e in group),
                "end": end, "group": group, "parent": group[0].get("born_to", group[0]["ppid"]),
            })
        return lives

    def failed(self, since: int, until: int) -> list:
        times, last = collections.Counter(), {}
        for event in self.events:
            if not since <= event["ns"] < until:
                continue
            if event["event_type"] == "exec_failed":
                key = event.get("filename", event["comm"]), event["errno"]
            elif event["event_type"] == "exit" and status(event) != "0":
                key = event["comm"], status(event)
            else:
                continue
            key = event["host"], event.get("unit"), *key
            times[key] += 1
            last[key] = text(event["ns"])
        # NULL comes last.
        rows = [[*key, count, last[key]] for key, count in times.items()]
        rows.sort(key=lambda row: (-row[4], row[0], (row[1] is None, row[1] or ""), row[2:4]))
        return rows[:50]

    def around(self, host: str, at: int, seconds: int) -> list:
        low, high = at - seconds * NS, at + seconds * NS
        boot = [e["boot_id"] for e in self.events if e["host"] == host and e["ns"] <= high][-1]
        rows = []
        for life in self.lives(host):
            ended = life["end"] and life["end"]["ns"]
            if life["boot"] != boot or life["began"] > high or (ended is not None and ended < low):
                continue
            before = [e for e in life["group"] if e["ns"] <= high]
            shown = before[-1] if before else life["group"][0]
            with_args = [e for e in life["group"] if e.get("args")]
            said = [e for e in with_args if e["ns"] <= high][-1:] or with_args[:1]
            rows.append([
                text(life["began"]), ended and text(ended), life["pid"], shown["comm"], shown["uid"],
                shown.get("unit"), said[0]["args"] if said else [], life["end"] and status(life["end"]),
            ])
        return sorted(rows, key=lambda row: (row[0], row[2]))

    def new(self, since: int) -> list:
        """With the shapes of the commands."""
        seen = collections.defaultdict(list)
        for event in self.events:
            if event["event_type"] == "exec":
                seen[shape(event["args"])].append((event["ns"], event["host"]))
        rows = []
        for words, times in seen.items():
            first, host = min(times)
            if first >= since:
                rows.append([text(first), host, len({host for _, host in times}), list(words)])
        return sorted(rows)

    def cpu(self, since: int, until: int) -> list:
        days = collections.defaultdict(lambda: [0, 0, 0])
        for event in self.exits:
            if since <= event["ns"] < until:
                sums = days[text(event["ns"])[:10], event.get("unit")]
                sums[0] += event.get("cpu_ns", 0)
                sums[1] += 1
                sums[2] += "cpu_ns" not in event
        rows = [[*key, round(used / 1e9, 3), *counts] for key, (used, *counts) in days.items()]
        return sorted(rows, key=lambda row: (row[0], -row[2], row[1] or ""))

    def killed(self, since: int, until: int) -> list:
        times, last = collections.Counter(), {}
        for event in self.exits:
            if since <= event["ns"] < until and ("killed_by_pid" in event or event.get("oom")):
                by = "the OOM killer" if event.get("oom") else event.get("killed_by")
                key = event["host"], by, event.get("killed_by_uid"), event["signal"], event["comm"]
                times[key] += 1
                last[key] = text(event["ns"])
        rows = [[*key, count, last[key]] for key, count in times.items()]
        return sorted(rows, key=lambda row: (-row[5], row[:5]))[:50]

    def tree(self, host: str, pid: int, at: int) -> list:
        lives = self.lives(host)
        [root] = [life for life in lives if life["pid"] == pid and life["began"] <= at
                  and (not life["end"] or life["end"]["ns"] >= at)]
        rows = []

        def walk(life: dict, depth: int) -> None:
            end = life["end"]
            with_args = [e["args"] for e in life["group"] if e.get("args")]
            rows.append([
                depth, life["pid"], text(life["began"]), end and text(end["ns"]), end and status(end),
                life["group"][-1]["comm"], with_args[-1] if with_args else [],
            ])
            until = end["timestamp_ns"] if end else float("inf")
            children = [c for c in lives if c["boot"] == life["boot"] and c["parent"] == life["pid"]
                        and life["start"] <= c["start"] <= until]
            for child in sorted(children, key=lambda c: (c["start"], c["pid"])):
                walk(child, depth + 1)

        walk(root, 0)
        return rows


def ask(base, query: str, params: dict | None = None) -> list:
    answer = base.query(query, "JSONCompactEachRow", params=params or {})
    return [json.loads(line) for line in str(answer).splitlines()]


def main() -> int:
    tuxscope = sys.argv[1]
    files = {host: capture(tuxscope, host) for host in ("web1", "web2", "db1")}
    files["web1 before"] = earlier_boot(files["web1"])
    # As a later version may have it, and as a shipper may add to it.
    added = '{"event_type":"sight","host":"web1"}'
    files["db1"].append(added)
    files["web2"] = [line.replace('{"pid":', '{"shipped_by":{"v":[1]},"pid":', 1) for line in files["web2"]]
    files["web2"] += twins(next(line for line in files["web2"] if '"event_type":"exit"' in line))
    lines = [line for file in files.values() for line in file]
    recount = Recount(lines)

    failures = 0

    def expect(what: str, got, wanted) -> None:
        nonlocal failures
        if got != wanted:
            print(f"history: {what}: {got}\nnot {wanted}", file=sys.stderr)
            failures += 1

    with tempfile.TemporaryDirectory() as directory:
        base = clickhouse.database(directory + "/db")
        shipped = pathlib.Path(directory) / "lines.jsonl"
        for copy in (lines, lines):
            shipped.write_text("\n".join(copy) + "\n")
            base.query(clickhouse.LOAD.format(shipped))
        [[twice]] = ask(base, "select count() from events")
        [[once]] = ask(base, "select count() from history where not thread")
        expect("lines that went in", twice, 2 * len([x for x in lines if '"pid":' in x]))
        expect("events that are there once", once, len(recount.events))

        # What each line says is there, key by key; what it doesn't say is NULL, an empty list or false.
        columns = [name for name, _ in json.loads(str(base.query("select name, type from system.columns "
                   "where table = 'history'", "JSONCompact")))["data"]]
        rows = ask(base, f"select {', '.join(columns)} from history where not thread")
        stored = {}
        for row in rows:
            event = dict(zip(columns, row))
            key = tuple(event[k] for k in ("host", "boot_id", "pid", "tid", "start_ns", "timestamp_ns", "event_type"))
            stored[key] = event
        for event in recount.events:
            key = tuple(event[k] for k in ("host", "boot_id", "pid", "tid", "start_ns", "timestamp_ns", "event_type"))
            row = stored[key]
            for column in columns:
                wanted = event.get(column)
                if column == "time":
                    wanted = text(event["ns"])
                elif column == "clock_offset_ns":
                    wanted = event["ns"] - event["timestamp_ns"]
                elif column == "args":
                    wanted = wanted or []
                elif wanted is None and row[column] is False:
                    wanted = False
                if row[column] != wanted:
                    expect(f"{column} of {event}", row[column], wanted)

        kills = [e for e in recount.exits if e["host"] == "db1" and e.get("killed_by_pid")]
        # The shell that everything began in.
        root = next(e for e in recount.exits if e["host"] == "db1" and e["comm"] == "sh"
                    and e["start_ns"] == min(x["start_ns"] for x in recount.exits if x["host"] == "db1"))
        at, pid = kills[0]["ns"], root["pid"]
        since = recount.events[0]["ns"]
        until = recount.events[-1]["ns"] + 1
        middle = next(e["ns"] for e in recount.events if e["host"] == "web2")
        asked = {
            "failed": (recount.failed(since, until), {"since": since, "until": until}),
            "around": (recount.around("db1", at, 0), {"host": "db1", "at": at, "seconds": 0}),
            "new": (recount.new(middle), {"since": middle}),
            "cpu": (recount.cpu(since, until), {"since": since, "until": until}),
            "killed": (recount.killed(since, until), {"since": since, "until": until}),
            "tree": (recount.tree("db1", pid, at), {"host": "db1", "pid": pid, "at": at, "hours": 1}),
        }
        questions = clickhouse.questions()
        expect("questions", sorted(questions), sorted(asked))
        for name, (wanted, params) in asked.items():
            params = {k: text(v) if k in ("at", "since", "until") else str(v) for k, v in params.items()}
            got = ask(base, questions[name], params)
            if name == "new":
                got = sorted([*row[:3], list(shape(row[3]))] for row in got)
            expect(name, got, wanted)
            if not wanted:
                expect(name, "no rows", "some")
            print(f"history: {name}: {len(got)} rows")

        for view, table, column in (("count_by_unit", "minutes_by_unit", "unit"),
                                    ("count_by_command", "minutes_by_command", "comm")):
            base.query(f"system refresh view {view}")
            base.query(f"system wait view {view}")
            wanted = collections.Counter()
            for event in recount.events:
                key = text(event["ns"])[:17] + "00", event["host"], event.get(column) or ""
                wanted[*key, event["event_type"]] += 1
                wanted[*key, "cpu"] += event.get("cpu_ns", 0)
                wanted[*key, "failures"] += event["event_type"] == "exit" and status(event) != "0"
            wanted += collections.Counter()
            got = collections.Counter()
            names = "fork", "exec", "exit", "exec_failed", "failures", "cpu"
            for *key, minute_counts in ask(base, f"select minute, host, {column}, "
                                           "[forks, execs, exits, failed_execs, failures, cpu_ns] "
                                           f"from {table} final"):
                got.update({(*key, name): n for name, n in zip(names, minute_counts)})
            expect(table, +got, wanted)
            # Once more, as it is every few minutes: what was counted is replaced, not added.
            base.query(f"system refresh view {view}")
            base.query(f"system wait view {view}")
            [[again]] = ask(base, f"select sum(execs) from {table} final")
            expect(f"{table} once more", again, sum(e["event_type"] == "exec" for e in recount.events))

        base.query("optimize table events final")
        [[kept]] = ask(base, "select count() from events where not thread")
        expect("events that a merge leaves", kept, len(recount.events))
        kinds = ask(base, "select host, event_type, count() from captures final group by all order by all")
        expect("captures", kinds, [["", "summary", 3], ["db1", "meta", 1], ["web1", "meta", 2], ["web2", "meta", 1]])
    print(f"history: {twice} lines of 3 hosts, {once} events, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    sys.exit(main())
