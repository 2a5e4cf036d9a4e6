"""Two roles. `store`: answers every message on its port. `chat`: `/NAME` asks the store NAME and
says 200 when it answers in time; a new connection each time."""

import socketserver
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import create_connection

STORES = {"redis": 6379, "postgres": 5432}


class Store(socketserver.BaseRequestHandler):
    """Speaks just enough for a canary: PONG for Redis, N for a Postgres SSL request."""

    def handle(self) -> None:
        while data := self.request.recv(4096):
            self.request.sendall(b"+PONG\r\n" if data.startswith(b"*") else b"N")


class Chat(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.strip("/")
        try:
            if name in STORES:
                with create_connection((name, STORES[name]), timeout=0.5) as connection:
                    connection.sendall(b"*1\r\n$4\r\nPING\r\n")
                    if not connection.recv(100):
                        raise ConnectionError("hung up")
            status, body = 200, b"ok"
        except OSError as error:
            status, body = 503, type(error).__name__.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Chats(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class Stores(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


if sys.argv[1] == "chat":
    Chats(("0.0.0.0", 8000), Chat).serve_forever()
Stores(("0.0.0.0", int(sys.argv[2])), Store).serve_forever()
