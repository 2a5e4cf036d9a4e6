"""Answers 200 when both the API and the Redis answer over TLS, else 503."""

import os
import socket
import ssl
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE


def ask_api() -> None:
    url = os.environ["API_URL"]
    urllib.request.urlopen(url, timeout=1, context=UNVERIFIED).read()


def ask_redis() -> None:
    url = urlsplit(os.environ["REDIS_URL"])
    address = url.hostname, url.port
    with socket.create_connection(address, 1) as plain, UNVERIFIED.wrap_socket(plain) as kept:
        kept.sendall(b"PING\r\n")
        if not kept.recv(10).startswith(b"+PONG"):
            raise OSError("no PONG")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            ask_api()
            ask_redis()
            status = 200
        except OSError:
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
