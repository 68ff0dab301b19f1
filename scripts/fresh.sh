#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/fresh.sh RELEASE [TOOLCHAIN]: the README's two commands, and nothing else, in a clone of HEAD
# on a new machine: a minimal Debian with `make` and Rust, which is TOOLCHAIN, as if rustup had put
# it there, or else Debian's own. As root; it takes the network.
#
# RUN has other commands, and PACKAGES what they take besides.
set -eu
release=$1 toolchain=${2:-}
run=${RUN:-'make run ARGS="--duration 1"; make test'}
packages="make ca-certificates ${PACKAGES:-}"
[ -n "$toolchain" ] || packages="$packages cargo"
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
home=$root/root

# shellcheck disable=SC2086 # a list
scripts/debian.sh "$release" "$root" $packages
mkdir -p "$home/tuxscope" "$home/.cargo" "$home/.rustup/toolchains/stable"
git -c safe.directory='*' archive HEAD | tar -x -C "$home/tuxscope"
# Where the machine reaches the registries by a proxy, it trusts more than Debian does.
[ ! -e /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"

# The mounts are in a namespace of their own and end with it.
# shellcheck disable=SC2016 # expanded by the inner shells
unshare --mount --propagation private sh -euc '
	root=$1 toolchain=$2 run=$3
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	if [ -n "$toolchain" ]; then
		mount --bind "$toolchain" "$root/root/.rustup/toolchains/stable"
		ln -s ../.rustup/toolchains/stable/bin "$root/root/.cargo/bin"
	fi
	exec env -i ${CI:+CI="$CI"} HOME=/root PATH=/root/.cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		chroot "$root" sh -euc '\''
			cd ~/tuxscope
			eval "$1"
		'\'' sh "$run"
' sh "$root" "$toolchain" "$run"
