#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/debian.sh RELEASE DIRECTORY PACKAGE...: makes a minimal root of this Debian release that has
# these packages, in an empty directory. As root. CROSS_STD=arm64 adds Rust's standard library for that architecture.
# EXPIRED=yes takes a release's index that says that it is out of date, as that of a mirror may be.
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
set -- --quiet --variant=apt --keyring=$keyring --include="$(echo "$@" | tr ' ' ,)" --architectures="amd64${CROSS_STD:+,$CROSS_STD}"
[ -z "${EXPIRED:-}" ] || set -- --aptopt='Acquire::Check-Valid-Until "false"' "$@"
if [ "${CROSS_STD:-}" ]; then
	# Unpacked, not installed: no library that it would run with there is needed.
	# shellcheck disable=SC2016 # mmdebstrap's shell expands it
	set -- "$@" --customize-hook='chroot "$1" sh -euc "cd /tmp
		apt-get download -qq libstd-rust-dev:$CROSS_STD
		dpkg-deb -x libstd-rust-dev_* /
		rm libstd-rust-dev_*"'
fi
mmdebstrap "$@" "$release" "$root" "$mirror"
