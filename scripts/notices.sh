#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/notices.sh VENDOR: whose work the static x86-64 program holds besides ours, with the
# licences, for the packages. VENDOR holds the sources of its crates.
set -eu
vendor=$1

# text FILE...: each that is there
text() {
	for file in "$@"; do
		[ ! -f "$file" ] || sed 's/\r$//' "$file"
	done
}

elf=$(echo "$vendor"/libbpf-sys-*)
cat <<EOF
tuxscope's static program holds the work of others: the crates below, with the libraries in them,
and what its compiler links to every static program.

The LGPL lets you replace its libraries by versions of your own. They are

  libelf of elfutils  LGPL-3.0-or-later or GPL-2.0-or-later  source: in the crate libbpf-sys
  libbpf              LGPL-2.1-only or BSD-2-Clause          source: in the crate libbpf-sys
  $(printf '%-19s' "$(getconf GNU_LIBC_VERSION)") LGPL-2.1-or-later                      source: https://sourceware.org/glibc

All of tuxscope's source is free. Its Cargo.lock names each crate's version, \`cargo vendor\` fetches
the sources, and \`make static\` links everything anew: against the C library that is installed, and
against the crates as [patch.crates-io] in Cargo.toml replaces them.

Rust's standard library is MIT or Apache-2.0 (The Rust Project Developers). libgcc is GPL-3.0-or-later
with the GCC Runtime Library Exception, which asks nothing of the programs that it is linked to.

EOF

crates=$(${CARGO:-cargo} tree --locked --edges normal,no-proc-macro --features static \
	--target x86_64-unknown-linux-gnu --prefix none --format '{p} {l}')
echo "$crates" | sed 's/ (\*)$//' | sort -u |
	while read -r name version licence; do
		[ "$name" != tuxscope ] || continue
		crate=$vendor/$name-${version#v}
		echo "======== $name $version: $licence"
		echo
		# Of a choice we take MIT, where it has a file of its own.
		said=$(text "$crate"/LICENSE-MIT* "$crate"/license-mit*)
		[ -n "$said" ] || said=$(text "$crate"/LICEN[CS]E* "$crate"/COPYING* "$crate"/license*)
		if [ -z "$said" ]; then
			echo "notices: $crate holds no licence text" >&2
			exit 1
		fi
		echo "$said"
		echo
	done

echo "======== elfutils"
text "$elf/elfutils/COPYING-LGPLV3" "$elf/elfutils/COPYING"
echo "======== libbpf"
text "$elf/libbpf/LICENSE.BSD-2-Clause"
echo "======== zlib"
text "$elf/zlib/LICENSE"
echo "======== zstd"
text "$vendor"/zstd-sys-*/zstd/LICENSE
echo "======== The GNU C library"
text "$elf/libbpf/LICENSE.LGPL-2.1"
