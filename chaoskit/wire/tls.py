"""TLS to services of the stack, whose certificates nobody here vouches for."""

from __future__ import annotations

import functools
import ssl


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
