"""Containers on networks: taking one off a network, and putting it back exactly as it was.

The engine gives a container that asks for no address the lowest free one, and refuses to be told
which, unless the network has a subnet of the user's own. So the way back to an address is to hold
the lower free ones with placeholder containers until it is the next.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, cast

from chaoskit.errors import FaultFailed
from chaoskit.records import Json

if TYPE_CHECKING:
    from docker import APIClient

    from chaoskit.docker.call import Call

_MOST_PLACEHOLDERS = 12


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One container on one network: what it asked for, and what the engine gave it."""

    network: str
    network_id: str
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()  # `container:alias`
    options: tuple[tuple[str, str], ...] = ()
    asked_address: str | None = None
    asked_address6: str | None = None
    link_local: tuple[str, ...] = ()
    address: str | None = None
    address6: str | None = None
    mac: str | None = None

    def body(self) -> Mapping[str, Json]:
        """Return it as plain data for the ledger."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def read(cls, body: Mapping[str, Json]) -> Endpoint:
        """Return what `body` wrote down."""
        return cls(**{key: _frozen(value) for key, value in body.items()})

    def differs(self, other: Endpoint) -> list[str]:
        """Return in words where two endpoints differ; lists of names have no order."""
        return [
            f"{field.name.replace('_', ' ')} {_said(mine)} instead of {_said(theirs)}"
            for field in fields(self)
            if _sorted(mine := getattr(self, field.name))
            != _sorted(theirs := getattr(other, field.name))
        ]


class Networks:
    """The engine's calls about containers on networks."""

    def __init__(self, api: APIClient, call: Call) -> None:
        self._api = api
        self._call = call
        self._restoring: dict[str, asyncio.Lock] = {}  # by network

    async def of(self, container_id: str) -> dict[str, Endpoint]:
        """Return the endpoints of a container by network name."""
        return await self._call("inspect networks", lambda: self._of(container_id))

    async def subnets(self) -> list[tuple[str, str]]:
        """Return every subnet of every network, with the network's name."""
        found = await self._call("list networks", self._api.networks)
        return [
            (str(network["Name"]), str(pool["Subnet"]))
            for network in found
            for pool in (network.get("IPAM") or {}).get("Config") or ()
            if pool.get("Subnet")
        ]

    async def disconnect(self, container_id: str, network: str) -> None:
        """Take a container off a network; one that is off already is fine."""

        def cut() -> None:
            if network in self._of(container_id):
                self._api.disconnect_container_from_network(container_id, network)

        await self._call("disconnect", cut)

    async def restore(
        self, container_id: str, wanted: Endpoint, image: str, labels: Mapping[str, str]
    ) -> None:
        """Put a container back on a network with the settings and the address it had.

        `image` and `labels` are for placeholders; they need `sleep` and are gone afterwards. An
        address that somebody else took meanwhile is not given back: see `holder_of`. One container
        at a time: placeholders of one would sit on the address that another one wants.
        """

        def back() -> None:
            placeholders: list[str] = []
            try:
                while True:
                    if wanted.network not in self._of(container_id):
                        self._connect(container_id, wanted)
                    got = self._of(container_id).get(wanted.network)
                    if got is None or not self._could_be_nearer(got, wanted, len(placeholders)):
                        return
                    self._api.disconnect_container_from_network(container_id, wanted.network)
                    placeholders.append(self._placeholder(image, wanted.network, labels))
            finally:
                for placeholder in placeholders:
                    self._api.remove_container(placeholder, force=True, v=True)

        async with self._restoring.setdefault(wanted.network, asyncio.Lock()):
            await self._call("reconnect", back)

    async def take(
        self, network: str, address: str, name: str, image: str, labels: Mapping[str, str]
    ) -> None:
        """Have a container of ours take a free address of a network, and do nothing there.

        It is one of those that `stand_ins` names; `image` needs `sleep`. Where somebody else took
        the address meanwhile, there is none. Raises `FaultFailed` when the engine does not give it.
        """

        def take() -> None:
            others: list[str] = []
            try:
                for one in stand_ins(name):
                    made = self._placeholder(image, network, labels, one, "infinity")
                    got = self._of(made).get(network)
                    if got is not None and got.address == address:
                        return
                    others.append(made)
                    if self._holder_of(network, address) is not None:
                        return
                raise FaultFailed(f"the engine does not give {address} on `{network}`")
            finally:
                for other in others:
                    self._api.remove_container(other, force=True, v=True)

        async with self._restoring.setdefault(network, asyncio.Lock()):
            await self._call("take an address", take)

    async def holder_of(self, network: str, address: str) -> str | None:
        """Return the name of the container that has an address on a network now."""
        return await self._call("inspect network", lambda: self._holder_of(network, address))

    def _could_be_nearer(self, got: Endpoint, wanted: Endpoint, tried: int) -> bool:
        """Return whether another attempt may give the wanted address: a container that is down has
        none at all, and a taken one is never given."""
        if got.address is None or wanted.address is None or got.address == wanted.address:
            return False
        if tried >= _MOST_PLACEHOLDERS:
            raise FaultFailed(f"the engine gives {got.address} and not {wanted.address} again")
        return self._holder_of(wanted.network, wanted.address) is None

    def _holder_of(self, network: str, address: str) -> str | None:
        found = cast("Mapping[str, Any]", self._api.inspect_network(network))
        for row in (found.get("Containers") or {}).values():
            if str(row.get("IPv4Address")).partition("/")[0] == address:
                return str(row.get("Name"))
        return None

    def _of(self, container_id: str) -> dict[str, Endpoint]:
        data = cast("Mapping[str, Any]", self._api.inspect_container(container_id))
        rows = (data.get("NetworkSettings") or {}).get("Networks") or {}
        return {str(name): _endpoint(str(name), row) for name, row in rows.items()}

    def _connect(self, container_id: str, wanted: Endpoint) -> None:
        links = [(one, alias) for one, _, alias in (t.partition(":") for t in wanted.links)]
        self._api.connect_container_to_network(
            container_id,
            wanted.network,
            ipv4_address=wanted.asked_address,
            ipv6_address=wanted.asked_address6,
            aliases=list(wanted.aliases) or None,
            links=links or None,
            link_local_ips=list(wanted.link_local) or None,
            driver_opt=dict(wanted.options) or None,
            mac_address=None if _follows_address(wanted) else wanted.mac,
        )

    def _placeholder(
        self,
        image: str,
        network: str,
        labels: Mapping[str, str],
        name: str | None = None,
        lasts: str = "60",
    ) -> str:
        host = self._api.create_host_config(network_mode=network, cap_drop=["ALL"])
        made = self._api.create_container(
            image,
            ["sleep", lasts],
            name=name,
            entrypoint="",
            labels=dict(labels),
            host_config=host,
            stop_signal="SIGKILL",
        )
        try:
            self._api.start(made["Id"])
        except BaseException:
            with contextlib.suppress(Exception):
                self._api.remove_container(made["Id"], force=True, v=True)
            raise
        return str(made["Id"])


def stand_ins(name: str) -> list[str]:
    """Return the names of the containers that `take` may leave, under one name."""
    return [f"{name}-{number}" for number in range(1, _MOST_PLACEHOLDERS + 1)]


def same_but_for_address(now: Endpoint, before: Endpoint) -> list[str]:
    """Return where two endpoints differ, but for what the engine derives from the address."""
    return replace(now, address=before.address, mac=before.mac).differs(before)


def _endpoint(name: str, row: Mapping[str, Any]) -> Endpoint:
    asked = row.get("IPAMConfig") or {}
    return Endpoint(
        network=name,
        network_id=str(row.get("NetworkID") or ""),
        aliases=tuple(row.get("Aliases") or ()),
        links=tuple(row.get("Links") or ()),
        options=tuple(sorted((str(k), str(v)) for k, v in (row.get("DriverOpts") or {}).items())),
        asked_address=asked.get("IPv4Address") or None,
        asked_address6=asked.get("IPv6Address") or None,
        link_local=tuple(asked.get("LinkLocalIPs") or ()),
        address=row.get("IPAddress") or None,
        address6=row.get("GlobalIPv6Address") or None,
        mac=row.get("MacAddress") or None,
    )


def _follows_address(endpoint: Endpoint) -> bool:
    """Return whether the engine made the MAC address from the IP address, as it does by default."""
    if endpoint.mac is None or endpoint.address is None:
        return True
    made = "02:42:" + ":".join(f"{int(part):02x}" for part in endpoint.address.split("."))
    return endpoint.mac == made


def _plain(value: object) -> Json:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return cast("Json", value)


def _frozen(value: Json) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_frozen(one) for one in value)
    return value


def _sorted(value: object) -> object:
    return sorted(value) if isinstance(value, tuple) else value


def _said(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value or "")
    return text or "none"
