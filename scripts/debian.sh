#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/debian.sh RELEASE DIRECTORY PACKAGE...: makes a minimal root of this Debian release that has
# these packages, in an empty directory. As root. Architectures beside amd64: DEBIAN_ARCHES="amd64,arm64".
set -eu
release=$1 root=$2
shift 2
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

if [ "$(id -u)" -ne 0 ]; then
	echo "debian: run it as root, it makes a chroot" >&2
	exit 1
fi
scripts/deps.sh debian
mirror=$(cd tests/vm && python3 -c 'import archive; print(archive.mirror("Debian"))')
mmdebstrap --quiet --variant=apt --keyring=$keyring --architectures="${DEBIAN_ARCHES:-amd64}" \
	--include="$(echo "$@" | tr ' ' ,)" "$release" "$root" "$mirror"
