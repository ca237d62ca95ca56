#!/usr/bin/env python3
"""An OTLP/HTTP endpoint for tests.

Prints the port it listens on (127.0.0.1, chosen by the kernel unless --port says otherwise), stores
each request as NNNN.body and NNNN.headers.json in --dir, and ends when its standard input is closed,
so it never outlives the test. --answer, --body and the like make it behave badly; --mode-file makes
it change its behaviour while it runs.
"""

import argparse
import gzip
import http.server
import itertools
import json
import pathlib
import socket
import ssl
import sys
import threading
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=pathlib.Path, required=True, help="where requests go")
    parser.add_argument("--answer", type=int, default=200, help="HTTP status of every answer")
    parser.add_argument("--body", default="", help="body of every answer")
    parser.add_argument("--body-hex", default="", help="the same, as hexadecimal digits")
    parser.add_argument("--content-type", default="application/x-protobuf")
    parser.add_argument("--location", help="Location header of every answer")
    parser.add_argument("--echo-header", help="answer with this request header's value")
    parser.add_argument("--stall", action="store_true", help="take requests, never answer")
    parser.add_argument("--garbage", action="store_true", help="answer with what is not HTTP")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode-file", type=pathlib.Path,
                        help="what to do now: ok, slow, stall, or an HTTP status")
    parser.add_argument("--certificate", help="PEM file: speak https with this certificate")
    parser.add_argument("--key", help="its private key")
    parser.add_argument("--client-authority", help="PEM file: clients need a certificate of this one")
    parser.add_argument("--refuse", action="store_true", help="refuse connections")
    return parser.parse_args()


def make_handler(arguments, stopped):
    # A receiver that was started again goes on counting.
    numbers = itertools.count(len(list(arguments.dir.glob("*.headers.json"))))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            size = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(size)
            if len(body) < size:  # the sender was killed in the middle: no request
                self.close_connection = True
                return
            self.store(body)
            mode = arguments.mode_file.read_text().strip() if arguments.mode_file else "ok"
            if mode == "slow":
                time.sleep(0.05)
            if arguments.stall or mode == "stall":
                stopped.wait()
                self.close_connection = True
            elif mode.isdigit():
                self.answer(int(mode))
            elif arguments.garbage:
                self.wfile.write(b"\x00\x00\x12\x04 this is not HTTP\r\n\r\n")
                self.close_connection = True
            else:
                self.answer()

        def store(self, body):
            stem = f"{next(numbers):04}"
            headers = {"path": self.path, "port": self.client_address[1],
                       "bytes on the wire": len(body)}
            headers.update({name.lower(): value for name, value in self.headers.items()})
            (arguments.dir / f"{stem}.headers.json").write_text(json.dumps(headers))
            # Renamed into place, so that whoever sees a body sees all of it.
            partial = arguments.dir / f"{stem}.partial"
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            partial.write_bytes(body)
            partial.rename(arguments.dir / f"{stem}.body")

        def answer(self, status=None):
            body = bytes.fromhex(arguments.body_hex) or arguments.body.encode()
            if arguments.echo_header:
                body = f"refused: {self.headers.get(arguments.echo_header)}".encode()
            self.send_response(status or arguments.answer)
            self.send_header("Content-Type", arguments.content_type)
            self.send_header("Content-Length", str(len(body)))
            if arguments.location:
                self.send_header("Location", arguments.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that were killed are what some tests are about."""


def main():
    arguments = parse_arguments()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    if arguments.refuse:
        # Bound but not listening: connections are refused, and nobody else gets the port.
        bound = socket.socket()
        bound.bind(("127.0.0.1", arguments.port))
        print(bound.getsockname()[1], flush=True)
        sys.stdin.read()
        return
    stopped = threading.Event()
    server = Server(("127.0.0.1", arguments.port), make_handler(arguments, stopped))
    if arguments.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(arguments.certificate, arguments.key)
        if arguments.client_authority:
            tls.load_verify_locations(arguments.client_authority)
            tls.verify_mode = ssl.CERT_REQUIRED
        # The handshake belongs to the connection's thread.
        server.socket = tls.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    stopped.set()


if __name__ == "__main__":
    main()
