# SPDX-License-Identifier: MIT OR Apache-2.0
"""A tracer that runs: started, ready, measured, ended."""

import atexit
import re
import signal
import subprocess
import time

import procfs


class Failed(Exception):
    """A tracer does not work on this machine."""


class Running:
    """A tracer with its output in a file. One of ours tells when it is ready, another one is given
    `await_s`; one that launches what it traces is given the storm's command."""

    def __init__(self, tracer, directory, await_s, command=(), output=None):
        self.tracer = tracer
        self.output = output or directory / "events"
        self.errors = directory / "errors"
        stdin = stdout = None
        if tracer.launches:
            # The command waits before it ends, so that its tracer is still there to be looked at.
            wait = '"$@" && read -r _'
            command = ["sh", "-c", wait, "sh", *command]
            stdin, stdout = subprocess.PIPE, subprocess.PIPE
        with open(self.output, "wb") as out, open(self.errors, "wb") as errors:
            self.process = subprocess.Popen([*tracer.command, *command], stdin=stdin,
                                            stdout=stdout or out, stderr=errors)
        # Should the benchmark itself be ended.
        atexit.register(self.end)
        if not tracer.launches and await_s > 0:
            self._await_ready(await_s)

    @property
    def pid(self):
        return self.process.pid

    def _await_ready(self, await_s):
        end = time.monotonic() + await_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failed(self.said().strip().splitlines()[-1:])
            if self.tracer.is_ours and "tracing" in self.said():
                return
            time.sleep(0.01)
        if self.tracer.is_ours:
            raise Failed(self.said())

    def said(self):
        """Its standard error so far."""
        return self.errors.read_text(errors="replace")

    def launched_said(self):
        """The storm's account of itself, where it was launched."""
        line = self.process.stdout.readline()
        if not line:
            raise Failed(self.said().strip().splitlines()[-1:])
        return line

    def usage(self):
        """What it has used, once it has caught up."""
        procfs.wait_until_idle(self.pid)
        return {"cpu_ns": procfs.cpu_ns(self.pid), "rss_kb": procfs.status(self.pid, "VmHWM")}

    def end(self):
        """Ends it as its user would, unless it has ended."""
        atexit.unregister(self.end)
        if self.process.poll() is not None:
            return
        if self.tracer.launches:
            self.process.stdin.close()
        else:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def lost(self):
        """Of tuxscope that has ended: how many events it has lost."""
        found = re.search(r"events? printed, (\d+) lost", self.said())
        if not found:
            raise Failed(self.said())
        return int(found[1])
