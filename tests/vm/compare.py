# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares what the program printed in a guest with the truth. All functions return complaints."""

import json
import re
from collections import defaultdict

import deaths
import fexecs
import truth
import wide
from truth import Event

BASIC_KEYS = ["pid", "ppid", "comm", "event_type", "timestamp_ns"]
HEADER = "PID       PPID      COMM                EVENT"
# Ends with status 69 and says why: what is missing in the guest -> words of the first line.
REFUSALS = {
    "btf": "this kernel has no type information: /sys/kernel/btf/vmlinux is missing",
    "sandbox": "this kernel has no BPF ring buffer",
    "lockdown": "this kernel is locked down (confidentiality mode): BPF may not read its memory",
}
# Of --pid with pids that the worker's processes will have.
WARNING = "tuxscope: no process has pid "
# Of the million that the verifier takes, a tenth.
MOST_VERIFIED = 100_000
# In the order in which they are loaded: those of the basic mode, or of the wide one without failed execs and with them,
# which are seen at the exit of all system calls or at the functions behind their own.
BASIC = ["handle_fork", "handle_exec", "handle_exit"]
FAILED = [[], ["wide_exec_failed"], ["wide_execve", "wide_execveat", "wide_execve_32", "wide_execveat_32"]]
WIDE = [["wide_signal", "wide_deliver", *failed, "wide_fork", "wide_exec", "wide_exit", "wide_free"] for failed in FAILED]
PROGRAMS = {len(programs): programs for programs in (BASIC, *WIDE)}
# Architectures on which failed execs are seen at the functions behind their own calls, from which kernel on.
OWN_CALLS = {"x86_64": (6, 1), "aarch64": (6, 4)}
# What `check` must find missing in each situation, under which name, and the modes that work.
CHECKS = {
    "unmounted": (None, {"basic_view": True, "wide_view": True}),
    "mounted": (None, {"basic_view": True, "wide_view": True}),
    "sandbox": ("ring buffer", {"basic_view": False, "wide_view": False}),
    "btf": ("kernel types", {"basic_view": False, "wide_view": False}),
    "lockdown": ("lockdown", {"basic_view": True, "wide_view": False}),
}
SITUATIONS = {
    "unmounted": ["json", "table", "pid", "wide", "cgroup", "unit", "container", "killed", "failed",
                  "untraced-failed", "interpreted", "run-json", "run-wide", "follow-json", "follow-wide"],
    "mounted": ["json", "table", "pid", "wide", "cgroup", "unit", "container"],
    "lockdown": ["json", "run-json"],
}


def views(files, situation):
    """The captures of a situation: on arm64 none is interpreted, which kernels from 6.10 on don't survive."""
    machine = files["machine"].decode().strip()
    return [view for view in SITUATIONS[situation] if (view, machine) != ("interpreted", "aarch64")]


def attached(files, situation):
    """Whether all captures of a situation began."""
    messages = (files.get(f"{situation}-{view}/messages", b"").decode().splitlines()
                for view in views(files, situation))
    return all(any(line.startswith("tuxscope: tracing ") for line in lines) for lines in messages)


def captures(files):
    """All captures of a guest."""
    complaints = []
    machine = files["machine"].decode().strip()
    for situation in SITUATIONS:
        for view in views(files, situation):
            name = f"{situation}-{view}"
            prefix = f"{name}/"
            made = {path.removeprefix(prefix): data for path, data in files.items()
                    if path.startswith(prefix)}
            try:
                found = capture(made, view, machine)
            except (KeyError, ValueError) as error:
                found = [f"can't be read: {error!r}"]
            if situation == "unmounted" and b" tracefs " in made.get("mounts", b""):
                found.append("tracefs is mounted: the program touched a mount point")
            complaints += [f"{name}: {complaint}" for complaint in found]
    return complaints


def release(files):
    """The kernel's first two numbers."""
    numbers = files["kernel"].decode().split(".")
    return int(numbers[0]), int(numbers[1])


def slowed(files):
    """Failed execs slow all system calls of the machine where nothing better can be had, and there alone."""
    from_release = OWN_CALLS.get(files["machine"].decode().strip())
    expected = from_release is None or release(files) < from_release
    said_so = {"unmounted-failed/messages": expected, "check-unmounted/text": expected,
               "unmounted-untraced-failed/messages": expected or files["ftrace"].strip() == b"0"}
    return [f"{name}: that all system calls are slowed should be said: {expected}"
            for name, expected in said_so.items()
            if (b"slows each system call" in files[name]) != expected]


def refusals(files):
    """The commands that had to end with status 69 and a reason."""
    complaints = []
    for name, reason in REFUSALS.items():
        status = files.get(f"{name}/status", b"none").decode().strip()
        messages = files.get(f"{name}/messages", b"").decode(errors="replace").splitlines()
        if status != "69":
            complaints.append(f"{name}: exit status {status}, not 69")
        if not messages or messages[0] != f"tuxscope: {reason}":
            complaints.append(f"{name}: does not say why: {messages}")
        if len(messages) != 2 or not messages[-1].startswith("tuxscope: "):
            complaints.append(f"{name}: not a line of reason and a line of remedy: {messages}")
    return complaints


def checks(files):
    """What `check` says of each situation."""
    complaints = []
    for situation, (missing, modes) in CHECKS.items():
        name = f"check-{situation}"
        prefix = f"{name}/"
        said = {path.removeprefix(prefix): data.decode() for path, data in files.items()
                if path.startswith(prefix)}
        try:
            found = check(said, missing and (missing, REFUSALS[situation]), modes)
        except (KeyError, ValueError, TypeError) as error:
            found = [f"can't be read: {error!r}"]
        complaints += [f"{name}: {complaint}" for complaint in found]
    return complaints


def check(said, missing, modes):
    """The two outputs of `check` in one situation. `missing`: a line's name and its reason."""
    complaints = []
    for status in ("status", "json-status"):
        if int(said[status]) != (69 if missing else 0):
            complaints.append(f"exit {status} {said[status].strip()}")
    if said["messages"]:
        complaints.append(f"it said: {said['messages']}")
    report = json.loads(said["json"])
    lines = report.pop("checks")
    if report != modes:
        complaints.append(f"the modes: {report}, not {modes}")
    noes = [(line["name"], line["detail"]) for line in lines if line["answer"] != "ok"]
    # A mode that does not work says why once more.
    wanted = [missing] * (missing is not None)
    wanted += [(name.replace("_", " "), missing[1]) for name, works in modes.items() if not works]
    if noes != wanted:
        complaints.append(f"not ok: {noes}, not {wanted}")
    complaints += [f"no remedy: {line}" for line in lines
                   if line["answer"] == "no" and not line.get("remedy")]
    # The names in JSON are older than the word for it.
    text = "".join(f"{line['name'].replace(' view', ' mode'):<16}{line['answer']:<6}{line['detail']}\n"
                   + (f"{'':<22}-> {line['remedy']}\n" if "remedy" in line else "")
                   for line in lines)
    if text != said["text"]:
        complaints.append(f"text and JSON differ: {said['text']!r}, {text!r}")
    return complaints


def verified(files):
    """Program -> instructions that the verifier looked at, in whichever capture it had the most; empty where the
    kernel doesn't tell (before 5.16)."""
    most = {}
    for path, data in files.items():
        if path.endswith("/verified") and data:
            told = [int(line) for line in data.split()]
            names = PROGRAMS.get(len(told), [f"number {i} of {len(told)} programs" for i in range(1, len(told) + 1)])
            for program, number in zip(names, told):
                most[program] = max(most.get(program, 0), number)
    return most


def too_much_to_verify(files):
    """Programs that are too near to what the verifier takes, for another kernel's may take more steps."""
    told = verified(files)
    if not told and release(files) >= (5, 16):
        return ["it doesn't tell how many instructions the verifier looked at"]
    return [f"the verifier looked at {most:,} instructions of {program}: more than {MOST_VERIFIED:,}"
            for program, most in told.items() if most > MOST_VERIFIED]


def capture(made, view, machine="x86_64"):
    """One capture: the files of its directory. On s390x wait4(2) tells what the processor's own timer counted instead of
    the scheduler (CONFIG_VIRT_CPU_ACCOUNTING_NATIVE), and what fork copied can't be read until it is touched."""
    complaints = []
    for name in ("status", "worker-status"):
        if made[name].strip() != b"0":
            complaints.append(f"{name} {made[name].decode().strip()}")
    if made["worker-messages"]:
        complaints.append(f"the worker said: {made['worker-messages'].decode()}")

    # The worker was there before the capture began: as its command, or as the root to follow.
    held = "-" in view
    reader = view.split("-")[-1]
    lines = made["events"].decode().splitlines()
    events, found = READERS[reader](lines, made)
    complaints += found
    is_wide = READERS[reader] is wide.read
    complaints += said(made["messages"].decode().splitlines(), len(events), is_wide)
    worker, processes = int(made["worker"]), truth.read(made["truth"])
    if view == "killed":
        return complaints + deaths.same(processes, events)
    if reader == "failed":
        return complaints + fexecs.same(processes, events, machine == "s390x")
    if is_wide:
        missed = json.loads(lines[-1]).get("missed", 0) if lines else 0
        complaints += wide.same(
            wide.expected(processes, worker, held, PLACES.get(reader)), events, missed)
        return complaints + wide.costs(processes, events, machine == "s390x")
    expected = truth.basic_events(processes, worker)
    if held:
        del expected[worker][0]
    wanted = re.search(r"--pid (\S+)", made["arguments"].decode())
    if wanted:
        wanted = {int(pid) for pid in wanted[1].split(",")}
        complaints += [f"not asked for: {event}" for event in events if event.pid not in wanted]
        expected = {pid: rows for pid, rows in expected.items() if pid in wanted}
        kinds = {event.kind for rows in expected.values() for event in rows}
        if worker not in wanted or len(expected) < 4 or len(kinds) < 3:
            complaints.append(f"--pid was hardly tried: of {wanted} only {set(expected)} lived")
    return complaints + same(expected, events)


def said(messages, printed, may_skip=False):
    """The program's standard error: it began, and printed all that happened."""
    messages = [line for line in messages if not line.startswith(WARNING)]
    if len(messages) != 2 or not messages[0].startswith("tuxscope: tracing "):
        return [f"unexpected messages: {messages}"]
    # 7.0 was seen to skip a handler of the wide mode while another task of the CPU was in it.
    missed = r"(, up to [0-9]+ more missed by the kernel)?" if may_skip else ""
    summary = rf"tuxscope: {printed} events? printed, 0 lost{missed} in [0-9.]+ s"
    if not re.fullmatch(summary, messages[1]):
        return [f"{printed} events, but it said: {messages[1]}"]
    return []


def same(expected, events):
    """Each process has exactly the events that it must have, and made no other ones."""
    seen = defaultdict(list)
    for event in events:
        seen[event.pid].append(event)
    complaints = [f"id {pid}: expected {_brief(rows)}, got {_brief(seen[pid])}"
                  for pid, rows in expected.items() if seen[pid] != rows]
    complaints += [f"a child that nobody made: {event}" for event in events
                   if event.ppid in expected and event.pid not in expected]
    return complaints


def _brief(rows):
    return "; ".join(f"{row.kind} ppid {row.ppid} {row.comm}" for row in rows) or "nothing"


def read_json(lines, made):
    """Events of JSON lines, and complaints about the lines themselves."""
    events, complaints, last = [], [], {}
    began, ended = int(made["began"]), int(made["ended"]) + 20_000_000
    by_text = _by_text(made, lambda comm: comm.decode(errors="replace"))
    for line in lines:
        fields = json.loads(line)
        if list(fields) != BASIC_KEYS or json.dumps(
                fields, separators=(",", ":"), ensure_ascii=False) != line:
            complaints.append(f"not the basic line: {line}")
        pid, time = fields["pid"], fields["timestamp_ns"]
        kind = fields["event_type"]
        before, kind_before = last.get(pid, (0, None))
        # Threads that end together get their places on the ring in one order, their times in another.
        together = kind == kind_before == "exit"
        if not began <= time <= ended or (time < before and not together):
            complaints.append(f"id {pid}: time {time} is not in {began}..{ended} or goes back")
        last[pid] = (time, kind)
        comm = by_text.get(fields["comm"], fields["comm"].encode())
        events.append(Event(kind, pid, fields["ppid"], comm))
    return events, complaints


def read_table(lines, made):
    """Events of the table, and complaints about its lines."""
    events, complaints = [], []
    by_text = _by_text(made, _shown)
    if lines[:1] != [HEADER]:
        complaints.append(f"not the header: {lines[:1]}")
    for line in lines[1:]:
        row = re.fullmatch(r"(\d+) +(\d+) +(.*?) +(FORK|EXEC|EXIT)", line)
        if not row:
            complaints.append(f"not a row: {line!r}")
            continue
        pid, ppid, comm, kind = row.groups()
        if line != f"{pid:<10}{ppid:<10}{comm:<19} {kind}":
            complaints.append(f"columns moved: {line!r}")
        comm = by_text.get(comm, comm.encode())
        events.append(Event(kind.lower(), int(pid), int(ppid), comm))
    return events, complaints


def _by_text(made, show):
    """How the worker's own names look in a format -> the names."""
    comms = [bytes.fromhex(process["comm_hex"]) for process in truth.read(made["truth"])
             if "comm_hex" in process]
    return {show(comm): comm for comm in comms}


def _shown(comm):
    """A name as the table shows it."""
    text = ""
    for char in comm.decode(errors="surrogateescape"):
        code = ord(char)
        if char == "\\":
            text += "\\\\"
        elif code < 32 or code == 127:
            text += f"\\x{code:02x}"
        elif 0xdc80 <= code <= 0xdcff:
            text += f"\\x{code - 0xdc00:02x}"
        else:
            text += char
    return text


READERS = {"json": read_json, "table": read_table, "pid": read_json, "wide": wide.read,
           "cgroup": wide.read, "unit": wide.read, "container": wide.read, "killed": wide.read,
           "failed": wide.read, "interpreted": wide.read}
# Where the worker ran, where it wasn't the root.
PLACES = {
    "unit": {"cgroup": "/user.slice/user-0.slice/user@0.service/app.slice/worker.service",
             "unit": "user@0.service", "user_unit": "worker.service"},
    "container": {"cgroup": f"/docker/{4 * '0123456789abcdef'}", "container": 4 * "0123456789abcdef",
                  "runtime": "docker"},
}
