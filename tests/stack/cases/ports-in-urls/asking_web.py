"""Uses all three of its upstreams for every request."""

import os
import socket
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

REDIS = urlsplit(os.environ["REDIS_URL"])
EVENTS = f"http://{os.environ['EVENTS_HOST']}:{os.environ['EVENTS_PORT']}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            with socket.create_connection((REDIS.hostname, REDIS.port), timeout=2) as redis:
                redis.sendall(b"PING\r\n")
                redis.settimeout(2)
                redis.recv(10)
            for url in (os.environ["UPSTREAM_URL"], EVENTS):
                urllib.request.urlopen(url, timeout=2).read()
            status = 200
        except OSError:
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
