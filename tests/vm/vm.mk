# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds for other machines, and tests on their kernels. K="5.10 newest" picks kernels.

STATIC := target/static
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src bpf vmlinux -type f)

static: $(STATIC)/tuxscope-x86_64 ## one fully static x86-64 binary: target/static/tuxscope-x86_64
	@file $<

# cargo alone would build libbpf-sys anew each time, which touches its own files.
$(STATIC)/tuxscope-x86_64: $(SOURCES) scripts/static.sh | $(STATIC)/x86_64/vendor
	scripts/static.sh x86_64-unknown-linux-gnu $(STATIC)/x86_64 $@

$(STATIC)/worker-x86_64: tests/worker/worker.c
	clang -static -O2 -pthread $< -o $@

test-kernels: $(STATIC)/tuxscope-x86_64 $(STATIC)/worker-x86_64 ## the program on many kernels, under QEMU; K="5.10 newest" picks
	python3 tests/vm/test_compare.py
	python3 tests/vm/run.py $(K)

# A copy of the crates for each build that changes them or has no network.
%/vendor: Cargo.toml Cargo.lock
	rm -rf $@
	cargo vendor -q --locked --versioned-dirs $@ >/dev/null
	touch $@

.PHONY: static test-kernels
.DELETE_ON_ERROR:
