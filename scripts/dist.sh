#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/dist.sh DIRECTORY: writes HEAD's sources, tuxscope-VERSION.tar.xz, and the crates that it takes,
# tuxscope-VERSION-vendor.tar.xz. Unpacked in one directory, they build without a network. With the same
# git, cargo, tar and xz, the same commit gives the same bytes.
#
# Cargo wants a manifest of every crate that Cargo.lock names, and reads no more than that of those that
# Linux never takes, such as windows-sys. So these are cut down to it: they make up a fifth of the whole,
# and some have objects without their source.
set -eu
umask 022
export LC_ALL=C
mkdir -p "$1"
out=$(realpath "$1")
cargo=${CARGO:-cargo}
targets="x86_64 i686 aarch64 armv7 loongarch64 powerpc64le riscv64gc s390x"

git() { command git -c safe.directory='*' -c tar.umask=0022 "$@"; }

version=$(git show HEAD:Cargo.toml | sed -n 's/^version = "\(.*\)"/\1/p')
name=tuxscope-$version
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In threads xz writes other bytes.
pack() { xz -6 --threads=1 >"$work/packed" && mv "$work/packed" "$out/$1"; }

git archive --prefix="$name/" HEAD >"$work/tar"
date=$(git log -1 --format=%ct)
tar -x -f "$work/tar" -C "$work"
pack "$name.tar.xz" <"$work/tar"

cd "$work/$name"
mkdir .cargo
"$cargo" vendor --quiet --locked --versioned-dirs vendor
cat >.cargo/config.toml <<'EOT'
[source.crates-io]
replace-with = "vendored-sources"

[source.vendored-sources]
directory = "vendor"
EOT

for target in $targets; do
	case $target in
	armv7) target=$target-unknown-linux-gnueabihf ;;
	*) target=$target-unknown-linux-gnu ;;
	esac
	"$cargo" tree --quiet --offline --locked --all-features --target "$target" --prefix none --format '{p}'
done | sed 's/^\([^ ]*\) v\([^ ]*\).*/\1-\2/' | sort -u >"$work/taken"
for crate in vendor/*; do
	! grep -Fqx "${crate#vendor/}" "$work/taken" || continue
	find "$crate" -mindepth 1 -maxdepth 1 ! -name Cargo.toml ! -name .cargo-checksum.json -exec rm -r {} +
	mkdir "$crate/src"
	: >"$crate/src/lib.rs"
	sed -i 's/"files":{[^}]*}/"files":{}/' "$crate/.cargo-checksum.json"
done

cd "$work"
tar --sort=name --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
	--mtime="@$date" --owner=0 --group=0 --numeric-owner --mode=u+rwX,go+rX,go-w \
	-c "$name/.cargo" "$name/vendor" | pack "$name-vendor.tar.xz"
cd "$out"
sha256sum "$name.tar.xz" "$name-vendor.tar.xz"
