# SPDX-License-Identifier: MIT OR Apache-2.0
# shellcheck shell=sh
# What a guest's script notes is a file below /out, by phase; at its end all of them are printed as one archive on the
# console (guest.py). For it to source.

# phase NAME: the notes that follow are files of /out/NAME.
phase() {
	echo "guest: $1"
	mkdir -p "/out/$1"
	cd "/out/$1" || exit
}

# try NAME COMMAND...: notes what it prints, and its exit status.
try() {
	name=$1
	shift
	"$@" >"$name" 2>&1
	echo $? >"$name.status"
}

# await COMMAND...: until it is so, for a minute or two at most.
await() {
	waited=0
	until "$@"; do
		[ $waited -lt 600 ] || return 1
		waited=$((waited + 1))
		sleep 0.1
	done
}

# The end, where the rest can't be tried, too.
send() {
	tar -cz -C /out -f /out.tgz .
	echo "guest: archive $(sha256sum </out.tgz | cut -c 1-64)"
	base64 /out.tgz
	echo "guest: end"
	exit
}
