# SPDX-License-Identifier: MIT OR Apache-2.0
"""What tracing costs, ours beside the peers that are installed. `make bench` runs it as root."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import handlers
import held
import idle
import machine
import replay
import report
import scale
import slowdown
import startup
import storms
import syscalls
import tracers
from running import Failed

ROOT = Path(__file__).resolve().parent.parent.parent
# A start of ours takes so little that one run says little.
OUR_STARTS = 7


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="make bench ARGS=")
    parser.add_argument("--binary", default=str(ROOT / "target/static/tuxscope-x86_64"),
                        help="the tuxscope to measure (the static one, as packages carry it)")
    parser.add_argument("--rounds", type=int, default=4, help="storms under each tracer (4)")
    parser.add_argument("--events", type=int, default=10**7, help="the most in one capture (10^7)")
    parser.add_argument("--no-peers", action="store_true", help="measure tuxscope alone")
    parser.add_argument("--results", type=Path, default=ROOT / "target/bench/results.json",
                        help="where to write them as JSON")
    parser.add_argument("--doc", type=Path, help="write the page for docs/ there")
    parser.add_argument("--generator", default=str(ROOT / "target/release/examples/generate"),
                        help="what makes the captures that are replayed")
    parser.add_argument("--events-bench", type=Path, help="what cargo bench has printed")
    return parser.parse_args()


def startups(candidates, programs, directory):
    """Milliseconds for each tracer that works here."""
    found = {}
    for tracer in candidates:
        if tracer.launches:
            continue
        try:
            times = [startup.measure(tracer, programs, directory)
                     for _ in range(OUR_STARTS if tracer.is_ours else 1)]
            found[tracer.name] = median(times)
        except Failed as failure:
            note(f"{tracer.name} does not work here: {failure}")
    return found


def version(command):
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).split("\n")[0].split(" ")[-1]


def run(args, directory, quiet_pid):
    programs = storms.Programs(directory)
    launched = str(directory / "launched")
    ours = tracers.ours(args.binary, quiet_pid, launched)
    by_name = {tracer.name.removeprefix("tuxscope").strip(): tracer for tracer in ours}
    basic, json_, wide = by_name[""], by_name["json"], by_name["wide json"]
    quiet = [tracer for tracer in ours if tracer.filtered]
    peers, missing = tracers.present([] if args.no_peers else tracers.peers(launched))
    if missing:
        note(f"not installed, so not measured: {', '.join(missing)}")

    note("start")
    shown = [tracer for tracer in [*ours, *peers] if not tracer.filtered]
    starts = startups(shown, programs, directory)
    working = [(tracer, starts.get(tracer.name, 0)) for tracer in [*ours, *peers]
               if tracer.launches or tracer.filtered or tracer.name in starts]
    results = {
        "machine": machine.describe(),
        "versions": versions(args.binary, peers),
        "workers": storms.WORKERS,
        "sizes": storms.SIZES,
        "rounds": args.rounds,
        "startup": starts,
        "slowdown": slowdown.measure(working, programs, directory, args.rounds, note),
    }
    note("idle")
    results["idle"] = idle.measure(quiet, directory)
    note("stopped readers")
    results["held"] = held.measure([json_, wide], programs, directory, args.rounds)
    note("handlers")
    results["handlers"] = handlers.measure([basic, wide, *quiet], programs, directory)
    note("system calls")
    failed = tracers.Tracer("tuxscope --failed-execs", [args.binary, "proc", "--failed-execs"],
                            wide.line)
    results["syscalls"] = syscalls.measure([wide, failed], programs, directory)
    note("scale")
    results["by_events"] = scale.by_events([json_, wide], programs, directory, args.events)

    def follower(pid):
        command = [*wide.command, "--pid", str(pid), "--follow"]
        return tracers.Tracer("tuxscope --follow", command, wide.line, filtered=True)

    results["by_processes"] = scale.by_processes(wide, follower, programs, directory, 50_000)
    note("replay")
    results["replay"] = replay.measure(args.binary, args.generator, directory)
    return results


def versions(binary, peers):
    found = {"tuxscope": version([binary, "--version"])}
    for tracer in peers:
        flag = {"strace": "-V", "forkstat": "-h"}.get(tracer.program, "--version")
        found[tracer.program] = version([tracer.program, flag])
    return found


def main():
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Ignored in the background of a script, and so by the tracers, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    machine.private_tracefs()
    # Followed, and asleep.
    quiet = subprocess.Popen(["sleep", "infinity"])
    try:
        with tempfile.TemporaryDirectory(prefix="tuxscope-bench-") as directory:
            results = run(args, Path(directory), quiet.pid)
    finally:
        quiet.kill()
        quiet.wait()
    if args.events_bench:
        results["events_bench"] = args.events_bench.read_text()
    args.results.parent.mkdir(parents=True, exist_ok=True)
    args.results.write_text(json.dumps(results, indent=1) + "\n")
    if args.doc:
        args.doc.write_text(report.document(results))
    print(report.text(results))


main()
