#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/test-dist.sh: makes HEAD's tarballs twice, under another umask and in another time zone, and fails
# unless they are the same; then builds the program and its tests from them in a new directory, with an
# empty CARGO_HOME and with no network.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/dist.sh "$work/one"
(umask 077 && TZ=Pacific/Auckland scripts/dist.sh "$work/another" >/dev/null)
for tarball in "$work"/one/*; do
	cmp "$tarball" "$work/another/${tarball##*/}"
done

mkdir "$work/build" "$work/cargo"
for tarball in "$work"/one/*; do
	tar -x -f "$tarball" -C "$work/build"
done
cd "$work"/build/*
export CARGO_HOME="$work/cargo"
unset CARGO_TARGET_DIR
# A user may have no network namespace of his own; --offline keeps cargo from asking, anyway.
alone=
! unshare --net true 2>/dev/null || alone='unshare --net'
$alone "${CARGO:-cargo}" build --quiet --offline --locked --all-targets
target/debug/tuxscope --version
