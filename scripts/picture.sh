#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/picture.sh TUXSCOPE > docs/terminal.svg: the README's picture, from a real run. As root.
set -eu
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# It prints nothing itself: what is in the picture is tuxscope's.
# shellcheck disable=SC2016 # the inner shell's $$
command='cat /etc/passwd | grep -q root; cmp -s /etc/passwd /etc/group; kill -SEGV $$'
"$1" proc --wide --color always -- sh -c "$command" 2>"$out" || :
python3 "$(dirname "$0")/picture.py" "sudo tuxscope proc -w -- sh -c '$command'" <"$out"
