"""The shop on 8000 and its administration on 9000, which no file says; the store is migrated."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from redis import Redis

STORE = Redis("store", socket_timeout=1, socket_connect_timeout=1, decode_responses=True)


class Handler(BaseHTTPRequestHandler):
    """Answers 200 with a count while the store does."""

    def do_GET(self) -> None:
        try:
            status = 200 if STORE.get("schema") == "1" else 500
            text = str(STORE.incr("visits"))
        except Exception as error:
            status, text = 503, f"{type(error).__name__}: {error}"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


Thread(target=ThreadingHTTPServer(("", 9000), Handler).serve_forever).start()
ThreadingHTTPServer(("", 8000), Handler).serve_forever()
