#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds one fully static, stripped program for TRIPLE and checks that it is one.
#
#   scripts/static.sh TRIPLE TARGET_DIR OUTPUT
#
# libbpf-sys builds its libraries inside its own source directory. So the crates come from
# TARGET_DIR/vendor, a copy that `cargo vendor` made, and cargo's registry stays as it is.
set -eu
triple=$1 target_dir=$2 output=$3
# Debian's names: the native compiler and the cross compiler alike.
case $triple in
riscv64*) gcc=riscv64-linux-gnu-gcc ;;
armv7*hf) gcc=arm-linux-gnueabihf-gcc ;;
*) gcc=${triple%%-*}-linux-gnu-gcc ;;
esac

name=$(echo "$triple" | tr - _)
upper=$(echo "$name" | tr '[:lower:]' '[:upper:]')
# A panic aborts, so that nobody unwinds; zstd's stronger compressors are never at work, and of its decoders,
# which it chooses from as data and CPU suit them best, one of each kind does (70 KB; it slows replay by a percent).
cflags="-fno-asynchronous-unwind-tables -DDYNAMIC_BMI2=0 \
-DHUF_FORCE_DECOMPRESS_X1 -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT"
for strategy in GREEDY LAZY LAZY2 BTLAZY2 BTOPT BTULTRA; do
	cflags="$cflags -DZSTD_EXCLUDE_${strategy}_BLOCK_COMPRESSOR"
done
export "CC_$name=$gcc" "CFLAGS_$name=$cflags" "CARGO_TARGET_${upper}_LINKER=$gcc"
# What keeps it small, in the order of the flags: no tables for unwinding, neither of this code nor, by
# static.ld, of std's and libc's; a table of relative relocations, which glibc 2.36 and later read (80 KiB);
# a quarter of LLVM's usual eagerness to inline (230 KB; it slows replay by 0 to 3 %, an event by 2 to 10 %), a fifth
# of it where a function asks for it (130 KB, and neither is slower).
# A panic names a file of some crate, but not where that lay here.
export RUSTFLAGS="-C target-feature=+crt-static -C force-unwind-tables=no \
-C link-arg=-Wl,-T,scripts/static.ld -C link-arg=-Wl,-z,pack-relative-relocs \
-C llvm-args=-inline-threshold=60 -C llvm-args=-inlinehint-threshold=70 \
--remap-path-prefix=$PWD=. --remap-path-prefix=$PWD/$target_dir/vendor=vendor"
# The program then holds the list of its crates, which scanners of vulnerabilities read.
build="auditable build"
if ! cargo auditable --version >/dev/null 2>&1; then
	echo "static build: NO LIST OF CRATES in the program: cargo-auditable is missing" >&2
	build=build
fi
# shellcheck disable=SC2086 # one word or two
cargo $build --locked --release --features static --target "$triple" --target-dir "$target_dir" \
	--config 'source.crates-io.replace-with="vendored"' \
	--config "source.vendored.directory='$target_dir/vendor'"
# Not by cp, which can't write over a program that runs.
install "$target_dir/$triple/release/tuxscope" "$output"

file "$output"
case $(file -b "$output") in
*static*linked*", stripped") ;;
*)
	echo "static build: $output is not static and stripped" >&2
	exit 1
	;;
esac
if grep -qaF "$PWD/$target_dir/" "$output"; then
	echo "static build: $output names the directory in which it was built" >&2
	exit 1
fi
# ldd fails for a program of another architecture, as it does for a static one.
if ldd "$output" 2>/dev/null | grep '=>'; then
	echo "static build: $output needs shared libraries" >&2
	exit 1
fi
echo "$output: $(stat -c %s "$output") bytes"
