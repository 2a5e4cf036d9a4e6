"""One small question to redis for each request; now and then a datagram to the same name."""

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def statistics() -> None:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        out.sendto(b"hits:1|c", ("redis", 8125))
        time.sleep(1)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with socket.create_connection(("redis", 6379), timeout=2) as made:
            made.settimeout(2)
            made.sendall(b"ECHO " + b"x" * 200 + b"\r\n")
            seen = made.recv(4096)
        self.send_response(200 if seen else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


threading.Thread(target=statistics, daemon=True).start()
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
