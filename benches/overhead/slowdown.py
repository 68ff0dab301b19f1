# SPDX-License-Identifier: MIT OR Apache-2.0
"""How much slower a storm is under each tracer, and what that tracer uses."""

import json
import time
from statistics import median

import storms
from running import Failed, Running

AWAIT_OURS_S = 10.0


def measure(tracers, programs, directory, rounds, note):
    """A row for each tracer and storm. All take their turn in each round, each between two
    untraced runs."""
    samples = {}
    for number in range(rounds):
        note(f"round {number + 1} of {rounds}")
        for kind, count in storms.SIZES.items():
            before = programs.run(kind, count)["ns"]
            for tracer, start_ms in tracers:
                try:
                    sample = traced(tracer, start_ms, programs, directory, kind, count)
                except Failed as failure:
                    note(f"{tracer.name}: {failure}")
                    continue
                after = programs.run(kind, count)["ns"]
                sample["slowdown"] = sample.pop("ns") / ((before + after) / 2)
                samples.setdefault((tracer.name, kind), []).append(sample)
                before = after
    return [row(name, kind, runs) for (name, kind), runs in samples.items()]


def traced(tracer, start_ms, programs, directory, kind, count):
    """One storm under a tracer."""
    command = programs.command(kind, count)
    # What starting has cost is not the storm's.
    began = start_cost(tracer, programs, directory) if tracer.launches else 0
    await_s = AWAIT_OURS_S if tracer.is_ours else 2 * start_ms / 1e3 + 0.3
    running = Running(tracer, directory, await_s, command if tracer.launches else ())
    try:
        if tracer.launches:
            truth = json.loads(running.launched_said())
        else:
            began = running.usage()["cpu_ns"]
            truth = programs.run(kind, count)
        usage = running.usage()
    finally:
        running.end()
    time.sleep(0.05)
    made = storms.made(kind, truth, tracer)
    output = directory / "launched" if tracer.launches else running.output
    captured = None
    if made and not tracer.filtered:
        captured = min(tracer.captured(output) / made, 1.0)
    return {
        "ns": truth["ns"],
        "cpu_us": (usage["cpu_ns"] - began) / count / 1e3,
        "rss_kb": usage["rss_kb"],
        "captured": captured,
        "lost": running.lost() if tracer.is_ours else None,
    }


def start_cost(tracer, programs, directory):
    """CPU time of a tracer that launches a storm of one."""
    running = Running(tracer, directory, 0, programs.command("fork", 1, workers=1))
    running.launched_said()
    cpu_ns = running.usage()["cpu_ns"]
    running.end()
    return cpu_ns


def row(name, kind, runs):
    slowdowns = [run["slowdown"] for run in runs]
    captured = [run["captured"] for run in runs if run["captured"] is not None]
    return {
        "tracer": name,
        "storm": kind,
        "runs": len(runs),
        "slowdown_median": median(slowdowns),
        "slowdown_min": min(slowdowns),
        "slowdown_max": max(slowdowns),
        "cpu_us_per_task": median(run["cpu_us"] for run in runs),
        "peak_rss_kb": max(run["rss_kb"] for run in runs),
        "captured_min": min(captured) if captured else None,
        "lost": sum(run["lost"] for run in runs) if runs[0]["lost"] is not None else None,
    }
