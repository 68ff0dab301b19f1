# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the drivers of both browsers have in common."""

import shutil
import subprocess
import tempfile
import time


class Driver:
    """A browser with one page. Its class starts `self.process`, and has load, ask, and complaints."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="tuxscope-page-")
        self.number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        # Asked to, it ends the others of its processes, which write to the profile.
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def open(self, path, fragment=""):
        """Loads a file, and waits until the page says that it is ready."""
        self.load(f"file://{path}{fragment}")
        deadline = time.monotonic() + 60
        while self.ask("document.documentElement?.dataset.state") != "ready":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} is not drawn: {self.complaints()}")
            time.sleep(0.02)
