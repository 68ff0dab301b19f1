#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/test-debian-source.sh DIRECTORY RELEASE: builds the source package that lies there in a fresh Debian of this
# release without a network, as an ordinary user; lintian looks at all of it, and autopkgtest runs its tests
# with what was built installed. As root. The packages are in DIRECTORY/built.
set -eu
directory=$(realpath "$1") release=$2

if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$directory" "$release"
fi

work=$(mktemp -d)
root=$work/root
trap 'umount -R "$root/proc" "$root/sys" "$root/dev" 2>/dev/null || :; rm -rf --one-file-system "$work"' EXIT
scripts/debian.sh "$release" "$root" build-essential lintian autopkgtest passwd
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"

reaching() { env -i LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
inside() { reaching unshare --net chroot "$root" "$@"; }

inside useradd --create-home builder
cp "$directory"/tuxscope_* "$root/home/builder"
inside chown -R builder: /home/builder
# The last that takes the network: what the package says that it needs.
# shellcheck disable=SC2016 # expanded by the inner shell
reaching chroot "$root" sh -euc '
	cd /home/builder
	apt-get ${1:+-o Acquire::Check-Valid-Until=false} -qq update
	apt-get build-dep --yes -qq ./tuxscope_*.dsc
' sh "${EXPIRED:-}"
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
