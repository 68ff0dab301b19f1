# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares who ended each process with what the worker knows of it."""


def same(deaths, events):
    """Each death has the code and the sender that it must have, and no other one."""
    exits = {event["pid"]: event for event in events
             if event["event_type"] == "exit" and not event["thread"]}
    complaints = []
    if len(deaths) < 26:
        complaints.append(f"only {len(deaths)} deaths were tried")
    for death in deaths:
        told = exits.get(death["pid"], {})
        # Before 5.16 seccomp ended a process without generating the signal.
        if death["death"] == "seccomp" and "signal_code" not in told:
            death = death | {"code": None}
        expected = {
            "signal_code": death["code"],
            "killed_by_pid": death["by"],
            "killed_by_uid": 0 if death["by"] else None,
        }
        seen = {key: told.get(key) for key in expected}
        if "signal" not in told or seen != expected:
            complaints.append(f"{death['death']}: expected {expected}, got {told}")
    return complaints
