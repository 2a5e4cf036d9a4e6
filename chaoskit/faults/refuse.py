"""`refuse`: nobody listens at the other end of one edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from chaoskit.faults._base import EdgeFault, Forecast, Receipt, Undo, fault

if TYPE_CHECKING:
    from chaoskit.stack.live import Proxy, Stack


@fault("refuse")
class Refuse(EdgeFault):
    """Refuse new connections on one edge and close the live ones."""

    traceless: ClassVar[bool] = True
    example = "{ at: 2s, for: 3s, fault: refuse, edge: chat -> redis }"

    def forecast(self) -> Forecast:
        return Forecast(
            f"connections of {self.target} refused, live ones closed",
            "open the proxy's listener again",
            "silence: the client learns at once that nobody is there",
        )

    async def prepare(self, stack: Stack) -> Undo:
        return {
            "holder": self.name,
            "rows": [
                {"container": proxy.container, "proxy": proxy.name}
                for proxy in stack.proxies_of(self.edge)
            ],
        }

    async def inject(self, stack: Stack, undo: Undo) -> None:
        await stack.close_proxies(_proxies(stack, undo), str(undo["holder"]))

    @classmethod
    async def heal(cls, stack: Stack, undo: Undo) -> None:
        await stack.open_proxies(_proxies(stack, undo), str(undo["holder"]))

    @classmethod
    async def verify_injected(cls, stack: Stack, undo: Undo) -> Receipt:
        proxies = _proxies(stack, undo)
        open_ = [p.name for p in proxies if (await stack.state_of(p)).enabled]
        if open_ or not proxies:
            return Receipt(False, f"still listening: {', '.join(open_) or 'no proxy found'}")
        return Receipt(True, f"not listening: {', '.join(p.name for p in proxies)}")

    @classmethod
    async def verify_healed(cls, stack: Stack, undo: Undo) -> Receipt:
        holder = str(undo["holder"])
        for proxy in _proxies(stack, undo):
            held = stack.held_closed(proxy, besides=holder)
            if not held and not (await stack.state_of(proxy)).enabled:
                return Receipt(False, f"`{proxy.name}` does not listen again")
        return Receipt(True, "every proxy listens again")


def _proxies(stack: Stack, undo: Undo) -> list[Proxy]:
    rows = cast("Sequence[Mapping[str, Any]]", undo["rows"])
    found = [stack.find(row["container"], row["proxy"]) for row in rows]
    return [proxy for proxy in found if proxy is not None]
