# SPDX-License-Identifier: MIT OR Apache-2.0
"""Whether anything is lost when the reader can't run for a while."""

import signal
import subprocess
import time

import storms
from running import Running

HELD_S = 0.2


def measure(tracers, programs, directory, rounds):
    """Rows of events made and lost in storms in whose middle the reader was stopped."""
    rows = []
    for tracer in tracers:
        for kind, count in storms.SIZES.items():
            made = lost = 0
            for _ in range(rounds):
                running = Running(tracer, directory, await_s=10)
                command = programs.command(kind, count)
                storm = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                time.sleep(0.1)
                running.process.send_signal(signal.SIGSTOP)
                time.sleep(HELD_S)
                held_in_storm = storm.poll() is None
                running.process.send_signal(signal.SIGCONT)
                storm.wait()
                running.end()
                lost += running.lost()
                made += held_in_storm
            rows.append({"tracer": tracer.name, "storm": kind, "runs": rounds,
                         "held_in_storm": made, "lost": lost})
    return rows
