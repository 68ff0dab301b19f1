# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tests of the page have in common: the browser, captures, and what is looked at."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

IN_FIREFOX = sys.argv[3:] == ["firefox"]
if IN_FIREFOX:
    from firefox import Browser
else:
    from browser import Browser

TUXSCOPE, GENERATE = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
META = {"event_type": "meta", "tool": "tuxscope", "version": "0.1.0", "schema": 1, "kernel": "6.18",
        "host": "builder", "boot_id": "b", "filters": [], "clock_offset_ns": 5, "timestamp_ns": 900,
        "cpus": 2}
HOSTILE = "</script><img src=x onerror=document.title='broken'>"


def event(kind, pid, ppid, comm, us, start_us, **more):
    """A line of the wide mode."""
    return {"pid": pid, "ppid": ppid, "comm": comm, "event_type": kind, "timestamp_ns": us * 1000,
            "time": f"2026-01-01T00:00:00.{us * 1000:09}Z", "tid": pid, "uid": 0,
            "start_ns": start_us * 1000, "cgroup_id": 1, "cgroup": "/", **more}


def life(pid, ppid, args, begin, end, code, cpu):
    """A process that was forked, ran a program, and ended."""
    return [event("fork", pid, ppid, "make", begin, begin, thread=False, parent_tid=ppid),
            event("exec", pid, ppid, args[0][:15], begin, begin, filename=args[0], args=args),
            event("exit", pid, ppid, args[0][:15], end, begin, thread=False, exit_code=code,
                  duration_ns=(end - begin) * 1000, cpu_ns=cpu * 1000, cpu_wait_ns=0)]


def failing_build():
    """make, a probe that it tolerates, and a compiler that fails below cc; a hostile name."""
    lines = [*life(10, 1, ["make", "all"], 1, 100_000, 2, 500),
             *life(11, 10, ["probe"], 1_000, 2_000, 1, 900),
             *life(12, 10, [HOSTILE], 3_000, 4_000, 0, 100),
             *life(13, 10, ["cc", "a.c"], 5_000, 90_000, 1, 1_000),
             *life(14, 13, ["cc1", "a.c"], 6_000, 80_000, 1, 70_000)]
    return written(lines)


def written(lines):
    """The capture that has these lines."""
    lines.sort(key=lambda line: line["timestamp_ns"])
    end = {"event_type": "summary", "complete": True, "printed": len(lines),
           "lost": {"fork": 0, "exec": 0, "exit": 0}, "elapsed_ns": 100_000_000}
    return "".join(json.dumps(line) + "\n" for line in [META, *lines, end])


def page(capture, directory):
    path = pathlib.Path(directory) / f"{pathlib.Path(capture).name}.html"
    subprocess.run([TUXSCOPE, "replay", "--format", "html", "-o", path, capture], check=True,
                   stderr=subprocess.DEVNULL)
    return path


class Case(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def made(self, events):
        """A capture of so many events."""
        capture = pathlib.Path(self.directory) / f"{events}.jsonl"
        with open(capture, "wb") as file:
            subprocess.run([GENERATE, str(events), "wide"], check=True, stdout=file)
        return capture

    def failing(self):
        return self.written(failing_build())

    def written(self, text):
        capture = pathlib.Path(self.directory) / "build.jsonl"
        capture.write_text(text)
        return page(capture, self.directory)

    def well(self, browser, path):
        """Nothing was loaded but the file, and nothing went wrong."""
        self.assertEqual(browser.complaints(), [])
        self.assertEqual([url.split("#")[0] for url in browser.requests()], [f"file://{path}"])

    def address(self, browser):
        """The address, once it tells what is shown."""
        time.sleep(0.5)
        return browser.ask("location.hash")


def painted(canvas, color):
    """How many pixels of a canvas have a colour of the style sheet."""
    return """(() => {
      const canvas = document.getElementById('%s');
      const probe = document.createElement('canvas').getContext('2d');
      probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--%s').trim();
      probe.fillRect(0, 0, 1, 1);
      const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
      // Of a copy, because browsers complain of one that is read often.
      const copy = document.createElement('canvas');
      [copy.width, copy.height] = [canvas.width, canvas.height];
      const context = copy.getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      let n = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i] === r && data[i + 1] === g && data[i + 2] === b) n++;
      }
      return n;
    })()""" % (canvas, color)


# Until what has changed is drawn.
FRAME = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
