-- SPDX-License-Identifier: MIT OR Apache-2.0
-- The history of many hosts in ClickHouse. Load it once, into a database of its own:
--
--     clickhouse-client --query 'create database tuxscope'
--     clickhouse-client --database tuxscope --queries-file dist/sql/clickhouse-schema.sql
--
-- Then insert lines of `tuxscope proc --wide --format json --host-fields` into `lines`, as they are:
--
--     clickhouse-client --database tuxscope --input_format_skip_unknown_fields 1 \
--       --date_time_input_format best_effort --query 'insert into lines format JSONEachRow' < lines.jsonl
--
-- clickhouse-questions.sql asks. A key that a line doesn't have is NULL here, never 0, but for flags,
-- which docs/json.md has as `true` or missing, and for `args`: [] is missing. (Since Linux 5.18 no
-- process is without an argv[0].)

-- Every fork, exec, exit and failed exec, once.
--
-- A line may come twice: RELP sends again what wasn't acknowledged, a loader that died is started
-- again. Both copies are the same line, so that the sorting key, which has host, boot_id, pid, tid,
-- start_ns, event_type and timestamp_ns (`time` less `clock_offset_ns`), is the same, too, and one of them goes: when parts are merged, or
-- for a question, by FINAL, which the view `history` below has. `time` stands ahead of the rest,
-- although it tells no two events apart that the rest doesn't: one host's hour is then one piece of
-- the table. A partition is a day, which follows from the key as well: no two of them hold copies of a
-- line, and FINAL takes each for itself.
create table events
(
  -- A few hundred values: a number in each row, and one dictionary in a part.
  host LowCardinality(String) codec(ZSTD),
  boot_id LowCardinality(String) codec(ZSTD),
  -- Sorted within a host, so the differences are small.
  time DateTime64(9, 'UTC') codec(Delta, ZSTD),
  -- The wall clock less the clock of timestamp_ns changes little, so the latter takes nearly nothing.
  clock_offset_ns Int64 codec(Delta, ZSTD),
  timestamp_ns UInt64 alias toUnixTimestamp64Nano(time) - clock_offset_ns,
  start_ns UInt64 codec(Delta, ZSTD),
  event_type LowCardinality(String) codec(ZSTD),
  pid UInt32 codec(Delta, ZSTD),
  tid UInt32 codec(Delta, ZSTD),
  ppid UInt32 codec(ZSTD),
  comm LowCardinality(String) codec(ZSTD),
  uid UInt32 codec(ZSTD),
  login_uid Nullable(UInt32) codec(ZSTD),
  cgroup_id UInt64 codec(ZSTD),
  cgroup LowCardinality(Nullable(String)) codec(ZSTD),
  unit LowCardinality(Nullable(String)) codec(ZSTD),
  user_unit LowCardinality(Nullable(String)) codec(ZSTD),
  container LowCardinality(Nullable(String)) codec(ZSTD),
  runtime LowCardinality(Nullable(String)) codec(ZSTD),
  pod_uid LowCardinality(Nullable(String)) codec(ZSTD),
  ns_pid Nullable(UInt32) codec(ZSTD),
  pidns Nullable(UInt64) codec(ZSTD),
  thread Bool codec(ZSTD),
  -- fork
  parent_tid Nullable(UInt32) codec(ZSTD),
  made_by Nullable(UInt32) codec(ZSTD),
  -- exec, exec_failed
  filename LowCardinality(Nullable(String)) codec(ZSTD),
  args Array(String) codec(ZSTD(3)),
  args_truncated Bool codec(ZSTD),
  filename_truncated Bool codec(ZSTD),
  errno LowCardinality(Nullable(String)) codec(ZSTD),
  tried Nullable(UInt32) codec(ZSTD),
  -- exit
  exit_code Nullable(UInt8) codec(ZSTD),
  signal LowCardinality(Nullable(String)) codec(ZSTD),
  signal_code LowCardinality(Nullable(String)) codec(ZSTD),
  core_dumped Bool codec(ZSTD),
  oom Bool codec(ZSTD),
  killed_by_pid Nullable(UInt32) codec(ZSTD),
  killed_by LowCardinality(Nullable(String)) codec(ZSTD),
  killed_by_uid Nullable(UInt32) codec(ZSTD),
  born_to Nullable(UInt32) codec(ZSTD),
  args_unknown Bool codec(ZSTD),
  -- T64 leaves out the upper bits that no value of a block has.
  duration_ns Nullable(UInt64) codec(T64, ZSTD),
  cpu_ns Nullable(UInt64) codec(T64, ZSTD),
  cpu_wait_ns Nullable(UInt64) codec(T64, ZSTD),
  max_rss_bytes Nullable(UInt64) codec(T64, ZSTD),
  minor_faults Nullable(UInt64) codec(T64, ZSTD),
  major_faults Nullable(UInt64) codec(T64, ZSTD),
  voluntary_switches Nullable(UInt64) codec(T64, ZSTD),
  involuntary_switches Nullable(UInt64) codec(T64, ZSTD),
  read_bytes Nullable(UInt64) codec(T64, ZSTD),
  write_bytes Nullable(UInt64) codec(T64, ZSTD)
)
engine = ReplacingMergeTree
partition by toDate(time)
-- What is held in memory of the key: enough to find a host's minute.
primary key (host, time)
order by (host, time, event_type, pid, tid, start_ns, clock_offset_ns, boot_id)
ttl toDateTime(time) + interval 30 day
-- A day goes as a whole, without rewriting anything.
settings ttl_only_drop_parts = 1;

-- Where lines go in. Nothing is kept here; the views below take what is theirs.
create table lines as events engine = Null;
alter table lines modify column timestamp_ns remove alias;
-- What records about a capture have beyond that.
alter table lines
  add column version Nullable(String),
  add column kernel Nullable(String),
  add column filters Array(String),
  add column cpus Nullable(UInt32),
  add column complete Nullable(Bool),
  add column printed Nullable(UInt64),
  add column elapsed_ns Nullable(UInt64),
  add column missed Nullable(UInt64),
  add column lost Map(String, UInt64);

create materialized view lines_to_events to events as
select * except (
    timestamp_ns, clock_offset_ns, version, kernel, filters, cpus, complete, printed, elapsed_ns, missed, lost),
  toUnixTimestamp64Nano(time) - toInt64(timestamp_ns) as clock_offset_ns
from lines where event_type in ('fork', 'exec', 'exit', 'exec_failed');

create view history as select *, timestamp_ns from events final;

-- When captures began and ended, and what they lost: what the history lacks.
create table captures
(
  host LowCardinality(String),
  boot_id LowCardinality(String),
  event_type LowCardinality(String),
  -- A summary has no time of its own.
  time Nullable(DateTime64(9, 'UTC')),
  version Nullable(String),
  kernel Nullable(String),
  filters Array(String),
  cpus Nullable(UInt32),
  complete Nullable(Bool),
  printed Nullable(UInt64),
  elapsed_ns Nullable(UInt64),
  missed Nullable(UInt64),
  lost Map(String, UInt64),
  received DateTime('UTC')
)
engine = ReplacingMergeTree
order by (host, boot_id, event_type, ifNull(time, toDateTime64(0, 9, 'UTC')), ifNull(elapsed_ns, 0))
ttl received + interval 30 day;

create materialized view lines_to_captures to captures as
select host, boot_id, event_type,
  multiIf(event_type = 'meta', fromUnixTimestamp64Nano(clock_offset_ns + toInt64(timestamp_ns), 'UTC'),
    event_type = 'lost', lines.time, null) as time,
  version, kernel, filters, cpus, complete, printed, elapsed_ns, missed, lost, now('UTC') as received
from lines where event_type in ('meta', 'lost', 'summary');

-- Which command lines there were, since when, for a year, by host. Numbers in them don't count: `#` stands
-- for a word of hexadecimal digits of which one is 0 to 9, or else each temporary file would be new. First and last times are the
-- same however often a line comes, so this may be told at the insert.
create table command_lines
(
  id UInt64,
  host LowCardinality(String),
  first SimpleAggregateFunction(min, DateTime64(9, 'UTC')) codec(ZSTD),
  last SimpleAggregateFunction(max, DateTime64(9, 'UTC')) codec(ZSTD),
  shape SimpleAggregateFunction(any, Array(String)) codec(ZSTD),
  example SimpleAggregateFunction(any, Array(String)) codec(ZSTD)
)
engine = AggregatingMergeTree
order by (id, host)
ttl toDateTime(last) + interval 1 year;

create materialized view lines_to_command_lines to command_lines as
with arrayMap(a -> replaceRegexpAll(a, '\\b[0-9a-f]*[0-9][0-9a-f]*\\b', '#'), args) as words
select sipHash64(words) as id, host, min(time) as first, max(time) as last,
  any(words) as shape, any(args) as example
from lines where event_type = 'exec' and notEmpty(args)
group by id, host;

-- Counts by minute, for graphs, kept for a year. A view that counts at the insert would count a line
-- twice that comes twice. These count anew, every five minutes, each minute of which lines have come since, and the
-- later count replaces the earlier one; ask them with FINAL.
create table arrivals
(
  minute DateTime('UTC'),
  host LowCardinality(String),
  arrived DateTime('UTC')
)
engine = ReplacingMergeTree(arrived)
partition by toDate(minute)
order by (minute, host)
ttl minute + interval 31 day
settings ttl_only_drop_parts = 1;

create materialized view lines_to_arrivals to arrivals as
select toStartOfMinute(time) as minute, host, now('UTC') as arrived
from lines where event_type in ('fork', 'exec', 'exit', 'exec_failed')
group by minute, host;

create table minutes_by_unit
(
  minute DateTime('UTC') codec(Delta, ZSTD),
  host LowCardinality(String) codec(ZSTD),
  unit LowCardinality(String) codec(ZSTD), -- '' of what is in none
  forks UInt32 codec(T64, ZSTD),
  execs UInt32 codec(T64, ZSTD),
  exits UInt32 codec(T64, ZSTD),
  failures UInt32 codec(T64, ZSTD),
  failed_execs UInt32 codec(T64, ZSTD),
  cpu_ns UInt64 codec(T64, ZSTD),
  cpu_unknown UInt32 codec(T64, ZSTD), -- exits that are not in cpu_ns
  counted DateTime('UTC') codec(Delta, ZSTD)
)
engine = ReplacingMergeTree(counted)
partition by toYYYYMM(minute)
order by (host, minute, unit)
ttl minute + interval 1 year;

create table minutes_by_command
(
  minute DateTime('UTC') codec(Delta, ZSTD),
  host LowCardinality(String) codec(ZSTD),
  comm LowCardinality(String) codec(ZSTD),
  forks UInt32 codec(T64, ZSTD),
  execs UInt32 codec(T64, ZSTD),
  exits UInt32 codec(T64, ZSTD),
  failures UInt32 codec(T64, ZSTD),
  failed_execs UInt32 codec(T64, ZSTD),
  cpu_ns UInt64 codec(T64, ZSTD),
  cpu_unknown UInt32 codec(T64, ZSTD),
  counted DateTime('UTC') codec(Delta, ZSTD)
)
engine = ReplacingMergeTree(counted)
partition by toYYYYMM(minute)
order by (host, minute, comm)
ttl minute + interval 1 year;

-- Ten minutes more than since the last count: an insert may take as long. Of an empty table, all is counted.
create materialized view count_by_unit refresh every 5 minute append to minutes_by_unit as
with fresh as (
  select host, minute from arrivals
  where arrived + interval 10 minute >= (select max(counted) from minutes_by_unit))
select toStartOfMinute(time) as minute, host, ifNull(unit, '') as unit,
  countIf(event_type = 'fork') as forks, countIf(event_type = 'exec') as execs,
  countIf(event_type = 'exit') as exits,
  countIf(event_type = 'exit' and (exit_code > 0 or signal is not null)) as failures,
  countIf(event_type = 'exec_failed') as failed_execs,
  sum(ifNull(cpu_ns, 0)) as cpu_ns, countIf(event_type = 'exit' and events.cpu_ns is null) as cpu_unknown,
  now('UTC') as counted
from events final
where not thread and time >= (select min(minute) from fresh)
  and (host, toStartOfMinute(time)) in (select host, minute from fresh)
group by minute, host, unit;

create materialized view count_by_command refresh every 5 minute append to minutes_by_command as
with fresh as (
  select host, minute from arrivals
  where arrived + interval 10 minute >= (select max(counted) from minutes_by_command))
select toStartOfMinute(time) as minute, host, comm,
  countIf(event_type = 'fork') as forks, countIf(event_type = 'exec') as execs,
  countIf(event_type = 'exit') as exits,
  countIf(event_type = 'exit' and (exit_code > 0 or signal is not null)) as failures,
  countIf(event_type = 'exec_failed') as failed_execs,
  sum(ifNull(cpu_ns, 0)) as cpu_ns, countIf(event_type = 'exit' and events.cpu_ns is null) as cpu_unknown,
  now('UTC') as counted
from events final
where not thread and time >= (select min(minute) from fresh)
  and (host, toStartOfMinute(time)) in (select host, minute from fresh)
group by minute, host, comm;
