#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/debian-source.sh TARBALLS DIRECTORY RELEASE: makes the Debian source package for this release of the
# tarballs that scripts/dist.sh wrote into TARBALLS. dist/debian is for forky and later, with packaged crates; trixie
# lacks some, and gets a package that has them all in it.
set -eu
umask 022
mkdir -p "$2"
tarballs=$(realpath "$1") out=$(realpath "$2") release=$3
debian=$(realpath dist/debian)
upstream=$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' "$debian/changelog")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source=$work/tuxscope-$upstream
cp "$tarballs/tuxscope-$upstream.tar.xz" "$work/tuxscope_$upstream.orig.tar.xz"
tar -x -f "$work/tuxscope_$upstream.orig.tar.xz" -C "$work"
cp -rL "$debian" "$source/debian"
if [ "$release" = trixie ]; then
	cp "$tarballs/tuxscope-$upstream-vendor.tar.xz" "$work/tuxscope_$upstream.orig-vendor.tar.xz"
	mkdir "$source/vendor"
	tar -x -f "$work/tuxscope_$upstream.orig-vendor.tar.xz" -C "$source/vendor" --strip-components=1
	scripts/debian-copyright.sh "$source/vendor/vendor" >"$source/debian/copyright"
	rm -r "$source/debian/patches"
	sed -i '/^ librust-/d; /^Static-Built-Using:/d' "$source/debian/control"
	{
		# An entry has to be newer than the one before it.
		sed '1{s/)/~deb13+1)/;s/ unstable;/ trixie;/};s/\* First release\./* For Debian 13, with the crates that it lacks or has in other versions./;/^ -- /{s/:00 +/:01 +/;q}' "$debian/changelog"
		echo
		cat "$debian/changelog"
	} >"$source/debian/changelog"
fi

(cd "$work" && dpkg-source --build "$source" >"$work/said" 2>&1) || {
	cat "$work/said" >&2
	exit 1
}
rm -f "$out"/tuxscope_*
mv "$work"/tuxscope_* "$out"
ls "$out"/*.dsc
