#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/debian-copyright.sh VENDOR: the copyright file of a Debian source package with vendored crates, which is
# dist/debian/copyright and whose work each crate in VENDOR is, as the crate says.
set -eu
export LC_ALL=C.UTF-8
vendor=$1 here=vendor/vendor

# Each line of a field's text, as DEP-5 has it.
text() { sed 's/\r$//; s/[[:space:]]*$//; s/^$/./; s/^/ /' "$@"; }

# Whose it is: by the licences' files, or else by the manifest.
holders() {
	found=$(find "$1" -maxdepth 1 -type f \( -iname 'LICEN[CS]E*' -o -iname 'COPY*' \) -exec cat {} + | tr -d '\r' |
		sed -nE 's/^ *[Cc]opyright *(\([Cc]\)|©)? *([0-9A-Z].*)$/\2/p' | sed -E 's/ *\.? *All rights reserved\.?$//' |
		grep -vE 'Free Software Foundation|owner\]|name of|[Nn]otice|HOLDER' | sort -u) || :
	[ -n "$found" ] || found=$(sed -n '/^authors = \[/{:a;/\]$/!{N;ba};p}' "$1/Cargo.toml" | grep -o '"[^"]*"' | tr -d '"') || :
	[ -n "$found" ] || found="The developers of $(sed -n 's/^name = "\(.*\)"/\1/p' "$1/Cargo.toml" | head -n 1)"
	echo "$found"
}

sed '/^Source:/a\
Comment: vendor/ is the component orig-vendor: the crates that Cargo.lock names, as crates.io has them, of\
 which those that Linux never takes are cut down to their manifests.' dist/debian/copyright
for crate in "$vendor"/*; do
	name=${crate##*/}
	licence=$(sed -n 's/^license = "\(.*\)"/\1/p' "$crate/Cargo.toml" | sed -E '
		s,/, OR ,; s/ OR / or /g; s/\(MIT or Apache-2.0\) AND/MIT or Apache-2.0, and/; s/ AND / and /g
		s/\bMIT\b([^-]|$)/Expat\1/g; s/Apache-2.0 WITH LLVM-exception/Apache-2.0 with LLVM exception/
		s/BSD-([23])-Clause/BSD-\1-clause/g; s/LGPL-2.1-only/LGPL-2.1/; s/LGPL-2.1-or-later/LGPL-2.1+/')
	printf '\nFiles: %s/%s/*\nCopyright: %s\nLicense: %s\n' "$here" "$name" \
		"$(holders "$crate" | sed '2,$s/^/ /')" "$licence"
done

# The C libraries that two crates carry.
cat <<EOT

Files: $here/libbpf-sys-*/libbpf/*
Copyright: 2013-2026 The libbpf and Linux developers
License: LGPL-2.1 or BSD-2-clause

Files: $here/libbpf-sys-*/libbpf/include/uapi/*
Copyright: 2011-2026 The Linux developers
License: GPL-2 with Linux-syscall-note exception

Files: $here/libbpf-sys-*/elfutils/*
Copyright: 1996-2026 Red Hat, Inc., and the elfutils developers
License: GPL-3+ and (GPL-2+ or LGPL-3+)

Files: $here/libbpf-sys-*/elfutils/doc/*readelf.1
Copyright: 1996-2026 Red Hat, Inc., and the elfutils developers
License: GFDL-NIV-1.3+

Files: $here/libbpf-sys-*/zlib/*
Copyright: 1995-2026 Jean-loup Gailly and Mark Adler
License: Zlib

Files: $here/zstd-sys-*/zstd/*
Copyright: Meta Platforms, Inc. and affiliates
License: BSD-3-clause or GPL-2

License: GPL-2 with Linux-syscall-note exception
 On Debian systems the text of the GNU General Public License, version 2, is in
 /usr/share/common-licenses/GPL-2. The exception: user programs that use kernel
 services by normal system calls are not derived works of the kernel.

License: GPL-2+
 On Debian systems the text of the GNU General Public License, version 2, is in
 /usr/share/common-licenses/GPL-2; any later version may be taken instead.

License: GPL-3+
 On Debian systems the text of the GNU General Public License, version 3, is in
 /usr/share/common-licenses/GPL-3; any later version may be taken instead.

License: GFDL-NIV-1.3+
 On Debian systems the text of the GNU Free Documentation License, version 1.3,
 is in /usr/share/common-licenses/GFDL-1.3; any later version may be taken
 instead. There are no invariant sections and no cover texts.

License: LGPL-2.1
 On Debian systems the text of the GNU Lesser General Public License, version
 2.1, is in /usr/share/common-licenses/LGPL-2.1.

License: LGPL-2.1+
 On Debian systems the text of the GNU Lesser General Public License, version
 2.1, is in /usr/share/common-licenses/LGPL-2.1; any later version may be taken
 instead.

License: LGPL-3+
 On Debian systems the text of the GNU Lesser General Public License, version 3,
 is in /usr/share/common-licenses/LGPL-3; any later version may be taken instead.

License: Apache-2.0 with LLVM exception
 On Debian systems the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0. The exception:
 .
$(sed -n '/^--- LLVM Exceptions/,$p' "$vendor"/rustix-*/LICENSE-Apache-2.0_WITH_LLVM-exception | sed 1,2d | sed '$!b; /^$/d' | text)

License: 0BSD
$(sed 1,2d "$vendor"/adler2-*/LICENSE-0BSD | text)

License: BSD-3-clause
$(sed '1,/^Copyright/d' "$vendor"/zstd-safe-*/LICENSE | sed 1d | text)

License: MIT-0
$(sed '1,/^Copyright/d' "$vendor"/borrow-or-share-*/LICENSE | sed 1d | text)

License: Unicode-3.0
$(text "$vendor"/unicode-ident-*/LICENSE-UNICODE)

License: Unlicense
$(text "$vendor"/jiff-[0-9]*/UNLICENSE)

License: Zlib
$(sed 1,2d "$vendor"/foldhash-*/LICENSE | text)
EOT
