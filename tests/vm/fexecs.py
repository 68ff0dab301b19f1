# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares the execs that failed with what their callers got back."""

import errno


def cut(event, args):
    """Some of the arguments are missing, and the event says so."""
    return event.get("args_truncated") is True and event["args"] == args[:len(event["args"])]


def same(tried, events, may_be_cut=False):
    """Each failure is told once, as it was, and nothing besides. `may_be_cut`: arguments that nothing has read since
    a fork can't be read, and that is said."""
    told = [event for event in events if event["event_type"] == "exec_failed"]
    complaints = []
    if len(tried) < 20:
        complaints.append(f"only {len(tried)} failures were tried")
    for failure in tried:
        args = ["worker", "exit", "0"]
        expected = {"tid": failure["tid"], "tried": failure["tried"]}
        if failure["filename"] is not None:
            expected["filename"] = failure["filename"]
        if failure["errno"] is not None:
            expected["errno"] = errno.errorcode[failure["errno"]]
        if failure["failed"] == "nothing-among-arguments":
            args = ["a", "", "b"]
        if failure["failed"] == "beyond":
            args = []
        if failure["failed"] != "arguments":
            expected["args"] = args
        found = [event for event in told
                 if event["pid"] == failure["pid"]
                 and all(event.get(key) == value or (key == "args" and may_be_cut and cut(event, value))
                         for key, value in expected.items())]
        if not found:
            seen = [event for event in told if event["pid"] == failure["pid"]]
            complaints.append(f"{failure['failed']}: expected {expected}, got {seen}")
        elif failure["filename"] is None and "filename" in found[0]:
            complaints.append(f"{failure['failed']}: nobody can know {found[0]['filename']!r}")
    if len(told) != len(tried):
        complaints.append(f"{len(told)} failures told, {len(tried)} made")
    return complaints
