#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What Debian calls the crates that Cargo.toml names: lines for Build-Depends of dist/debian/control.

    debian-crates.py            prints them
    debian-crates.py --check    compares them with what stands there
"""

import json
import re
import subprocess
import sys
from pathlib import Path

CONTROL = Path(__file__).resolve().parents[1] / "dist/debian/control"


def crates():
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    package, = found["packages"]
    return package["dependencies"]


def lines(crate):
    """As debcargo names packages: librust-NAME-VERSION+FEATURE-dev."""
    features = [feature.replace("_", "-") for feature in crate["features"]]
    features += ["default"] if crate["uses_default_features"] else []
    parts = ["", *(f"+{feature}" for feature in sorted(features))]
    # A crate's package brings its features' packages, or is them.
    parts = parts[1:] or parts
    name = f"librust-{crate['name'].replace('_', '-').lower()}"
    profile = " <!nocheck>" if crate["kind"] == "dev" else ""
    if bounds := re.fullmatch(r">=([0-9.]+), <([0-9.]+)", crate["req"]):
        wanted = [f"(>= {bounds[1]})", f"(<< {bounds[2]}~~)"]
        return [f" {name}{part}-dev {bound}{profile}," for part in parts for bound in wanted]
    version = re.fullmatch(r"\^([0-9.]+)", crate["req"])[1]
    numbers = version.split(".")
    # What semver holds compatible.
    compatible = numbers[0] if numbers[0] != "0" else ".".join(numbers[:2])
    least = f" (>= {version}-~~)" if version != compatible else ""
    return [f" {name}-{compatible}{part}-dev{least}{profile}," for part in parts]


def main(check=None):
    wanted = sorted({line for crate in crates() for line in lines(crate)})
    if check is None:
        print("\n".join(wanted))
        return 0
    there = [line for line in CONTROL.read_text().splitlines() if line.startswith(" librust-")]
    if there == wanted:
        return 0
    differ = "\n".join(sorted(set(there) ^ set(wanted)))
    print(f"{CONTROL.name}: Build-Depends and Cargo.toml differ, or the order does:\n{differ}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
