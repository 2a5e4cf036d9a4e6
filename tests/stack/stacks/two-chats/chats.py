"""A tiny chat service: `/ping` says whether Redis answers in time, `/healthz` that it runs.

The name of the Redis host is here and nowhere else: nothing in the Compose file points at it.
"""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

NAMES = {"one": "redis", "two": "two-chats-redis"}  # service name, container_name
MINE = threading.local()  # one connection per thread, which is one per HTTP connection


def ping() -> None:
    if not hasattr(MINE, "redis"):
        MINE.redis = redis.Redis(
            host=NAMES[sys.argv[1]],
            port=6379,
            socket_timeout=0.7,
            socket_connect_timeout=0.4,
            single_connection_client=True,
            retry=Retry(NoBackoff(), 0),  # by default it hides a short outage
        )
    MINE.redis.ping()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/healthz":
            return self._answer(200, b"ok")
        try:
            ping()
        except redis.RedisError as error:
            vars(MINE).clear()
            return self._answer(503, type(error).__name__.encode())
        return self._answer(200, b"pong")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Somebody hung up."""


Server(("0.0.0.0", 8000), Handler).serve_forever()
