# SPDX-License-Identifier: MIT OR Apache-2.0
"""The tracers: how each is started, and what its lines look like."""

import re
import shutil
from dataclasses import dataclass

ALL = ("fork", "exec", "exit")
# Comms of the storms' tasks (storms.Programs).
OURS = re.compile(r"(storm|nothing)\b")
BPFTRACE = """
tracepoint:sched:sched_process_fork { printf("fork %d %s\\n", args->child_pid, comm); }
tracepoint:sched:sched_process_exec { printf("exec %d %s\\n", pid, comm); }
tracepoint:sched:sched_process_exit { printf("exit %d %s\\n", pid, comm); }
"""
JSON = r'\{"pid":(?P<pid>\d+),"ppid":\d+,"comm":"(?P<comm>[^"]*)","event_type":"(?P<kind>\w+)"'
TABLE = r"(?P<pid>\d+) +\d+ +(?P<comm>\S+) +(?P<kind>FORK|EXEC|EXIT)"
PERF = (r" *\S+ (?P<comm>\S+)/(?P<pid>\d+) sched:sched_process_(?P<kind>\w+)\("
        r"(?:.*child_pid: (?P<child>\d+))?")
STRACE = (r"(?P<pid>\d+) +(?:(?:<\.\.\. )?(?P<kind>execve|v?fork|clone3?)\b.* = (?P<child>\d+)"
          r"|\+\+\+ (?P<exit>exited|killed))")


@dataclass
class Tracer:
    """A command line, and how to read what it prints."""

    name: str
    command: list
    line: str
    # The kinds of events that it shows, and whether those of threads.
    kinds: tuple = ALL
    threads: bool = True
    # Its filter keeps no event of a storm.
    filtered: bool = False
    # It starts what it traces.
    launches: bool = False
    # It takes names from /proc, where short-lived processes have none.
    names: bool = True

    @property
    def is_ours(self):
        return self.name.startswith("tuxscope")

    @property
    def program(self):
        return self.command[0]

    def events(self, path):
        """(kind, pid, whether of a storm) of each event in its output."""
        pattern = re.compile(self.line)
        with open(path, errors="replace") as lines:
            for line in lines:
                if not (found := pattern.match(line)):
                    continue
                fields = found.groupdict()
                kind = (fields.get("kind") or "exit").lower()
                kind = {"execve": "exec", "fork": "fork", "exec": "exec", "exit": "exit"}.get(
                    kind, "fork")
                if len(self.kinds) == 1:
                    kind = self.kinds[0]
                pid = int(fields.get("child") or fields["pid"])
                comm = fields.get("comm")
                yield kind, pid, not self.names or bool(OURS.match(comm or ""))

    def captured(self, path):
        """How many events of a storm are in its output."""
        return sum(ours for kind, _, ours in self.events(path) if kind in self.kinds)


def ours(binary, quiet_pid, scratch):
    """tuxscope as it comes, in the ways that it is used. `quiet_pid` does nothing; `scratch` is a
    file for the output of a traced command."""
    proc = [binary, "proc"]
    wide = ["--wide", "--threads", "--format", "json"]
    return [
        Tracer("tuxscope", proc, TABLE),
        Tracer("tuxscope json", [*proc, "--format", "json"], JSON),
        Tracer("tuxscope wide json", [*proc, *wide], JSON),
        # pid_max is at most 2^22, and pids end below it.
        Tracer("tuxscope --pid none", [*proc, "--pid", str(1 << 22)], TABLE, filtered=True),
        Tracer("tuxscope --follow quiet", [*proc, "--pid", str(quiet_pid), "--follow"], TABLE,
               filtered=True),
        Tracer("tuxscope -- COMMAND", [*proc, *wide, "-o", scratch, "--"], JSON, launches=True),
    ]


def peers(scratch):
    """Every other tracer that might be there."""
    sched = ",".join(f"sched:sched_process_{kind}" for kind in ALL)
    return [
        Tracer("bpftrace", ["bpftrace", "-e", BPFTRACE], r"(?P<kind>\w+) (?P<pid>\d+) (?P<comm>.*)"),
        Tracer("execsnoop", ["execsnoop"], r"(?P<comm>\S+) +(?P<pid>\d+) +\d+ +-?\d+ ",
               kinds=("exec",)),
        Tracer("exitsnoop -T", ["exitsnoop", "-T"], r"(?P<comm>\S+) +(?P<pid>\d+) +\d+ +\d+ ",
               kinds=("exit",)),
        Tracer("forkstat", ["forkstat", "-e", "fork,exec,exit,clone"],
               r"\S+ +(?P<kind>fork|exec|exit|clone) +(?P<pid>\d+) (?! *parent)", names=False),
        Tracer("perf trace", ["perf", "trace", "-a", "--no-syscalls", "-e", sched,
                              "-o", "/dev/stdout"], PERF),
        Tracer("strace -f", ["strace", "-f", "-q", "-e", "trace=process", "-o", scratch], STRACE,
               launches=True, names=False),
    ]


def present(tracers):
    """Those whose program is installed, and the names of the others."""
    here = [tracer for tracer in tracers if shutil.which(tracer.program)]
    return here, [tracer.name for tracer in tracers if tracer not in here]
