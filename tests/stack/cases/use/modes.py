"""Ways to use an edge, by the name of the mode. `api` is a server that closes its connections."""

import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

PING = b"*1\r\n$4\r\nPING\r\n"


def connect(host: str = "redis", port: int = 6379, timeout: float | None = 2) -> socket.socket:
    made = socket.create_connection((host, port), timeout=5)
    made.settimeout(timeout)
    return made


def ask(made: socket.socket, question: bytes = PING) -> bytes:
    made.sendall(question)
    answer = made.recv(4096)
    if not answer:
        raise ConnectionError("closed")
    return answer


def boot() -> None:
    with connect() as made:
        ask(made)
    time.sleep(1000)


def kept() -> None:
    pool: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                if not pool:
                    pool.append(connect(timeout=None))
                ask(pool[0])
                status = 200
            except OSError:
                pool.clear()
                time.sleep(0.5)
                status = 503
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    HTTPServer(("", 8000), Handler).serve_forever()  # one request after the other


def short() -> None:
    while True:
        try:
            with connect() as made:
                ask(made)
        except OSError:
            pass
        time.sleep(0.2)


def dies() -> None:
    made = connect()
    while True:
        begun = time.monotonic()
        ask(made)
        if time.monotonic() - begun > 0.3:
            sys.exit("too slow")
        time.sleep(0.05)


def listens() -> None:
    while True:
        try:
            with connect(timeout=None) as made:
                made.sendall(b"SUBSCRIBE news\r\n")
                while made.recv(4096):
                    pass
        except OSError:
            pass
        time.sleep(0.2)


def straight() -> None:
    while True:
        try:
            address = get("api").rpartition("\n")[2]
            get(address)
        except OSError:
            pass
        time.sleep(0.2)


def get(host: str) -> str:
    """Return what a host answers, to its end: the server closes first."""
    with connect(host, 8080) as made:
        made.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := made.recv(4096):
            answer += piece
        return answer.decode()


def api() -> None:
    mine = socket.gethostbyname(socket.gethostname()).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"\n" + mine)

        def do_OPTIONS(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ThreadingHTTPServer(("", 8080), Handler).serve_forever()


globals()[sys.argv[1]]()
