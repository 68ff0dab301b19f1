# SPDX-License-Identifier: MIT OR Apache-2.0
# What tracing costs, beside the tracers that are installed.

.PHONY: bench
bench: static ## what tracing costs, beside other tracers; PEERS=1 installs those; ARGS='--help'
	$(Q)$(if $(PEERS),./scripts/deps.sh peers)
	$(Q)$(call AS_OWNER,mkdir -p target/bench && $(CARGO) bench --locked --bench events > target/bench/events.txt)
	$(Q)$(call AS_OWNER,$(CARGO) build --release --locked --example generate)
	$(Q)$(SUDO) env CLANG="$(CLANG)" python3 -B benches/overhead --events-bench target/bench/events.txt $(ARGS)
