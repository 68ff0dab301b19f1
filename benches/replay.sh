#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Replay to a summary, side by side with jq and DuckDB on the same capture.
#
# usage: benches/replay.sh [EVENTS [basic|wide]]        (10000000 basic)
#
# jq only picks the execs; DuckDB and tuxscope compute the same percentiles of the time from fork
# to exec, and both are printed. DuckDB also answers the queries of dist/sql/duckdb.sql, one after the
# other: together they are what a summary tells. Needs jq, GNU time, and python3 with venv (DuckDB is installed
# below target/).
set -euo pipefail
cd "$(dirname "$0")/.."

events=${1:-10000000}
view=${2:-basic}
work=target/bench-replay
capture=$work/$view-$events.jsonl
mkdir -p "$work"

command -v jq >/dev/null || { echo "replay.sh: jq is missing" >&2; exit 1; }
[ -x /usr/bin/time ] || { echo "replay.sh: GNU time is missing" >&2; exit 1; }
cargo build --release --quiet --bin tuxscope --example generate
if [ ! -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv"
fi
"$work/venv/bin/pip" install --quiet duckdb

if [ ! -s "$capture" ]; then
    target/release/examples/generate "$events" "$view" > "$capture.part"
    mv "$capture.part" "$capture"
fi
bytes=$(stat -c %s "$capture")

cat > "$work/percentiles.py" <<'EOF'
import sys

import duckdb

duckdb.sql("set enable_progress_bar = false")
# The time since the fork, for the first exec behind it.
print(*duckdb.execute("""
    select count(*), quantile_disc(ns, 0.5), quantile_disc(ns, 0.9), quantile_disc(ns, 0.99)
    from (
        select event_type, lag(event_type) over w as before,
               timestamp_ns - lag(timestamp_ns) over w as ns
        from read_json(?, format = 'newline_delimited', columns = {
            pid: 'UINTEGER', event_type: 'VARCHAR', timestamp_ns: 'UBIGINT'})
        where event_type in ('fork', 'exec')
        window w as (partition by pid order by timestamp_ns)
    ) where event_type = 'exec' and before = 'fork'
""", [sys.argv[1]]).fetchone())
EOF

cat > "$work/queries.py" <<'EOF'
import pathlib
import sys

import duckdb

duckdb.sql("set enable_progress_bar = false")
for query in pathlib.Path(sys.argv[1]).read_text().replace("captures/*.jsonl", sys.argv[2]).split(";"):
    if query.strip() and (answer := duckdb.sql(query)):
        print(*answer.fetchall(), sep="\n")
EOF

run() {
    local name=$1
    shift
    /usr/bin/time -o "$work/time" -f '%e %M' "$@" > "$work/$name.out"
    read -r seconds kilobytes < "$work/time"
    awk -v name="$name" -v s="$seconds" -v kb="$kilobytes" -v n="$events" -v b="$bytes" 'BEGIN {
        printf "%-10s %9.2f %14.0f %9.1f %9.1f\n", name, s, n / s, b / s / 1e6, kb / 1024 }'
}

# Each reads the file from the page cache.
cat "$capture" > /dev/null
printf '%s events of the %s view, %s bytes\n\n' "$events" "$view" "$bytes"
printf '%-10s %9s %14s %9s %9s\n' "" seconds events/s MB/s "RSS MiB"
run tuxscope target/release/tuxscope replay --format summary-json "$capture"
run duckdb "$work/venv/bin/python" "$work/percentiles.py" "$capture"
run queries "$work/venv/bin/python" "$work/queries.py" dist/sql/duckdb.sql "$capture"
run jq jq -c 'select(.event_type=="exec")' "$capture"

printf '\nfrom fork to exec: count, p50, p90, p99 in ns\n'
printf 'tuxscope   '
jq -r '.fork_to_exec | "\(.count) \(.p50_ns) \(.p90_ns) \(.p99_ns)"' "$work/tuxscope.out"
printf 'duckdb     '
cat "$work/duckdb.out"
