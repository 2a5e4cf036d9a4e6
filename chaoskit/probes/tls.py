"""The `tls` probe."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Literal

from chaoskit.errors import EnvironmentFailure
from chaoskit.fields import Duration, File, Target
from chaoskit.probes._base import Observed, Probe, Session, probe
from chaoskit.records import Json
from chaoskit.stack.routes import Routes
from chaoskit.text import one_line
from chaoskit.wire.error_text import CLOSED, LONGEST, error_words
from chaoskit.wire.tls import NoCertificate, TlsUrl, certificate_of, trusting, unverified

TRUSTED = "trusted"


@probe("tls")
class TlsProbe(Probe):
    """Shake hands with a TLS server and keep what its certificate says, for check `certificate`.

    Any certificate is good that can be read; the check judges it. With `ca`, a file in PEM beside
    the scenario, or `system` for the authorities that this machine trusts, a second handshake tells
    whether a client that trusts these would go on: a server may log that it did not. The server is
    asked for by the service's name, or by `name`.
    """

    example: ClassVar[str] = "{ probe: tls, url: https://web, name: web.example, every: 1s }"

    url: TlsUrl
    name: str | None = None
    ca: Literal["system"] | File | None = None
    every: Duration = Duration(1)

    def targets(self) -> Sequence[Target]:
        return [self.url.target]

    def asks(self) -> str:
        return str(self.url)

    def load(self) -> None:
        unverified()
        if self.ca is not None:
            trusting(self.ca)

    async def connect(self, routes: Routes) -> TlsSession:
        return TlsSession(self, routes)


class TlsSession(Session):
    """Nothing is kept between two handshakes."""

    waiting_for = "end of the handshake"

    def __init__(self, probe: TlsProbe, routes: Routes) -> None:
        self._probe = probe
        self._routes = routes

    async def observe(self) -> Observed:
        probe = self._probe
        name = probe.name or probe.url.service
        try:
            where = self._routes.address(probe.url.target)
            shown = await certificate_of(*where, name, unverified())
            chain = None
            if probe.ca is not None:
                try:
                    await certificate_of(*where, name, trusting(probe.ca))
                    chain = TRUSTED
                except ssl.SSLCertVerificationError as error:
                    chain = error.verify_message
        except EnvironmentFailure as error:
            return Observed(False, error.message)
        except NoCertificate as error:
            return Observed(False, str(error))
        except ssl.SSLError as error:
            text = (error.reason or str(error)).replace("_", " ").lower()
            return Observed(False, one_line(f"no TLS: {text}", LONGEST))
        except OSError as error:
            # asyncio calls an end in the middle of the handshake a reset, without a number.
            ended = isinstance(error, ConnectionResetError) and error.errno is None
            return Observed(False, CLOSED if ended else error_words(error))
        left = shown.not_after - datetime.now(UTC)
        value: Json = {
            "days_left": round(left.total_seconds() / 86400, 2),
            "not_after": shown.not_after.strftime("%Y-%m-%d %H:%M UTC"),
            "names": list(shown.names),
            "chain": chain,
        }
        return Observed(True, value=value)

    async def close(self) -> None:
        return None
