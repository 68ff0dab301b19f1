# SPDX-License-Identifier: MIT OR Apache-2.0
# Wide JSON lines of tuxscope as events of the Open Cybersecurity Schema Framework, class Process Activity
# (1007): an exec is a launch, an exit a termination; a failed exec is a launch that failed. Forks
# without an exec are launches of their parent's program.
#
#     jq -n -c -f ocsf.jq capture.jsonl
#
# Lines should name their host (--host-fields); else the capture's meta record does, of one capture.
# What the schema has no attribute for is in "unmapped".

def some: with_entries(select(.value != null and .value != {}));
# To the millisecond, as timestamp_t has it.
def millis: (.[0:19] + "Z" | fromdate) * 1000 + (.[20:23] | tonumber);

foreach inputs as $line ({meta: {}, event: null};
  if $line.event_type == "meta" then {meta: $line, event: null}
  else .event = $line end;
  select(.event != null) | .meta as $meta | .event
  | select(.tid and (.thread | not) and (.event_type | IN("fork", "exec", "exec_failed", "exit")))
  | (if .event_type == "exit" then 2 else 1 end) as $activity
  | (.event_type == "exec_failed") as $failed
  | {
      activity_id: $activity,
      activity_name: (if $activity == 1 then "Launch" else "Terminate" end),
      category_uid: 1,
      category_name: "System Activity",
      class_uid: 1007,
      class_name: "Process Activity",
      type_uid: (100700 + $activity),
      severity_id: 1,
      status_id: (if $failed then 2 else 1 end),
      status_code: .errno,
      time: (.time | millis),
      message: "\(.comm)[\(.pid)] \(.event_type)",
      exit_code: .exit_code,
      metadata: {
        version: "1.4.0",
        product: ({name: "tuxscope", vendor_name: "tuxscope", version: $meta.version} | some),
        event_code: .event_type
      },
      device: ({
        type_id: 0,
        hostname: (.host // $meta.host),
        os: ({name: "Linux", type_id: 200, version: $meta.kernel} | some)
      } | some),
      actor: {process: {pid: .ppid}},
      process: ({
        pid: .pid,
        tid: .tid,
        name: .comm,
        uid: "\(.boot_id // $meta.boot_id):\(.pid):\(.start_ns)",
        cmd_line: (.args | if . then join(" ") else null end),
        file: (if .filename then {name: (.filename | split("/") | last), path: .filename, type_id: 1} else null end),
        parent_process: {pid: .ppid},
        user: {uid: "\(.uid)"},
        container: (if .container then {uid: .container, name: .container, runtime: .runtime} | some else null end)
      } | some),
      unmapped: (del(
        .time, .event_type, .timestamp_ns, .pid, .ppid, .tid, .comm, .uid, .args, .filename, .exit_code, .host,
        .boot_id, .container, .runtime, .errno, .thread, .parent_tid
      ) | some)
    }
  | some
)
