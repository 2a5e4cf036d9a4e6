"""Asks `api` on one port for every request, pushes to another all the time, and pings a cache."""

import socket
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def push() -> None:
    time.sleep(3)  # by then the second port listens
    while True:
        try:
            urllib.request.urlopen("http://api:8080/", timeout=2).read()
        except OSError as error:
            print("push failed:", error)
        time.sleep(0.3)


def cache() -> None:  # its loss is tolerated
    while True:
        time.sleep(0.2)
        try:
            with socket.create_connection(("redis", 6379), timeout=1) as kept:
                kept.sendall(b"PING\r\n")
                kept.recv(10)
        except OSError:
            pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            urllib.request.urlopen("http://api:8000/", timeout=1).read()
            status = 200
        except OSError:
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


for work in (push, cache):
    threading.Thread(target=work, daemon=True).start()
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
