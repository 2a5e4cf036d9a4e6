"""A service that takes WARM_UP seconds to serve again once its Redis is back: two variants of it
are compared with `chaoskit compare --interleave WARM_UP=1.0 WARM_UP=1.3`."""

import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

WARM_UP = float(os.environ["WARM_UP"])
SERVING = threading.Event()


def watch() -> None:
    """Keep one connection, and know within 20 ms whether it works."""
    client = redis.Redis(
        host="redis",
        port=6379,
        socket_timeout=0.3,
        socket_connect_timeout=0.3,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
    )
    SERVING.set()
    while True:
        try:
            client.ping()
        except redis.RedisError:
            SERVING.clear()
        else:
            if not SERVING.is_set():
                time.sleep(WARM_UP)  # its cache fills
                SERVING.set()
        time.sleep(0.02)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"ok" if SERVING.is_set() else b"warming up"
        self.send_response(200 if SERVING.is_set() or self.path == "/healthz" else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


threading.Thread(target=watch, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
