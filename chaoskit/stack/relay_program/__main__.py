"""`python3 -m relay_program CONTROL_PORT '{"PORT": ["UPSTREAM", PORT]}'`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

from .relay import serve

if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop  # type: ignore[import-not-found]  # in the image, not here

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    upstreams = {int(port): (host, its) for port, (host, its) in json.loads(sys.argv[2]).items()}
    asyncio.run(serve(int(sys.argv[1]), upstreams))
