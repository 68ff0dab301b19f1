#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# The dynamic build and its unit tests with the crates in TARGET_DIR/vendor: tests/vm/msrv.sh TARGET_DIR
set -eu
rustc --version
clang --version | head -n 1
for command in build "test --lib"; do
	# shellcheck disable=SC2086 # two words
	cargo $command --locked --offline --target-dir "$1" \
		--config 'source.crates-io.replace-with="vendored"' \
		--config "source.vendored.directory='$1/vendor'"
done
ldd "$1/debug/tuxscope"
"$1/debug/tuxscope" --version
