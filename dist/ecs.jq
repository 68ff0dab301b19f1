# SPDX-License-Identifier: MIT OR Apache-2.0
# Wide JSON lines of tuxscope as events of the Elastic Common Schema:
#
#     jq -n -c -f ecs.jq capture.jsonl
#
# Lines should name their host (--host-fields); else the capture's meta record does, of one capture.
# What the schema has no field for is below "tuxscope".

def some: with_entries(select(.value != null and .value != {} and .value != []));

foreach inputs as $line ({meta: {}, event: null};
  if $line.event_type == "meta" then {meta: $line, event: null}
  else .event = $line end;
  select(.event != null) | .meta as $meta | .event
  | select(.tid and (.thread | not) and (.event_type | IN("fork", "exec", "exec_failed", "exit")))
  | (.exit_code == 0 or (.event_type | IN("fork", "exec"))) as $worked
  | (.boot_id // $meta.boot_id) as $boot
  | {
      "@timestamp": .time,
      ecs: {version: "9.4.0"},
      message: "\(.comm)[\(.pid)] \(.event_type)",
      event: ({
        kind: "event",
        module: "tuxscope",
        dataset: "tuxscope.process",
        category: ["process"],
        action: .event_type,
        type: (if .event_type == "exit" then ["end"] elif .event_type == "exec_failed" then ["info"] else ["start"] end),
        outcome: (if $worked then "success" else "failure" end),
        duration: .duration_ns
      } | some),
      host: ({name: (.host // $meta.host), boot: ({id: $boot} | some)} | some),
      process: ({
        pid: .pid,
        name: .comm,
        entity_id: "\($boot):\(.pid):\(.start_ns)",
        executable: .filename,
        args: .args,
        args_count: (.args | if . then length else null end),
        command_line: (.args | if . then join(" ") else null end),
        exit_code: .exit_code,
        end: (if .event_type == "exit" then .time else null end),
        thread: {id: .tid},
        parent: {pid: .ppid},
        real_user: {id: "\(.uid)"}
      } | some),
      user: {id: "\(.uid)"},
      container: ({id: .container, runtime: .runtime} | some),
      service: ({name: (.user_unit // .unit)} | some),
      error: ({code: .errno} | some),
      tuxscope: (del(
        .time, .event_type, .timestamp_ns, .pid, .ppid, .tid, .comm, .uid, .args, .filename, .exit_code, .duration_ns,
        .host, .boot_id, .container, .runtime, .errno, .thread, .parent_tid
      ) | some)
    }
  | some
)
