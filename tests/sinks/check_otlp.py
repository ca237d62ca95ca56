#!/usr/bin/env python3
"""Decodes OTLP with the official bindings and shows or compares what is in it.

    check_otlp.py protobuf FILE...                one ExportTraceServiceRequest per file
    check_otlp.py json FILE...                    one per line (OTLP file format)
    check_otlp.py ... --expect EXPECTED.json      compares; differences go to standard output
    check_otlp.py ... --summary                   counts instead of contents

The contents are shown as JSON: protobuf's mapping with hexadecimal ids, enums as numbers, and
attributes as objects. Whatever the official definitions do not know, and whatever OTLP/JSON
forbids, is an error.
"""

import argparse
import base64
import difflib
import json
import re
import sys

from google.protobuf import json_format, unknown_fields
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ID_DIGITS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
NUMBERS = {"kind", "code", "flags"}
STRINGS = {"intValue", "startTimeUnixNano", "endTimeUnixNano"}


class Invalid(Exception):
    pass


def reject_unknown_fields(message):
    if len(unknown_fields.UnknownFieldSet(message)) > 0:
        raise Invalid(f"unknown fields in {message.DESCRIPTOR.full_name}")
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        children = [value] if hasattr(value, "ListFields") else value
        for child in children:
            reject_unknown_fields(child)


def decode_protobuf(path):
    with open(path, "rb") as file:
        request = ExportTraceServiceRequest.FromString(file.read())
    reject_unknown_fields(request)
    return [request]


def object_without_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise Invalid(f"duplicate key among {keys}")
    return dict(pairs)


def to_protobuf_mapping(value, key=None):
    """Checks OTLP/JSON's own rules and turns ids into the base64 that the bindings expect."""
    if isinstance(value, dict):
        for name in value:
            if "_" in name:
                raise Invalid(f"{name} is not lowerCamelCase")
        return {name: to_protobuf_mapping(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [to_protobuf_mapping(item) for item in value]
    if value is None:
        raise Invalid(f"{key} is null")
    if key in ID_DIGITS:
        if not re.fullmatch("[0-9a-f]{%d}" % ID_DIGITS[key], value):
            raise Invalid(f"{key} is not {ID_DIGITS[key]} lower-case hexadecimal digits: {value}")
        return base64.b64encode(bytes.fromhex(value)).decode()
    if key in NUMBERS and not isinstance(value, int):
        raise Invalid(f"{key} is not a number: {value!r}")
    if key in STRINGS and not isinstance(value, str):
        raise Invalid(f"{key} is not a decimal string: {value!r}")
    return value


def decode_json(path):
    requests = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            if not line.endswith("\n"):
                raise Invalid("the last line has no end")
            mapping = to_protobuf_mapping(
                json.loads(line, object_pairs_hook=object_without_duplicates))
            requests.append(json_format.Parse(json.dumps(mapping), ExportTraceServiceRequest()))
    return requests


def simplify(value, key=None):
    if isinstance(value, dict):
        return {name: simplify(item, name) for name, item in value.items()}
    if isinstance(value, list):
        if key == "attributes":
            return object_without_duplicates(
                [(item["key"], simplify(item.get("value", {}))) for item in value])
        return [simplify(item) for item in value]
    if key in ID_DIGITS:
        return base64.b64decode(value).hex()
    return value


def contents(request):
    return simplify(json_format.MessageToDict(request, use_integers_for_enums=True))


def spans_of(requests):
    for request in requests:
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                yield from scope_spans.spans


def print_summary(requests):
    spans = list(spans_of(requests))
    known = {(span.trace_id, span.span_id) for span in spans}
    if len(known) != len(spans):
        raise Invalid("a span id stands twice")
    roots = sum(1 for span in spans if not span.parent_span_id)
    orphans = sum(
        1 for span in spans
        if span.parent_span_id and (span.trace_id, span.parent_span_id) not in known)
    largest = max((sum(1 for _ in spans_of([request])) for request in requests), default=0)
    traces = len({span.trace_id for span in spans})
    print(f"requests={len(requests)} largest={largest} spans={len(spans)} traces={traces} "
          f"roots={roots} orphans={orphans}")


def compare(requests, expected_path):
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)
    shown = [json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
             for value in (expected, [contents(request) for request in requests])]
    difference = list(difflib.unified_diff(*shown, "expected", "decoded", lineterm="", n=3))
    print("\n".join(difference))
    return not difference


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=["protobuf", "json"])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--expect")
    parser.add_argument("--summary", action="store_true")
    arguments = parser.parse_args()
    decode = decode_protobuf if arguments.format == "protobuf" else decode_json
    try:
        requests = [request for path in arguments.files for request in decode(path)]
        if arguments.expect:
            return 0 if compare(requests, arguments.expect) else 1
        if arguments.summary:
            print_summary(requests)
        else:
            print(json.dumps([contents(request) for request in requests], indent=1))
    except (Invalid, ValueError, json_format.ParseError, UnicodeDecodeError) as error:
        print(f"invalid: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
