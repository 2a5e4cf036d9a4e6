"""Making a twin of a container of Compose, and putting it in its place."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

Body = dict[str, Any]


class ContainerRecreation:
    """The engine's calls that make, rename and remove single containers."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call

    async def create_like(self, container_id: str, name: str, *, keep_volumes: bool) -> str:
        """Create a container like another one, under another name, and return its id.

        It has the same image, configuration, limits, labels, networks with aliases and links, and
        named volumes. `keep_volumes` gives it the same anonymous volumes too, else new ones.
        """

        def create() -> str:
            data = cast("Mapping[str, Any]", self._api.inspect_container(container_id))
            body, later = _twin(data, self._known(data), keep_volumes=keep_volumes)
            made = cast("Mapping[str, Any]", self._create(body, name))
            for network, endpoint in later.items():
                self._connect(network, str(made["Id"]), endpoint)
            return str(made["Id"])

        return await self._call("create a container", create)

    def _known(self, data: Mapping[str, Any]) -> list[str]:
        """Return the containers it takes volumes from that are still there."""
        from docker.errors import NotFound

        known = []
        for entry in data["HostConfig"].get("VolumesFrom") or ():
            with contextlib.suppress(NotFound):
                self._api.inspect_container(str(entry).partition(":")[0])
                known.append(str(entry))
        return known

    def _create(self, body: Body, name: str) -> object:
        return cast("Any", self._api).create_container_from_config(body, name)

    def _connect(self, network: str, container_id: str, endpoint: Body) -> None:
        # The SDK's own call cannot hand over an endpoint as `inspect` shows it.
        api = cast("Any", self._api)
        url = api._url("/networks/{0}/connect", network)
        data = {"Container": container_id, "EndpointConfig": endpoint}
        api._raise_for_status(api._post_json(url, data=data))

    async def rename(self, container_id: str, name: str) -> None:
        await self._call("rename", lambda: self._api.rename(container_id, name))

    async def remove(self, container: str, *, volumes: bool) -> None:
        """Remove a container, by id or name, with its anonymous `volumes` or without; that it is
        gone already is fine."""

        def remove() -> None:
            from docker.errors import APIError, NotFound

            try:
                self._api.remove_container(container, v=volumes, force=True)
            except NotFound:
                pass
            except APIError as error:
                if error.status_code != 409:  # 409: somebody else is removing it
                    raise

        await self._call("remove a container", remove)


def _twin(
    data: Mapping[str, Any], volumes_from: list[str], *, keep_volumes: bool
) -> tuple[Body, dict[str, Body]]:
    """Return what creates a container like the one inspected, and the networks to connect then:
    engines before 25 take only one network at creation."""
    short = str(data["Id"])[:12]
    config, host = dict(data["Config"]), dict(data["HostConfig"])
    if config.get("Hostname") == short:
        del config["Hostname"]  # the engine's default: a new container has its own
    unnamed = [m for m in host.get("Mounts") or () if m["Type"] == "volume" and not m.get("Source")]
    if keep_volumes:
        # Taking them from the old container keeps them anonymous: they go when the container goes.
        host["VolumesFrom"] = [str(data["Id"])]
        host["Mounts"] = [m for m in host.get("Mounts") or () if m not in unnamed]
        declared = {**(config.get("Volumes") or {}), **{m["Target"]: {} for m in unnamed}}
        config["Volumes"] = declared or None
    else:
        host["VolumesFrom"] = volumes_from
    host["Links"] = [_link(link) for link in host.get("Links") or ()]
    mode = str(host.get("NetworkMode") or "default")
    found = (data.get("NetworkSettings") or {}).get("Networks") or {}
    if mode in ("host", "none") or mode.startswith("container:"):
        found = {}
    endpoints = {name: _endpoint(endpoint, short) for name, endpoint in found.items()}
    first = mode if mode in endpoints else next(iter(endpoints), None)
    body = {**config, "HostConfig": host}
    if first is not None and mode not in ("default", "bridge"):
        body["NetworkingConfig"] = {"EndpointsConfig": {first: endpoints[first]}}
    return body, {name: one for name, one in endpoints.items() if name != first}


def _endpoint(endpoint: Mapping[str, Any], short: str) -> Body:
    """Return what the author of an endpoint wrote, without what the engine filled in."""
    return {
        "Aliases": [alias for alias in endpoint.get("Aliases") or () if alias != short],
        "Links": endpoint.get("Links"),
        "IPAMConfig": endpoint.get("IPAMConfig"),
        "DriverOpts": endpoint.get("DriverOpts"),
    }


def _link(shown: str) -> str:
    """Turn a link of the default bridge as shown, `/x:/me/alias`, into one as given: `x:alias`."""
    target, _, alias = shown.partition(":")
    return f"{target.lstrip('/')}:{alias.rpartition('/')[2]}"
