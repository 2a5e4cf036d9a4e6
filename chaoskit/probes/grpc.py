"""The `grpc` probe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Target
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line
from chaoskit.wire import load
from chaoskit.wire.error_text import LONGEST, error_words
from chaoskit.wire.grpc import HEALTHY, GrpcFailed, GrpcLink, GrpcUrl


@probe("grpc")
class GrpcProbe(Probe):
    """Ask a gRPC server for its health, by the standard protocol grpc.health.v1.

    `service` is the name of a gRPC service, such as `shop.Orders`; without it the server answers
    for itself. Only SERVING is good. `grpcs://` is TLS, whose certificate is not verified.
    """

    example: ClassVar[str] = "{ probe: grpc, url: grpc://api:50051, service: shop.Orders }"

    url: GrpcUrl
    service: Annotated[str, Field(max_length=1024)] = ""

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    def load(self) -> None:
        load("h2.connection", "h2.events")

    async def connect(self, routes: Routes) -> GrpcSession:
        return GrpcSession(self, routes)


class GrpcSession(Session):
    """One connection, opened by the first observation."""

    def __init__(self, probe: GrpcProbe, routes: Routes) -> None:
        self._probe = probe
        self._link = GrpcLink(probe.url, routes)

    async def observe(self) -> Observed:
        try:
            await self._link.connect()
            health = await self._link.health(self._probe.service, self._probe.timeout)
        except GrpcFailed as error:
            return Observed(False, one_line(str(error), LONGEST), broken=error.broken)
        except EnvironmentFailure as error:
            return Observed(False, error.message, broken=True)
        except OSError as error:
            return Observed(False, error_words(error), broken=True)
        return Observed(health == HEALTHY, None if health == HEALTHY else f"is {health}")

    async def close(self) -> None:
        await self._link.close()
