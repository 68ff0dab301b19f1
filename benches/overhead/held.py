# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether anything is lost when the reader can't run for a while."""

import signal
import subprocess
import time

import storms
from running import Running

HELD_S = 0.2


def measure(tracers, programs, directory, rounds):
    """Rows of events lost in storms in whose middle the reader was stopped: `held_in_storm` is in
    how many the storm was still on when the reader went on."""
    rows = []
    for tracer in tracers:
        for kind, count in storms.SIZES.items():
            hit = lost = 0
            for _ in range(rounds):
                running = Running(tracer, directory, await_s=10)
                command = programs.command(kind, count)
                storm = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                time.sleep(0.1)
                running.process.send_signal(signal.SIGSTOP)
                time.sleep(HELD_S)
                hit += storm.poll() is None
                running.process.send_signal(signal.SIGCONT)
                storm.wait()
                running.end()
                lost += running.lost()
            rows.append({"tracer": tracer.name, "storm": kind, "runs": rounds,
                         "held_in_storm": hit, "lost": lost})
    return rows
