#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Prints what the static program is made of, as a CycloneDX document.

    sbom.py TRIPLE VENDOR    VENDOR holds the sources of the crates

Crates that only the build takes have the scope "excluded": nothing of them is in the program. The C
libraries that two crates carry, the C library and Rust's own are in it, and no list of crates names
them. The same sources give the same bytes, with the same compiler and C library.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path

NAME = "tuxscope"
CARGO = os.environ.get("CARGO", "cargo")


def output(*command):
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def tree(triple, edges):
    """(name, version) of the crates that are reached by such edges, without ours."""
    lines = output(CARGO, "tree", "--locked", "--features", "static", "--target", triple, "--edges", edges,
                   "--prefix", "none", "--format", "{p}").splitlines()
    found = {tuple(line.split()[:2]) for line in lines}
    return {(name, version.removeprefix("v")) for name, version in found} - {(NAME, own_version())}


def own_version():
    """Ours."""
    return tomllib.loads(Path("Cargo.toml").read_text())["package"]["version"]


def checksums():
    """(name, version) -> the sum of what the registry gave."""
    return {(package["name"], package["version"]): package["checksum"]
            for package in tomllib.loads(Path("Cargo.lock").read_text())["package"]
            if "checksum" in package}


def defined(path, pattern):
    """A version, by the numbers that its lines in a source file have."""
    found = re.findall(pattern, path.read_text(), re.MULTILINE)
    if not found:
        sys.exit(f"sbom.py: {path} names no version")
    return ".".join(found)


def libraries(vendor):
    """What is in the program and no crate: name, version, licence, the crate that carries it, and the
    name by which the National Vulnerability Database knows it."""
    bpf, = vendor.glob("libbpf-sys-*")
    zstd, = vendor.glob("zstd-sys-*")
    libc = output("getconf", "GNU_LIBC_VERSION").split()[1]
    rust = output(os.environ.get("RUSTC", "rustc"), "--version").split()[1]
    return [
        ("libbpf", defined(bpf / "libbpf/src/Makefile", r"^LIBBPF_\w+_VERSION := (\d+)$"),
         "LGPL-2.1-only OR BSD-2-Clause", bpf, None),
        ("elfutils", defined(bpf / "elfutils/configure.ac", r"^AC_INIT\(\[elfutils\],\[([\d.]+)\]"),
         "LGPL-3.0-or-later OR GPL-2.0-or-later", bpf, "elfutils_project:elfutils"),
        ("zlib", defined(bpf / "zlib/zlib.h", r'^#define ZLIB_VERSION "([\d.]+)'), "Zlib", bpf,
         "zlib:zlib"),
        ("zstd", defined(zstd / "zstd/lib/zstd.h",
                         r"^#define ZSTD_VERSION_(?:MAJOR|MINOR|RELEASE) +(\d+)$"),
         "BSD-3-Clause OR GPL-2.0-only", zstd, "facebook:zstandard"),
        ("glibc", libc, "LGPL-2.1-or-later", None, "gnu:glibc"),
        ("rust-std", rust, "MIT OR Apache-2.0", None, "rust-lang:rust"),
    ]


def crate(name, version, licence, linked, checksum):
    """A crate's component."""
    # The registry's older crates say MIT/Apache-2.0.
    licence = licence.replace("/", " OR ")
    return {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "scope": "required" if linked else "excluded",
        "hashes": [{"alg": "SHA-256", "content": checksum}],
        "licenses": [{"expression": licence}],
        "purl": f"pkg:cargo/{name}@{version.replace('+', '%2B')}",
    }


def library(name, version, licence, cpe):
    """The component of what is no crate."""
    component = {
        "type": "library",
        "bom-ref": f"generic/{name}@{version}",
        "name": name,
        "version": version,
        "scope": "required",
        "licenses": [{"expression": licence}],
    }
    if cpe:
        component["cpe"] = f"cpe:2.3:a:{cpe}:{version}:*:*:*:*:*:*:*"
    return component | {"purl": f"pkg:generic/{name}@{version}"}


def document(triple, vendor):
    """All of it."""
    metadata = json.loads(output(CARGO, "metadata", "--locked", "--format-version", "1", "--features",
                                 "static", "--filter-platform", triple))
    packages = {package["id"]: package for package in metadata["packages"]}
    linked = tree(triple, "normal,no-proc-macro")
    # cargo metadata takes what only the tests want, too.
    taken = tree(triple, "normal,build")
    sums = checksums()
    ours = (NAME, own_version())

    components, dependencies = [], {}
    for node in metadata["resolve"]["nodes"]:
        package = packages[node["id"]]
        key = (package["name"], package["version"])
        if key not in taken | {ours}:
            continue
        if key != ours:
            components.append(crate(*key, package["license"], key in linked, sums[key]))
        uses = {(packages[dep["pkg"]]["name"], packages[dep["pkg"]]["version"])
                for dep in node["deps"] if any(kind["kind"] != "dev" for kind in dep["dep_kinds"])}
        dependencies["@".join(key)] = {"@".join(used) for used in uses & taken}
    for name, number, licence, carrier, cpe in libraries(vendor):
        components.append(library(name, number, licence, cpe))
        user = "@".join(carrier.name.rsplit("-", 1)) if carrier else "@".join(ours)
        dependencies[user].add(components[-1]["bom-ref"])

    content = {
        "metadata": {"component": {
            "type": "application", "bom-ref": "@".join(ours), "name": NAME, "version": ours[1],
            "description": f"The static program for {triple}",
            "licenses": [{"expression": next(package["license"] for package in packages.values()
                                             if package["name"] == NAME)}],
        }},
        "components": sorted(components, key=lambda component: component["bom-ref"]),
        "dependencies": [{"ref": ref, "dependsOn": sorted(on)}
                         for ref, on in sorted(dependencies.items())],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content))
    return {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX",
            "specVersion": "1.6", "serialNumber": f"urn:uuid:{serial}", "version": 1} | content


if __name__ == "__main__":
    print(json.dumps(document(sys.argv[1], Path(sys.argv[2])), indent=1))
