#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs COMMAND in the source tree, as root of a Debian 13 that has PACKAGES and nothing of the
# machine's own. It has no cargo registry: give it vendored crates.
#
#   scripts/debian13.sh NAME "PACKAGE..." COMMAND...
#
# Made once, below target/debian13/NAME. CROSS_STD: see debian.sh.
set -eu
name=$1 packages=$2
shift 2
root=$PWD/target/debian13/$name

if [ "$(cat "$root.packages" 2>/dev/null)" != "$packages" ]; then
	rm -rf "$root"
	mkdir -p "$root"
	# shellcheck disable=SC2086 # a list
	scripts/debian.sh trixie "$root" $packages
	mkdir "$root/src"
	echo "$packages" >"$root.packages"
fi

# The mounts are in a namespace of their own and end with the command.
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --propagation private sh -euc '
	root=$1
	shift
	mount --bind . "$root/src"
	mount -t proc proc "$root/proc"
	exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
		chroot "$root" sh -euc '\''cd /src; exec "$@"'\'' sh "$@"
' sh "$root" "$@"
