# SPDX-License-Identifier: MIT OR Apache-2.0
# `make` lists the targets. V=1 shows the commands, ARGS= passes options to `make run`.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
DESTDIR ?=
CARGO ?= cargo
CLANG ?= clang
CLANG_FORMAT ?= clang-format
ARGS ?=
FUZZ_SECONDS ?= 60
EVENTS ?= 10000000

export CLANG
export DEBIAN_FRONTEND = noninteractive

BIN := target/release/tuxscope
C_FILES := $(wildcard bpf/*.c bpf/*.h vmlinux/*.h tests/worker/*.c benches/overhead/*.c)
SHELL_FILES := .ci/run $(wildcard scripts/*.sh dist/*.sh tests/*.sh tests/vm/*.sh benches/*.sh vmlinux/*.sh) \
  dist/deb/postrm dist/debian/tests/live dist/debian/tests/replay tests/vm/init tests/vm/container.init
Q := $(if $(V),,@)

# As root in somebody else's checkout (`sudo make run`), the owner builds: root-owned files in
# target/ would break the owner's next build.
OWNER := $(shell stat -c %U .)
ifeq ($(shell id -u),0)
ifneq ($(filter-out root UNKNOWN,$(OWNER)),)
AS_OWNER = runuser -l $(OWNER) -c 'cd "$(CURDIR)" && CLANG="$(CLANG)" $(1)'
endif
endif
AS_OWNER ?= $(1)

# What needs root gets it from sudo, unless we are root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
# Builds the tests and prints each program where it would run it.
LIST_TESTS := $(CARGO) --config "target.\"cfg(all())\".runner=\"echo\"" test --locked --tests

.DEFAULT_GOAL := help
.PHONY: help run build test test-pages test-fresh check-msrv test-system-libs test-reproducible test-release lint clean install uninstall deps \
  test-deps lint-deps check-vmlinux fuzz bench-replay

help: ## list the targets
	@awk -F ': .*## ' '/^[a-z0-9-]+:.* ## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, then trace as root; ARGS='--format json --duration 5'
	$(Q)$(SUDO) ./$(BIN) proc $(ARGS)

build: deps ## build the release binary, target/release/tuxscope
	$(Q)$(call AS_OWNER,$(CARGO) build --release --locked)

# The owner builds, root runs: cargo is never root in somebody else's checkout.
test: test-deps ## run all tests, those of the live kernel as root
	$(Q)$(call AS_OWNER,mkdir -p target/tmp && $(LIST_TESTS) >target/tmp/programs)
	$(Q)$(call AS_OWNER,$(CARGO) test --locked --doc)
	$(Q)SUDO=$(SUDO) ./scripts/test.sh target/tmp/programs

test-pages: deps ## the page of --format html in a browser
	$(Q)./scripts/deps.sh pages
	$(Q)$(call AS_OWNER,$(CARGO) build --locked --bin tuxscope --example generate)
	$(Q)$(call AS_OWNER,python3 -B tests/pages/check.py target/debug/tuxscope target/debug/examples/generate)

lint: lint-deps ## rustfmt, clippy, clang-format, shellcheck
	$(Q)$(call AS_OWNER,$(CARGO) fmt --check)
	$(Q)$(call AS_OWNER,$(CARGO) clippy --locked --all-targets -- -D warnings)
	$(Q)$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)
	$(Q)shellcheck $(SHELL_FILES)

# Debian 12's Rust is too old.
test-fresh: check-msrv ## the README's two commands, and nothing else, in new Debian 12 and 13 roots
	$(Q)$(SUDO) scripts/fresh.sh bookworm "$$($(call AS_OWNER,rustc --print sysroot))"

# Debian 13 has the oldest Rust that builds this.
check-msrv: ## the same in Debian 13 alone, whose own Rust 1.85 is the oldest that will do
	$(Q)$(SUDO) scripts/fresh.sh trixie

# What a distribution links with; libbpf's own symbols tell that it takes 1.2.
SYSTEM_LIBS = libbpf-dev libelf-dev zlib1g-dev libzstd-dev pkg-config clang

test-system-libs: ## built with Debian 13's libbpf, libelf, zlib and zstd instead of copies
	$(Q)$(SUDO) env PACKAGES="$(SYSTEM_LIBS)" RUN='export ZSTD_SYS_USE_PKG_CONFIG=1; \
		cargo build --locked --no-default-features; \
		for lib in libbpf libelf libz libzstd; do ldd target/debug/tuxscope | grep "$$lib\\.so"; done; \
		target/debug/tuxscope check; target/debug/tuxscope proc --wide --duration 1 -- /bin/true' \
		scripts/fresh.sh trixie

test-reproducible: deps ## built in two directories, the program is the same byte for byte
	$(Q)$(call AS_OWNER,scripts/reproducible.sh)

test-release: ## all that CI leaves out, for hours: packages, all kernels, benchmarks; T='test-deb soak' for some
	$(Q)./scripts/test-release.sh $(T)

clean: ## remove what was built
	$(Q)$(CARGO) clean

# Builds only where nothing is built yet: `sudo make install` must not need the toolchain.
$(BIN):
	$(Q)$(MAKE) build

install: $(BIN) ## install below $(DESTDIR)$(PREFIX), man pages and completions with it
	$(Q)install -D -m 0755 $(BIN) "$(DESTDIR)$(SBINDIR)/tuxscope"
	$(Q)$(call SHARED_FILES,install -D -m 0644 $$1 "$(DESTDIR)$(PREFIX)/$$2")

uninstall: ## remove what install put there
	$(Q)rm -f "$(DESTDIR)$(SBINDIR)/tuxscope"
	$(Q)$(call SHARED_FILES,rm -f "$(DESTDIR)$(PREFIX)/$$2")

deps: ## install the C side of the build where it is missing (apt; else says the command)
	$(Q)$(call AS_OWNER,./scripts/deps.sh cargo)
	$(Q)./scripts/deps.sh build

test-deps: deps
	$(Q)./scripts/deps.sh test

lint-deps: deps
	$(Q)./scripts/deps.sh lint

fuzz: cargo-fuzz deps ## run each fuzz target for FUZZ_SECONDS (60); needs cargo-fuzz
	$(Q)./scripts/deps.sh fuzz
	$(Q)for target in reader wire views; do \
	  mkdir -p fuzz/corpus/$$target fuzz/seeds/$$target; \
	  $(CARGO) fuzz run -s none $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) || exit; \
	done

bench-replay: build ## replay to summary beside jq and DuckDB, on captures of EVENTS (10000000) in each mode
	$(Q)for mode in basic wide; do ./benches/replay.sh $(EVENTS) $$mode || exit 1; done

include benches/bench.mk

check-vmlinux: ## compare vmlinux/vmlinux.h with the running kernel's BTF (needs bpftool)
	$(Q)./vmlinux/check.sh

include tests/vm/vm.mk
include dist/package.mk
