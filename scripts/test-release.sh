#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/test-release.sh [TARGET...]: makes these of the targets below (all of them, if none is named),
# whatever fails, and writes into docs/release.md how each went.
set -u
page=docs/release.md logs=target/test-release
mkdir -p $logs

# what TARGET: in words
what() { make help | awk -v target="$1" '$1 == target { sub(/^ *[^ ]+ +/, ""); print }'; }

[ $# -gt 0 ] || set -- test-fresh test-system-libs test-reproducible test-dist test-debian-source test-debian-source-trixie test-rpm-source test-kernels test-arches test-cpus test-btf test-deb test-rpm test-sbom test-image test-unit test-containers test-fleet test-otlp test-mappings test-metrics soak bench-replay bench-fleet bench
state=$(git describe --always --dirty)
failed=
for target in "$@"; do
	began=$(date +%s)
	result=passed
	make "$target" >"$logs/$target.log" 2>&1 || result=FAILED failed="$failed $target"
	minutes=$((($(date +%s) - began + 59) / 60))
	echo "$target: $result, $minutes min ($logs/$target.log)"
	row="| \`make $target\` | $(what "$target") | $(date +%F) | $state | $result | $minutes min |"
	awk -v target="\`make $target\`" -v row="$row" '
		index($0, "| " target " |") == 1 { print row; done = 1; next }
		{ print }
		END { if (!done) print row }' $page >$logs/page
	cp $logs/page $page
done
[ -z "$failed" ]
