"""Live export: spans leave the running program for an OTLP endpoint. What arrives is decoded by
OpenTelemetry's own bindings (tests/sinks/check_otlp.py)."""

import contextlib
import json
import os
import subprocess
import sys
import time

import span_tree
from harness import (
    BOTH_COMPILERS, ONE_BUILD, SOURCE_ROOT, Skip, case, clean_environment, expect_text, output_of)


class Endpoint:
    """A collector that stores what it gets in a folder."""

    def __init__(self, test, *options):
        if not os.path.exists(test.paths.python):
            raise Skip("the Python packages of tests/requirements.txt are missing "
                       "(scripts/setup --tests)")
        self._python = test.paths.python
        self._folder = test.directory / "requests"
        self._mode = test.directory / "mode"
        self._options = options
        self._process = None
        self._port = 0
        self.mode("ok")
        self.start()
        scheme = "https" if "--certificate" in options else "http"
        self.url = f"{scheme}://127.0.0.1:{self._port}"

    def start(self):
        """Starts it, or starts it again where it was."""
        self._process = subprocess.Popen(
            [sys.executable, str(SOURCE_ROOT / "tests/support/otlp_receiver.py"), "--dir",
             str(self._folder), "--mode-file", str(self._mode), "--port", str(self._port),
             *self._options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._port = int(self._process.stdout.readline())

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None

    def mode(self, what):
        """What it does with requests from now on: ok, slow, stall, or an HTTP status."""
        draft = self._mode.with_suffix(".draft")
        draft.write_text(what)
        draft.rename(self._mode)

    def count(self):
        return len(list(self._folder.glob("*.body")))

    def requests(self):
        return [json.loads(file.read_text()) for file in sorted(self._folder.glob("*.json"))]

    def spans_of_requests(self):
        """The spans of each request, in the order in which they arrived."""
        bodies = sorted(self._folder.glob("*.body"))
        if not bodies:
            return []
        form = "protobuf"
        if self.requests()[0]["content-type"] == "application/json":
            form, bodies = "json", [_as_line(body) for body in bodies]
        decoded = json.loads(output_of(
            [self._python, SOURCE_ROOT / "tests/sinks/check_otlp.py", form, *bodies]))
        requests = decoded if isinstance(decoded, list) else [decoded]
        return [span_tree.parse_otlp(json.dumps(_as_otlp_json(request))) for request in requests]

    def forest(self, **options):
        requests = self.spans_of_requests()
        assert requests, "nothing arrived"
        return span_tree.Forest([span for request in requests for span in request],
                                **options)


def _as_line(body):
    """A request as a file of one line."""
    line = body.with_suffix(".line")
    line.write_bytes(body.read_bytes() + b"\n")
    return line


def _as_otlp_json(value):
    """check_otlp.py shows attributes as objects; back to lists of pairs."""
    if isinstance(value, list):
        return [_as_otlp_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: [{"key": key, "value": item} for key, item in entry.items()]
            if name == "attributes" else _as_otlp_json(entry) for name, entry in value.items()}


@contextlib.contextmanager
def endpoint(test, *options):
    collector = Endpoint(test, *options)
    try:
        yield collector
    finally:
        collector.kill()


NESTED_TREE = """
    app::run  (pipeline nightly)
      app::step
      app::step
        app::leaf
      app::step
        app::leaf x2
"""


def environment(collector, **more):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "AUTOTRACE_PIPELINE_ID": "nightly"} | more


@case(BOTH_COMPILERS)
def spans_arrive_at_the_endpoint_and_nothing_is_recorded(test, build):
    with endpoint(test) as collector:
        run = test.run(test.program(build, "nested.cc"), modules="app", env=environment(
            collector, OTEL_EXPORTER_OTLP_HEADERS="x-tenant=data", OTEL_SERVICE_NAME="shop"))
        forest = collector.forest()
        (request,) = collector.requests()
    expect_text(forest.text(), NESTED_TREE)
    assert run.stdout == "done\n"
    run.expect_nothing_recorded()
    assert request["path"] == "/v1/traces" and request["x-tenant"] == "data", request
    assert forest.spans[0].resource["service.name"] == "shop", forest.spans[0].resource


@case(BOTH_COMPILERS)
def files_and_callers_arrive_too(test, build):
    with endpoint(test) as collector:
        test.run(test.program(build, "nested.cc"), modules="app::run", env=environment(collector))
        attributes = collector.forest().roots[0].attributes
    assert attributes.get("code.file.path", "").endswith("/nested.cc"), attributes
    assert attributes["autotrace.caller"].startswith("main ("), attributes


@case(BOTH_COMPILERS)
def main_is_no_span_in_live_export_unless_it_is_named(test, build):
    program = test.program(build, "nested.cc")
    for modules, root in (("nested", "app::run"), ("nested,main", "main")):
        with endpoint(test) as collector:
            test.run(program, modules=modules, env=environment(collector))
            assert collector.forest().roots[0].name == root, modules
            for file in (test.directory / "requests").iterdir():
                file.unlink()


@case(ONE_BUILD)
def a_run_can_be_recorded_and_sent_at_once(test, build):
    with endpoint(test) as collector:
        run = test.run(test.program(build, "nested.cc"), modules="app",
                       env=environment(collector, AUTOTRACE_RECORD="true"))
        sent = collector.forest()
    recorded = run.expect_tree(NESTED_TREE)
    assert {span.span_id for span in sent.spans} == {span.span_id for span in recorded.spans}


@case(BOTH_COMPILERS)
def what_a_root_calls_arrives_while_the_root_is_open(test, build):
    with endpoint(test) as collector:
        values = clean_environment() | {"AUTOTRACE_MODULES": "app"} | environment(
            collector, OTEL_BSP_SCHEDULE_DELAY="50")
        with subprocess.Popen([test.program(build, "death.cc"), "wait"], cwd=test.directory,
                              env=values, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline() == "waiting\n"
                deadline = time.monotonic() + 30
                spans = []
                while len(spans) < 4 and time.monotonic() < deadline:
                    time.sleep(0.1)
                    if collector.requests():
                        spans = collector.forest(lost_parents=True).spans
                assert process.poll() is None
            finally:
                process.kill()
    assert [span.name for span in spans] == ["app::step"] * 5, spans
    # One called by run(), and four by what it called, all in the trace whose root is still open.
    parents = [span.parent_id for span in sorted(spans, key=lambda span: span.start)]
    assert parents[0] and parents[1] and parents[0] != parents[1], parents
    assert parents[1:] == [parents[1]] * 4, parents
    assert len({span.trace_id for span in spans}) == 1


@case(ONE_BUILD)
def an_endpoint_that_refuses_leaves_the_program_alone(test, build):
    with endpoint(test, "--refuse") as collector:
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                       env=environment(collector))
    assert run.stdout == "done\n"
    assert collector.url in run.stderr, run.stderr


@case(ONE_BUILD)
def an_endpoint_that_never_answers_holds_the_exit_up_for_the_timeout_only(test, build):
    with endpoint(test, "--stall") as collector:
        begin = time.monotonic()
        run = test.run(test.program(build, "nested.cc"), 3, modules="app", status=3, quiet=False,
                       env=environment(collector, OTEL_EXPORTER_OTLP_TIMEOUT="500"))
        seconds = time.monotonic() - begin
    assert run.stdout == "done\n"
    assert 0.4 < seconds < 5, f"{seconds:.1f} s"
