#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/debian-source.sh TARBALLS DIRECTORY: makes the Debian source package of the tarballs that
# scripts/dist.sh wrote into TARBALLS.
set -eu
umask 022
mkdir -p "$2"
tarballs=$(realpath "$1") out=$(realpath "$2")
debian=$(realpath dist/debian)
upstream=$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' "$debian/changelog")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$tarballs/tuxscope-$upstream.tar.xz" "$work/tuxscope_$upstream.orig.tar.xz"
cp "$tarballs/tuxscope-$upstream-vendor.tar.xz" "$work/tuxscope_$upstream.orig-vendor.tar.xz"
source=$work/tuxscope-$upstream
mkdir -p "$source/vendor"
tar -x -f "$work/tuxscope_$upstream.orig.tar.xz" -C "$work"
tar -x -f "$work/tuxscope_$upstream.orig-vendor.tar.xz" -C "$source/vendor" --strip-components=1
cp -rL "$debian" "$source/debian"
scripts/debian-copyright.sh "$source/vendor/vendor" >"$source/debian/copyright"

(cd "$work" && dpkg-source --build "$source" >"$work/said" 2>&1) || {
	cat "$work/said" >&2
	exit 1
}
rm -f "$out"/tuxscope_*
mv "$work"/tuxscope_* "$out"
ls "$out"/*.dsc
