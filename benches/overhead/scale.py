# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether cost and memory stay what they are as numbers grow."""

import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import procfs
from running import Running

PID_MAX = Path("/proc/sys/kernel/pid_max")
# Room for the machine's own processes below pid_max.
SPARE_PIDS = 4_000


@contextmanager
def room_for(processes):
    """Raises pid_max for a while; gives how many processes there is room for."""
    before = int(PID_MAX.read_text())
    try:
        if before < processes + SPARE_PIDS:
            with suppress(OSError):
                PID_MAX.write_text(str(processes + SPARE_PIDS))
        yield min(processes, int(PID_MAX.read_text()) - SPARE_PIDS)
    finally:
        PID_MAX.write_text(str(before))


def by_events(tracers, programs, directory, most):
    """Rows of CPU time per event, for 10^3 events up to `most`: threads, each a fork and an exit."""
    rows = []
    for tracer in tracers:
        running = Running(tracer, directory, await_s=10, output=Path("/dev/null"))
        events = 1_000
        while events <= most:
            before = running.usage()["cpu_ns"]
            programs.run("thread", events // 2)
            used = running.usage()
            rows.append({"tracer": tracer.name, "events": events,
                         "cpu_ns_per_event": (used["cpu_ns"] - before) / events,
                         "rss_kb": procfs.status(running.pid, "VmRSS")})
            events *= 10
        running.end()
        rows[-1]["lost"] = running.lost()
    return rows


def sleepers(programs, count):
    """Starts that many processes that do nothing; they end with its standard input."""
    crowd = subprocess.Popen([programs.storm, "sleepers", str(count), programs.nothing],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    crowd.stdout.readline()
    return crowd


def by_processes(tracer, follower, programs, directory, wanted):
    """Memory per process that is alive, seen from its fork on or there from the beginning; and
    what an event costs beside them, those being followed (`follower` makes such a tracer)."""
    with room_for(wanted) as count:
        return beside(tracer, follower, programs, directory, count)


def beside(tracer, follower, programs, directory, count):
    """The same, of exactly that many."""
    null = Path("/dev/null")
    running = Running(tracer, directory, await_s=10, output=null)
    running.usage()
    before = procfs.status(running.pid, "VmRSS")
    crowd = sleepers(programs, count)
    running.usage()
    seen = procfs.status(running.pid, "VmRSS") - before
    running.end()

    alone = event_cost(Running(tracer, directory, await_s=30, output=null), programs)
    followed = event_cost(Running(follower(crowd.pid), directory, await_s=30, output=null), programs)

    crowd.stdin.close()
    crowd.wait()
    return {"live": count, "bytes_seen": seen * 1024 / count,
            "bytes_there": (alone["rss_kb"] - before) * 1024 / count,
            "cpu_ns_beside": alone["cpu_ns"], "cpu_ns_followed": followed["cpu_ns"],
            "storm_ns_beside": alone["storm_ns"], "storm_ns_followed": followed["storm_ns"]}


def event_cost(running, programs):
    """CPU time of a tracer per event of a storm, its memory, and the storm's own time."""
    events = 20_000
    before = running.usage()["cpu_ns"]
    rss_kb = procfs.status(running.pid, "VmRSS")
    storm = programs.run("thread", events // 2)
    cpu_ns = (running.usage()["cpu_ns"] - before) / events
    running.end()
    return {"cpu_ns": cpu_ns, "rss_kb": rss_kb, "storm_ns": storm["ns"] / events}
