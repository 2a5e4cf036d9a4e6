"""A reverse proxy such as nginx: where it passes things on to is in its own configuration."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.request import urlopen


class Handler(BaseHTTPRequestHandler):
    """Passes `/admin` to one port of the app, everything else to the other."""

    def do_GET(self) -> None:
        port = 9000 if self.path.startswith("/admin") else 8000
        try:
            with urlopen(f"http://app:{port}{self.path}", timeout=2) as answer:
                status, body = answer.status, answer.read()
        except HTTPError as error:
            status, body = error.code, error.read()
        except OSError as error:
            status, body = 502, str(error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 80), Handler).serve_forever()
