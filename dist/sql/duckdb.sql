-- SPDX-License-Identifier: MIT OR Apache-2.0
-- What `--format summary` tells of one capture, asked of many hosts' lines with DuckDB.
-- 'captures/*.jsonl' stands for wherever they are: 'captures/*/*.jsonl.zst' works as well. With
-- --host-fields each line has its host, or what ships lines gives it one. Where they have none, it is the one that the first line of their file
-- tells, so that files of several hosts must not be joined: lines of such a file have no host here.
create view lines as
select * from read_json('captures/*.jsonl', format = 'newline_delimited', filename = 'file', columns = {
  host: 'varchar', pid: 'ubigint', ppid: 'ubigint', comm: 'varchar', event_type: 'varchar',
  timestamp_ns: 'ubigint', start_ns: 'ubigint', uid: 'ubigint', thread: 'boolean',
  exit_code: 'utinyint', signal: 'varchar', duration_ns: 'ubigint', args: 'varchar[]'});
create view events as
with files as (
  select file, case when count(distinct host) = 1 then min(host) end as host_of_file
  from lines where event_type = 'meta' group by file)
select lines.* replace (coalesce(host, host_of_file) as host)
from lines left join files using (file);

-- counts: what happened how often
select host, event_type, count(*) as events
from events where pid is not null and thread is not true
group by all order by all;

-- commands: which were started most
select host, comm, count(*) as execs
from events where event_type = 'exec'
group by all order by execs desc, host, comm limit 20;

-- failures: what failed, and how
select host, comm, coalesce(signal, exit_code::varchar) as status, count(*) as times
from events
where event_type = 'exit' and thread is not true and (exit_code > 0 or signal is not null)
group by all order by times desc, host, comm, status limit 20;

-- latency: microseconds from fork to the first exec
with lives as (
  select host, pid, start_ns,
    min(timestamp_ns) filter (where event_type = 'fork') as forked,
    min(timestamp_ns) filter (where event_type = 'exec') as execed
  from events where pid is not null and thread is not true group by all)
select host, count(*) as processes, quantile_disc((execed - forked) // 1000, 0.5) as p50,
  max((execed - forked) // 1000) as longest
from lives where forked is not null and execed is not null
group by all order by host;

-- longest: what ran longest, in milliseconds
select host, pid, comm, duration_ns // 1000000 as ms, array_to_string(args, ' ') as command
from events where event_type = 'exit' and thread is not true
order by duration_ns desc, host, pid limit 20;
