# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the worker says about the processes it made, as the events that a tracer must have seen."""

import json
from collections import defaultdict
from typing import NamedTuple


class Event(NamedTuple):
    """One event of the basic mode. `ppid` is 0 but for forks; `comm` is the kernel's bytes."""

    kind: str
    pid: int
    ppid: int
    comm: bytes


def read(lines):
    """The worker's lines: a dictionary a process."""
    return [json.loads(line) for line in lines.decode().splitlines()]


def basic_events(processes, worker):
    """id -> the basic mode's events with this `pid`, in their order.

    An exec shows the new program's name, which is "exe": the worker runs /proc/self/exe.
    """
    events = defaultdict(list)
    events[worker] = [
        Event("fork", worker, 1, b"init"),
        Event("exec", worker, 0, b"worker"),
        Event("exit", worker, 0, b"worker"),
    ]
    for process in processes:
        pid, case, threads = process["pid"], process["case"], process.get("tids", [])
        # The tracepoint's parent is who called clone, not who the child belongs to.
        maker = process.get("made_by_tid") or process.get("born_to") or process["ppid"]
        events[pid].append(Event("fork", pid, maker, b"worker"))
        for tid in threads:
            events[tid].append(Event("fork", tid, pid, b"worker"))
        if case == "exec-from-thread":
            # The leader's task ends; the thread goes on under the leader's id.
            events[pid].append(Event("exit", pid, 0, b"worker"))
            threads = []
        events[pid] += [Event("exec", pid, 0, b"exe")] * process["execs"]
        name = b"exe" if process["execs"] else b"worker"
        if "comm_hex" in process:
            name = bytes.fromhex(process["comm_hex"])
        events[pid] += [Event("exit", pid, 0, name)] * (1 + len(threads))
    return dict(events)
