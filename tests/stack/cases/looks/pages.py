"""Pages: one is always there, one needs Redis, one breaks for good, one blips."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

ASKED: dict[str, float] = {}  # when a page was asked for first


class Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        age = time.monotonic() - ASKED.setdefault(self.path, time.monotonic())
        good = True
        if self.path == "/deep":
            try:
                redis.Redis("redis", socket_timeout=0.5, socket_connect_timeout=0.5).ping()
            except redis.RedisError:
                good = False
        elif self.path == "/breaks":
            good = age < float(os.environ.get("BREAKS_AFTER", "3"))
        elif self.path == "/blips":
            good = age % 1.6 > 0.15
        self.send_response(200 if good else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("", 8000), Pages).serve_forever()
