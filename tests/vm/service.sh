#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Lives through what a service lives through: installed, started, reloaded, restarted, hung,
# stopped, refused, upgraded, purged. It notes what happens, and prints all notes as one archive on
# the console; what they say is judged on the host (service.py).
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
logs=/var/log/tuxscope
dropin=/run/systemd/system/tuxscope.service.d/test.conf
# shellcheck source=tests/vm/notes.sh
. /test/notes.sh

# Notes what systemd knows of the service now, and the kernel of its process.
show() {
	systemctl show tuxscope >properties
	pid=$(sed -n 's/^MainPID=//p' properties)
	[ "$pid" = 0 ] || cp "/proc/$pid/status" process
}

# What the service has said since the last time.
said() {
	journalctl --sync
	journalctl -u tuxscope -o cat --cursor-file=/run/cursor >journal 2>&1
	stat -c '%a %u %F %n' $logs/ $logs/* /run/tuxscope/* >files 2>&1 || :
	setpriv --reuid=65534 --clear-groups cat /run/tuxscope/metrics.prom >metrics 2>&1 || :
}

main_pid() {
	systemctl show -P MainPID tuxscope
}

# children COUNT: processes with exit statuses of their own, one after the other. Each notes its
# pid and its status.
children() {
	i=0
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		sh -c "exit $i" known-child &
		echo $! $i >>children
		wait $!
	done
}

drop_in() {
	mkdir -p ${dropin%/*}
	printf '[Service]\n%s\n' "$@" >$dropin
	systemctl daemon-reload
}

phase install
uname -r >kernel
systemctl --version >systemd
try dpkg dpkg -i /test/tuxscope.deb
try is-active systemctl is-active tuxscope
try is-enabled systemctl is-enabled tuxscope

phase start
try start systemctl start tuxscope
try is-active systemctl is-active tuxscope
children 20
show
said
systemctl -q is-active tuxscope || send
try security systemd-analyze security --no-pager tuxscope.service

phase reload
children 200 &
load=$!
await grep -q . children
mv $logs/events.jsonl $logs/moved.jsonl
try reload systemctl reload tuxscope
try reopened await [ -s $logs/events.jsonl ]
wait $load
show
said

phase restart
try restart systemctl restart tuxscope
try is-active systemctl is-active tuxscope
children 20
show
said

# Long enough for two watchdog periods.
phase alive
drop_in WatchdogSec=10
systemctl restart tuxscope
sleep 22
children 20
show
said

phase hung
hung=$(main_pid)
[ "$hung" -gt 0 ] || send
kill -STOP "$hung"
cut -d ' ' -f 1 /proc/uptime >began
# shellcheck disable=SC2317 # called by await
another() { [ "$(main_pid)" != "$hung" ] && [ "$(systemctl is-active tuxscope)" = active ]; }
try restarted await another
cut -d ' ' -f 1 /proc/uptime >ended
children 20
show
said

phase stop
try stop systemctl stop tuxscope
try is-active systemctl is-active tuxscope
try status systemctl status tuxscope
show
said
mkdir logs
cp -L $logs/* logs

phase refused
drop_in AmbientCapabilities= CapabilityBoundingSet= RestartSec=100ms
try start systemctl start tuxscope
sleep 3
try status systemctl status tuxscope
show
said
rm $dropin
systemctl daemon-reload
systemctl reset-failed tuxscope

phase compress
# shellcheck disable=SC2016 # systemd's variables
drop_in ExecStart= 'ExecStart=/usr/sbin/tuxscope proc --wide --format json --output ${LOGS_DIRECTORY}/events.jsonl --host-fields --rotate-size 16K --rotate-compress --metrics ${RUNTIME_DIRECTORY}/metrics.prom'
try start systemctl start tuxscope
children 100
try compressed await [ -e $logs/events.jsonl.3.zst ]
cat "/proc/$(main_pid)"/task/*/stat >tasks
try stop systemctl stop tuxscope
show
said
rm $dropin
systemctl daemon-reload

phase upgrade
systemctl start tuxscope
main_pid >before
try dpkg dpkg -i /test/tuxscope.deb
try is-active systemctl is-active tuxscope
show
said

phase purge
main_pid >before
try dpkg dpkg --purge tuxscope
try is-active systemctl is-active tuxscope
try process test -e "/proc/$(cat before)"
find / -xdev -name '*tuxscope*' -not -path '/test/*' -not -path '/out/*' -not -path '/proc/*' \
	-not -path '/sys/*' >left
said 2>files

send
