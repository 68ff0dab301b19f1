# SPDX-License-Identifier: MIT OR Apache-2.0
"""What became of each kernel: lines, the table, and docs/kernels.md."""

from dataclasses import dataclass, field

COLUMNS = ["kernel", "boots", "attaches without tracefs", "events right", "says why not", "verified", "seconds"]
SHOWN = 12  # complaints of a kernel: what is behind them is mostly the same

PAGE = """\
<!-- Made by `make test-kernels`: edit tests/vm/report.py and tests/vm/kernels.toml instead. -->
# Kernels

tuxscope runs on Linux 5.8 and later, on x86-64, arm64, ppc64el, riscv64 and s390x: one program for each
architecture, compiled once, with no compiler, headers or libraries on the machine. The kernel must describe its types
(`CONFIG_DEBUG_INFO_BTF=y`: the file `/sys/kernel/btf/vmlinux`), which most distributions' kernels do.

## Tested

`make test-kernels` boots Debian's kernels in QEMU with the static program and a worker that makes
processes: fork, vfork, exec, exec from a thread, threads, a leader that ends before its threads,
`CLONE_PARENT`, a daemon, exit codes, deaths by signal, hostile names. What the program prints as
table, as JSON lines, with `--pid` and with `--wide` must be what the worker knows from wait(2) and
gettid(2), event by event, without tracefs and with it, and the basic mode also in lockdown's
confidentiality mode ("events right"). Where the kernel's types are hidden, bpf(2) is refused, or
lockdown forbids what the wide mode reads, the program must end with status 69 and a reason, and
`tuxscope check` must name what is missing; elsewhere it must find that both modes work ("says why
not"). "Verified" is how many instructions the kernel's verifier looked at of the largest program, in whichever
of these captures had the most, of a million that it takes; the test fails from 100,000 on (kernels before 5.16
don't tell). Of each series the newest patch that Debian's archive held when this was made, in Debian's flavour for virtual machines
where there is one ("amd64" is the plain one, "rt" the one with PREEMPT_RT, "64k" has pages of 64 KiB):

{table}

By program, on the kernel where the verifier looked at most, and how many bytes of the stack it takes with what it calls
(clang's `-fstack-usage`, in frames of 32 bytes), of 512 that there are:

{programs}

## What differs

{differences}

On s390x `cpu_ns` is what the scheduler counted, as the process's CPU clock has it; wait4(2) tells there what the
processor's own timer counted, without what the hypervisor took. And the arguments of a failed exec may be cut, which
`args_truncated` says: what fork copied can't be read there until the process has touched it, which exec does only
once it has found a file that it may run.

On these kernels `--failed-execs` slows execs alone on x86-64 from 6.1 and on arm64 from 6.4 on, and all system calls elsewhere.

With pages of 64 KiB small processes have no `max_rss_bytes`: the kernel counts pages by the dozen, and sees none.

Debian's kernels for riscv64 begin with net.core.bpf_jit_enable=0: BPF programs are interpreted, and cost more. On 6.12
all works either way; the captures with tracefs were made with 1.

On arm64 from 6.10 on, and on riscv64 and ppc64el from 6.13 on, tuxscope refuses to run with net.core.bpf_jit_enable=0: the
interpreter of such kernels calls some helpers at a wrong address, which crashed 6.12 on arm64 (the others were not tried).

Of the wide mode's keys `login_uid` is missing on a kernel without `CONFIG_AUDIT`. The keys that go by the
cgroup (`unit`, `container`, ...) need a mounted hierarchy of version 2.

Keys of an exit's cost are missing where the kernel doesn't count them: `read_bytes` and `write_bytes` without
`CONFIG_TASK_IO_ACCOUNTING`, `cpu_wait_ns` without `CONFIG_SCHED_INFO` or where its counting is switched off
(`CONFIG_SCHEDSTATS` is not set and the kernel was not started with `delayacct`). Debian's kernels count all of them.

## Types

The programs are compiled once; where the kernel's fields lie, they learn from its types when they are loaded (CO-RE).
`make test-btf` does that without a boot, for kernels of Debian's archive in the flavours cloud, plain and rt, on amd64 and
arm64 from 5.10 to 7.3, and on ppc64el, riscv64 and s390x those that it holds of 6.12: every field that is read must be there, or be one that the
programs ask for first. Debian's 6.1 of ppc64el and s390x has no types.

## Why 5.8

It introduced what everything here depends on: the BPF ring buffer, one for all CPUs, which keeps the
order of events; and CAP_BPF and CAP_PERFMON, so that tracing need not take all of root's rights.
An older kernel gets a message and exit status 69. Debian's archive holds no 5.8 and no 5.9: the
oldest kernel tested is 5.10.
"""


@dataclass
class Row:
    """The result of one kernel."""

    kernel: str
    package: str = ""
    boots: bool = False
    attaches: bool = False
    seconds: float = 0.0
    verified: dict = field(default_factory=dict)
    wrong_events: list = field(default_factory=list)
    wrong_refusals: list = field(default_factory=list)
    skipped: str = ""
    failure: str = ""

    def passed(self):
        """Everything was tried and right."""
        return (self.boots and self.attaches
                and not (self.wrong_events or self.wrong_refusals or self.skipped))

    def name(self):
        """The package's version, and the flavour where that isn't the usual one."""
        return f"{self.package} {self.kernel.partition('-')[2]}".strip() or self.kernel

    def cells(self):
        """The row of the table."""
        name = self.name()
        if self.skipped:
            return [f"{self.kernel}", *["skipped: " + self.skipped.partition(":")[0]] * 4, "-", "-"]
        if not self.boots:
            return [name, "NO", *["-"] * 4, f"{self.seconds:.0f}"]
        answers = [self.boots, self.attaches, not self.wrong_events, not self.wrong_refusals]
        verified = f"{max(self.verified.values()):,}" if self.verified else "-"
        return [name, *("yes" if answer else "NO" for answer in answers), verified,
                f"{self.seconds:.0f}"]

    def details(self):
        """What went wrong, a line each."""
        lines = [self.skipped, self.failure, *self.wrong_events, *self.wrong_refusals]
        lines = [line for line in lines if line]
        if len(lines) > SHOWN:
            lines[SHOWN:] = [f"and {len(lines) - SHOWN} more"]
        return [f"    {line}" for line in lines]


def line(row):
    """One kernel's summary."""
    if row.skipped:
        return f"SKIPPED {row.kernel}: {row.skipped}"
    verdict = "ok     " if row.passed() else "FAILED "
    return f"{verdict} {row.kernel} ({row.package}), {row.seconds:.0f} s"


def table(rows):
    """A Markdown table with straight columns."""
    return straight([COLUMNS, *(row.cells() for row in rows)])


def programs(rows, frames):
    """A table of the BPF programs: where the verifier had most to look at, and what each takes of the stack."""
    cells = [["program", "verified", "on", "stack"]]
    for program in dict.fromkeys(program for row in rows for program in row.verified):
        worst = max((row for row in rows if program in row.verified), key=lambda row: row.verified[program])
        cells.append([f"`{program}`", f"{worst.verified[program]:,}", worst.name(), str(frames.get(program, "-"))])
    return straight(cells)


def straight(cells):
    """A Markdown table of these rows, the first of which is its head."""
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
                     for row in cells)


def page(rows, kernels, frames):
    """docs/kernels.md"""
    differences = "\n".join(f"- {kernel['version']}: {kernel['differs']}"
                            for kernel in kernels if "differs" in kernel)
    return PAGE.format(table=table(rows), programs=programs(rows, frames), differences=differences)
