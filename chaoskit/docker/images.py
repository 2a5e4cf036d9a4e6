"""Images: what is here, and which Toxiproxy image to run: the official one, or the one that
`make setup` built from source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from chaoskit.errors import EnvironmentFailure

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

OFFICIAL_TOXIPROXY = "ghcr.io/shopify/toxiproxy:2.12.0"
OWN_TOXIPROXY = "chaoskit/toxiproxy:2.12.0"
TOXIPROXY_VARIABLE = "CHAOSKIT_TOXIPROXY_IMAGE"


class Images:
    """The engine's calls about images. Raises what `Call` says."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def has(self, image: str) -> bool:
        return await self.digest(image) is not None

    async def digest(self, image: str) -> str | None:
        """Return the repository digest or the id of a local image, None when it is missing."""
        found = await self._image(image)
        if found is None:
            return None
        digests = found.get("RepoDigests") or []
        return str(digests[0] if digests else found["Id"])

    async def ports(self, image: str) -> list[int]:
        """Return the TCP ports a local image exposes; none when the image is not there yet."""
        found = await self._image(image)
        exposed = ((found or {}).get("Config") or {}).get("ExposedPorts") or {}
        return [int(port.split("/")[0]) for port in exposed if not port.endswith("/udp")]

    async def _image(self, image: str) -> Mapping[str, Any] | None:
        def inspect() -> Mapping[str, Any] | None:
            from docker.errors import ImageNotFound

            try:
                found = self._api.inspect_image(image)  # type: ignore[no-untyped-call]  # its stubs
                return cast("Mapping[str, Any]", found)
            except ImageNotFound:
                return None

        return await self._call("inspect image", inspect)

    async def pull(self, image: str) -> None:
        """Pull an image; raises `EnvironmentFailure` when no registry gives it."""
        await self._call(f"pull {image}", lambda: self._api.pull(image))


async def toxiproxy_image(images: Images, *, pull: bool = True) -> str:
    """Return the image to use, pulling the official one when neither is there.

    Raises `EnvironmentFailure` when there is none and no registry gives it.
    """
    chosen = os.environ.get(TOXIPROXY_VARIABLE)
    for image in [chosen] if chosen else [OFFICIAL_TOXIPROXY, OWN_TOXIPROXY]:
        if await images.has(image):
            return image
    wanted = chosen or OFFICIAL_TOXIPROXY
    hint = f"pull `{wanted}`, build it with `make setup`, or name one in {TOXIPROXY_VARIABLE}"
    if not pull:
        raise EnvironmentFailure(f"the Toxiproxy image `{wanted}` is not here", hint=hint)
    try:
        await images.pull(wanted)
    except EnvironmentFailure as error:
        raise EnvironmentFailure(
            f"the Toxiproxy image `{wanted}` is not here and cannot be pulled: {error.message}",
            hint=hint,
        ) from error
    return wanted
