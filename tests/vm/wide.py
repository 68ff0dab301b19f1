# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares a capture of the wide mode with the truth: processes, whole lives, statuses."""

import json
import signal
from collections import defaultdict

SIGRTMIN = 34  # glibc's
LATE_NS = 20_000_000
COMMON = {"uid": 0, "cgroup": "/", "unit": None, "container": None, "ns_pid": None, "pidns": None,
          "login_uid": None}


def read(lines, made):
    """Events of the wide mode's JSON lines, and complaints about the records around them."""
    del made
    records = [json.loads(line) for line in lines]
    kinds = ("fork", "exec", "exit", "exec_failed")
    events = [record for record in records if record["event_type"] in kinds]
    complaints = []
    if not records or records[0]["event_type"] != "meta":
        complaints.append(f"the first line is not meta: {lines[:1]}")
    last = records[-1] if records else {}
    # A kernel that skips a handler says so: compare.said.
    whole = last.get("complete") == ("missed" not in last)
    if last.get("event_type") != "summary" or not whole:
        complaints.append(f"the last line is not the summary of a whole capture: {last}")
    elif last["printed"] != len(events) or any(last["lost"].values()):
        complaints.append(f"{len(events)} events, but the summary is {last}")
    if len(records) != len(events) + 2:
        complaints.append("there are records beside meta, events and summary")
    return events, complaints


def expected(processes, worker, held=False, place=None):
    """id -> what the events of this process must say, in their order. A worker that was held has
    no fork, and it is not init's child where it is the program's. All ran in `place`."""
    lives = defaultdict(list)
    run = {"ppid": 1, "tid": worker}
    args = ["/worker", "case", "all"]
    lives[worker] = [
        COMMON | run | {"event_type": "fork", "comm": "init", "thread": False, "parent_tid": 1},
        COMMON | run | {"event_type": "exec", "comm": "worker", "filename": "/worker", "args": args},
        COMMON | run | {"event_type": "exit", "comm": "worker", "exit_code": 0, "args": args},
    ]
    if held:
        del lives[worker][0]
        for row in lives[worker]:
            del row["ppid"]
    for process in processes:
        lives[process["pid"]] = _life(process)
    for row in (row for rows in lives.values() for row in rows):
        row |= place or {}
    return dict(lives)


def _life(process):
    pid, parent = process["pid"], process["ppid"]
    born_to = process.get("born_to", parent)
    rows = [COMMON | {"event_type": "fork", "ppid": born_to, "tid": pid, "comm": "worker",
                      "thread": False, "parent_tid": process.get("made_by_tid", born_to),
                      "made_by": process.get("made_by")}]
    comm, args = "worker", None
    for i in range(process["execs"]):
        comm, args = "exe", ["worker", "exit", str(process["exit_code"])]
        if i + 1 < process["execs"]:
            args[1] = "exec-again"
        rows.append(COMMON | {"event_type": "exec", "ppid": parent, "tid": pid, "comm": comm,
                              "filename": "/proc/self/exe", "args": args})
    if "comm_hex" in process:
        comm = bytes.fromhex(process["comm_hex"]).decode(errors="replace")
    end = {"event_type": "exit", "ppid": parent, "comm": comm}
    if process["signal"]:
        end |= {"signal": _name(process["signal"]), "core_dumped": bool(process["core"])}
    else:
        end |= {"exit_code": process["exit_code"]}
    if args:
        end["args"] = args
    if born_to != parent:
        end["born_to"] = born_to
    rows.append(COMMON | end)
    for row in rows:
        row |= {key: process[key] for key in ("ns_pid", "pidns") if key in process}
    return rows


def _name(number):
    """Python knows a real-time signal by its number only."""
    if number > SIGRTMIN:
        return f"SIGRTMIN+{number - SIGRTMIN}"
    return signal.Signals(number).name


def same(lives, events, missed=0):
    """Each process has exactly the events that it must have, and made no other ones. So many may be
    missing altogether as the closing record says that the kernel skipped handlers."""
    seen = defaultdict(list)
    for event in events:
        seen[event["pid"]].append(event)
    complaints = []
    for pid, rows in lives.items():
        kinds = [event["event_type"] for event in seen[pid]]
        wanted = [row["event_type"] for row in rows]
        if kinds != wanted:
            rest = iter(wanted)
            missing = len(wanted) - len(kinds)
            if 0 < missing <= missed and all(kind in rest for kind in kinds):
                missed -= missing
                continue
            complaints.append(f"id {pid}: expected {rows}, got {kinds}")
            continue
        for row, event in zip(rows, seen[pid]):
            wrong = {key: event.get(key) for key, value in row.items() if event.get(key) != value}
            if wrong:
                complaints.append(f"id {pid}: {row['event_type']} says {wrong}, not "
                                  f"{ {key: row[key] for key in wrong} }")
        complaints += _times(pid, seen[pid])
    complaints += [f"a child that nobody made: {event}" for event in events
                   if event["ppid"] in lives and event["pid"] not in lives]
    return complaints


def costs(processes, events, by_clock=False):
    """An exit tells what wait4(2) told, of the CPU time perhaps what the process's clock did. On a slow machine that may
    come too late for the line, but not often."""
    used = {process["pid"]: process["used"] for process in processes}
    exits = [event for event in events if event["event_type"] == "exit" and event["pid"] in used]
    known = [event for event in exits if "cpu_ns" in event]
    complaints = [f"of {len(exits)} exits only {len(known)} have their cost"
                  for _ in exits[:1] if len(known) < len(exits) / 2]
    for event in known:
        complaints += _cost(used[event["pid"]], event, by_clock)
    return complaints


def _cost(used, event, by_clock):
    same_names = ("minor_faults", "major_faults", "voluntary_switches", "involuntary_switches")
    wanted = {name: used[name] for name in same_names}
    wanted |= {"read_bytes": used["blocks_in"] * 512, "write_bytes": used["blocks_out"] * 512}
    told = {name: event.get(name) for name in wanted}
    # wait4(2) cuts user and system time each to whole microseconds. And it may come while the
    # process is still on its way off its CPU, which takes milliseconds where QEMU emulates that:
    # what it uses there, its last switch included, is in the totals and not in the truth.
    beyond = event["cpu_ns"] - (used["clock_ns"] if by_clock else used["cpu_us"] * 1000)
    late = {name for name in told if "_switches" in name and told[name] == wanted[name] + 1}
    exact = all(told[name] == wanted[name] for name in wanted if name not in late)
    if not exact or len(late) > 1 or not -3000 <= beyond <= LATE_NS:
        return [f"id {event['pid']}: cost {told}, {event['cpu_ns']} ns, not {used}"]
    most, rss = used["max_rss_kb"] * 1024, event.get("max_rss_bytes")
    # Whatever it ran before may have had more. Kernels count pages by the dozen: of few large ones they see none,
    # which no process can have.
    if (rss or 0) > most or ("args" not in event and rss != (most or None)):
        return [f"id {event['pid']}: resident {rss}, not {most}"]
    return []


def _times(pid, events):
    """One start, times that don't go back, and the life's length from both."""
    times = [event["timestamp_ns"] for event in events]
    starts = {event["start_ns"] for event in events}
    if times != sorted(times) or len(starts) != 1:
        return [f"id {pid}: times {times}, starts {starts}"]
    length = times[-1] - starts.pop()
    # The end is noted twice, a moment apart.
    if length < 0 or abs(events[-1].get("duration_ns", -1) - length) > 1_000_000_000:
        return [f"id {pid}: lived {length} ns, not {events[-1].get('duration_ns')}"]
    return []
