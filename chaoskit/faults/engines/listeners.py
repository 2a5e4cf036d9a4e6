"""Faults that close the listeners of proxies. A listener opens when its last holder gives it up, so
that faults of this sort may overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaoskit.faults.contract import Receipt
from chaoskit.faults.engines import toxics
from chaoskit.faults.engines.toxics import EdgeUndo

if TYPE_CHECKING:
    from chaoskit.stack.proxy import Proxy
    from chaoskit.stack.stack import Stack


def proxies_of(stack: Stack, undo: EdgeUndo) -> list[Proxy]:
    return [proxy for proxy, _ in toxics.found(stack, undo)]


async def close(stack: Stack, undo: EdgeUndo) -> None:
    await stack.close_proxies(proxies_of(stack, undo), undo.holder)


async def give_up(stack: Stack, undo: EdgeUndo) -> None:
    await stack.open_proxies(proxies_of(stack, undo), undo.holder)


async def shut(stack: Stack, undo: EdgeUndo) -> Receipt:
    """Read back that no proxy listens."""
    proxies = proxies_of(stack, undo)
    open_ = [p.name for p in proxies if (await stack.state_of(p)).enabled]
    if open_ or not proxies:
        return Receipt(False, f"still listening: {', '.join(open_) or 'no proxy found'}")
    return Receipt(True, f"not listening: {', '.join(p.name for p in proxies)}")


async def open_again(stack: Stack, undo: EdgeUndo) -> Receipt:
    """Read back that every proxy listens which no other fault holds closed."""
    for proxy in proxies_of(stack, undo):
        held = stack.closed_by_others(proxy, undo.holder)
        if not held and not (await stack.state_of(proxy)).enabled:
            return Receipt(False, f"`{proxy.name}` does not listen again")
    return Receipt(True, "every proxy listens again")
