#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The bill of materials by CycloneDX's own schema, and against what two others say is in the program.

    check.py PROGRAM BOM
"""

import json
import subprocess
import sys
import zlib
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

TRIPLE = "x86_64-unknown-linux-gnu"


def in_program(path):
    """(name, version) -> whether it is linked, by the list that cargo-auditable has put there."""
    section = subprocess.run(["objcopy", "--output-target=binary", "--only-section=.dep-v0",
                              "--set-section-flags=.dep-v0=alloc,contents", path, "/dev/stdout"],
                             check=True, stdout=subprocess.PIPE).stdout
    if not section:
        sys.exit(f"{path} holds no list of its crates: is cargo-auditable installed?")
    packages = json.loads(zlib.decompress(section))["packages"]
    return {(package["name"], package["version"]): package.get("kind", "runtime") == "runtime"
            for package in packages if not package.get("root")}


def by_cargo(edges):
    """The crates that such edges reach."""
    lines = subprocess.run(["cargo", "tree", "--locked", "--features", "static", "--target", TRIPLE,
                            "--edges", edges, "--prefix", "none", "--format", "{p}"],
                           check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    crates = {tuple(line.split()[:2]) for line in lines}
    return {(name, version[1:]) for name, version in crates if name != "tuxscope"}


def by_bom(bom):
    """(name, version) -> whether it is linked."""
    return {(component["name"], component["version"]): component["scope"] == "required"
            for component in bom["components"] if component["purl"].startswith("pkg:cargo/")}


def main(program, path):
    text = Path(path).read_text()
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong:
        sys.exit(f"{path} isn't CycloneDX 1.6: {wrong}")
    bom = json.loads(text)
    told, held = by_bom(bom), in_program(program)
    linked = {crate for crate, is_linked in told.items() if is_linked}
    if linked != by_cargo("normal,no-proc-macro"):
        sys.exit(f"linked, by one of {path} and cargo: {linked ^ by_cargo('normal,no-proc-macro')}")
    if set(told) != by_cargo("normal,build"):
        sys.exit(f"taken, by one of {path} and cargo: {set(told) ^ by_cargo('normal,build')}")
    # cargo-auditable goes by cargo's metadata: where a crate is there for the tests alone, or a
    # macro's crate counts as linked, it says more.
    if not set(told) <= set(held) or not linked <= {c for c, is_linked in held.items() if is_linked}:
        sys.exit(f"{program} doesn't list {set(told) - set(held)}")
    refs = {component["bom-ref"] for component in bom["components"]}
    refs.add(bom["metadata"]["component"]["bom-ref"])
    loose = refs ^ {dependency["ref"] for dependency in bom["dependencies"]}
    if any(not ref.startswith("generic/") for ref in loose):
        sys.exit(f"{path}: no dependencies of {loose}")
    print(f"{path}: CycloneDX 1.6, {len(linked)} crates linked, {len(told) - len(linked)} for the build "
          f"alone, {len(refs) - 1 - len(told)} libraries; {program} lists {len(held)} crates, all of these "
          f"and {len(set(held) - set(told))} more: {sorted(set(held) - set(told))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
