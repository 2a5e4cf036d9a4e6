"""Which Toxiproxy image to run: the official one, or the one `make setup` built from source."""

from __future__ import annotations

import os

from chaoskit.docker.client import Engine
from chaoskit.errors import EnvironmentFailure

OFFICIAL_TOXIPROXY = "ghcr.io/shopify/toxiproxy:2.12.0"
OWN_TOXIPROXY = "chaoskit/toxiproxy:2.12.0"
TOXIPROXY_VARIABLE = "CHAOSKIT_TOXIPROXY_IMAGE"


async def toxiproxy_image(engine: Engine, *, pull: bool = True) -> str:
    """Return the image to use, pulling the official one when neither is there.

    Raises `EnvironmentFailure` when there is none and no registry gives it.
    """
    chosen = os.environ.get(TOXIPROXY_VARIABLE)
    for image in [chosen] if chosen else [OFFICIAL_TOXIPROXY, OWN_TOXIPROXY]:
        if await engine.has_image(image):
            return image
    wanted = chosen or OFFICIAL_TOXIPROXY
    hint = f"pull `{wanted}`, build it with `make setup`, or name one in {TOXIPROXY_VARIABLE}"
    if not pull:
        raise EnvironmentFailure(f"the Toxiproxy image `{wanted}` is not here", hint=hint)
    try:
        await engine.pull(wanted)
    except EnvironmentFailure as error:
        raise EnvironmentFailure(
            f"the Toxiproxy image `{wanted}` is not here and cannot be pulled: {error.message}",
            hint=hint,
        ) from error
    return wanted
