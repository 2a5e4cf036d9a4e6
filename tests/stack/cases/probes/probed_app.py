"""HTTP and WebSockets on 8000, gRPC health on 50051, TLS on 8443."""

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import redis
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

REQUESTS = {"work": 0}


class Health(grpc.GenericRpcHandler):  # type: ignore[misc]  # there are no stubs here
    def service(self, details: Any) -> Any:
        if details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(check)
        return None


def check(request: bytes, context: Any) -> bytes:
    if request != b"\x0a\x0bshop.Orders":
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return b"\x08\x01"  # SERVING


def metrics(request: Any) -> Any:
    with redis.Redis(host="redis") as store:
        store.ping()
    lines = ["# TYPE requests_total counter"]
    lines += [f'requests_total{{route="{name}",code="200"}} {n}' for name, n in REQUESTS.items()]
    return PlainTextResponse("\n".join([*lines, ""]))


def work(request: Any) -> Any:
    REQUESTS["work"] += 1
    print("work", request.headers.get("traceparent"))
    return PlainTextResponse("done")


async def live(socket: Any) -> None:
    await socket.accept()
    await socket.send_text("hello")
    async for text in socket.iter_text():
        await socket.send_text(f"pong to {text}")


def tls() -> None:
    server = ThreadingHTTPServer(("", 8443), SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/tmp/cert", "/tmp/key")
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.serve_forever()


def main() -> None:
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Health()])
    server.add_insecure_port("0.0.0.0:50051")
    server.start()
    threading.Thread(target=tls, daemon=True).start()
    routes = [Route("/metrics", metrics), Route("/work", work), WebSocketRoute("/live", live)]
    uvicorn.run(Starlette(routes=routes), host="0.0.0.0", port=8000, log_level="warning")


main()
