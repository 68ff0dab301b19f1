#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/mappings/check.py TUXSCOPE ECS: as root. Maps a real capture by dist/ecs.jq and dist/ocsf.jq, and
compares with what is published: every field with npm's @elastic/ecs (in the directory ECS), objects with
py-ocsf-models, which has no class for process activity: what that requires stands here. Reads --junit
with junitparser, too."""

import json
import pathlib
import subprocess
import sys
import tempfile

from junitparser import JUnitXml
from py_ocsf_models.events.base_event import BaseEvent
from py_ocsf_models.objects.container import Container
from py_ocsf_models.objects.device import Device
from py_ocsf_models.objects.operating_system import OperatingSystem
from pydantic import TypeAdapter

SCRIPT = 'ls /nonexistent; env nosuchprogram; /bin/true; kill -9 $$'
# Process Activity of OCSF 1.x: what is required, and the attributes that it and its objects have here.
OCSF_REQUIRED = {"activity_id", "actor", "category_uid", "class_uid", "device", "metadata", "process",
                 "severity_id", "time", "type_uid"}
OCSF_PROCESS = {"pid", "tid", "name", "uid", "cmd_line", "file", "parent_process", "user", "container"}
# How the schema writes the types that are used.
ECS_TYPES = {"keyword": (str, list), "wildcard": (str,), "match_only_text": (str,), "date": (str,),
             "long": (int,)}


def run(command: list, **options) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def flat(value: dict, prefix: str = "") -> dict:
    """Fields by their whole names."""
    fields = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            fields |= flat(inner, f"{prefix}{key}.")
        else:
            fields[prefix + key] = inner
    return fields


def mapped(program: str, capture: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in run(["jq", "-n", "-c", "-f", program, capture]).splitlines()]


def check_ecs(events: list[dict], lines: list[dict], schema: dict) -> None:
    for event, line in zip(events, lines, strict=True):
        own = event.pop("tuxscope")
        for name, value in flat(event).items():
            assert name in schema, f"{name} is no field of the schema"
            field = schema[name]
            assert isinstance(value, ECS_TYPES[field["type"]]), (name, value, field["type"])
            allowed = [allowed["name"] for allowed in field.get("allowed_values", [])]
            values = value if isinstance(value, list) else [value]
            assert not allowed or set(values) <= set(allowed), (name, value)
        assert event["process"]["pid"] == line["pid"] and event["@timestamp"] == line["time"]
        assert event["host"] == {"name": line["host"], "boot": {"id": line["boot_id"]}}
        assert own["start_ns"] == line["start_ns"]
        if line["event_type"] == "exit":
            failed = line.get("exit_code") != 0
            assert event["event"]["outcome"] == ("failure" if failed else "success"), line
            assert event["event"]["duration"] == line["duration_ns"]


def part_of(model: type, value: dict) -> None:
    """The models demand what the schema only recommends: what is there must be right."""
    for name, inner in value.items():
        assert name in model.model_fields, (model.__name__, name)
        if not isinstance(inner, dict):
            TypeAdapter(model.model_fields[name].annotation).validate_python(inner)


def check_ocsf(events: list[dict], lines: list[dict]) -> None:
    for event, line in zip(events, lines, strict=True):
        assert OCSF_REQUIRED <= event.keys(), OCSF_REQUIRED - event.keys()
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert set(event["process"]) <= OCSF_PROCESS, event["process"]
        BaseEvent.model_validate(event)
        part_of(Device, event["device"])
        part_of(OperatingSystem, event["device"]["os"])
        part_of(Container, event["process"].get("container", {}))
        assert event["process"]["pid"] == line["pid"]
        seconds = run(["date", "--date", line["time"], "+%s%3N"])
        assert event["time"] == int(seconds), (event["time"], line["time"])
        assert event["activity_id"] == (2 if line["event_type"] == "exit" else 1)


def main() -> None:
    tuxscope, ecs = sys.argv[1:]
    read = "process.stdout.write(JSON.stringify(require('@elastic/ecs').EcsFlat))"
    schema = json.loads(run(["node", "-e", read], cwd=ecs))
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        capture, junit = directory / "capture", directory / "junit.xml"
        subprocess.run([tuxscope, "proc", "--failed-execs", "--host-fields", "--format", "json",
                        "-o", capture, "--", "sh", "-c", SCRIPT], check=False, stderr=subprocess.DEVNULL)
        lines = [json.loads(line) for line in capture.read_text().splitlines()]
        lines = [line for line in lines if "pid" in line]
        kinds = {line["event_type"] for line in lines}
        assert kinds == {"fork", "exec", "exec_failed", "exit"}, kinds
        check_ecs(mapped("dist/ecs.jq", capture), lines, schema)
        check_ocsf(mapped("dist/ocsf.jq", capture), lines)
        rules = ["--expect", "failures = 0", "--expect", "execs >= 1", "--expect", "lost = 0"]
        subprocess.run([tuxscope, "replay", *rules, "--junit", junit, capture], check=False,
                       stderr=subprocess.DEVNULL)
        cases = [case for suite in JUnitXml.fromfile(str(junit)) for case in suite]
        assert [case.name for case in cases] == ["failures = 0", "execs >= 1", "lost = 0"], cases
        assert [case.is_passed for case in cases] == [False, True, True], cases
    print(f"{len(lines)} events mapped, {len(cases)} test cases read")


main()
