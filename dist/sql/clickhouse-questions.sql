-- SPDX-License-Identifier: MIT OR Apache-2.0
-- What admins ask of the history that clickhouse-schema.sql keeps. Each question has parameters, which
-- clickhouse-client takes as --param_NAME: --param_host web1 --param_at '2026-11-27 11:00:00'. Times are UTC.

-- failed: what failed where, and most, from {since} until {until}
select host, unit, if(event_type = 'exec_failed', ifNull(filename, comm), comm) as what,
  multiIf(event_type = 'exec_failed', errno, signal is not null, signal, toString(exit_code)) as status,
  count() as times, max(time) as last
from history
where time >= {since:DateTime64(9, 'UTC')} and time < {until:DateTime64(9, 'UTC')} and not thread
  and (event_type = 'exec_failed' or event_type = 'exit' and (exit_code > 0 or signal is not null))
group by host, unit, what, status
order by times desc, host, unit, what, status limit 50;

-- around: what ran on {host} within {seconds} of {at}, as far as a line within a day of that tells
with
  {at:DateTime64(9, 'UTC')} as at, toIntervalSecond({seconds:UInt32}) as around,
  -- What was last told before that moment, else what was first told after it.
  if(time <= at + around, toInt64(timestamp_ns), -toInt64(timestamp_ns)) as closeness
select
  min(fromUnixTimestamp64Nano(toUnixTimestamp64Nano(time) - toInt64(timestamp_ns - start_ns), 'UTC')) as began,
  maxOrNullIf(time, event_type = 'exit') as ended,
  pid, argMax(comm, closeness) as name, argMax(uid, closeness) as user,
  tupleElement(argMax(tuple(unit), closeness), 1) as of_unit,
  argMaxIf(args, closeness, notEmpty(args)) as command,
  anyIf(if(signal is not null, signal, toString(exit_code)), event_type = 'exit') as status
from history
where host = {host:String} and time >= at - interval 1 day and time <= at + interval 1 day and not thread
  -- Of an earlier boot nothing runs any more, though nobody saw it end.
  and boot_id = (
    select argMax(boot_id, time) from events
    where host = {host:String} and time >= at - interval 1 day and time <= at + around)
group by pid, start_ns
having began <= at + around and (ended is null or ended >= at - around)
order by began, pid;

-- new: which command line was first seen at {since} or later, on any host, and on how many it was
select min(command_lines.first) as since, argMin(host, command_lines.first) as first_host,
  count(distinct host) as hosts, any(example) as command
from command_lines
-- Found by times alone: the command lines are read only of those.
where id in (
  select id from command_lines group by id having min(first) >= {since:DateTime64(9, 'UTC')})
group by id
order by since, first_host, command limit 1000;

-- cpu: CPU seconds by unit and day, of what ended from {since} until {until}
select toDate(time) as day, unit, round(sum(cpu_ns) / 1e9, 3) as cpu_s, count() as exits,
  countIf(cpu_ns is null) as unknown
from history
where time >= {since:DateTime64(9, 'UTC')} and time < {until:DateTime64(9, 'UTC')}
  and event_type = 'exit' and not thread
group by day, unit
order by day, cpu_s desc, unit;

-- killed: who killed what, from {since} until {until}
select host, if(oom, 'the OOM killer', killed_by) as by, killed_by_uid as by_uid, signal, comm as what,
  count() as times, max(time) as last
from history
where time >= {since:DateTime64(9, 'UTC')} and time < {until:DateTime64(9, 'UTC')}
  and event_type = 'exit' and not thread and (killed_by_pid is not null or oom)
group by host, by, by_uid, signal, what
order by times desc, host, by, by_uid, signal, what limit 50;

-- tree: the process that was {pid} on {host} at {at}, and all below it, as far as {hours} around that tell
with recursive
  {at:DateTime64(9, 'UTC')} as at,
  lives as (
    select boot_id, pid, start_ns, argMin(ifNull(born_to, ppid), timestamp_ns) as parent,
      min(toUnixTimestamp64Nano(time) - toInt64(timestamp_ns - start_ns)) as began,
      maxOrNullIf(timestamp_ns, event_type = 'exit') as ended_ns,
      maxOrNullIf(time, event_type = 'exit') as ended,
      argMax(comm, timestamp_ns) as name,
      argMaxIf(args, timestamp_ns, notEmpty(args)) as command,
      anyIf(if(signal is not null, signal, toString(exit_code)), event_type = 'exit') as status
    from history
    where host = {host:String} and not thread
      and time >= {at:DateTime64(9, 'UTC')} - toIntervalHour({hours:UInt32})
      and time <= {at:DateTime64(9, 'UTC')} + toIntervalHour({hours:UInt32})
    group by boot_id, pid, start_ns),
  tree as (
    select * from (
      select *, [(start_ns, pid)] as path from lives
      where pid = {pid:UInt32} and began <= toUnixTimestamp64Nano({at:DateTime64(9, 'UTC')})
        and (ended is null or ended >= {at:DateTime64(9, 'UTC')})
      order by began desc limit 1)
    union all
    -- A pid is used again: its children are those of its lifetime.
    select lives.*, arrayConcat(tree.path, [(lives.start_ns, lives.pid)])
    from lives join tree on lives.boot_id = tree.boot_id and lives.parent = tree.pid
    where lives.start_ns >= tree.start_ns and lives.start_ns <= ifNull(tree.ended_ns, lives.start_ns))
select length(path) - 1 as depth, pid, fromUnixTimestamp64Nano(began, 'UTC') as since, ended, status,
  name, command
from tree order by path;
