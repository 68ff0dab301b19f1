#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fails unless a package's licence tag names what its crates say, and nothing else.

    licences.py TAG LICENSE.dependencies
"""

import sys
from pathlib import Path


def parts(expression):
    """What holds together: each a choice, in whatever order it is written."""
    return {tuple(sorted(part.strip("() ").replace("/", " OR ").split(" OR ")))
            for part in expression.split(" AND ")}


tag, path = sys.argv[1:]
crates = set().union(*(parts(line.rpartition(": ")[0])
                       for line in Path(path).read_text().splitlines() if line))
if parts(tag) != crates:
    sys.exit(f"the tag and {path} differ by {parts(tag) ^ crates}")
