# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds for other machines, and tests on their kernels.

K ?=

STATIC := target/static
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src bpf vmlinux -type f)
DEBIAN13 := $(SUDO) scripts/debian13.sh

# Debian 13's own packages, as the README names them for a build.
BUILD_PACKAGES := rustc cargo clang make pkg-config libelf-dev
ARM64_PACKAGES := $(BUILD_PACKAGES) autoconf automake autopoint flex bison gawk gettext libtool \
  file libstd-rust-dev:arm64 crossbuild-essential-arm64

.PHONY: static static-arm64 static-deps test-kernels test-cpus test-btf
.DELETE_ON_ERROR:

static: $(STATIC)/tuxscope-x86_64 ## build one fully static x86-64 binary, target/static/tuxscope-x86_64
	@file $<

static-arm64: $(STATIC)/tuxscope-aarch64 ## the same for arm64, in a chroot of Debian 13
	@file $<

# All kernels take arm64, too; of those that K names perhaps none does.
KERNEL_ARCHES := x86_64 $(if $(K),$(if $(findstring arm64,$(K)),aarch64),aarch64)

test-kernels: $(KERNEL_ARCHES:%=$(STATIC)/tuxscope-%) $(KERNEL_ARCHES:%=$(STATIC)/worker-%) ## boot many kernels, try the static binary on each; K='5.10 6.12-arm64 newest'
	$(Q)./scripts/deps.sh vm
	$(Q)python3 tests/vm/test_compare.py
	$(Q)python3 tests/vm/run.py $(K)

test-cpus: $(STATIC)/tuxscope-x86_64 $(STATIC)/worker-x86_64 ## storms in a guest with 8 CPUs: counts, order, one exit each
	$(Q)./scripts/deps.sh vm
	$(Q)python3 tests/vm/storms.py

test-btf: build ## the BPF programs' relocations against the types of kernels that aren't booted; T='6.1-rt-amd64'
	$(Q)./scripts/deps.sh btf
	$(Q)python3 tests/vm/btf.py $(T)

static-deps: deps
	$(Q)./scripts/deps.sh static

# Left to itself cargo would build libbpf-sys anew each time, which touches its own files.
$(STATIC)/tuxscope-x86_64: $(SOURCES) scripts/static.sh | static-deps $(STATIC)/x86_64/vendor
	$(Q)$(call AS_OWNER,scripts/static.sh x86_64-unknown-linux-gnu $(STATIC)/x86_64 $@)

$(STATIC)/worker-x86_64: tests/worker/worker.c $(wildcard tests/worker/*.h)
	$(Q)$(CLANG) -static -O2 -pthread $< -o $@

$(STATIC)/tuxscope-aarch64: $(SOURCES) scripts/static.sh | $(STATIC)/aarch64/vendor
	$(Q)DEBIAN_ARCHES=amd64,arm64 $(DEBIAN13) arm64 "$(ARM64_PACKAGES)" \
	  scripts/static.sh aarch64-unknown-linux-gnu $(STATIC)/aarch64 $@

$(STATIC)/worker-aarch64: tests/worker/worker.c $(wildcard tests/worker/*.h) | $(STATIC)/tuxscope-aarch64
	$(Q)DEBIAN_ARCHES=amd64,arm64 $(DEBIAN13) arm64 "$(ARM64_PACKAGES)" \
	  aarch64-linux-gnu-gcc -static -O2 -pthread $< -o $@

# A copy of the crates for each build that changes them or that has no network.
%/vendor: Cargo.toml Cargo.lock
	$(Q)rm -rf $@
	$(Q)$(call AS_OWNER,$(CARGO) vendor -q --locked --versioned-dirs $@ >/dev/null)
	$(Q)touch $@
