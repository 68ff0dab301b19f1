#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs dist/sql with DuckDB and with ClickHouse's engine (chdb) on the same made-up captures of four
hosts, in which the same ids mean others, and compares both answers with what was made up."""

import json
import os
import pathlib
import re
import sys
import tempfile

import duckdb
from chdb import session

SQL = pathlib.Path("dist/sql").resolve()


def life(host: str, number: int, comm: str, latency_us: int, ms: int, **status) -> list[dict]:
    begin = number * 1_000_000_000
    fork = {
        "host": host, "pid": number, "ppid": 1, "comm": "sh", "event_type": "fork",
        "timestamp_ns": begin, "start_ns": begin, "uid": 0, "thread": False,
    }
    later = {"comm": comm, "args": [comm, str(number)]}
    execed = fork | later | {"event_type": "exec", "timestamp_ns": begin + latency_us * 1000}
    del execed["thread"]
    ended = fork | later | status | {"event_type": "exit", "duration_ns": ms * 1_000_000}
    thread = ended | {"thread": True, "exit_code": 9, "duration_ns": 10**15}
    return [fork, execed, ended, thread]


def meta(host: str) -> dict:
    return {"event_type": "meta", "tool": "tuxscope", "schema": 1, "host": host}


SUMMARY = {"event_type": "summary", "complete": True, "printed": 12}


def without_host(lines: list[dict]) -> list[dict]:
    """As tuxscope writes them."""
    return [{key: value for key, value in line.items() if key != "host"} for line in lines]


def captures() -> dict[str, list[dict]]:
    """Files: alpha's as they are, rotated once; beta's with a host in each line, as shipped; one
    of two hosts, of whose lines nobody can tell which is whose; and one with lines of two more and of
    alpha, mixed, each of which names its host."""
    lives = {
        host: [
            *life(host, 10, "ls", 100, 5, exit_code=0),
            *life(host, 11, "ls", 300, 7, exit_code=2),
            *life(host, 12, "make", 200, 9000, signal="SIGSEGV", core_dumped=False),
        ]
        for host in ("alpha", "beta", "gamma", "delta")
    }
    alpha = without_host(lives["alpha"])
    more = life("beta", 13, "ls", 400, 6, exit_code=2)
    # Not the first exec of any process of theirs.
    whose = without_host(life("", 10, "whose", 1, 1, exit_code=0)[1:2])
    mixed = [line for pair in zip(lives["gamma"], lives["delta"]) for line in pair]
    return {
        "mixed.jsonl": [meta("gamma"), *mixed, meta("delta"), *life("alpha", 14, "ls", 250, 4, exit_code=0)],
        "alpha.jsonl": [meta("alpha"), *alpha[5:], SUMMARY],
        "alpha.1.jsonl": [meta("alpha"), *alpha[:5]],
        "shipped.jsonl": [meta("beta"), *lives["beta"], SUMMARY | {"host": "beta"}, *more],
        "joined.jsonl": [meta("alpha"), *whose, meta("beta")],
    }


HOSTS = ("alpha", "beta", "delta", "gamma")
WANTED = {
    "counts": [[host, kind, number]
               for host, number in (("alpha", 4), ("beta", 4), ("delta", 3), ("gamma", 3))
               for kind in ("exec", "exit", "fork")] + [[None, "exec", 1]],
    "commands": [["alpha", "ls", 3], ["beta", "ls", 3], ["delta", "ls", 2], ["gamma", "ls", 2],
                 ["alpha", "make", 1], ["beta", "make", 1], ["delta", "make", 1],
                 ["gamma", "make", 1], [None, "whose", 1]],
    "failures": [["beta", "ls", "2", 2], ["alpha", "ls", "2", 1], ["alpha", "make", "SIGSEGV", 1],
                 ["beta", "make", "SIGSEGV", 1], ["delta", "ls", "2", 1],
                 ["delta", "make", "SIGSEGV", 1], ["gamma", "ls", "2", 1],
                 ["gamma", "make", "SIGSEGV", 1]],
    "latency": [["alpha", 4, 200, 300], ["beta", 4, 200, 400], ["delta", 3, 200, 300],
                ["gamma", 3, 200, 300]],
    "longest": [[host, 12, "make", 9000, "make 12"] for host in HOSTS]
               + [[host, 11, "ls", 7, "ls 11"] for host in HOSTS]
               + [["beta", 13, "ls", 6, "ls 13"]]
               + [[host, 10, "ls", 5, "ls 10"] for host in HOSTS]
               + [["alpha", 14, "ls", 4, "ls 14"]],
}


def parts(engine: str) -> tuple[str, dict[str, str]]:
    """The statements that make the views, and the named queries."""
    text = (SQL / f"{engine}.sql").read_text()
    text = text.replace("captures/", os.path.abspath("captures") + "/")
    views, *queries = re.split(r"^-- (\w+): .*\n", text, flags=re.MULTILINE)
    names, bodies = queries[::2], queries[1::2]
    return views, {name: body.strip().rstrip(";") for name, body in zip(names, bodies)}


def with_duckdb() -> dict[str, list]:
    views, queries = parts("duckdb")
    base = duckdb.connect()
    base.execute(views)
    return {name: [list(row) for row in base.execute(q).fetchall()] for name, q in queries.items()}


def with_chdb() -> dict[str, list]:
    views, queries = parts("clickhouse")
    base = session.Session()
    for view in views.split(";\n")[:-1]:
        base.query(view)
    # Else 64-bit numbers come as text, because JavaScript could not hold them.
    base.query("set output_format_json_quote_64bit_integers = 0")
    answers = {}
    for name, query in queries.items():
        text = str(base.query(query, "JSONCompactEachRow"))
        answers[name] = [json.loads(line) for line in text.splitlines()]
    return answers


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        os.mkdir("captures")
        for name, lines in captures().items():
            with open(f"captures/{name}", "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
        for engine, answers in (("DuckDB", with_duckdb()), ("chdb", with_chdb())):
            assert answers.keys() == WANTED.keys(), answers.keys()
            for name, wanted in WANTED.items():
                if answers[name] != wanted:
                    print(f"{engine}: {name}: {answers[name]}, not {wanted}", file=sys.stderr)
                    failed = 1
            print(f"{engine}: {len(answers)} queries, {sum(map(len, answers.values()))} rows")
    return failed


sys.exit(main())
