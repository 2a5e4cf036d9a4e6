"""`http_malformed`: answers whose body is not what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from chaoskit.faults.contract import Forecast, fault
from chaoskit.faults.engines.http import HttpFault
from chaoskit.records import Json

Damage = Literal["cut_body", "wrong_length", "broken_json"]
_ACTS: Mapping[Damage, tuple[str, str]] = {
    "cut_body": ("cut", "cut in half"),
    "wrong_length": ("lengthen", "given a Content-Length that is too large"),
    "broken_json": ("garble", "given a last byte that no JSON ends with"),
}


@fault("http_malformed")
class HttpMalformed(HttpFault):
    """Damage the bodies of HTTP answers on one edge: cut, of a wrong length, or broken JSON.

    `damage: cut_body` ends the connection after half of the body; `wrong_length` promises 13 bytes
    more than come, so that the client waits for them; `broken_json` puts a comma for the last byte
    that is no white space, and holds that back until more comes, which delays single events.
    Answers without a body are left as they are, and one in chunks has no length to be wrong.
    `match` says which requests, `fraction`, `first` or `every` how many of these.
    """

    example = (
        "{ at: 2s, for: 5s, fault: http_malformed, edge: web -> api, damage: cut_body, first: 3 }"
    )

    damage: Damage

    def forecast(self) -> Forecast:
        return Forecast(
            f"the answers to {self.hit} {_ACTS[self.damage][1]}",
            "remove the rule from the relay; connections that were not ended stay open",
            "damage below HTTP: TCP would repair it or end the connection",
        )

    def act(self) -> Mapping[str, Json]:
        return {"act": _ACTS[self.damage][0]}

    @property
    def done(self) -> str:
        return _ACTS[self.damage][1]
