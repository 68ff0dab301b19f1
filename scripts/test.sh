#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/test.sh LIST: runs the test programs that LIST names, one a line, each to its end, with
# $SUDO before them. Says last which failed, and how many tests were skipped.
set -eu
skipped=target/tmp/skipped
rm -f $skipped
failed=

while read -r program; do
	name=${program##*/}
	name=${name%-*}
	echo "     Running $name ($program)"
	${SUDO:+"$SUDO" -E} "$program" </dev/null || failed="$failed $name"
done <"$1"

if [ -e $skipped ]; then
	echo "SKIPPED: $(wc -l <$skipped) tests, which trace the real kernel as root" >&2
fi
if [ -n "$failed" ]; then
	echo "FAILED:$failed" >&2
	exit 1
fi
