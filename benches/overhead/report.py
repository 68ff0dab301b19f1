# SPDX-License-Identifier: MIT OR Apache-2.0
"""The results as text: tables that are Markdown, and readable as they are."""


LARGE = (
    "One ring buffer has one lock and one reader. On paper, from the figures above, for the wide mode: a short "
    "process is four records (fork, exec, exit, cost). A handler takes some 0.5 to 1.2 us, of which the lock is held for a part only; even "
    "if it were held throughout, four records would take 3 us, so that all CPUs together could not make more than some 340,000 "
    "processes a second. The reader takes some 0.5 us for an event, three of them a process: 640,000 a second at most, if "
    "it has a CPU for itself. The kernel's own part is larger: a process that only forks and exits takes some 80 us of CPU, one that "
    "execs several times that. So the limit lies at some 25 to 30 CPUs that do nothing but fork and exit, or at a hundred that do "
    "nothing but run programs which end at once; forks and exits take a lock of the whole machine themselves (`tasklist_lock`), so that "
    "so many CPUs don't make so many processes. Beyond it handlers wait for each other's lock for longer, and where the reader falls "
    "behind for longer than the buffer lasts, events are lost and counted; `--buffer-size` helps for a time, filters in BPF for good. A "
    "ring for each CPU would give up the order of events, which exits and their costs need, and would leave the one reader: it "
    "isn't worth it. No machine of that size was at hand: this is arithmetic. `make test-cpus` "
    "shows in a guest with eight CPUs that each task has its lines once and in their order."
)


def table(heads, rows):
    """A table whose first column is text and whose others are numbers."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *rows)]

    def line(cells):
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (width + 1) + (":" if i else "-")
                          for i, width in enumerate(widths)) + "|"
    return "\n".join([line(heads), rule, *map(line, rows)])


def percent(share):
    return "-" if share is None else f"{100 * share:.4g} %"


def text(results):
    """All of it."""
    parts = [
        "## Slow-down",
        "A storm's time under the tracer over its time untraced: median (least to most).",
        *slowdowns(results),
        "## Start",
        "From the tracer's start to the start of the first process that it shows (ours: median of 7).",
        table(["tracer", "ms"], [[name, f"{ms:.0f}"] for name, ms in results["startup"].items()]),
        "## Idle",
        "With a filter that keeps nothing.",
        table(["tracer", "wakeups/s", "CPU us/s"],
              [[row["tracer"], f"{row['wakeups_per_s']:.1f}", f"{row['cpu_us_per_s']:.0f}"]
               for row in results["idle"]]),
        "## A reader that can't run",
        "Events lost when the reader is stopped for 200 ms in the middle of a storm, default settings. "
        "(The storm outlasted it in so many of the runs.)",
        table(["tracer", "storm", "runs", "outlasted", "lost"],
              [[row["tracer"], row["storm"], row["runs"], row["held_in_storm"], row["lost"]]
               for row in results["held"]]),
        "## A handler's run",
        "By the kernel's count (`bpf_stats`), which itself adds some 20 ns; over all three storms.",
        table(["tracer", "handler", "runs", "ns per run"],
              [[row["tracer"], row["handler"], row["runs"], f"{row['ns_per_run']:.0f}"]
               for row in results["handlers"]]),
        "## A system call",
        "`getppid(2)`, alone and under the tracer in turns: medians of 15 pairs; \"more\" is that of their differences.",
        table(["tracer", "alone ns", "traced ns", "more ns"],
              [[row["tracer"], f"{row['alone_ns']:.0f}", f"{row['traced_ns']:.0f}",
                f"{row['more_ns']:.0f}"] for row in results["syscalls"]]),
        "## Scale",
        "CPU of the tracer per event, output to /dev/null, one run after the other in one capture.",
        table(["tracer", "events", "CPU ns/event", "RSS MB"],
              [[row["tracer"], f"{row['events']:,}", f"{row['cpu_ns_per_event']:.0f}",
                f"{row['rss_kb'] / 1000:.1f}"] for row in results["by_events"]]),
        crowd(results["by_processes"]),
        "## Large machines",
        LARGE,
        "## Replay",
        "From a made-up capture to a summary; `make bench-replay` does it beside jq and DuckDB.",
        table(["view", "events", "events/s", "MB/s", "peak RSS MB"],
              [[row["view"], f"{row['events']:,}", f"{row['events_per_s']:,.0f}",
                f"{row['bytes_per_s'] / 1e6:.0f}", f"{row['peak_rss_kb'] / 1000:.0f}"]
               for row in results["replay"]]),
    ]
    return "\n\n".join(parts) + "\n"


def slowdowns(results):
    for storm in dict.fromkeys(row["storm"] for row in results["slowdown"]):
        rows = [row for row in results["slowdown"] if row["storm"] == storm]
        yield f"### {storm}, {results['sizes'][storm]:,} by {results['workers']} workers"
        yield table(
            ["tracer", "slow-down", "CPU us/task", "peak RSS MB", "captured", "lost"],
            [[row["tracer"],
              f"{row['slowdown_median']:.2f} ({row['slowdown_min']:.2f}-{row['slowdown_max']:.2f})",
              f"{row['cpu_us_per_task']:.2f}", f"{row['peak_rss_kb'] / 1000:.1f}",
              percent(row["captured_min"]), "-" if row["lost"] is None else row["lost"]]
             for row in rows])


def crowd(row):
    return (f"With {row['live']:,} processes that sleep, in the wide mode: "
            f"{row['bytes_seen']:.0f} bytes of memory for each where the tracer saw its fork and exec, "
            f"{row['bytes_there']:.0f} where it was there before. An event of a thread storm beside "
            f"them takes {row['cpu_ns_beside']:.0f} ns of the tracer's CPU and the storm "
            f"{row['storm_ns_beside']:.0f} ns; where those processes are followed, and the storm is not "
            f"among them, {row['cpu_ns_followed']:.0f} ns and {row['storm_ns_followed']:.0f} ns.")


def document(results):
    """docs/performance.md."""
    machine = results["machine"]
    version = results["versions"]
    lines = [
        "# What tracing costs",
        "`make bench ARGS='--doc docs/performance.md'` has written this page; `make bench PEERS=1` "
        "installs the tracers that it compares with.",
        "## Method",
        f"Each tracer is started as its user would start it, with its output in a file; tuxscope is the "
        f"static program that the packages carry. Then "
        f"{results['workers']} workers make processes or threads as fast as they can, one after the "
        f"other each: `vfork` and exec of a program of one page that exits at once, `fork` of one "
        f"that exits at once, threads that return at once. Real programs do more, so these are the "
        f"worst that a tracer can do to them. All tracers take turns in {results['rounds']} rounds, each "
        f"storm between two untraced ones, whose mean it is compared with: so a machine that "
        f"becomes slower or faster in between changes little. CPU is what all threads of the tracer used "
        f"(`/proc/PID/task/*/schedstat`), per process or thread made; what the kernel does for it within "
        f"the traced programs is in the slow-down. RSS is `VmHWM`. Captured is the least share of the events "
        f"made (of the kinds that the tracer shows) that its output has.",
        f"Machine: {machine['cpus']} CPUs ({machine['cpu']}), {machine['memory_gib']} GiB, "
        f"{'virtual' if machine['virtual'] else 'not virtual'}, Linux {machine['kernel']}, load "
        f"{machine['load_before']} before. " + ", ".join(f"{k} {v}" for k, v in version.items()) + ".",
        text(results).rstrip(),
    ]
    if "events_bench" in results:
        bench = "\n".join(line.rstrip() for line in results["events_bench"].strip().splitlines())
        lines += ["## An event in user space", "By `cargo bench --bench events`, for 1,000 events each:",
                  f"```text\n{bench}\n```"]
    return "\n\n".join(lines) + "\n"
