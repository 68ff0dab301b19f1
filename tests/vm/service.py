#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tries the package's service under the real systemd of Debian releases, in QEMU.

    service.py PACKAGE.deb RELEASE=KERNEL...    trixie=6.12

The release's root is target/vm/root-RELEASE.tar. What happens there: service.sh.
"""

import json
import re
import sys
import time
from pathlib import Path

import guest
import initramfs
import report
from archive import Archive

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1] / "target/vm"
ARGUMENTS = ("systemd.wants=test.service "
             # The archive needs the console for itself.
             "systemd.show_status=0 systemd.getty_auto=0 loglevel=1")
MEMORY = 1536  # MiB: the root is unpacked there
SECONDS = 900  # it takes 100 where nothing else fills the host
DYNAMIC_USERS = range(61184, 65520)  # systemd's
EXPOSURE = 2.0
CHILDREN = {"start": 20, "reload": 200, "restart": 20, "alive": 20, "hung": 20}


class Notes:
    """The files of a guest, by phase."""

    def __init__(self, files):
        self.files = files

    def text(self, path):
        """A file without the blanks around it."""
        return self.files[path].decode(errors="replace").strip()

    def fields(self, path, separator):
        """Lines of a name and a value."""
        lines = self.text(path).splitlines()
        pairs = (line.partition(separator) for line in lines)
        return {name: value.strip() for name, _, value in pairs}

    def show(self, phase):
        """What `systemctl show` said."""
        return self.fields(f"{phase}/properties", "=")

    def differs(self, phase, **expected):
        """Notes that are not as expected; `_` stands for what isn't in a name here."""
        found = {name: self.text(f"{phase}/{name.replace('_', '-')}") for name in expected}
        return _differences(found, expected)

    def status(self, phase, **expected):
        """Exit statuses that are not as expected."""
        found = {name: int(self.text(f"{phase}/{name}.status")) for name in expected}
        complaints = _differences(found, expected)
        return complaints + [f"{name} said: {self.text(f'{phase}/{name}')}"
                             for name in expected if complaints]

    def shows(self, phase, **expected):
        """Properties of the service that are not as expected."""
        return _differences(self.show(phase), expected)

    def journal_lacks(self, phase, *patterns):
        """What the journal does not say."""
        journal = self.text(f"{phase}/journal")
        return [f"the journal does not say {pattern!r}: {journal}" for pattern in patterns
                if not re.search(pattern, journal, re.MULTILINE)]


def _differences(found, expected):
    return [f"{name} is {found.get(name)!r}, not {value!r}"
            for name, value in expected.items() if found.get(name) != value]


CLOSING = r"^tuxscope: [0-9]+ events? printed, 0 lost in [0-9.]+ s$"


def install(notes):
    """It does not run unless asked to."""
    return (notes.status("install", dpkg=0)
            + notes.differs("install", is_active="inactive", is_enabled="disabled"))


def start(notes):
    """Started means attached: the first child's fork is in the capture. A user of its own writes
    files of its own and has no capability left."""
    complaints = notes.status("start", start=0) + notes.differs("start", is_active="active")
    complaints += notes.shows("start", ActiveState="active", NRestarts="0", WatchdogUSec="30s")
    process = notes.fields("start/process", ":")
    none = "0" * 16
    complaints += _differences(process, {"CapInh": none, "CapPrm": none, "CapEff": none,
                                         "CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2"})
    users = set(process["Uid"].split())
    user, = users
    if int(user) not in DYNAMIC_USERS:
        complaints.append(f"it runs as {user}")
    expected = [f"700 {user} directory /var/log/tuxscope/",
                f"600 {user} regular file /var/log/tuxscope/events.jsonl",
                f"644 {user} regular file /run/tuxscope/metrics.prom"]
    files = notes.text("start/files").splitlines()
    if files != expected:
        complaints.append(f"its files are {files}, not {expected}")
    # Who isn't root gets there.
    if "tuxscope_processes_ended_total" not in notes.text("start/metrics"):
        complaints.append(f"its metrics are {notes.text('start/metrics')}")
    if exposure(notes) >= EXPOSURE:
        complaints.append(f"systemd-analyze security: {notes.text('start/security')}")
    return complaints


def exposure(notes):
    """The score of `systemd-analyze security`: 0 to 10, less is better."""
    security = notes.text("start/security")
    return float(re.search(r"exposure level for tuxscope.service: ([0-9.]+)", security)[1])


def reload(notes):
    """The same process goes on in a new file."""
    return (notes.status("reload", reload=0, reopened=0)
            + notes.shows("reload", MainPID=notes.show("start")["MainPID"], NRestarts="0"))


def restart(notes):
    """Another process, and the first has said that it lost nothing."""
    complaints = notes.status("restart", restart=0) + notes.differs("restart", is_active="active")
    if notes.show("restart")["MainPID"] == notes.show("start")["MainPID"]:
        complaints.append("the same process")
    return complaints + notes.journal_lacks("restart", CLOSING)


def alive(notes):
    """The watchdog is content with it."""
    return notes.shows("alive", ActiveState="active", NRestarts="0", WatchdogUSec="10s")


def hung(notes):
    """The watchdog ends a stopped process, and another one follows."""
    complaints = notes.status("hung", restarted=0)
    complaints += notes.shows("hung", ActiveState="active", NRestarts="1")
    complaints += notes.journal_lacks("hung", r"Watchdog timeout \(limit 10s\)")
    seconds = float(notes.text("hung/ended")) - float(notes.text("hung/began"))
    if seconds > 60:
        complaints.append(f"it took {seconds} s")
    return complaints


def stop(notes):
    """It ends in order."""
    return (notes.status("stop", stop=0) + notes.differs("stop", is_active="inactive")
            + notes.shows("stop", Result="success", ExecMainStatus="0")
            + notes.journal_lacks("stop", CLOSING))


def refused(notes):
    """Where rights are missing, one try is enough; systemd shows the status and the reason."""
    complaints = notes.status("refused", start=1)
    complaints += notes.shows("refused", ActiveState="failed", Result="exit-code", NRestarts="0",
                              ExecMainStatus="77")
    complaints += notes.journal_lacks("refused", "^tuxscope: tracing requires the capabilities ")
    status = notes.text("refused/status")
    if "status=77" not in status:
        complaints.append(f"systemctl status: {status}")
    return complaints


def compress(notes):
    """Old files are compressed, at the lowest priority, which the unit lets a thread take."""
    complaints = notes.status("compress", start=0, compressed=0, stop=0)
    complaints += notes.shows("compress", Result="success")
    complaints += notes.journal_lacks("compress", CLOSING)
    journal = notes.text("compress/journal")
    if "compress" in journal:
        complaints.append(f"it could not: {journal}")
    tasks = dict(line.rpartition(") ")[::2] for line in notes.text("compress/tasks").splitlines())
    nice = [fields.split()[16] for name, fields in tasks.items() if name.endswith("(compressor")]
    if nice != ["19"]:
        complaints.append(f"the compressor's nice value: {nice}")
    return complaints


def upgrade(notes):
    """A new version runs at once."""
    complaints = notes.status("upgrade", dpkg=0) + notes.differs("upgrade", is_active="active")
    if notes.show("upgrade")["MainPID"] == notes.text("upgrade/before"):
        complaints.append("the old version still runs")
    return complaints


def purge(notes):
    """Stopped, and nothing is left."""
    return (notes.status("purge", dpkg=0, process=1)
            + notes.differs("purge", is_active="inactive", left="")
            + notes.journal_lacks("purge", CLOSING))


def captures(notes):
    """Files of whole lines, in which each child has its fork, exec and exit."""
    files = {path.removeprefix("stop/logs/"): data for path, data in notes.files.items()
             if path.startswith("stop/logs/")}
    # Each start goes on in the file that is there, with a head of its own, as a reload does.
    wanted = ["events.jsonl", "moved.jsonl"]
    if sorted(files) != wanted:
        return [f"there are {sorted(files)}, not {wanted}"]
    head = b'{"event_type":"meta"'
    parts = [head + part for part in files["events.jsonl"].split(head)[1:]]
    if len(parts) != 4:
        return [f"events.jsonl has {len(parts)} heads"]
    reloaded, restarted, alive, hung = parts
    complaints = capture(notes, files["moved.jsonl"] + reloaded, "start", "reload")
    complaints += capture(notes, restarted, "restart")
    complaints += capture(notes, alive, "alive", whole=False)
    complaints += capture(notes, hung, "hung")
    for name, data in files.items():
        if not data.startswith(b'{"event_type":"meta"') or not data.endswith(b"}\n"):
            complaints.append(f"{name} has no beginning, or a torn line")
    return complaints


def capture(notes, data, *phases, whole=True):
    """One capture and the children of its phases; one that was killed has no end."""
    records = [json.loads(line) for line in data.splitlines()]
    events = [record for record in records if record["event_type"] in ("fork", "exec", "exit")]
    complaints = []
    last = records[-1]
    if not whole:
        if last["event_type"] == "summary":
            complaints.append(f"{phases}: it was not killed: {last}")
    elif last["event_type"] != "summary" or not last["complete"] or any(last["lost"].values()):
        complaints.append(f"{phases}: not the end of a whole capture: {last}")
    elif last["printed"] != len(events):
        complaints.append(f"{phases}: {len(events)} events, but {last}")
    for phase in phases:
        children = [line.split() for line in notes.text(f"{phase}/children").splitlines()]
        if len(children) != CHILDREN[phase]:
            complaints.append(f"{phase}: {len(children)} children were made")
        for pid, code in children:
            life = [event for event in events if event["pid"] == int(pid)]
            complaints += [f"{phase}: {wrong}" for wrong in child(life, int(code))]
    return complaints


def child(life, code):
    """The events of one child."""
    if [event["event_type"] for event in life] != ["fork", "exec", "exit"]:
        return [f"a child with status {code} has {life}"]
    _, began, ended = life
    found = {"args": began["args"], "exit_code": ended.get("exit_code")}
    return _differences(found, {"args": ["sh", "-c", f"exit {code}", "known-child"],
                                "exit_code": code})


def judge(notes):
    """All complaints about a guest."""
    complaints = []
    for check in (install, start, reload, restart, alive, hung, stop, captures, refused, compress,
                  upgrade, purge):
        try:
            found = check(notes)
        except (KeyError, ValueError, TypeError) as error:
            found = [f"can't be read: {error!r}"]
        complaints += [f"{check.__name__}: {complaint}" for complaint in found]
    return complaints


def script_files(script):
    """What makes systemd run a script of this directory, by paths in the guest."""
    return {"test/test.sh": (HERE / script).read_bytes(),
            "test/notes.sh": (HERE / "notes.sh").read_bytes(),
            "etc/systemd/system/test.service": (HERE / "test.service").read_bytes()}


def attempt(archive, package, release, version):
    """Tries one release."""
    _, kernel = archive.kernel(version, "cloud-amd64")
    image = ROOT / f"initramfs-{release}"
    image.write_bytes(initramfs.of_root(ROOT / f"root-{release}.tar") + initramfs.build(
        script_files("service.sh") | {"test/tuxscope.deb": package.read_bytes()}))
    began = time.monotonic()
    try:
        notes = Notes(guest.run("amd64", kernel, image, ROOT / f"console-{release}.log",
                                MEMORY, f"rdinit=/usr/lib/systemd/systemd {ARGUMENTS}", SECONDS))
    except guest.Wedged as error:
        print(f"FAILED  {release}: {error}")
        return False
    complaints = judge(notes)
    systemd = notes.text("install/systemd").splitlines()[0]
    name = f"{release}: {systemd}, Linux {notes.text('install/kernel')}"
    print(f"{'FAILED ' if complaints else 'ok     '} {name}, {time.monotonic() - began:.0f} s")
    for complaint in complaints[:report.SHOWN]:
        print(f"    {complaint}")
    if not complaints:
        print(f"    systemd-analyze security: {exposure(notes)}")
    return not complaints


def main(package, *releases):
    archive = Archive("amd64")
    results = [attempt(archive, Path(package), *release.split("=")) for release in releases]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
