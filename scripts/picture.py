#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""scripts/picture.py COMMAND < TEXT > SVG: draws a terminal that shows a command and what it
printed, with its colours (SGR sequences)."""

import re
import sys
from html import escape

WIDTH, LINE, LEFT, TOP = 7.9, 19, 14, 16
COLUMNS = 116
COLORS = {"31": "#f07178", "32": "#a5d66f", "33": "#ffcb6b", "34": "#82aaff", "35": "#c792ea",
          "36": "#89ddff", "90": "#7a869a", "2": "#7a869a"}


def spans(line: str) -> str:
    style, out, column = "", "", 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if match := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
            codes = match[1].split(";")
            color = next((COLORS[code] for code in codes if code in COLORS), "")
            style = f' fill="{color}"' if color else ""
            if "1" in codes:
                style += ' font-weight="bold"'
        elif part := part[: COLUMNS - column]:
            # Blanks collapse in an SVG, and fonts differ: each stretch between wide gaps gets its
            # own place and length.
            for text in re.finditer(r"\S+(?: \S+)*", part):
                x, length = LEFT + (column + text.start()) * WIDTH, len(text[0]) * WIDTH
                out += (f'<tspan x="{x:.1f}" textLength="{length:.1f}"{style}>'
                        f'{escape(text[0])}</tspan>')
            column += len(part)
    return out


def main() -> None:
    lines = [f"\x1b[32m$\x1b[0m \x1b[1m{sys.argv[1]}\x1b[0m", *sys.stdin.read().splitlines()]
    width, height = round(LEFT * 2 + COLUMNS * WIDTH), TOP * 2 + len(lines) * LINE
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">')
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#1b2230"/>')
    print('<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" '
          'font-size="13" fill="#d5dbe6">')
    for number, line in enumerate(lines):
        print(f'<text y="{TOP + (number + 0.75) * LINE:.0f}">{spans(line)}</text>')
    print("</g>\n</svg>")


main()
