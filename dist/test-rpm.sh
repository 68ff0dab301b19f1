#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# dist/test-rpm.sh PACKAGE.rpm: installs, verifies, runs and removes a package in an empty root. As
# root. There is no shell in that root, so the scripts don't run; the package asks for one, and for
# nothing else.
set -eu
package=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# Debian's rpm asks to be told that this is meant.
meant=
! rpm --help | grep -q force-debian || meant=--force-debian
# shellcheck disable=SC2086 # an option or none
rpm_() { rpm $meant --root "$root" "$@"; }

rpm -K --nosignature "$package"
needs=$(rpm -qp --requires "$package" | grep -v '^rpmlib(' | sort -u)
[ "$needs" = /bin/sh ] || { echo "$package needs more than a shell: $needs" >&2; exit 1; }
rpm --root "$root" --initdb
rpm_ -i --nodeps --noscripts "$package"
rpm_ -V --nodeps tuxscope
"$root/usr/sbin/tuxscope" --version
"$root/usr/sbin/tuxscope" check >/dev/null
rpm_ -e --nodeps --noscripts tuxscope
left=$(find "$root" -name '*tuxscope*')
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
echo "$package: installed, verified, run, removed: nothing left"
