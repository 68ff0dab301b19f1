#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# scripts/test-rpm-source.sh DIRECTORY: builds the source package for RPM that lies there, as an ordinary
# user and without a network, in a fresh Debian 13 with that release's rpm, cargo and libraries and with
# tests/rpm's macros in place of Fedora's; looks at what became of it, installs it, runs it, and removes
# it. As root. The packages are in DIRECTORY/built.
set -eu
export LC_ALL=C
directory=$(realpath "$1")

if [ -z "${IN_NAMESPACE:-}" ]; then
	IN_NAMESPACE=1 exec unshare --mount --propagation private "$0" "$directory"
fi

work=$(mktemp -d)
root=$work/root
trap 'umount -R "$root/proc" "$root/sys" "$root/dev" 2>/dev/null || :; rm -rf --one-file-system "$work"' EXIT

fail() {
	echo "test-rpm-source: $*" >&2
	exit 1
}

# What Debian calls the spec's BuildRequires, and what tries the packages.
scripts/debian.sh trixie "$root" cargo rustc clang gcc libc6-dev make libbpf-dev libelf-dev libzstd-dev \
	zlib1g-dev pkgconf zstd xz-utils file rpm rpmlint debugedit elfutils binutils passwd python3
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile \
	--no-deps --target "$root/opt/cargo2rpm" cargo2rpm==0.4.0
cat >"$root/usr/lib/rpm/cargo2rpm" <<'EOT'
#!/bin/sh
PYTHONPATH=/opt/cargo2rpm exec python3 -m cargo2rpm "$@"
EOT
chmod 755 "$root/usr/lib/rpm/cargo2rpm"
install -m 644 tests/rpm/macros.standin "$root/usr/lib/rpm/macros.d"
install -m 644 tests/rpm/cargo_vendor.attr "$root/usr/lib/rpm/fileattrs"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"

inside() { env -i LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --net chroot "$root" "$@"; }

inside useradd --create-home builder
cp "$directory"/*.src.rpm "$root/home/builder"
inside chown -R builder: /home/builder
# rpm's own list of what is installed is empty there: pkg-config is asked about the libraries instead.
# shellcheck disable=SC2016 # expanded by the inner shell
inside runuser -u builder -- sh -euc '
	cd
	rpm -qp --nosignature --requires ./*.src.rpm | sed -n "s/^pkgconfig(\(.*\))/\1/p" | sort -u |
		while read -r library; do pkg-config --print-errors --exists "$library"; done
	rpm -i --nosignature --nodeps ./*.src.rpm
	rpmbuild -ba --nodeps rpmbuild/SPECS/tuxscope.spec
'
rm -rf "$directory/built"
mkdir "$directory/built"
cp "$root"/home/builder/rpmbuild/RPMS/*/*.rpm "$root"/home/builder/rpmbuild/SRPMS/*.rpm "$directory/built"
built=$root/home/builder/rpmbuild
package=$(echo "$built"/RPMS/*/tuxscope-[0-9]*.rpm)

query() { rpm -qp --nosignature "$@" "$package"; }

notices=$work/usr/share/licenses/tuxscope
(cd "$work" && rpm2cpio "$package" | cpio --quiet --extract --make-directories './usr/share/licenses/*')
python3 -B tests/rpm/licences.py "$(query --queryformat '%{LICENSE}')" \
	"$notices/LICENSE.dependencies"

# Each crate that is linked is said to be bundled, and none that Cargo.lock doesn't name.
awk -F '"' '/^name = / { name = $2 } /^version = / { version = $2 } /^source = / { print name, version }' Cargo.lock |
	sed 's/+.*//' | sort -u >"$work/locked"
sed 's/.*: //; s/^\([^ ]*\) v\([^ +]*\).*/\1 \2/; /^tuxscope /d' "$notices/LICENSE.dependencies" | sort -u >"$work/linked"
query --provides | sed -n 's/^bundled(crate(\(.*\))) = /\1 /p' | sed 's/+.*//; s/~/-/' | sort -u >"$work/bundled"
[ -s "$work/linked" ] || fail "no crate is linked"
unsaid=$(comm -23 "$work/linked" "$work/bundled")
[ -z "$unsaid" ] || fail "linked, and not said to be bundled: $unsaid"
unknown=$(comm -13 "$work/locked" "$work/bundled")
[ -z "$unknown" ] || fail "said to be bundled, and not in Cargo.lock: $unknown"
# In awk and not a pipe to grep -q, which may end before rpm has written all.
for library in libbpf libzstd; do
	query --requires | awk -v library="$library.so." 'index($0, library) == 1 { found = 1 } END { exit !found }' ||
		fail "the program isn't linked with $library"
done
query --scripts | awk '/tuxscope\.service/ { found++ } END { exit found != 3 }' || fail "the unit's scripts are missing"
symbols=$(echo "$built"/RPMS/*/tuxscope-debuginfo-*.rpm)
rpm -qpl --nosignature "$symbols" | awk '/\/usr\/lib\/debug\/usr\/sbin\/tuxscope.*\.debug$/ { found = 1 } END { exit !found }' ||
	fail "no debugging symbols"

cp -r "$built/RPMS" "$built/SRPMS" "$root/tmp"
cp dist/rpm/rpmlint.toml "$root/tmp"
inside sh -euc '
	cd /tmp
	rpmlint --strict --config rpmlint.toml RPMS/*/*.rpm SRPMS/*.rpm
	rpm -i --nodeps --noscripts RPMS/*/tuxscope-[0-9]*.rpm
	rpm -V --nodeps tuxscope
	/usr/sbin/tuxscope --version
	/usr/sbin/tuxscope check >/dev/null
	/usr/sbin/tuxscope proc --wide --format json --output /tmp/events.jsonl -- /bin/true
	/usr/sbin/tuxscope replay --format summary /tmp/events.jsonl
	rm /tmp/events.jsonl
	rpm -e --nodeps --noscripts tuxscope
'
left=$(find "$root" -xdev -path "$root/tmp" -prune -o -path "$root/home" -prune -o -name '*tuxscope*' -print)
[ -z "$left" ] || fail "left behind: $left"
