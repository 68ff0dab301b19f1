# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds for other machines, and tests on their kernels.

K ?=

STATIC := target/static
SOURCES := Cargo.toml Cargo.lock build.rs $(shell find src bpf vmlinux -type f)

# The architectures beside x86-64, by gcc's names; Debian's and Rust's where they differ.
CROSS := aarch64 powerpc64le riscv64 s390x
DEBIAN_aarch64 := arm64
DEBIAN_powerpc64le := ppc64el
RUST_riscv64 := riscv64gc
debian = $(or $(DEBIAN_$(1)),$(1))

# Debian 13's own packages, as the README names them for a build.
BUILD_PACKAGES := rustc cargo clang make pkg-config libelf-dev
CROSS_PACKAGES := $(BUILD_PACKAGES) autoconf automake autopoint flex bison gawk gettext libtool file
in_debian13 = $(SUDO) env CROSS_STD=$(1) scripts/debian13.sh $(1) "$(CROSS_PACKAGES) crossbuild-essential-$(1)"

.PHONY: always static static-deps test-kernels test-arches test-cpus test-btf
.DELETE_ON_ERROR:

static: $(STATIC)/tuxscope-x86_64 ## one static program below target/static; static-arm64, -ppc64el, -riscv64, -s390x in a root of Debian 13
	@file $<

# All kernels take all architectures; of those that K names perhaps only some do.
KERNEL_ARCHES := x86_64 \
  $(if $(K),$(foreach arch,$(CROSS),$(if $(findstring $(call debian,$(arch)),$(K)),$(arch))),$(CROSS))

test-kernels: $(KERNEL_ARCHES:%=$(STATIC)/tuxscope-%) $(KERNEL_ARCHES:%=$(STATIC)/worker-%) ## boot many kernels, try the static binary on each; K='5.10 6.12-arm64 newest'
	$(Q)./scripts/deps.sh vm
	$(Q)python3 tests/vm/test_compare.py
	$(Q)python3 tests/vm/run.py $(K)

test-arches: $(STATIC)/tuxscope-x86_64 $(CROSS:%=$(STATIC)/tuxscope-%) ## replay and schema say the same on all architectures, under qemu-user
	$(Q)./scripts/deps.sh arches
	$(Q)$(call AS_OWNER,$(CARGO) build --locked --example generate)
	$(Q)$(call AS_OWNER,python3 -B tests/vm/arches.py target/debug/examples/generate)

test-cpus: $(STATIC)/tuxscope-x86_64 $(STATIC)/worker-x86_64 ## storms in a guest with 8 CPUs: counts, order, one exit each
	$(Q)./scripts/deps.sh vm
	$(Q)python3 tests/vm/storms.py

test-btf: build ## the BPF programs' relocations against the types of kernels that aren't booted; T='6.1-rt-amd64'
	$(Q)./scripts/deps.sh btf
	$(Q)python3 tests/vm/btf.py $(T)

static-deps: deps
	$(Q)./scripts/deps.sh static

# Which compiler the programs are by: another one's are tried on the oldest kernel.
$(STATIC)/clang: always
	$(Q)echo "$(CLANG)" | cmp -s - $@ || \
	  { $(call AS_OWNER,mkdir -p $(@D) && echo "$(CLANG)" >$@); }

# Left to itself cargo would build libbpf-sys anew each time, which touches its own files.
$(STATIC)/tuxscope-x86_64: $(SOURCES) scripts/static.sh $(STATIC)/clang | static-deps $(STATIC)/x86_64/vendor
	$(Q)$(call AS_OWNER,scripts/static.sh x86_64-unknown-linux-gnu $(STATIC)/x86_64 $@)

$(STATIC)/worker-x86_64: tests/worker/worker.c $(wildcard tests/worker/*.h)
	$(Q)$(CLANG) -static -O2 -pthread $< -o $@

define cross
.PHONY: static-$(call debian,$(1))
static-$(call debian,$(1)): $(STATIC)/tuxscope-$(1)
	@file $$<

$(STATIC)/tuxscope-$(1): $(SOURCES) scripts/static.sh | $(STATIC)/$(1)/vendor
	$(Q)$(call in_debian13,$(call debian,$(1))) \
	  scripts/static.sh $(or $(RUST_$(1)),$(1))-unknown-linux-gnu $(STATIC)/$(1) $$@

$(STATIC)/worker-$(1): tests/worker/worker.c $(wildcard tests/worker/*.h) | $(STATIC)/tuxscope-$(1)
	$(Q)$(call in_debian13,$(call debian,$(1))) \
	  $(1)-linux-gnu-gcc -static -O2 -pthread $$< -o $$@
endef
$(foreach arch,$(CROSS),$(eval $(call cross,$(arch))))

# A copy of the crates for each build that changes them or that has no network.
%/vendor: Cargo.toml Cargo.lock
	$(Q)rm -rf $@
	$(Q)$(call AS_OWNER,$(CARGO) vendor -q --locked --versioned-dirs $@ >/dev/null)
	$(Q)touch $@
