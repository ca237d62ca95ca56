"""Compares what `autotracer export` gives with the recording that it comes from."""

import collections
import re
import subprocess

import comparison
import harness

# The beginning of a span as our exporter writes it.
SPAN = re.compile(rb'"spanId":"(\w+)"(?:,"parentSpanId":"(\w+)")?,"flags":\d+,'
                  rb'"name":"((?:[^"\\]|\\.)*)"')


def compare(recorded, autotracer, run):
    """Each span has to be there, below the same parent, and spans of one function have one name."""
    ids = {span.sequence: recorded.span_id(span.sequence).encode() for span in recorded.spans}
    expected = {
        ids[span.sequence]: (ids.get(span.parent or span.parent_of_thread, b""), span.function)
        for span in recorded.spans}
    names = collections.defaultdict(set)
    result = comparison.Comparison("export", len(expected), len(expected))
    for span_id, parent, name in _spans(autotracer, run):
        known_parent, function = expected.pop(span_id, (None, None))
        if function is not None:
            names[function].add(name)
        if parent != known_parent:
            result.differences.append(
                f"export: {name.decode()} {span_id}: parent {parent}, recorded {known_parent}")
    result.differences += [f"export: {span_id} of {function} is missing"
                           for span_id, (_, function) in expected.items()]
    result.differences += [f"export: {function} has several names: {found}"
                           for function, found in names.items() if len(found) > 1]
    return result


def _spans(autotracer, run):
    command = [autotracer, "export", "--to", "otlp-json", str(run)]
    environment = harness.clean_environment()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        for request in process.stdout:
            for span in SPAN.finditer(request):
                yield span[1], span[2] or b"", span[3]
    assert process.returncode == 0, f"{command}: exit status {process.returncode}"
