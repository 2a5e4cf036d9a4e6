"""The standard gRPC health service, `grpc.health.v1.Health/Check`, on the same truth as /healthz.

Its two messages are a few bytes, so they are written by hand: Debian has no package for them.
"""

import grpc
import grpc.aio

from chat.health import Health

_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"  # HealthCheckResponse: field 1, an enum


async def serve(health: Health, port: int) -> grpc.aio.Server:
    """Start the server; the caller stops it."""

    async def check(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        # HealthCheckRequest has one field, the service's name: tag, length, text. Empty is the server.
        if request[2:]:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _NOT_SERVING if (await health.check())["status"] == "down" else _SERVING

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(check)  # no serializers: bytes in, bytes out
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler}),)
    )
    server.add_insecure_port(f"0.0.0.0:{port}")
    await server.start()
    return server
