# SPDX-License-Identifier: MIT OR Apache-2.0
"""Boots a kernel under QEMU, without KVM, and takes from its console the files that it made."""

import base64
import hashlib
import io
import subprocess
import tarfile
import threading
from dataclasses import dataclass

COMMON = ["-accel", "tcg", "-display", "none",
          "-serial", "stdio", "-monitor", "none", "-nic", "none", "-no-reboot"]


@dataclass(frozen=True)
class Machine:
    """How QEMU makes a machine of an architecture, named as Debian names it."""

    qemu: list
    console: str
    seconds: int  # more than twice what a guest takes when other work fills the host


MACHINES = {
    "amd64": Machine(["qemu-system-x86_64", "-cpu", "max"], "ttyS0", 360),
    "arm64": Machine(["qemu-system-aarch64", "-cpu", "max", "-machine", "virt"], "ttyAMA0", 720),
    "ppc64el": Machine(["qemu-system-ppc64", "-cpu", "power9", "-machine", "pseries"], "hvc0", 900),
    "riscv64": Machine(["qemu-system-riscv64", "-machine", "virt"], "ttyS0", 900),
    "s390x": Machine(["qemu-system-s390x", "-cpu", "max", "-machine", "s390-ccw-virtio"], "ttysclp0", 900),
}


class Wedged(Exception):
    """The guest did not come to its end."""


class NeverBegan(Wedged):
    """The kernel died before it started anything of ours."""


def run(arch, kernel, initramfs, log, memory=768, arguments="", seconds=None, cpus=2):
    """The guest's files: path -> bytes. The console goes to the file `log`, too. `memory` is in
    MiB; the kernel gets `arguments` beside its own; `seconds` is what the guest may take; `cpus` may be more
    than there are.
    """
    machine = MACHINES[arch]
    seconds = seconds or machine.seconds
    command = [*machine.qemu, *COMMON, "-smp", str(cpus), "-m", str(memory), "-kernel", kernel, "-initrd", initramfs,
               "-append", f"console={machine.console} panic=-1 {arguments}"]
    lines = []
    with (open(log, "wb") as console,
          subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT) as process):
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        try:
            for line in process.stdout:
                console.write(line)
                lines.append(line.strip())
                if line.strip() == b"guest: end":
                    return _files(lines)
        finally:
            timed_out = not killer.is_alive()
            killer.cancel()
            process.kill()
    last = next((line for line in reversed(lines) if line), b"nothing").decode(errors="replace")
    why = f"no end within {seconds} s" if timed_out else "the guest died"
    began = any(b"as init process" in line for line in lines)
    raised = Wedged if began or timed_out else NeverBegan
    raise raised(f"{why}; its last line: {last}; console: {log}")


def _files(lines):
    """Unpacks the archive between its checksum and the end."""
    heads = [i for i, line in enumerate(lines) if line.startswith(b"guest: archive ")]
    if not heads:
        raise Wedged("the guest sent no archive")
    checksum = lines[heads[-1]].split()[2].decode()
    try:
        archive = base64.b64decode(b"".join(lines[heads[-1] + 1:-1]))
    except ValueError as error:
        raise Wedged(f"the guest's archive is damaged: {error}") from error
    if hashlib.sha256(archive).hexdigest() != checksum:
        raise Wedged("the guest's archive is damaged: its checksum differs")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name.removeprefix("./"): tar.extractfile(entry).read()
                for entry in tar if entry.isfile()}
