#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# dist/test-deb.sh PACKAGE.deb RELEASE: installs, runs, upgrades and removes a package in a fresh
# root of this Debian release. As root; the root lives in a mount namespace of its own.
set -eu
package=$(realpath "$1") release=$2

if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$package" "$release"
fi

work=$(mktemp -d)
trap 'umount -R "$work/root/proc" "$work/root/sys" 2>/dev/null || :; rm -rf --one-file-system "$work"' EXIT
root=$work/root

say() { echo "$release: $*"; }

mmdebstrap --quiet --variant=minbase --include=man-db "$release" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"

# An upgrade is from something: the same files under an older version.
dpkg-deb -R "$package" "$work/old"
sed -i 's/^Version: .*/Version: 0.0.1-1/' "$work/old/DEBIAN/control"
dpkg-deb -b "$work/old" "$root/old.deb" >/dev/null
cp "$package" "$root/new.deb"
# Debian's minimal roots leave documentation out.
rm -f "$root"/etc/dpkg/dpkg.cfg.d/*

inside() { chroot "$root" env LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
# shellcheck disable=SC2016 # dpkg's variables
installed() { inside dpkg-query -W -f '${db:Status-Abbrev} ${Version}\n' tuxscope; }

inside dpkg -i /old.deb >/dev/null
say "installed: $(installed)"
inside dpkg -i /new.deb >/dev/null
say "upgraded: $(installed)"
inside dpkg --verify tuxscope
inside tuxscope --version
inside tuxscope check
# By a file: what it prints is what a user sees.
inside tuxscope proc --wide --format json -- true 2>"$work/events"
grep -c '"event_type":"exit"' "$work/events" >/dev/null
inside man -w tuxscope-proc >/dev/null
for file in $(inside dpkg -L tuxscope); do
	[ -e "$root$file" ] || { say "missing: $file"; exit 1; }
done
inside dpkg --purge tuxscope >/dev/null
left=$(find "$root" -xdev -name '*tuxscope*' -not -path "$root/var/cache/*")
[ -z "$left" ] || { say "left behind: $left"; exit 1; }
say "installed, upgraded, run, removed: nothing left"
