#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes an OCI image of the static program, from scratch and without a daemon.

    image.py PROGRAM LICENCES BOM OUTPUT.tar

The image holds the program, the licences of all that is in it, its bill of materials, and the
directories that are mounted over. The same files and the same commit give the same bytes, with the
same zlib.
"""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tomllib
from datetime import datetime, timezone
from pathlib import Path

MACHINES = {62: "amd64", 183: "arm64"}  # ELF's numbers
# /sys/fs/cgroup and the like come with what is mounted on /sys.
FOLDERS = ["dev", "etc", "proc", "run", "sys", "tmp", "usr", "usr/sbin", "usr/share",
           "usr/share/doc", "usr/share/doc/tuxscope", "usr/share/licenses",
           "usr/share/licenses/tuxscope", "var", "var/log", "var/log/tuxscope"]
MODES = {"tmp": 0o1777, "var/log/tuxscope": 0o700}


def archive(folders, files, time):
    """A tar archive; `files` is path -> mode and bytes. All belongs to root."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in folders:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, MODES.get(path, 0o755), time
            tar.addfile(entry)
        for path, (mode, data) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(data), mode, time
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def layer(program, licences, bom, time):
    """What the container's root is made of."""
    notices = sorted(Path(".").glob("LICENSE-*")) + [Path(licences)]
    files = {"usr/sbin/tuxscope": (0o755, program),
             f"usr/share/doc/tuxscope/{Path(bom).name}": (0o644, Path(bom).read_bytes())}
    files |= {f"usr/share/licenses/tuxscope/{notice.name}": (0o644, notice.read_bytes())
              for notice in notices}
    return archive(FOLDERS, files, time)


class Blobs:
    """What an image layout holds, by its sum."""

    def __init__(self):
        self.files = {}

    def add(self, kind, data):
        """Keeps it, and returns its descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = (0o644, data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}",
                "size": len(data)}

    def add_json(self, kind, data):
        """The same for what is JSON."""
        return self.add(f"{kind}+json", as_json(data))


def as_json(data):
    return json.dumps(data, separators=(",", ":")).encode()


def image(program, licences, bom, package, time):
    """The archive of the image layout."""
    blobs = Blobs()
    created = datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    platform = {"architecture": MACHINES[int.from_bytes(program[18:20], "little")], "os": "linux"}
    root = layer(program, licences, bom, time)
    labels = {f"org.opencontainers.image.{name}": value for name, value in {
        "created": created,
        "description": package["description"],
        "licenses": package["license"],
        "title": package["name"],
        "version": package["version"],
    }.items()}
    config = blobs.add_json("config.v1", {
        "created": created, **platform,
        "config": {
            # root, but with the capabilities that the container is given, and no others.
            "User": "0:0",
            "Env": ["PATH=/usr/sbin"],
            "Entrypoint": ["/usr/sbin/tuxscope"],
            "Cmd": ["proc", "--wide", "--format", "json"],
            "WorkingDir": "/",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(root).hexdigest()]},
        "history": [{"created": created, "created_by": "scripts/image.py"}],
    })
    manifest = blobs.add_json("manifest.v1", {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [blobs.add("layer.v1.tar+gzip", gzip.compress(root, 9, mtime=0))],
        "annotations": labels,
    })
    name = {"org.opencontainers.image.ref.name": f"{package['name']}:{package['version']}"}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
             "manifests": [manifest | {"platform": platform, "annotations": name}]}
    files = {"oci-layout": (0o644, as_json({"imageLayoutVersion": "1.0.0"})),
             "index.json": (0o644, as_json(index))}
    return archive(["blobs", "blobs/sha256"], files | blobs.files, time)


def main(program, licences, bom, output):
    package = tomllib.loads(Path("Cargo.toml").read_text())["package"]
    time = subprocess.run(["git", "-c", "safe.directory=*", "log", "-1", "--format=%ct"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_bytes(
        image(Path(program).read_bytes(), licences, bom, package, int(time)))


if __name__ == "__main__":
    main(*sys.argv[1:])
