-- SPDX-License-Identifier: MIT OR Apache-2.0
-- What `--format summary` tells of one capture, asked of many hosts' lines with ClickHouse.
-- 'captures/*.jsonl' stands for wherever they are. With --host-fields each line has its host, or what
-- ships lines gives it one. Where they have none, it is the one that the first line of their file names: so the files of several hosts
-- must not be joined. Lines of such a file have no host here.
create view lines as
select *, _path as file
from file('captures/*.jsonl', JSONEachRow, 'host Nullable(String), pid Nullable(UInt64),
  ppid UInt64, comm String, event_type String, timestamp_ns UInt64, start_ns UInt64, uid UInt64,
  thread Nullable(Bool), exit_code Nullable(UInt8), signal Nullable(String), duration_ns UInt64,
  args Array(String)')
settings input_format_skip_unknown_fields = 1;
create view events as
with files as (
  select file, if(count(distinct host) = 1, min(host), null) as host_of_file
  from lines where event_type = 'meta' group by file)
select coalesce(lines.host, files.host_of_file) as host, pid, ppid, comm, event_type, timestamp_ns,
  start_ns, uid, thread, exit_code, signal, duration_ns, args
from lines left join files on lines.file = files.file
settings join_use_nulls = 1;

-- counts: what happened how often
select host, event_type, count() as events
from events where pid is not null and not ifNull(thread, false)
group by all order by all;

-- commands: which were started most
select host, comm, count() as execs
from events where event_type = 'exec'
group by all order by execs desc, host, comm limit 20;

-- failures: what failed, and how
select host, comm, ifNull(signal, toString(exit_code)) as status, count() as times
from events
where event_type = 'exit' and not ifNull(thread, false) and (exit_code > 0 or signal is not null)
group by all order by times desc, host, comm, status limit 20;

-- latency: microseconds from fork to the first exec
with lives as (
  select host, pid, start_ns,
    minIf(timestamp_ns, event_type = 'fork') as forked,
    minIf(timestamp_ns, event_type = 'exec') as execed
  from events where pid is not null and not ifNull(thread, false) group by all)
select host, count() as processes,
  quantileExactLow(0.5)(intDiv(execed - forked, 1000)) as p50,
  max(intDiv(execed - forked, 1000)) as longest
from lives where forked > 0 and execed > 0
group by all order by host;

-- longest: what ran longest, in milliseconds
select host, pid, comm, intDiv(duration_ns, 1000000) as ms, arrayStringConcat(args, ' ') as command
from events where event_type = 'exit' and not ifNull(thread, false)
order by duration_ns desc, host, pid limit 20;
