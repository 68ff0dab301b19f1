# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_tuxscope_global_optspecs
    string join \n h/help V/version
end

function __fish_tuxscope_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_tuxscope_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_tuxscope_using_subcommand
    set -l cmd (__fish_tuxscope_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c tuxscope -n "__fish_tuxscope_needs_command" -s h -l help -d 'Print help'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -s V -l version -d 'Print version'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "proc" -d 'Show fork, exec and exit of processes as they happen'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "replay" -d 'Show the events of a capture again, in any format'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "top" -d 'Show which commands, units, containers or users use the CPU now, ended processes included'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "diff" -d 'Show how captures of the same work differ'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "schema" -d 'Print the JSON Schema of the output of --format json'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "check" -d 'Check what this kernel and the caller\'s rights allow, and try both modes'
complete -c tuxscope -n "__fish_tuxscope_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l format -d 'How to show the events' -r -f -a "table\t'One aligned line per event'
json\t'One JSON object per line'
summary\t'Totals and losses; what used the CPU, by command or --by; latencies, run times, failures'
summary-json\t'The figures of summary, as one JSON object'
tree\t'The tree of processes with run times and statuses, at the end'
timeline\t'A picture (SVG) with one bar per process, at the end'
perfetto\t'Trace events (JSON) for ui.perfetto.dev'
html\t'A page (HTML, one file) that explains a build: what failed first, what took the time'
path\t'What the end waited for: the chain of processes, what each did meanwhile, slack of others'
folded\t'Stacks of commands with what they took, for flamegraph.pl, inferno and speedscope'
otlp\t'A span a process (OTLP/JSON), for the OpenTelemetry collector\'s otlpjsonfile receiver'
explain\t'One plain sentence per event'
none\t'Nothing: for --expect'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l columns -d 'The table\'s columns (live: implies --wide); where a terminal has no room for all, some give way' -r -f -a "time\t'When, in local time'
pid\t'Process id'
ppid\t'Process id of the parent'
tid\t'Id of the task'
nspid\t'Process id in its own PID namespace; - in the initial one'
user\t'Real user'
login\t'Who logged in at first, whatever sudo came since'
event\t'FORK, EXEC, EXIT; THREAD and TEXIT of threads; XFAIL: an exec failed'
status\t'How it ended: exit status or signal; why an exec failed'
duration\t'How long it lived'
cpu\t'CPU time that it used, without its children\'s'
wait\t'How long it was ready to run and had no CPU'
rss\t'Highest resident set'
faults\t'Page faults, with and without I/O'
read\t'Bytes read from block devices for it'
write\t'Bytes that it wrote, to go to block devices'
unit\t'systemd unit, of the user\'s systemd where it is below that'
container\t'Container: the first 12 digits of its id, or its name'
cgroup\t'Path of the cgroup'
host\t'The host'
comm\t'Name of the process'
command\t'The arguments, or the name in brackets; of a failed exec the file, of a signal its sender'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l by -d 'Group the processes of a summary by this [default: command]' -r -f -a "command\t'The name of the process'
unit\t'The systemd unit, of the user\'s systemd where it is below that'
container\t'The container\'s id or name'
user\t'The real user'
parent\t'The name of the process that forked it'
args\t'All arguments'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l sort -d 'Show first the groups of a summary with the most of this [default: cpu]' -r -f -a "cpu\t'CPU time'
wait\t'Time without a CPU, though ready to run'
duration\t'Run times, added up'
count\t'How many processes'
failures\t'Processes that failed, and execs that did'
rss\t'The largest resident set of one process'
io\t'Block I/O'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l top -d 'Show this many groups of a summary, and the others as one row [default: 20]' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l every -d 'Make a summary of each interval of this length in which anything happened: seconds, or with units' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l weight -d 'What the numbers of folded stacks count [default: cpu]' -r -f -a "cpu\t'CPU time of the processes themselves, in nanoseconds'
duration\t'Run time of the processes while none of their children ran, in nanoseconds'
count\t'How many processes'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l otlp-max-spans -d 'Write at most N spans; beyond that, short processes share one [default: 2000]' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l max-args -d 'With --wide: bytes to keep of each command line, at most 64K' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s p -l pid -d 'Only events of these processes (of a fork: the child)' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s P -l ppid -d 'Only events of the children of these processes' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l comm -d 'Only events of processes with this name' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l uid -d 'Only events of this real user, by name or number' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l cgroup -d 'Only events in this cgroup (v2) and below, such as /system.slice/cron.service' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l unit -d 'Only events of this systemd unit, the system\'s or a user\'s; cron means cron.service' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l container -d 'Only events in this container: 12 or more digits of its id, or its name if it has none' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s e -l event -d 'Only events of these kinds' -r -f -a "fork\t''
exec\t''
exit\t''
exec_failed\t''"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l match -d 'Only events whose process name or arguments match this regular expression' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l user -d 'Run COMMAND as this user, and set HOME, SHELL, USER and LOGNAME for it' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l wait -d 'End when COMMAND ends, or when the last of its descendants does' -r -f -a "command\t'COMMAND itself'
all\t'COMMAND and all its descendants, daemons included'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l expect -d 'Exit with status 4 unless this holds, such as \'failures = 0\' or \'cpu[unit=ci] <= 90s\'' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l expect-output -d 'Write what became of the rules to FILE instead of standard error' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l junit -d 'Write what became of the rules to FILE as JUnit XML, too' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s o -l output -d 'Write to FILE instead of standard output' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l rotate-size -d 'With --output: begin a new FILE before it exceeds SIZE; old ones are FILE.1, FILE.2, ...' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l rotate-keep -d 'With --rotate-size: how many old files to keep' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l metrics -d 'Also keep counters for Prometheus in FILE, whose name must end in .prom (implies --wide)' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l duration -d 'End the capture after this time: seconds, or with units, such as 0.5, 90s, 2m' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l count -d 'End the capture after this many events' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l buffer-size -d 'Size of the kernel\'s ring buffer: bytes, or with K, M or G; rounded up to a power of two' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l otlp-args -d 'In spans of --format otlp, tell the arguments of programs, too, which may hold secrets'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l no-args -d 'Leave the arguments of programs out of the output; their names stay'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s w -l wide -d 'Wide mode: processes instead of tasks, with parent, user, arguments, status, duration'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l threads -d 'With --wide: also forks and exits of threads'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l failed-execs -d 'Also execs that fail (implies --wide)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l host-fields -d 'Name the host and its boot in each event, so that lines of several hosts can be mixed (implies --wide)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l no-exit-args -d 'With --wide: leave the arguments out of exits, which repeat those of the exec'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s f -l follow -d 'With --pid: also events of all their descendants'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l failed -d 'Only exits with a status other than 0, or by a signal, and execs that failed'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l rotate-compress -d 'With --rotate-size: compress old files to FILE.1.zst, FILE.2.zst, ..., in the background'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l reopen -d 'With --output: on SIGHUP reopen FILE (after logrotate has renamed it) instead of ending'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -l strict -d 'Exit with status 3 unless the capture is complete: nothing lost, missed or unwritten'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s v -l verbose -d 'Show libbpf\'s messages'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand proc" -s h -l help -d 'Print help (in full with --help)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l format -d 'How to show the events' -r -f -a "table\t'One aligned line per event'
json\t'One JSON object per line'
summary\t'Totals and losses; what used the CPU, by command or --by; latencies, run times, failures'
summary-json\t'The figures of summary, as one JSON object'
tree\t'The tree of processes with run times and statuses, at the end'
timeline\t'A picture (SVG) with one bar per process, at the end'
perfetto\t'Trace events (JSON) for ui.perfetto.dev'
html\t'A page (HTML, one file) that explains a build: what failed first, what took the time'
path\t'What the end waited for: the chain of processes, what each did meanwhile, slack of others'
folded\t'Stacks of commands with what they took, for flamegraph.pl, inferno and speedscope'
otlp\t'A span a process (OTLP/JSON), for the OpenTelemetry collector\'s otlpjsonfile receiver'
explain\t'One plain sentence per event'
none\t'Nothing: for --expect'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l columns -d 'The table\'s columns (live: implies --wide); where a terminal has no room for all, some give way' -r -f -a "time\t'When, in local time'
pid\t'Process id'
ppid\t'Process id of the parent'
tid\t'Id of the task'
nspid\t'Process id in its own PID namespace; - in the initial one'
user\t'Real user'
login\t'Who logged in at first, whatever sudo came since'
event\t'FORK, EXEC, EXIT; THREAD and TEXIT of threads; XFAIL: an exec failed'
status\t'How it ended: exit status or signal; why an exec failed'
duration\t'How long it lived'
cpu\t'CPU time that it used, without its children\'s'
wait\t'How long it was ready to run and had no CPU'
rss\t'Highest resident set'
faults\t'Page faults, with and without I/O'
read\t'Bytes read from block devices for it'
write\t'Bytes that it wrote, to go to block devices'
unit\t'systemd unit, of the user\'s systemd where it is below that'
container\t'Container: the first 12 digits of its id, or its name'
cgroup\t'Path of the cgroup'
host\t'The host'
comm\t'Name of the process'
command\t'The arguments, or the name in brackets; of a failed exec the file, of a signal its sender'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l by -d 'Group the processes of a summary by this [default: command]' -r -f -a "command\t'The name of the process'
unit\t'The systemd unit, of the user\'s systemd where it is below that'
container\t'The container\'s id or name'
user\t'The real user'
parent\t'The name of the process that forked it'
args\t'All arguments'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l sort -d 'Show first the groups of a summary with the most of this [default: cpu]' -r -f -a "cpu\t'CPU time'
wait\t'Time without a CPU, though ready to run'
duration\t'Run times, added up'
count\t'How many processes'
failures\t'Processes that failed, and execs that did'
rss\t'The largest resident set of one process'
io\t'Block I/O'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l top -d 'Show this many groups of a summary, and the others as one row [default: 20]' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l every -d 'Make a summary of each interval of this length in which anything happened: seconds, or with units' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l weight -d 'What the numbers of folded stacks count [default: cpu]' -r -f -a "cpu\t'CPU time of the processes themselves, in nanoseconds'
duration\t'Run time of the processes while none of their children ran, in nanoseconds'
count\t'How many processes'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l otlp-max-spans -d 'Write at most N spans; beyond that, short processes share one [default: 2000]' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -s p -l pid -d 'Only events of these processes (of a fork: the child)' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -s P -l ppid -d 'Only events of the children of these processes' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l comm -d 'Only events of processes with this name' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l uid -d 'Only events of this real user, by name or number' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l cgroup -d 'Only events in this cgroup (v2) and below, such as /system.slice/cron.service' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l unit -d 'Only events of this systemd unit, the system\'s or a user\'s; cron means cron.service' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l container -d 'Only events in this container: 12 or more digits of its id, or its name if it has none' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -s e -l event -d 'Only events of these kinds' -r -f -a "fork\t''
exec\t''
exit\t''
exec_failed\t''"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l match -d 'Only events whose process name or arguments match this regular expression' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l since -d 'Only events at this time or later: 2026-11-23T14:00:00Z, \'2026-11-23 14:00\', today, -2h' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l until -d 'Only events before this time, as --since' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l min-duration -d 'Only exits of processes that lived this long or longer' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l min-cpu -d 'Only exits of processes that used this much CPU time or more' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l host -d 'Only events of this host' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l expect -d 'Exit with status 4 unless this holds, such as \'failures = 0\' or \'cpu[unit=ci] <= 90s\'' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l expect-output -d 'Write what became of the rules to FILE instead of standard error' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l junit -d 'Write what became of the rules to FILE as JUnit XML, too' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -s o -l output -d 'Write to FILE instead of standard output' -r -F
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l otlp-args -d 'In spans of --format otlp, tell the arguments of programs, too, which may hold secrets'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l no-args -d 'Leave the arguments of programs out of the output; their names stay'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -s f -l follow -d 'With --pid: also events of all their descendants'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l failed -d 'Only exits with a status other than 0, or by a signal, and execs that failed'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l strict -d 'Exit with status 1 if a line can\'t be read, 3 if events were lost or the end is missing'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -l tail -d 'Go on with what is appended to the capture, across rotation, until interrupted'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand replay" -s h -l help -d 'Print help (in full with --help)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand top" -s h -l help -d 'Print help (in full with --help)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand diff" -l format -d 'How to show the differences' -r -f -a "table\t'For people: what differs'
json\t'One JSON object: everything'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand diff" -l by -d 'Group processes by this' -r -f -a "command\t'The name of the process'
unit\t'The systemd unit, of the user\'s systemd where it is below that'
container\t'The container\'s id or name'
user\t'The real user'
parent\t'The name of the process that forked it'
args\t'All arguments'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand diff" -l threshold -d 'Times and sizes that changed by no more than this are alike, in percent' -r
complete -c tuxscope -n "__fish_tuxscope_using_subcommand diff" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand diff" -l args -d 'Compare the command lines of all execs, too, without temporary names, hashes and long numbers'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand diff" -s h -l help -d 'Print help (in full with --help)'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand schema" -s h -l help -d 'Print help'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand check" -l format -d 'How to print the answers' -r -f -a "table\t'One line per check, with the remedy below each no'
json\t'One JSON object'"
complete -c tuxscope -n "__fish_tuxscope_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "proc" -d 'Show fork, exec and exit of processes as they happen'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "replay" -d 'Show the events of a capture again, in any format'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "top" -d 'Show which commands, units, containers or users use the CPU now, ended processes included'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "diff" -d 'Show how captures of the same work differ'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "schema" -d 'Print the JSON Schema of the output of --format json'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "check" -d 'Check what this kernel and the caller\'s rights allow, and try both modes'
complete -c tuxscope -n "__fish_tuxscope_using_subcommand help; and not __fish_seen_subcommand_from proc replay top diff schema check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
