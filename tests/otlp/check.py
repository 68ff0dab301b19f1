#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""tests/otlp/check.py TUXSCOPE GENERATE: decodes what `--format otlp` writes with OpenTelemetry's own
protobuf definitions, which refuse names and types that they don't know."""

import base64
import json
import subprocess
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

ID_KEYS = ("traceId", "spanId", "parentSpanId")


def decode(line: str) -> ExportTraceServiceRequest:
    """Protobuf's own JSON has bytes in base64, OpenTelemetry's has ids in hexadecimal digits."""
    request = json.loads(line)
    for resource_spans in request["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                for key in ID_KEYS:
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json_format.ParseDict(request, ExportTraceServiceRequest())


def run(command: list[str], **options) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def main() -> None:
    tuxscope, generate = sys.argv[1:]
    capture = run([generate, "20000", "wide"])
    ends = [json.loads(line) for line in capture.splitlines() if '"event_type":"exit"' in line]
    failed = sum(1 for end in ends if end.get("exit_code") != 0)
    replay = [tuxscope, "replay", "--format", "otlp", "--otlp-args", "--otlp-max-spans", "1000000", "-"]
    lines = run(replay, input=capture, stderr=subprocess.DEVNULL).splitlines()
    spans = []
    for line in lines:
        for resource_spans in decode(line).resource_spans:
            for scope_spans in resource_spans.scope_spans:
                spans.extend(scope_spans.spans)
    ids = {span.span_id for span in spans}
    assert spans and len(ids) == len(spans), "an id is there twice"
    for span in spans:
        assert len(span.trace_id) == 16 and len(span.span_id) == 8, span
        assert not span.parent_span_id or span.parent_span_id in ids, span
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
        assert span.name, span
    errors = sum(1 for span in spans if span.status.code == Status.STATUS_CODE_ERROR)
    assert errors == failed, (errors, failed)
    print(f"{len(spans)} spans in {len(lines)} lines, {errors} of them failed: decoded")


main()
