#!/bin/sh
# opentelemetry-proto 1.45.2, protobuf 7.36.2 (PyPI): identifiers of OTLP/JSON read with protobuf's own JSON format.
#
# OTLP/JSON writes trace and span ids as hexadecimal digits, protobuf's JSON format reads bytes fields as base64. Every
# hexadecimal id is valid base64 as well, so json_format.ParseDict raises nothing: a trace id of 16 bytes becomes one of 24,
# a span id of 8 bytes one of 12. MessageToDict turns them back into the same text, so that a check by a round trip passes.
#
# What it means for us: the test of the export decodes the ids from hexadecimal and looks at their lengths, and leaves the
# rest to the official messages.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install --disable-pip-version-check opentelemetry-proto==1.45.2 protobuf==7.36.2
"$work/venv/bin/python" - <<'PYTHON'
from google.protobuf.json_format import MessageToDict, ParseDict
from opentelemetry.proto.trace.v1.trace_pb2 import Span

written = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "make"}
span = ParseDict(written, Span())
lengths = len(span.trace_id), len(span.span_id)
same = MessageToDict(span) == written
print(f"bytes of the ids: {lengths[0]} and {lengths[1]} (16 and 8 were written); round trip equal: {same}")
raise SystemExit(0 if lengths == (24, 12) and same else "protobuf reads the ids differently now")
PYTHON
