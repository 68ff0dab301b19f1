#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# vmlinux/check.sh [BTF-FILE]: compares vmlinux.h with a kernel's BTF (the running kernel's).
#
# Each field that vmlinux.h names must exist in the struct of that name. Structs whose name has
# a ___suffix are flavours: other kernels' versions, which this one may lack; that is only told.
# To see a whole definition when a field is to be added:
#   bpftool btf dump file /sys/kernel/btf/vmlinux format c | less '+/^struct task_struct {'
set -eu

btf=${1:-/sys/kernel/btf/vmlinux}
header=$(dirname "$0")/vmlinux.h

command -v bpftool >/dev/null || {
	echo "bpftool is missing (Debian: apt-get install bpftool)" >&2
	exit 1
}

bpftool btf dump file "$btf" format c | awk '
	# Remembers the identifiers in the body of each struct of the first file, the kernel;
	# looks up those of the second, ours. Comments and array sizes are no identifiers.
	{ gsub(/\/\*.*\*\//, ""); gsub(/\[[^]]*\]/, "") }
	FNR == 1 { file++ }
	/^struct [A-Za-z0-9_]+ \{/ { name = $2; base = name; sub(/___.*/, "", base); next }
	/^}/ { name = ""; next }
	name == "" { next }
	{
		field = $0
		sub(/;.*/, "", field)
		sub(/:[ 0-9]*$/, "", field)
		if (match(field, /\(\*[A-Za-z0-9_]+\)/))
			field = substr(field, RSTART + 2, RLENGTH - 3)
		else
			sub(/.*[ *\t]/, "", field)
		if (field !~ /^[A-Za-z_]/) next
		if (file == 1) { kernel[name, field] = 1; next }
		checked++
		if ((base, field) in kernel) next
		if (name != base) { print "absent here: " name "." field; next }
		print "MISSING: struct " name " has no field " field " in this kernel"
		bad = 1
	}
	END { print checked " fields compared"; exit bad || !checked }
' - "$header"
