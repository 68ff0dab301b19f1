#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/reproducible.sh: builds HEAD in two directories, and fails unless both programs are the same,
# byte for byte.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for dir in one another/below; do
	mkdir -p "$work/$dir"
	git archive HEAD | tar -x -C "$work/$dir"
	(cd "$work/$dir" && cargo build --quiet --locked --release)
done
cmp "$work/one/target/release/tuxscope" "$work/another/below/target/release/tuxscope"
sha256sum "$work/one/target/release/tuxscope" | cut -d' ' -f1
