#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/test-debian-source.sh DIRECTORY: builds the source package that lies there in a fresh Debian 13
# without a network, as an ordinary user; lintian looks at all of it, and autopkgtest runs its tests
# with what was built installed. As root. The packages are in DIRECTORY/built.
set -eu
directory=$(realpath "$1")

if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$directory"
fi

work=$(mktemp -d)
root=$work/root
trap 'umount -R "$root/proc" "$root/sys" "$root/dev" 2>/dev/null || :; rm -rf --one-file-system "$work"' EXIT
# What debian/control asks for, and what tries the packages.
needed=$(sed -n '/^Build-Depends:/,/^[^ ]*:/s/^ \([^ ,]*\).*/\1/p' dist/debian/control |
	sed 's/^debhelper-compat$/debhelper/')
# shellcheck disable=SC2086 # a list
scripts/debian.sh trixie "$root" $needed build-essential lintian autopkgtest passwd
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"

inside() { env -i LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --net chroot "$root" "$@"; }

inside useradd --create-home builder
cp "$directory"/tuxscope_* "$root/home/builder"
inside chown -R builder: /home/builder
inside runuser -u builder -- sh -euc '
	cd
	dpkg-source --extract tuxscope_*.dsc source
	cd source
	dpkg-buildpackage -us -uc
	cd ..
	# The project has no mail address; the package of debugging symbols takes no override.
	lintian -EvIL +pedantic --fail-on error,warning --suppress-tags bogus-mail-host tuxscope_*.changes
'
rm -rf "$directory/built"
mkdir "$directory/built"
cp "$root"/home/builder/*.deb "$directory/built"

inside sh -euc '
	rm -f /etc/dpkg/dpkg.cfg.d/*
	cd /home/builder
	dpkg --install tuxscope_*.deb
	# The live test wants a machine of its own, since it traces the kernel; so it does here.
	autopkgtest --no-built-binaries --ignore-restrictions=isolation-machine tuxscope_*.dsc -- null
	dpkg --purge tuxscope
'
