# SPDX-License-Identifier: MIT OR Apache-2.0
# What tracing costs, beside the tracers that are installed.

.PHONY: bench
bench: static ## what tracing costs, beside other tracers; PEERS=1 installs those; ARGS='--help'
	$(Q)$(if $(PEERS),./scripts/deps.sh peers)
	$(Q)$(call AS_OWNER,mkdir -p target/bench && $(CARGO) bench --locked --bench events > target/bench/events.txt)
	$(Q)$(call AS_OWNER,$(CARGO) build --release --locked --example generate)
	$(Q)$(SUDO) env CLANG="$(CLANG)" python3 -B benches/overhead --events-bench target/bench/events.txt $(ARGS)

# What the lines of `make bench-fleet` are modelled on: five minutes of this host, if it isn't given.
CAPTURE ?= target/bench-fleet.jsonl
HOSTS ?= 300
DAYS ?= 30

.PHONY: bench-fleet
bench-fleet: EVENTS = 100000000
bench-fleet: build fleet-deps target/sql/installed $(CAPTURE) ## ClickHouse's engine with EVENTS=100000000 events of HOSTS=300 in DAYS=30, on the pattern of CAPTURE=FILE
	$(Q)$(call AS_OWNER,$(CARGO) build --release --locked --example fleet)
	$(Q)target/sql/bin/python -B benches/fleet.py target/release/examples/fleet $(CAPTURE) \
	  --hosts $(HOSTS) --days $(DAYS) --events $(EVENTS)

target/bench-fleet.jsonl: | build
	$(Q)$(SUDO) target/release/tuxscope proc --wide --format json --host-fields --no-exit-args \
	  --duration 300 --output $@
	$(Q)$(SUDO) chown --reference=Makefile $@
