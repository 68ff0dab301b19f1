# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds for other machines, and tests on their kernels. K="5.10 newest" picks kernels.

STATIC := target/static
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src bpf vmlinux -type f)

static: $(STATIC)/tuxscope-x86_64 ## one fully static x86-64 binary: target/static/tuxscope-x86_64
	@file $<

# cargo alone would build libbpf-sys anew each time, which touches its own files.
$(STATIC)/tuxscope-x86_64: $(SOURCES) scripts/static.sh | $(STATIC)/x86_64/vendor
	scripts/static.sh x86_64-unknown-linux-gnu $(STATIC)/x86_64 $@

# A copy of the crates for each build that changes them or has no network.
%/vendor: Cargo.toml Cargo.lock
	rm -rf $@
	cargo vendor -q --locked --versioned-dirs $@ >/dev/null
	touch $@

.PHONY: static
.DELETE_ON_ERROR:
