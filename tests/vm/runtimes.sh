#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs a short process in a container of each runtime while tuxscope traces, and notes what the runtime, systemd, /proc and
# the process itself tell of it. Each case has a second tracer that begins before the container and is to choose it. What
# they print is judged on the host (runtimes.py).
export LC_ALL=C
# shellcheck source=tests/vm/notes.sh
. /test/notes.sh
user=worker
# Podman takes it for a sign that a unit of its own was made for it.
unset INVOCATION_ID

# trace NAME OPTION...: begins to trace into NAME.jsonl.
trace() {
	traced=$1
	shift
	/test/tuxscope proc --wide --format json "$@" >"$traced.jsonl" 2>"$traced-messages" &
	tracer=$!
	try "$traced-begin" await grep -q '^tuxscope: tracing ' "$traced-messages"
}

# end_trace NAME PROCESS: ends a tracer and notes its status.
end_trace() {
	kill -INT "$2"
	wait "$2"
	echo $? >"$1.status"
}

# choose OPTION VALUE: begins the case's second tracer.
choose() {
	echo "$1" >chosen
	trace chosen "--$1" "$2"
	chooser=$tracer
}

# make_root DIRECTORY: a container's root; its first process has one child, which tells what it sees of itself and stays
# until it has been looked at.
make_root() {
	root=$1
	mkdir -p "$root/bin" "$root/usr" "$root/etc" "$root/told"
	cp /usr/bin/busybox "$root/bin"
	for tool in sh readlink sleep; do
		ln -s busybox "$root/bin/$tool"
	done
	echo ID=known >"$root/etc/os-release"
	cat >"$root/init" <<-'INIT'
		#!/bin/sh
		/known
		exit $?
	INIT
	cat >"$root/known" <<-'KNOWN'
		#!/bin/sh
		readlink /proc/$$/ns/pid >/told/pidns
		echo $$ >/told/pid
		until [ -e /told/seen ]; do sleep 0.1; done
		exit 7
	KNOWN
	chmod +x "$root/init" "$root/known"
}

# Run a command as one of those who have containers.
# shellcheck disable=SC2317 # by $as
as_root() { "$@"; }
# shellcheck disable=SC2317 # by $as
as_user() {
	setpriv --reuid="$user" --regid="$user" --init-groups --reset-env \
		env "XDG_RUNTIME_DIR=/run/user/$(id -u "$user")" "$@"
}
as=as_root

# look COMMAND...: COMMAND prints the pid of the container's first process; its child is looked at, and may end.
look() {
	try inside await [ -s "$root/told/pid" ]
	[ -s "$root/told/pid" ] || send
	"$@" >leader 2>leader-messages
	read -r first _ <leader
	echo "$first" >first
	read -r known _ <"/proc/$first/task/$first/children"
	echo "$known" >known
	cp "/proc/$known/status" "/proc/$known/cgroup" .
	readlink "/proc/$known/ns/pid" >pidns
	cp "$root/told/pid" told-pid
	cp "$root/told/pidns" told-pidns
	systemctl whoami "$known" >unit 2>unit-messages
	[ $as = as_root ] || $as systemctl --user whoami "$known" >user-unit
	: >"$root/told/seen"
	try gone await left "$first"
}

# Whether a process has ended.
# shellcheck disable=SC2317 # called by await
left() { [ ! -e "/proc/$1" ]; }

# storage CONFIGURATION DIRECTORY RUN: where Podman keeps what it has; the root is a tmpfs, where overlayfs can't lie.
storage() {
	mkdir -p "${1%/*}"
	printf '%s\n' '[storage]' 'driver = "vfs"' "graphroot = \"$2\"" "runroot = \"$3\"" >"$1"
}

# in_podman PHASE OPTION...: a container of Podman, which has its id before it is started.
in_podman() {
	phase "$1"
	make_root "/roots/$1"
	shift
	[ $as = as_root ] || chown -R $user "$root"
	$as podman "$@" create --network none --rootfs "$root" /init >container 2>messages || send
	choose container "$(cut -c 1-12 container)"
	try start $as podman "$@" start "$(cat container)"
	look $as podman inspect --format '{{.State.Pid}}' "$(cat container)"
	end_trace chosen $chooser
}

phase all
uname -r >kernel
for tool in systemctl podman crun lxc-start; do
	$tool --version >"$tool-version"
done
trace all
tracer_of_all=$tracer

storage /etc/containers/storage.conf /var/lib/containers/storage /run/containers/storage
in_podman podman-systemd --cgroup-manager=systemd
in_podman podman-cgroupfs --cgroup-manager=cgroupfs

# A user without a session, as of a server's containers.
phase user
try useradd useradd -m $user
try linger loginctl enable-linger $user
try manager await systemctl -q is-active "user@$(id -u $user)"
storage /home/$user/.config/containers/storage.conf /home/$user/containers "/run/user/$(id -u $user)/containers"
chown -R $user /home/$user
as=as_user
in_podman podman-rootless --cgroup-manager=systemd
as=as_root

# A service of systemd's whose container is below it (--cgroups=split).
phase podman-quadlet
make_root /roots/podman-quadlet
cat >/etc/containers/systemd/quadlet.container <<-EOF
	[Container]
	Rootfs=$root
	Exec=/init
	Network=none
EOF
systemctl daemon-reload
choose unit quadlet.service
try start systemctl start quadlet
podman ps --quiet --no-trunc >container
look podman inspect --format '{{.State.Pid}}' "$(cat container)"
# shellcheck disable=SC2317 # called by await
stopped() {
	case $(systemctl is-active "$1") in
	inactive | failed) ;;
	*) return 1 ;;
	esac
}
try stopped await stopped quadlet
end_trace chosen $chooser

# in_nspawn PHASE MACHINE REGISTER: a container of systemd-nspawn's, begun by a command.
in_nspawn() {
	phase "$1"
	make_root "/roots/$1"
	echo "$2" >container
	choose container "$2"
	systemd-nspawn --quiet --directory="$root" --machine="$2" --register="$3" --console=pipe /init \
		</dev/null >messages 2>&1 &
	nspawn=$!
	case $3 in
	yes) look machinectl show --property=Leader --value "$2" ;;
	no) look cat /proc/$nspawn/task/$nspawn/children ;;
	esac
	wait $nspawn
	end_trace chosen $chooser
}

in_nspawn nspawn web-1 yes
in_nspawn nspawn-unregistered web-4 no

# In a network of its own it would need a driver that the kernel's image lacks.
phase nspawn-service
make_root /var/lib/machines/web-2
echo web-2 >container
mkdir -p /etc/systemd/nspawn
printf '%s\n' '[Exec]' Boot=no Parameters=/init '[Network]' VirtualEthernet=no >/etc/systemd/nspawn/web-2.nspawn
choose container web-2
try start machinectl start web-2
look machinectl show --property=Leader --value web-2
try stopped await stopped systemd-nspawn@web-2
journalctl -o cat -u systemd-nspawn@web-2 >messages
end_trace chosen $chooser

phase lxc
make_root /roots/lxc
mkdir "$root/proc" "$root/dev" "$root/sys"
echo web-3 >container
cat >config <<-EOF
	lxc.uts.name = web-3
	lxc.rootfs.path = dir:$root
	lxc.init.cmd = /init
	lxc.mount.auto = proc:mixed sys:ro
	lxc.net.0.type = empty
	lxc.apparmor.profile = unconfined
EOF
choose container web-3
try start lxc-start --name web-3 --rcfile config --logfile messages --logpriority INFO
look lxc-info --name web-3 --pid --no-humanize
end_trace chosen $chooser

phase all
end_trace all $tracer_of_all
journalctl -o cat >journal
send
