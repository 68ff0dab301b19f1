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
BACKGROUND = "#1b2230"


def spans(line: str, y: int) -> tuple[str, str]:
    """What is behind the text, and the text."""
    color, bold, reverse = "", False, False
    behind, out, column = "", "", 0
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if match := re.fullmatch(r"\x1b\[([0-9;]*)m", part):
            for code in match[1].split(";"):
                if code in ("", "0"):
                    color, bold, reverse = "", False, False
                elif code == "39":
                    color = ""
                bold, reverse = bold or code == "1", reverse or code == "7"
                color = COLORS.get(code, color)
        elif part := part[: COLUMNS - column]:
            fill = BACKGROUND if reverse else color
            style = f' fill="{fill}"' if fill else ""
            if bold:
                style += ' font-weight="bold"'
            if reverse:
                behind += (f'<rect x="{LEFT + column * WIDTH:.1f}" y="{y - 14}" height="{LINE}" '
                           f'width="{len(part) * WIDTH:.1f}" fill="{COLORS["90"]}"/>')
            # Blanks collapse in an SVG, and fonts differ: each stretch between wide gaps gets its
            # own place and length.
            for text in re.finditer(r"\S+(?: \S+)*", part):
                x, length = LEFT + (column + text.start()) * WIDTH, len(text[0]) * WIDTH
                out += (f'<tspan x="{x:.1f}" textLength="{length:.1f}"{style}>'
                        f'{escape(text[0])}</tspan>')
            column += len(part)
    return behind, out


def main() -> None:
    lines = [f"\x1b[32m$\x1b[0m \x1b[1m{sys.argv[1]}\x1b[0m", *sys.stdin.read().splitlines()]
    width, height = round(LEFT * 2 + COLUMNS * WIDTH), TOP * 2 + len(lines) * LINE
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">')
    print(f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>')
    print('<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" '
          'font-size="13" fill="#d5dbe6">')
    for number, line in enumerate(lines):
        y = round(TOP + (number + 0.75) * LINE)
        behind, text = spans(line, y)
        print(f'{behind}<text y="{y}">{text}</text>')
    print("</g>\n</svg>")


main()
