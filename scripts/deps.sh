#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/deps.sh build|test|pages|lint|fuzz|static|vm|arches|btf|debian|deb|rpm|source|debian-source|dist|fleet|image|metrics|peers:
# installs what the build, the tests, the linters, the fuzz targets, the static build, the kernel tests, the
# programs of other architectures, the relocations, roots of
# Debian, the packages, the tarballs, the linters of what they ship, the tests of many hosts' captures or of the image, or
# the benchmarks lack of the system's packages. Where that isn't possible it prints the command to give, and fails.
# scripts/deps.sh cargo: fails where there is none, or one that is too old.
# scripts/deps.sh cargo-auditable|cargo-deb|cargo-deny|cargo-fuzz: fails with the command to give where cargo lacks this
# subcommand; where CI is set it installs it in the version that is named here.
set -eu
PATH=$PATH:/usr/sbin:/sbin # where some of these lie, and a user's own has neither

have() { command -v "$1" >/dev/null 2>&1; }

missing=
need() { missing="$missing $1"; }

case ${1:-} in
cargo)
	oldest=$(sed -n 's/^rust-version = "\(.*\)".*/\1/p' Cargo.toml)
	if have "${CARGO:-cargo}"; then
		found=$("${CARGO:-cargo}" --version | cut -d ' ' -f 2)
		[ "$(printf '%s\n' "$oldest" "$found" | sort -V | head -n 1)" != "$oldest" ] || exit 0
	fi
	echo "cargo is ${found:-missing}: install Rust $oldest or newer (https://rustup.rs, or Debian 13's cargo)" >&2
	exit 1
	;;
build)
	have "${CLANG:-clang}" || need "${CLANG:-clang}"
	have cc || need gcc
	[ -e /usr/include/stdlib.h ] || need libc-dev
	have pkg-config || need pkg-config
	if ! have pkg-config || ! pkg-config --exists libelf zlib; then need libelf; fi
	;;
static)
	have autoreconf || need autoconf
	have libtoolize || need libtool
	for tool in automake autopoint flex bison gawk gettext file; do
		have $tool || need $tool
	done
	[ -e "$(cc -print-file-name=libc.a)" ] || need libc-static
	;;
vm)
	have qemu-system-x86_64 || need qemu-system-x86
	have qemu-system-aarch64 || need qemu-system-arm
	have qemu-system-ppc64 || need qemu-system-ppc
	have qemu-system-riscv64 || need qemu-system-riscv64
	have qemu-system-s390x || need qemu-system-s390x
	have python3 || need python3
	;;
arches)
	for arch in aarch64 ppc64le riscv64 s390x; do
		have qemu-$arch-static || have qemu-$arch || need qemu-user
	done
	have python3 || need python3
	;;
btf)
	have bpftool || need bpftool
	have objcopy || need binutils
	have python3 || need python3
	have zstd || need zstd
	have lz4 || need lz4
	;;
debian)
	have mmdebstrap || need mmdebstrap
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || need debian-archive-keyring
	;;
deb)
	have lintian || need lintian
	;;
rpm)
	have rpmbuild || need rpm
	have cpio || need cpio
	;;
source)
	have git || need git
	have xz || need xz
	;;
debian-source)
	have dpkg-source || need dpkg-dev
	;;
dist)
	have mandoc || need mandoc
	have systemd-analyze || need systemd
	have zsh || need zsh
	have fish || need fish
	;;
fleet)
	[ -x /usr/sbin/rsyslogd ] || need rsyslog
	[ -n "$(find /usr/lib /usr/lib64 -path '*/rsyslog/omrelp.so' 2>/dev/null)" ] || need rsyslog-relp
	python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
	have jq || need jq
	have npm || need npm
	;;
image)
	have skopeo || need skopeo
	have umoci || need umoci
	;;
metrics)
	have prometheus || need prometheus
	have prometheus-node-exporter || need prometheus-node-exporter
	;;
cargo-*)
	case $1 in
	cargo-auditable) tool=$1@0.7.7 ;;
	cargo-deb) tool=$1@3.8.0 ;;
	cargo-deny) tool=$1@0.20.2 ;;
	cargo-fuzz) tool=$1@0.13.2 ;;
	esac
	if [ "${CI:-}" ]; then
		exec "${CARGO:-cargo}" install --quiet --locked --debug "$tool" # quickly built, run once
	fi
	"${CARGO:-cargo}" "${1#cargo-}" --version >/dev/null 2>&1 && exit
	echo "$1 is missing: cargo install --locked $tool" >&2
	exit 1
	;;
test)
	have strace || need strace # what a build is compared with
	have setcap || need setcap
	have bpftool || need bpftool # which programs are loaded
	have mount || need mount
	have zstd || need zstd
	;;
pages)
	have chromium || need chromium
	if ! have fc-list || [ -z "$(fc-list)" ]; then need fonts; fi
	have python3 || need python3
	;;
fuzz)
	have c++ || need g++ # libfuzzer-sys compiles its engine
	;;
lint)
	have "${CLANG_FORMAT:-clang-format}" || need clang-format
	have shellcheck || need shellcheck
	;;
peers)
	have bpftool || need bpftool
	have bpftrace || need bpftrace
	have execsnoop || need libbpf-tools
	have forkstat || need forkstat
	have perf || need perf
	have strace || need strace
	;;
*)
	echo "usage: scripts/deps.sh build|test|pages|lint|fuzz|static|vm|arches|btf|debian|deb|rpm|source|debian-source|dist|fleet|image|metrics|peers|cargo|cargo-NAME" >&2
	exit 2
	;;
esac
[ -n "$missing" ] || exit 0

# Our words for the packages -> a distribution's.
names() {
	for name in $missing; do
		case $1:$name in
		apt:libc-dev | apt:libc-static) echo libc6-dev ;;
		apt:libelf) echo libelf-dev zlib1g-dev ;;
		apt:perf) echo linux-perf ;;
		apt:xz) echo xz-utils ;;
		apt:fonts) echo fonts-dejavu-core fontconfig ;;
		dnf:fonts) echo dejavu-sans-fonts fontconfig ;;
		pacman:fonts) echo ttf-dejavu fontconfig ;;
		zypper:fonts) echo dejavu-fonts fontconfig ;;
		apt:setcap) echo libcap2-bin ;;
		zypper:setcap) echo libcap-progs ;;
		*:setcap) echo libcap ;;
		dnf:mount | pacman:mount | zypper:mount) echo util-linux ;;
		dnf:g++ | zypper:g++) echo gcc-c++ ;;
		pacman:g++) echo gcc ;;
		dnf:rpm) echo rpm-build ;;
		dnf:shellcheck | zypper:shellcheck) echo ShellCheck ;;
		dnf:libc-dev) echo glibc-devel ;;
		dnf:libc-static) echo glibc-static ;;
		dnf:libelf) echo elfutils-libelf-devel zlib-devel ;;
		dnf:clang-format) echo clang-tools-extra ;;
		dnf:pkg-config) echo pkgconf-pkg-config ;;
		dnf:python3-venv) echo python3 ;;
		pacman:rpm) echo rpm-tools ;;
		pacman:python3-venv) echo python ;;
		pacman:libc-dev) echo glibc ;;
		pacman:libelf) echo libelf zlib ;;
		pacman:clang-format) echo clang ;;
		pacman:pkg-config) echo pkgconf ;;
		zypper:rpm) echo rpm-build ;;
		zypper:python3-venv) echo python3 ;;
		zypper:libc-dev) echo glibc-devel ;;
		zypper:libelf) echo libelf-devel zlib-devel ;;
		zypper:clang-format) echo clang ;;
		*) echo "$name" ;;
		esac
	done | tr '\n' ' '
}

root=
[ "$(id -u)" = 0 ] || root=sudo

if have apt-get && { [ -z "$root" ] || have sudo; }; then
	echo "installing$missing" >&2
	$root apt-get update -qq
	# shellcheck disable=SC2046 # a list of packages
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(names apt) >/dev/null
	exit 0
fi

echo "missing:$missing. Install what is missing as root with one of" >&2
echo "  apt-get install $(names apt)" >&2
echo "  dnf install $(names dnf)" >&2
echo "  pacman -S $(names pacman)" >&2
echo "  zypper install $(names zypper)" >&2
exit 1
