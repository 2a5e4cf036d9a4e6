"""TLS to services of the stack, and what their certificates say.

Certificates are read as RFC 5280 has them, as far as it takes: until when, and for which names.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import ClassVar

from chaoskit.fields import Target, Url
from chaoskit.ports import HTTPS

_OF_SERVER_NAMES = bytes.fromhex("551d11")  # subjectAltName
_SEQUENCE, _OID, _OCTETS, _UTC_TIME, _VERSION, _EXTENSIONS = 0x30, 0x06, 0x04, 0x17, 0xA0, 0xA3
_DNS, _ADDRESS = 0x82, 0x87
_GOODBYE = 0.1  # seconds for a server to answer the end of a connection


class TlsUrl(Url):
    """`tls://web:8443`, or `https://web`."""

    SCHEMES: ClassVar[Mapping[str, int]] = {"tls": HTTPS, "https": HTTPS}

    @property
    def target(self) -> Target:
        return Target(self.service, self.port, "tls")


class NoCertificate(ValueError):
    """What a server showed is no certificate that can be read."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Until when a server's certificate is valid, and for which names and addresses."""

    not_after: datetime
    names: tuple[str, ...]

    @classmethod
    def read(cls, document: bytes) -> Certificate:
        """Read one in DER. Raises `NoCertificate`."""
        try:
            (whole,) = _parts(document)
            content, *_ = _parts(whole[1])
            fields = [part for part in _parts(content[1]) if part[0] != _VERSION]
            _, until = _parts(fields[3][1])  # after the number, the algorithm and the issuer
            extensions = [one for tag, part in fields if tag == _EXTENSIONS for one in _parts(part)]
            return cls(_moment(*until), tuple(_names(extensions[0][1] if extensions else b"")))
        except (ValueError, IndexError):
            raise NoCertificate("its certificate cannot be read") from None


@functools.cache
def unverified(*protocols: str) -> ssl.SSLContext:
    """Return a context that takes any certificate, one for all: making one costs milliseconds.

    With `protocols` it offers those to the server (ALPN), such as `h2`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


@functools.cache
def trusting(authorities: str) -> ssl.SSLContext:
    """Return a context that wants a chain to a certificate of a file in PEM (`system`: to one that
    this machine trusts), for any name. Raises `OSError` for a file that is none."""
    context = ssl.create_default_context(cafile=None if authorities == "system" else authorities)
    context.check_hostname = False
    return context


async def certificate_of(host: str, port: int, server: str, context: ssl.SSLContext) -> Certificate:
    """Shake hands with a server, called by its name, and return its certificate.

    Raises `OSError` (`ssl.SSLCertVerificationError` where the context refuses it) and
    `NoCertificate`.
    """
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=server)
    try:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if not shown:
            raise NoCertificate("it showed no certificate")
        return Certificate.read(shown)
    finally:
        try:
            writer.close()
            with suppress(OSError, TimeoutError):  # said, not only cut: a server may log that
                async with asyncio.timeout(_GOODBYE):
                    await writer.wait_closed()
        finally:
            writer.transport.abort()


def _parts(document: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each element of DER. Raises `ValueError`, `IndexError`."""
    at = 0
    while at < len(document):
        tag, length = document[at], document[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(document[at : at + size], "big")
            at += size
        if at + length > len(document):
            raise ValueError("cut off")
        yield tag, document[at : at + length]
        at += length


def _moment(tag: int, text: bytes) -> datetime:
    written = text.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year: 50 to 99 are of the last century
        written = ("19" if written >= "5" else "20") + written
    return datetime.strptime(written, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _names(extensions: bytes) -> Iterator[str]:
    for _, extension in _parts(extensions):
        parts = list(_parts(extension))
        if parts[0] != (_OID, _OF_SERVER_NAMES):
            continue
        for _, names in _parts(parts[-1][1]):
            for tag, name in _parts(names):
                if tag == _DNS:
                    yield name.decode("ascii", errors="backslashreplace").lower()
                elif tag == _ADDRESS:
                    yield str(ip_address(name))
