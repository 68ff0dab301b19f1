# SPDX-License-Identifier: MIT OR Apache-2.0
"""The comparer must pass a right capture and complain about every wrong one."""

import json
import unittest

import compare
import deaths
import fexecs
import truth
import wide

WORKER = 1001
PROCESSES = [
    {"case": "fork", "pid": 1002, "ppid": 1001, "execs": 0},
    {"case": "exec-from-thread", "pid": 1003, "ppid": 1001, "execs": 1, "tids": [1004]},
    {"case": "threads", "pid": 1005, "ppid": 1001, "execs": 0, "tids": [1006, 1007]},
    {"case": "clone-parent", "pid": 1008, "ppid": 1001, "execs": 0, "made_by": 1002,
     "made_by_tid": 1002},
    {"case": "comm-escape", "pid": 1009, "ppid": 1001, "execs": 0, "comm_hex": "1b5b0affc35c"},
]


def right():
    """The lines of a capture that tells the truth: the worker's life around its children's."""
    events = truth.basic_events(PROCESSES, WORKER)
    own = events.pop(WORKER)
    rows = [*own[:2], *(event for rows in events.values() for event in rows), own[2]]
    return [
        json.dumps({"pid": row.pid, "ppid": row.ppid, "comm": row.comm.decode(errors="replace"),
                    "event_type": row.kind, "timestamp_ns": 5_000 + i},
                   separators=(",", ":"), ensure_ascii=False)
        for i, row in enumerate(rows)
    ]


def made(lines, **changes):
    """The files of a capture."""
    files = {
        "arguments": b"proc --format json", "began": b"4000", "ended": b"6000",
        "events": "".join(f"{line}\n" for line in lines).encode(),
        "messages": f"tuxscope: tracing x\ntuxscope: {len(lines)} events printed, 0 lost in 1.0 s"
                    .encode(),
        "status": b"0\n", "worker": b"1001", "worker-status": b"0\n", "worker-messages": b"",
        "truth": "\n".join(json.dumps(process) for process in PROCESSES).encode(),
    }
    return files | changes


class Verified(unittest.TestCase):
    def test_the_largest_is_told_and_must_not_be_too_large(self):
        files = {"kernel": b"6.18.1", "a/verified": b"91\n78\n3\n", "b/verified": b"2\n324\n3\n", "c/verified": b""}
        self.assertEqual(compare.verified(files), {"handle_fork": 91, "handle_exec": 324, "handle_exit": 3})
        self.assertEqual(compare.too_much_to_verify(files), [])
        self.assertNotEqual(compare.too_much_to_verify(files | {"b/verified": b"1\n100001\n1\n"}), [])

    def test_only_old_kernels_may_not_tell(self):
        self.assertEqual(compare.too_much_to_verify({"kernel": b"5.10.0-1", "a/verified": b""}), [])
        self.assertNotEqual(compare.too_much_to_verify({"kernel": b"5.16.0", "a/verified": b""}), [])


class Slowed(unittest.TestCase):
    def files(self, kernel, machine, text):
        return {"kernel": kernel, "machine": machine, "unmounted-failed/messages": text, "check-unmounted/text": text,
                "unmounted-untraced-failed/messages": b"which slows each system call", "ftrace": b"0\n"}

    def test_it_is_said_where_it_is_so_and_nowhere_else(self):
        slows, not_so = b"which slows each system call by some 100 ns", b"tracing"
        for kernel, machine, text in [(b"5.10.0-1", b"x86_64\n", slows), (b"6.12.1+deb", b"x86_64", not_so),
                                      (b"6.12.1", b"s390x", slows), (b"6.1.2", b"aarch64", slows),
                                      (b"6.4.0", b"aarch64", not_so)]:
            self.assertEqual(compare.slowed(self.files(kernel, machine, text)), [])
            other = slows if text == not_so else not_so
            self.assertEqual(len(compare.slowed(self.files(kernel, machine, other))), 2)


class Json(unittest.TestCase):
    def wrong(self, lines, **changes):
        self.assertNotEqual(compare.capture(made(lines, **changes), "json"), [])

    def test_the_truth_passes(self):
        self.assertEqual(compare.capture(made(right()), "json"), [])

    def test_each_event_is_missed(self):
        for i in range(len(right())):
            self.wrong(right()[:i] + right()[i + 1:])

    def test_each_event_counts_once(self):
        for i in range(len(right())):
            self.wrong(right()[:i] + right()[i:i + 1] + right()[i:])

    def test_each_field_counts(self):
        for i, line in enumerate(right()):
            for key, value in (("pid", 77), ("ppid", 78), ("comm", "else"),
                               ("event_type", "other"), ("timestamp_ns", 100_000_000)):
                lines = right()
                lines[i] = json.dumps(json.loads(line) | {key: value}, separators=(",", ":"))
                self.wrong(lines)

    def test_the_order_in_a_process_counts(self):
        lines = right()
        lines[2], lines[3] = lines[3], lines[2]
        self.wrong(lines)

    def test_a_child_too_many(self):
        child = json.loads(right()[2]) | {"pid": 1500}
        self.wrong([*right(), json.dumps(child, separators=(",", ":"))])

    def test_the_form_of_a_line_counts(self):
        self.wrong([right()[0].replace(",", ", "), *right()[1:]])

    def test_messages_and_statuses_count(self):
        self.wrong(right(), status=b"1\n")
        self.wrong(right(), **{"worker-status": b"99\n"})
        self.wrong(right(), messages=b"tuxscope: tracing x\ntuxscope: 3 events printed, 0 lost in 1.0 s")
        lost = f"tuxscope: tracing x\ntuxscope: {len(right())} events printed, 1 lost in 1.0 s"
        self.wrong(right(), messages=lost.encode())

    def test_a_filter_counts(self):
        asked = b"proc --format json --pid 1001,1002,1004,1005"
        chosen = [line for line in right() if json.loads(line)["pid"] in (1001, 1002, 1004, 1005)]
        self.assertEqual(compare.capture(made(chosen, arguments=asked), "pid"), [])
        self.wrong(right(), arguments=asked)
        self.wrong(chosen[1:], arguments=asked)
        self.wrong([], arguments=b"proc --format json --pid 9")


class Table(unittest.TestCase):
    LINES = [compare.HEADER, *(
        f"{row.pid:<10}{row.ppid:<10}{compare._shown(row.comm):<20}{row.kind.upper()}"
        for rows in truth.basic_events(PROCESSES, WORKER).values() for row in rows)]

    def complaints(self, lines):
        files = made(lines)
        files["messages"] = files["messages"].replace(
            b"%d events" % len(lines), b"%d events" % (len(lines) - 1))
        return compare.capture(files, "table")

    def test_the_truth_passes(self):
        self.assertEqual(self.complaints(self.LINES), [])
        self.assertIn("\\x1b[\\x0a\\xff\\xc3\\\\", "\n".join(self.LINES))

    def test_header_columns_and_rows_count(self):
        self.assertNotEqual(self.complaints(["PID PPID COMM EVENT", *self.LINES[1:]]), [])
        self.assertNotEqual(self.complaints([*self.LINES[:3], " " + self.LINES[3], *self.LINES[4:]]), [])
        for i in range(1, len(self.LINES)):
            self.assertNotEqual(self.complaints(self.LINES[:i] + self.LINES[i + 1:]), [])


class Wide(unittest.TestCase):
    PROCESSES = [
        {"exit_code": 5, "signal": 0, "core": 0} | process for process in [
            *PROCESSES,
            {"case": "daemon", "pid": 1020, "ppid": 1001, "execs": 0, "born_to": 1002},
            {"case": "exec-twice", "pid": 1021, "ppid": 1001, "execs": 2},
            {"case": "signals", "pid": 1022, "ppid": 1001, "execs": 0, "signal": 37, "core": 1},
        ]
    ]

    def lives(self):
        return wide.expected(self.PROCESSES, WORKER)

    def right(self):
        """What the program must print: the records of a whole capture."""
        events = [row | {"pid": pid, "timestamp_ns": 5_000 + i, "start_ns": 5_000, "duration_ns": i}
                  for pid, rows in self.lives().items() for i, row in enumerate(rows)]
        end = {"event_type": "summary", "complete": True, "printed": len(events), "lost": {"fork": 0}}
        return [{"event_type": "meta"}, *events, end]

    def complaints(self, records):
        events, found = wide.read([json.dumps(record) for record in records], {})
        return found + wide.same(self.lives(), events)

    def test_the_truth_passes(self):
        self.assertEqual(self.complaints(self.right()), [])

    def test_costs_are_those_of_wait4(self):
        used = {"cpu_us": 812, "max_rss_kb": 140, "minor_faults": 8, "major_faults": 0,
                "voluntary_switches": 1, "involuntary_switches": 0, "blocks_in": 0, "blocks_out": 2}
        processes = [process | {"used": used} for process in self.PROCESSES]
        cost = {"cpu_ns": 812_411, "max_rss_bytes": 140 << 10, "minor_faults": 8, "major_faults": 0,
                "voluntary_switches": 1, "involuntary_switches": 0, "read_bytes": 0,
                "write_bytes": 1024}

        def complaints(told):
            return wide.costs(processes, [event | told for event in self.right()
                                          if event["event_type"] == "exit"])

        self.assertEqual(complaints(cost), [])
        self.assertEqual(len(complaints({})), 1)
        for key, value in cost.items():
            self.assertEqual(len(complaints(cost | {key: value + 51_200_000})), len(processes), key)
        late = {"cpu_ns": 5_812_411, "voluntary_switches": 2}
        self.assertEqual(complaints(cost | late), [], "reaped on its way off the CPU")
        for wrong in ({"cpu_ns": 802_000}, {"voluntary_switches": 0}, {"minor_faults": 9},
                      late | {"involuntary_switches": 1}):
            self.assertEqual(len(complaints(cost | wrong)), len(processes), wrong)

    def test_costs_by_another_clock_and_without_a_size(self):
        used = {"cpu_us": 700, "clock_ns": 812_000, "max_rss_kb": 0, "minor_faults": 0, "major_faults": 0,
                "voluntary_switches": 0, "involuntary_switches": 0, "blocks_in": 0, "blocks_out": 0}
        process = self.PROCESSES[0] | {"used": used}
        cost = {"event_type": "exit", "pid": process["pid"], "cpu_ns": 812_411, "minor_faults": 0,
                "major_faults": 0, "voluntary_switches": 0, "involuntary_switches": 0, "read_bytes": 0,
                "write_bytes": 0}
        self.assertEqual(wide.costs([process], [cost], by_clock=True), [])
        self.assertNotEqual(wide.costs([process], [cost | {"cpu_ns": 700_411}], by_clock=True), [])
        self.assertNotEqual(wide.costs([process], [cost | {"max_rss_bytes": 4096}], by_clock=True), [])
        some = process | {"used": used | {"max_rss_kb": 4}}
        self.assertNotEqual(wide.costs([some], [cost], by_clock=True), [])
        self.assertEqual(wide.costs([some], [cost | {"max_rss_bytes": 4096}], by_clock=True), [])

    def test_so_many_may_be_missing_as_the_kernel_skipped(self):
        events = self.right()[1:-1]
        self.assertEqual(wide.same(self.lives(), events[:-1], 1), [])
        self.assertNotEqual(wide.same(self.lives(), events[:-2], 1), [])
        self.assertNotEqual(wide.same(self.lives(), [*events, events[-1]], 1), [])

    def test_each_record_counts_once(self):
        for i in range(len(self.right())):
            missing = self.right()[:i] + self.right()[i + 1:]
            self.assertNotEqual(self.complaints(missing), [])
            twice = self.right()[:i] + self.right()[i:i + 1] + self.right()[i:]
            self.assertNotEqual(self.complaints(twice), [])

    def test_each_field_counts(self):
        for pid, rows in self.lives().items():
            for i, row in enumerate(rows):
                for key in [*row, "pid", "start_ns", "timestamp_ns"]:
                    records = self.right()
                    wrong = next(record for record in records
                                 if record.get("pid") == pid and record["event_type"] == row["event_type"]
                                 and record["timestamp_ns"] == 5_000 + i)
                    wrong[key] = 4_000_000_000
                    self.assertNotEqual(self.complaints(records), [], f"{pid} {key}")

    def test_losses_count(self):
        records = self.right()
        records[-1]["lost"]["fork"] = 1
        self.assertNotEqual(self.complaints(records), [])


class Refusals(unittest.TestCase):
    RIGHT = {f"{name}/{file}": data for name, reason in compare.REFUSALS.items()
             for file, data in (("status", b"69\n"),
                                ("messages", f"tuxscope: {reason}\ntuxscope: do so\n".encode()))}

    def test_the_truth_passes(self):
        self.assertEqual(compare.refusals(self.RIGHT), [])

    def test_status_and_words_count(self):
        for change in ({"btf/status": b"1\n"}, {"btf/messages": b""}, {"sandbox/status": b"0"},
                       {"sandbox/messages": b"tuxscope: this kernel has no BPF ring buffer\n"}):
            self.assertNotEqual(compare.refusals(self.RIGHT | change), [])
        self.assertNotEqual(compare.refusals({}), [])


class Checks(unittest.TestCase):
    def right(self):
        """What `check` must say in all situations."""
        files = {}
        for situation, (missing, modes) in compare.CHECKS.items():
            lines = [{"name": "kernel", "answer": "ok", "detail": "Linux 5.10"}]
            noes = [missing] * (missing is not None)
            noes += [name.replace("_", " ") for name, works in modes.items() if not works]
            lines += [{"name": name, "answer": "no", "detail": compare.REFUSALS[situation],
                       "remedy": "do so"} for name in noes]
            text = "".join(f"{line['name'].replace(' view', ' mode'):<16}"
                           f"{line['answer']:<6}{line['detail']}\n"
                           + f"{'':<22}-> do so\n" * ("remedy" in line) for line in lines)
            status = b"69\n" if missing else b"0\n"
            files |= {f"check-{situation}/{name}": data for name, data in (
                ("text", text.encode()), ("messages", b""), ("status", status),
                ("json-status", status),
                ("json", json.dumps({"checks": lines} | modes).encode()))}
        return files

    def test_the_truth_passes(self):
        self.assertEqual(compare.checks(self.right()), [])

    def test_each_file_counts(self):
        for path, data in self.right().items():
            for wrong in (data + b"1", data.replace(b"kernel", b"colonel")):
                if wrong != data:
                    self.assertNotEqual(compare.checks(self.right() | {path: wrong}), [], path)
            missing = self.right()
            del missing[path]
            self.assertNotEqual(compare.checks(missing), [], path)

    def test_each_answer_counts(self):
        for situation in compare.CHECKS:
            for other in compare.CHECKS:
                if compare.CHECKS[situation] != compare.CHECKS[other]:
                    files = self.right()
                    files |= {f"check-{situation}/{name}": files[f"check-{other}/{name}"]
                              for name in ("text", "json", "status", "json-status")}
                    self.assertNotEqual(compare.checks(files), [], f"{situation}, {other}")


class Deaths(unittest.TestCase):
    DEATHS = [{"death": "kill", "pid": pid, "signal": 9, "code": "SI_USER", "by": 7}
              for pid in range(100, 126)]

    def exits(self, **keys):
        told = {"event_type": "exit", "thread": False, "signal": "SIGKILL",
                "signal_code": "SI_USER", "killed_by_pid": 7, "killed_by_uid": 0} | keys
        return [{"pid": death["pid"]} | told for death in self.DEATHS]

    def test_the_truth_passes(self):
        self.assertEqual(deaths.same(self.DEATHS, self.exits()), [])

    def test_whatever_is_wrong_is_told(self):
        for wrong in ({"signal_code": "SI_TKILL"}, {"killed_by_pid": 8}, {"killed_by_uid": 1}):
            self.assertEqual(len(deaths.same(self.DEATHS, self.exits(**wrong))), 26)
        self.assertEqual(len(deaths.same(self.DEATHS, self.exits()[1:])), 1)
        self.assertEqual(len(deaths.same(self.DEATHS[1:], self.exits())), 1)


class FailedExecs(unittest.TestCase):
    TRIED = [{"failed": "missing", "pid": pid, "tid": pid, "filename": "/no", "errno": 2, "tried": 1}
             for pid in range(100, 120)]
    TRIED[0] |= {"failed": "beyond", "filename": None, "errno": None}

    def told(self, **keys):
        told = {"event_type": "exec_failed", "filename": "/no", "errno": "ENOENT", "tried": 1,
                "args": ["worker", "exit", "0"]} | keys
        events = [told | {"pid": tried["pid"], "tid": tried["tid"]} for tried in self.TRIED]
        del events[0]["filename"]
        return [events[0] | {"args": []}] + events[1:]

    def test_the_truth_passes(self):
        self.assertEqual(fexecs.same(self.TRIED, self.told()), [])

    def test_whatever_is_wrong_is_told(self):
        for wrong in ({"errno": "EACCES"}, {"filename": "/n"}, {"args": []}):
            self.assertGreaterEqual(len(fexecs.same(self.TRIED, self.told(**wrong))), 19, wrong)
        self.assertEqual(len(fexecs.same(self.TRIED, self.told(tried=2))), 20)
        self.assertEqual(len(fexecs.same(self.TRIED, self.told()[1:])), 2)
        for cut in ({"args": ["worker"], "args_truncated": True}, {"args": [], "args_truncated": True}):
            self.assertEqual(fexecs.same(self.TRIED, self.told(**cut), may_be_cut=True), [])
            self.assertGreaterEqual(len(fexecs.same(self.TRIED, self.told(**cut))), 19)
        for wrong in ({"args": ["worker"]}, {"args": ["exit"], "args_truncated": True}):
            self.assertGreaterEqual(len(fexecs.same(self.TRIED, self.told(**wrong), may_be_cut=True)), 19)
        guessed = self.told()
        guessed[0]["filename"] = "/no"
        self.assertEqual(len(fexecs.same(self.TRIED, guessed)), 1)
        self.assertEqual(len(fexecs.same(self.TRIED[1:], self.told())), 2)


if __name__ == "__main__":
    unittest.main()
