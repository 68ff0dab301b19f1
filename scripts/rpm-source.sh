#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/rpm-source.sh TARBALLS DIRECTORY: makes the source package for RPM of the tarballs that
# scripts/dist.sh wrote into TARBALLS.
set -eu
mkdir -p "$2"
tarballs=$(realpath "$1") out=$(realpath "$2")

# Elsewhere than on Fedora the spec can't be read without its macros.
macros=
[ -n "$(rpm --eval '%{?rust_arches}')" ] || macros="--load tests/rpm/macros.standin"
rm -f "$out"/*.src.rpm
# shellcheck disable=SC2086 # an option with its argument, or none
rpmbuild --quiet --nodeps $macros --define "_sourcedir $tarballs" --define "_srcrpmdir $out" \
	--define "_topdir $out" -bs dist/rpm/tuxscope.spec
ls "$out"/*.src.rpm
