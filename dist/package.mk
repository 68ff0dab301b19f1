# SPDX-License-Identifier: MIT OR Apache-2.0
# What a package ships, and packages.

.PHONY: manual lint-dist dist test-dist debian-source test-debian-source test-debian-source-trixie rpm-source test-rpm-source deb rpm image test-deb test-rpm test-image test-sbom test-unit test-containers test-fleet test-otlp \
  test-mappings test-metrics soak deny dist-deps source-deps debian-source-deps deb-deps rpm-deps debian-deps fleet-deps metrics-deps image-deps vm-deps cargo-auditable cargo-deb cargo-deny cargo-fuzz

# Runs a command for each file below PREFIX/share: $$1 is the file, $$2 where it goes.
SHARED_FILES = set -e; \
  for page in man/*.[18]; do \
    set -- $$page share/man/man$${page\#\#*.}/$${page\#\#*/}; $(1); \
  done; \
  set -- completions/tuxscope.bash share/bash-completion/completions/tuxscope; $(1); \
  set -- completions/_tuxscope share/zsh/site-functions/_tuxscope; $(1); \
  set -- completions/tuxscope.fish share/fish/vendor_completions.d/tuxscope.fish; $(1)

manual: deps ## write the man pages, completions and README tables anew, from the command line and man/*.in
	$(Q)UPDATE=1 $(CARGO) test -q --locked --test manual --lib

dist-deps source-deps debian-source-deps deb-deps rpm-deps debian-deps fleet-deps metrics-deps image-deps vm-deps:
	$(Q)./scripts/deps.sh $(@:-deps=)

cargo-auditable cargo-deb cargo-deny cargo-fuzz:
	$(Q)./scripts/deps.sh $@

lint-dist: dist-deps ## mandoc, systemd-analyze on what a package ships; completions tried; Debian's crates are Cargo.toml's
	$(Q)./scripts/debian-crates.py --check
	$(Q)./tests/completions.sh
	$(Q)for page in man/*.[18]; do mandoc -T lint -W warning $$page || exit 1; done
	$(Q)said=$$(systemd-analyze security --no-pager --offline=true --threshold=20 dist/tuxscope.service) || \
	  { echo "$$said"; exit 1; }; echo "$$said" | tail -n 1

dist: source-deps ## HEAD's sources and the crates that they take: target/dist/tuxscope-VERSION.tar.xz and -vendor.tar.xz
	$(Q)$(call AS_OWNER,scripts/dist.sh target/dist)

test-dist: deps source-deps ## the tarballs of `make dist` are the same twice, and build without a network
	$(Q)$(call AS_OWNER,scripts/test-dist.sh)

# forky and later have all crates.
RELEASE ?= forky

debian-source: dist debian-source-deps ## HEAD as a Debian source package, target/debian-source/RELEASE/*.dsc; RELEASE=trixie: with its crates
	$(Q)$(call AS_OWNER,scripts/debian-source.sh target/dist target/debian-source/$(RELEASE) $(RELEASE))

test-debian-source: debian-source debian-deps ## it builds in a fresh Debian RELEASE (forky) without a network; lintian and autopkgtest look at it
	$(Q)$(SUDO) env EXPIRED=$(EXPIRED) scripts/test-debian-source.sh target/debian-source/$(RELEASE) $(RELEASE)

test-debian-source-trixie: ## the same in Debian 13
	$(Q)$(MAKE) test-debian-source RELEASE=trixie

rpm-source: dist rpm-deps ## HEAD as a source package for Fedora with its crates, target/rpm-source/*.src.rpm
	$(Q)$(call AS_OWNER,scripts/rpm-source.sh target/dist target/rpm-source)

test-rpm-source: rpm-source debian-deps ## it builds in a fresh Debian 13 without a network, with stand-ins for Fedora's macros; rpmlint looks at it
	$(Q)$(SUDO) scripts/test-rpm-source.sh target/rpm-source

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
DEB := target/debian/tuxscope_$(VERSION)-1_amd64.deb
SBOM := $(STATIC)/tuxscope.cdx.json
IMAGE := target/image/tuxscope-$(VERSION)-amd64.tar
RPM := target/rpm/RPMS/x86_64/tuxscope-$(VERSION)-1.x86_64.rpm

deb: cargo-deb cargo-auditable deb-deps static $(STATIC)/third-party $(SBOM) ## build the Debian package, target/debian/*.deb (needs cargo-deb; lintian looks at it)
	$(Q)gzip -9nkf $(STATIC)/third-party
	$(Q)$(CARGO) deb --quiet --locked --no-build --no-strip --output $(DEB)
	$(Q)lintian --fail-on error,warning $(DEB)
	@echo $(DEB)

rpm: cargo-auditable rpm-deps static $(STATIC)/third-party $(SBOM) ## build the RPM package, target/rpm/RPMS/x86_64/*.rpm
	$(Q)rpmbuild --quiet -bb --with static --define "_topdir $(CURDIR)/target/rpm" \
	  --define "tuxscope_source $(CURDIR)" dist/rpm/tuxscope.spec
	$(Q)rpm -qp --info $(RPM) | head -n 8
	@echo $(RPM)

image: cargo-auditable $(IMAGE) ## build the OCI image of the static program, target/image/*.tar; no daemon, no base image
	@echo $(IMAGE)

$(IMAGE): $(STATIC)/tuxscope-x86_64 $(STATIC)/third-party $(SBOM) scripts/image.py
	$(Q)$(call AS_OWNER,scripts/image.py $(STATIC)/tuxscope-x86_64 $(STATIC)/third-party $(SBOM) $@)

# The manifest goes by Kubernetes' own schema, without a cluster.
test-image: image image-deps vm-deps target/image/installed target/vm/root-container.tar ## the image by skopeo and umoci; its program in a container of a guest, as dist/kubernetes/daemonset.yaml asks
	$(Q)target/image/bin/kubernetes-validate --strict dist/kubernetes/*.yaml
	$(Q)skopeo inspect oci-archive:$(IMAGE)
	$(Q)scripts/image.py $(STATIC)/tuxscope-x86_64 $(STATIC)/third-party $(SBOM) target/image/again && cmp $(IMAGE) target/image/again
	$(Q)$(SUDO) target/image/bin/python -B tests/vm/container.py $(IMAGE) target/vm/root-container.tar 6.12

target/image/installed:
	$(Q)./scripts/deps.sh fleet
	$(Q)python3 -m venv target/image
	$(Q)target/image/bin/pip install --quiet kubernetes-validate pyyaml
	$(Q)touch $@

target/vm/root-container.tar: | debian-deps
	$(Q)mkdir -p $(@D)
	$(Q)mmdebstrap --quiet --variant=extract --include=crun,busybox-static,golang-github-containers-common trixie $@

# What a scanner of vulnerabilities looks for.
$(SBOM): Cargo.lock Cargo.toml scripts/sbom.py | $(STATIC)/x86_64/vendor
	$(Q)$(call AS_OWNER,scripts/sbom.py x86_64-unknown-linux-gnu $(STATIC)/x86_64/vendor) >$@

test-sbom: cargo-auditable static $(SBOM) target/sbom/installed ## the packages' bill of materials by CycloneDX's schema, cargo, and the list of crates in the program
	$(Q)target/sbom/bin/python -B tests/sbom/check.py $(STATIC)/tuxscope-x86_64 $(SBOM)

target/sbom/installed:
	$(Q)./scripts/deps.sh fleet
	$(Q)python3 -m venv target/sbom
	$(Q)target/sbom/bin/pip install --quiet 'cyclonedx-python-lib[json-validation]'
	$(Q)touch $@

$(STATIC)/third-party: Cargo.lock scripts/notices.sh | $(STATIC)/x86_64/vendor
	$(Q)./scripts/notices.sh $(STATIC)/x86_64/vendor >$@

test-deb: deb debian-deps ## install, run, upgrade and remove the package in fresh Debian 12 and 13 roots
	$(Q)for release in bookworm trixie; do $(SUDO) dist/test-deb.sh $(DEB) $$release || exit 1; done

test-rpm: rpm ## install, verify, run and remove the package in an empty root
	$(Q)$(SUDO) dist/test-rpm.sh $(RPM)

# The kernel that each release came with.
test-unit: deb target/vm/root-bookworm.tar target/vm/root-trixie.tar ## the service under the real systemd of Debian 12 and 13, in QEMU
	$(Q)./scripts/deps.sh vm
	$(Q)python3 tests/vm/service.py $(DEB) bookworm=6.1 trixie=6.12

target/vm/root-%.tar: | debian-deps
	$(Q)mkdir -p $(@D)
	$(Q)mmdebstrap --quiet --variant=essential --include=systemd $* $@

# Of which releases of Debian, and what it takes of each.
RUNTIMES_OF ?= trixie
RUNTIMES := systemd-container,dbus,dbus-user-session,libpam-systemd,passwd,uidmap,podman,crun,lxc,busybox-static

test-containers: static $(RUNTIMES_OF:%=target/vm/root-runtimes-%.tar) ## what is told of containers by Podman's, systemd-nspawn's and LXC's own word, in QEMU; RUNTIMES_OF='trixie forky'
	$(Q)./scripts/deps.sh vm
	$(Q)python3 -B tests/vm/runtimes.py $(STATIC)/tuxscope-x86_64 $(RUNTIMES_OF:%=%=6.12)

target/vm/root-runtimes-%.tar: | debian-deps
	$(Q)mkdir -p $(@D)
	$(Q)mmdebstrap --quiet --variant=essential --include=$(RUNTIMES) \
	  $(if $(EXPIRED),--aptopt='Acquire::Check-Valid-Until "false"') $* $@

# How long the receiver of rsyslog's lines stays away, in seconds.
OUTAGE ?= 10

test-fleet: fleet-deps deps target/sql/installed ## dist/rsyslog*.conf by real rsyslogd over RELP, with the receiver lost for OUTAGE=10 s; dist/sql by DuckDB and ClickHouse's engine
	$(Q)$(call AS_OWNER,$(CARGO) build --locked --bin tuxscope)
	$(Q)$(SUDO) env OUTAGE=$(OUTAGE) target/sql/bin/python -B tests/fleet/rsyslog.py target/debug/tuxscope
	$(Q)target/sql/bin/python -B tests/fleet/sql.py
	$(Q)$(SUDO) target/sql/bin/python -B tests/fleet/history.py target/debug/tuxscope

target/sql/installed: dist/package.mk | fleet-deps
	$(Q)python3 -m venv target/sql
	$(Q)target/sql/bin/pip install --quiet duckdb==2.0.1 chdb==4.4.0
	$(Q)touch $@

test-otlp: fleet-deps target/otlp/installed ## --format otlp by OpenTelemetry's protobuf definitions
	$(Q)$(call AS_OWNER,$(CARGO) build --locked --bin tuxscope --example generate)
	$(Q)target/otlp/bin/python -B tests/otlp/check.py target/debug/tuxscope target/debug/examples/generate

target/otlp/installed: | fleet-deps
	$(Q)python3 -m venv target/otlp
	$(Q)target/otlp/bin/pip install --quiet opentelemetry-proto
	$(Q)touch $@

test-metrics: metrics-deps ## --metrics by a real node exporter and Prometheus; the alerts by promtool
	$(Q)$(call AS_OWNER,$(CARGO) build --locked --bin tuxscope)
	$(Q)$(SUDO) python3 -B tests/metrics/prometheus.py target/debug/tuxscope

test-mappings: fleet-deps target/mappings/installed ## dist/*.jq by the published schemas, JUnit by another reader
	$(Q)$(call AS_OWNER,$(CARGO) build --locked --bin tuxscope)
	$(Q)$(SUDO) target/mappings/bin/python -B tests/mappings/check.py target/debug/tuxscope target/mappings

target/mappings/installed: | fleet-deps
	$(Q)python3 -m venv target/mappings
	$(Q)target/mappings/bin/pip install --quiet py-ocsf-models junitparser
	$(Q)npm install --silent --no-save --prefix target/mappings @elastic/ecs
	$(Q)touch $@

SOAK_SECONDS ?= 1800

soak: static $(STATIC)/worker-x86_64 ## trace for SOAK_SECONDS=1800 under storms, rotation, SIGHUP and SIGSTOP; memory stays flat
	$(Q)$(SUDO) python3 tests/soak.py $(STATIC)/tuxscope-x86_64 $(STATIC)/worker-x86_64 $(SOAK_SECONDS)

# The advisories come over the network; all else is checked without one.
deny: cargo-deny ## licences, advisories, duplicate versions of the crates (needs cargo-deny)
	$(Q)$(CARGO) deny --offline --locked check licenses bans sources
	$(Q)if $(CARGO) deny --locked fetch db; then \
	  $(CARGO) deny --offline --locked check advisories; \
	else \
	  echo "deny: ADVISORIES NOT CHECKED: their database can't be reached" >&2; \
	fi
