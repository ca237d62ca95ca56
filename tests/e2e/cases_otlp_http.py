"""How requests travel: compressed, as JSON, encrypted, and what is said when they cannot."""

import shutil
import subprocess

from cases_live import NESTED_TREE, endpoint, environment
from harness import BOTH_COMPILERS, ONE_BUILD, Skip, case, expect_text


def send(test, build, *options, quiet=True, env=None):
    """Sends the nested program's spans; what arrived, and the run."""
    with endpoint(test, *options) as collector:
        run = test.run(test.program(build, "nested.cc"), modules="app", quiet=quiet,
                       env=environment(collector, **(env or {})))
        assert run.stdout == "done\n"
        return collector.requests(), collector.forest() if collector.count() else None, run


@case(BOTH_COMPILERS)
def requests_are_compressed_when_that_is_asked_for(test, build):
    plain, forest, _ = send(test.below("plain"), build)
    expect_text(forest.text(), NESTED_TREE)
    assert "content-encoding" not in plain[0], plain[0]
    for variable in ("OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"):
        small, forest, _ = send(test.below(variable), build, env={variable: "gzip"})
        expect_text(forest.text(), NESTED_TREE)
        assert small[0]["content-encoding"] == "gzip", small[0]
        assert small[0]["bytes on the wire"] < plain[0]["bytes on the wire"] * 0.7, small[0]


@case(BOTH_COMPILERS)
def requests_are_json_when_that_is_asked_for(test, build):
    requests, forest, _ = send(test, build, env={
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
    assert requests[0]["content-type"] == "application/json", requests[0]
    assert requests[0]["content-encoding"] == "gzip", requests[0]
    expect_text(forest.text(), NESTED_TREE)


@case(ONE_BUILD)
def traces_own_variables_win(test, build):
    requests, _, _ = send(test, build, env={
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none"})
    assert requests[0]["content-type"] == "application/x-protobuf", requests[0]
    assert "content-encoding" not in requests[0], requests[0]


@case(ONE_BUILD)
def values_that_are_not_known_are_told_and_ignored(test, build):
    requests, forest, run = send(test, build, quiet=False, env={
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"})
    expect_text(forest.text(), NESTED_TREE)
    assert requests[0]["content-type"] == "application/x-protobuf", requests[0]
    for told in ('OTEL_EXPORTER_OTLP_PROTOCOL: found "grpc", expected http/protobuf or http/json',
                 'OTEL_EXPORTER_OTLP_COMPRESSION: found "brotli", expected none or gzip',
                 'OTEL_EXPORTER_OTLP_TIMEOUT: found "soon"'):
        assert told in run.stderr, run.stderr
    assert run.stderr.count("; ignored") == 3, run.stderr


@case(ONE_BUILD)
def push_sends_in_the_same_ways(test, build):
    made = Certificates(test)
    run = test.run(test.program(build, "nested.cc"), modules="app",
                   env={"AUTOTRACE_PIPELINE_ID": "nightly"})
    name, = (path.name for path in run.data_dir.iterdir())
    with endpoint(test, *made.server()) as collector:
        test.autotracer("push", name, "--again", data_dir=run.data_dir, env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": made.path("authority.pem")})
        expect_text(collector.forest().text(), NESTED_TREE)
        (request,) = collector.requests()
    assert request["content-type"] == "application/json", request
    assert request["content-encoding"] == "gzip", request


class Certificates:
    """An authority, and certificates of its for a server and a client."""

    def __init__(self, test):
        if shutil.which("openssl") is None:
            raise Skip("openssl is not installed")
        self._test = test
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", "authority.key", "-out", "authority.pem", "-days", "2",
                      "-subj", "/CN=authority of a test")
        for name in ("server", "client"):
            test.write(f"{name}.ext", "subjectAltName=IP:127.0.0.1\n")
            self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                          "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey",
                          "authority.key", "-CAcreateserial", "-days", "2", "-out", f"{name}.pem",
                          "-extfile", f"{name}.ext")

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self._test.directory, check=True,
                       capture_output=True)

    def path(self, name):
        return self._test.directory / name

    def server(self):
        return ("--certificate", str(self.path("server.pem")), "--key", str(self.path("server.key")))


@case(BOTH_COMPILERS)
def an_encrypted_endpoint_is_trusted_when_its_authority_is_named(test, build):
    made = Certificates(test)
    # Relative to where the program is started.
    _, forest, _ = send(test, build, *made.server(),
                        env={"OTEL_EXPORTER_OTLP_CERTIFICATE": "authority.pem"})
    expect_text(forest.text(), NESTED_TREE)


@case(ONE_BUILD)
def an_endpoint_of_an_unknown_authority_gets_nothing_and_nothing_is_lost(test, build):
    made = Certificates(test)
    requests, _, run = send(test, build, *made.server(), quiet=False)
    assert requests == [], requests
    assert "certificate" in run.stderr, run.stderr
    assert {span.name for span in run.forest().spans} == {"app::run", "app::step", "app::leaf"}


@case(ONE_BUILD)
def an_endpoint_that_asks_for_a_certificate_gets_ours(test, build):
    made = Certificates(test)
    options = (*made.server(), "--client-authority", str(made.path("authority.pem")))
    ours = {"OTEL_EXPORTER_OTLP_CERTIFICATE": made.path("authority.pem"),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": made.path("client.pem"),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": made.path("client.key")}
    _, forest, _ = send(test.below("with"), build, *options, env=ours)
    expect_text(forest.text(), NESTED_TREE)
    requests, _, _ = send(test.below("without"), build, *options, quiet=False,
                          env={"OTEL_EXPORTER_OTLP_CERTIFICATE": made.path("authority.pem")})
    assert requests == [], requests


@case(ONE_BUILD)
def a_certificate_that_is_not_there_is_told_and_spans_are_kept(test, build):
    requests, _, run = send(test, build, quiet=False,
                            env={"OTEL_EXPORTER_OTLP_CERTIFICATE": "none.pem"})
    assert requests == [], requests
    assert f"certificate '{test.directory}/none.pem' cannot be read: No such file" in run.stderr
    assert {span.name for span in run.forest().spans} == {"app::run", "app::step", "app::leaf"}
