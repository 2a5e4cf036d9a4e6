"""Answers every read with something else than what was written: see the routes."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import redis

KEPT = Path("/data/kept.txt")
FULL = KEPT.exists()  # an earlier run left something: nothing more is kept
PAGE = 50
START = time.monotonic()

lock = threading.Lock()
stored: list[int] = []  # behind /pages; from the 61st on, everything twice
jobs: list[int] = []
done = 0


def answer(method: str, path: str, body: Any) -> tuple[int, Any]:
    """Return status and JSON of one request."""
    global done  # the app's own numbers
    match method, path.split("/")[1]:
        case "GET", "ok":
            return 200, {}
        case "GET", "hang":
            redis.Redis("redis", socket_timeout=30).ping()
            return 200, {}
        case "PUT", "docs":
            return 200, {}  # and thrown away
        case "GET", "docs":
            return 200, {"version": 1, "updated": round((time.monotonic() - START) * 1000) + 1000}
        case "POST", "jobs":
            jobs.append(int(body["id"]))
            return 202, {}
        case "GET", "jobs":
            if not jobs:
                return 204, None
            jobs.pop(0)
            done += 1
            return 200, {"id": 10**9 + done}
        case "POST", "pages":
            stored.extend([int(body["id"])] * (1 + (len(stored) > 60)))
            return 201, {}
        case "GET", "pages":
            return 200, {"items": stored[:PAGE], "total": len(stored)}
        case "POST", "pay":
            return 200, {}
        case "GET", "accounts":
            return 200, [{"name": name, "balance": 100} for name in ("ann", "bob", "eve")]
        case "POST", "kept":
            if not FULL:
                with KEPT.open("a") as file:
                    file.write(f"{body['id']}\n")
            return 201, {}
        case "GET", "kept":
            return 200, {"items": KEPT.read_text().split() if KEPT.exists() else []}
    return 404, {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _do(self) -> None:
        text = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            if self.path == "/hang":
                status, body = answer(self.command, self.path, None)
            else:
                with lock:
                    status, body = answer(self.command, self.path, json.loads(text or "{}"))
        except (OSError, ValueError, redis.RedisError) as error:
            status, body = 500, {"error": str(error)}
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_OPTIONS = _do  # as the library names them


def use_redis() -> None:
    """Use Redis all the time, whatever is asked for."""
    while True:
        with suppress(redis.RedisError):
            redis.Redis("redis", socket_timeout=1).ping()
        time.sleep(0.2)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


threading.Thread(target=use_redis, daemon=True).start()
Server(("0.0.0.0", 8000), Handler).serve_forever()
