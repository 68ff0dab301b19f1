# SPDX-License-Identifier: MIT OR Apache-2.0
"""Packages of Debian's archive, through an apt configuration of our own.

The machine's apt gives the mirror and the keyring, and is left as it is.
"""

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1] / "target/vm"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
FRESH = 12 * 3600  # seconds that package lists are used for
TRIES = 12  # packages that are tried where the archive lists what it no longer holds


class Unavailable(Exception):
    """The archive can't be reached, or no longer has what is asked for."""


def mirror(label):
    """The address of a part of the archive, as the machine's own apt has it."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL)|$(SITE)", "Created-By: Packages"],
        capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        found, _, site = line.partition("|")
        if found == label:
            return site
    raise Unavailable(f"apt knows no mirror of {label}: is this Debian, and has apt-get update run?")


class Archive:
    """What the suites of kernels.toml have for an architecture. One for each: where one is incomplete, apt takes
    nothing of the others' either. `root` keeps what was taken."""

    def __init__(self, arch, root=None):
        self.arch = arch
        self.root = Path(root or ROOT / arch).resolve()
        with open(HERE / "kernels.toml", "rb") as file:
            self._configure(tomllib.load(file)["suites"])
        self._update()

    def _configure(self, suites):
        for folder in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d",
                       "etc/preferences.d"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "state/status").touch()
        options = f"[signed-by={KEYRING} arch={self.arch}]"
        (self.root / "etc/sources.list").write_text("".join(
            f"deb {options} {mirror(label)} {suite} main\n"
            for label, names in suites.items() for suite in names))
        machine = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True,
                                 check=False)
        proxies = [f"{line}\n" for line in machine.stdout.splitlines() if "Proxy" in line]
        (self.root / "apt.conf").write_text(
            f'Dir::State "{self.root}/state";\n'
            f'Dir::State::status "{self.root}/state/status";\n'
            f'Dir::Cache "{self.root}/cache";\n'
            f'Dir::Etc "{self.root}/etc";\n'
            f'APT::Architecture "{self.arch}";\n'
            f'APT::Architectures {{ "{self.arch}"; }};\n'
            'APT::Sandbox::User "";\n'  # apt's own user can't enter everybody's directories
            'Acquire::Languages "none";\n' + "".join(proxies))

    def _apt(self, *command, cwd=None):
        env = os.environ | {"APT_CONFIG": str(self.root / "apt.conf")}
        done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(done.stderr.strip() or f"{command[0]} failed")
        return done.stdout

    def _update(self):
        stamp = self.root / "state/updated"
        sources = (self.root / "etc/sources.list").read_text()
        if (stamp.exists() and stamp.read_text() == sources
                and time.time() - stamp.stat().st_mtime < FRESH):
            return
        try:
            self._apt("apt-get", "update", "--error-on=any")
        except Unavailable as error:
            # What other suites gave, or an earlier run, may do.
            print(f"warning: apt-get update: {error}", file=sys.stderr)
            return
        stamp.write_text(sources)

    def _candidates(self, pattern):
        """Name and version of the packages whose names match, the newest first."""
        names = [n for n in self._apt("apt-cache", "pkgnames").split() if re.fullmatch(pattern, n)]
        if not names:
            return []
        shown = self._apt("apt-cache", "show", *[f"{name}:{self.arch}" for name in names])
        found = set()
        for stanza in shown.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version): (.*)$", stanza, re.MULTILINE))
            if fields:
                found.add((fields["Package"], fields["Version"]))
        return sorted(found, key=lambda item: (_upstream(item[1]), item), reverse=True)

    def _take(self, candidates, member, prefix):
        """Of the first package that the archive really holds: version, and path of one file."""
        if not candidates:
            raise Unavailable("not in the archive")
        missing = {}
        for package, version in candidates[:TRIES]:
            target = self.root / f"{prefix}_{version}_{self.arch}"
            if target.exists():
                return version, target
            try:
                with tempfile.TemporaryDirectory(dir=self.root) as folder:
                    self._apt("apt-get", "download", f"{package}:{self.arch}={version}", cwd=folder)
                    deb, = Path(folder).iterdir()
                    _extract(deb, member, target)
            except Unavailable as error:
                missing[version] = str(error)
                continue
            if missing:
                print(f"warning: {self.arch}: listed, but not to be had: {', '.join(missing)}",
                      file=sys.stderr)
            return version, target
        raise Unavailable(f"no archive: {next(iter(missing.values()))}")

    def kernel(self, version, flavour):
        """The newest kernel of a series: the package's version, and the path of the image."""
        series = rf"{re.escape(version)}\.\d+[^-]*(-[^-]+)?-{flavour}"
        # From 6.19 on the files are in linux-binary, and linux-image only depends on it.
        candidates = (self._candidates(f"linux-binary-{series}")
                      or self._candidates(f"linux-image-{series}"))
        # In 7.3 the image moved from /boot to its modules.
        image = r"(boot/vmlinu[xz]-[^/]+|usr/lib/modules/[^/]+/vmlinu[xz])"
        return self._take(candidates, image, f"vmlinuz-{flavour}")

    def busybox(self):
        """A static busybox."""
        candidates = self._candidates("busybox-static")
        return self._take(candidates, r"(usr/)?bin/busybox", "busybox")[1]


def _upstream(version):
    return [int(n) for n in re.findall(r"\d+", version.partition(":")[2] or version)[:3]]


def _extract(deb, member, target):
    """Takes the one file whose path matches `member` out of a package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for entry in tar:
                if entry.isfile() and re.fullmatch(member, entry.name.removeprefix("./")):
                    partial = target.with_suffix(".partial")
                    partial.write_bytes(tar.extractfile(entry).read())
                    partial.rename(target)
                    break
            else:
                raise Unavailable(f"it holds no {member}")
        process.kill()
