"""Answers /big with 50 MB, /stream with lines that never end, and all else in a word."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PIECE = b"x" * 65536
Path("/data/started").touch()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/stream":
            self.send_header("Content-Type", "application/x-ndjson")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while True:
                self.wfile.write(b"3\r\n{}\n\r\n")
                time.sleep(0.05)
        size = 50 * 1024**2 if self.path == "/big" else 2
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size:
            size -= self.wfile.write(PIECE[:size])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
