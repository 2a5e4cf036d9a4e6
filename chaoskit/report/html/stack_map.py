"""The stack as a drawn map: services in columns from client to upstream, edges between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from chaoskit.judge.result import EdgeResult, Result
from chaoskit.report.html.model import Window
from chaoskit.report.html.visible import visible
from chaoskit.report.html.windows import name_of

_BOX, _HIGH, _GAP, _STEP = 150, 40, 110, 74


@dataclass(frozen=True, slots=True)
class MapEdge:
    """An edge of the map, what is known of its use, and the letters of the faults that touch it."""

    name: str
    client: str
    upstream: str
    port: int | None
    used: bool
    use: str
    letters: tuple[str, ...]


def edges_of(result: Result, windows: Sequence[Window]) -> list[MapEdge]:
    """Return the edges that something points to: those that are merely possible are left out."""
    found = []
    for edge in result.stack.edges:
        letters = tuple(w.letter for w in windows if name_of(edge) in w.edges)
        aimed = any("->" in w.target and name_of(edge) in w.edges for w in windows)
        if edge.evidence or edge.proxied or edge.connections or aimed:
            used, use = _use(edge)
            found.append(
                MapEdge(name_of(edge), edge.client, edge.upstream, edge.port, used, use, letters)
            )
    return found


def _use(edge: EdgeResult) -> tuple[bool, str]:
    if edge.connections is None:
        why = edge.evidence or "the map"
        return bool(edge.evidence), f"not counted (no proxy on it), known from {why}"
    return edge.connections > 0, f"{edge.connections} connections"


def draw(result: Result, edges: Sequence[MapEdge], windows: Sequence[Window]) -> Markup:
    """Return the map; empty where there is no service."""
    names = list(dict.fromkeys([s.service for s in result.stack.services]))
    names += [n for e in edges for n in (e.client, e.upstream) if n not in names]
    names = list(dict.fromkeys(names))
    if not names:
        return Markup("")
    columns = _columns(names, edges)
    places = {
        name: (20 + column * (_BOX + _GAP), 20 + row * _STEP)
        for column, members in enumerate(columns)
        for row, name in enumerate(members)
    }
    hit = {service for window in windows for service in window.services}
    width = 40 + len(columns) * (_BOX + _GAP) - _GAP
    height = 30 + max(map(len, columns)) * _STEP
    parts = [_edge(edge, places) for edge in edges]
    parts += [_service(name, *places[name], hit=name in hit, windows=windows) for name in names]
    said = "; ".join(f"{e.name}: {e.use}" for e in edges) or "no edges"
    return Markup(  # noqa: S704  # all text in it is escaped
        f'<svg class="map" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{escape(visible("services and edges: " + said))}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="11" '
        'markerHeight="11" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>'
        f"{''.join(parts)}</svg>"
    )


def _columns(names: Sequence[str], edges: Sequence[MapEdge]) -> list[list[str]]:
    """Return the services by column: right of their clients, as far as there is no ring."""
    depth = dict.fromkeys(names, 0)
    for _ in range(len(names)):
        for edge in edges:
            if edge.client != edge.upstream and edge.used:
                deeper = min(depth[edge.client] + 1, len(names) - 1, 5)
                depth[edge.upstream] = max(depth[edge.upstream], deeper)
    return [[n for n in names if depth[n] == d] for d in sorted(set(depth.values()))]


def _edge(edge: MapEdge, places: dict[str, tuple[int, int]]) -> str:
    (x1, y1), (x2, y2) = places[edge.client], places[edge.upstream]
    middle1, middle2 = y1 + _HIGH // 2, y2 + _HIGH // 2
    if x2 > x1:
        start, end = (x1 + _BOX, middle1), (x2 - 2, middle2)
        bend = (start[0] + end[0]) // 2
        path = f"M{start[0]} {start[1]}C{bend} {start[1]} {bend} {end[1]} {end[0]} {end[1]}"
    else:
        side = max(x1, x2) + _BOX + 46
        start, end = (x1 + _BOX, middle1 + 6), (x2 + _BOX + 2, middle2 - 6)
        path = f"M{start[0]} {start[1]}C{side} {start[1]} {side} {end[1]} {end[0]} {end[1]}"
    place = ((start[0] + end[0]) // 2, (start[1] + end[1]) // 2 - 5)
    text = " ".join([f":{edge.port}" if edge.port else "", *edge.letters]).strip()
    kind = "used" if edge.used else "unused"
    return (
        f'<g class="map-edge {kind}" data-faults="{escape(" ".join(edge.letters))}">'
        f"<title>{escape(visible(f'{edge.name}: {edge.use}'))}</title>"
        f'<path d="{path}" marker-end="url(#tip)"/>'
        f'<text x="{place[0]}" y="{place[1]}">{escape(visible(text))}</text>'
        f'<text class="cut-sign" x="{place[0]}" y="{place[1] + 16}"></text></g>'
    )


def _service(name: str, x: int, y: int, *, hit: bool, windows: Sequence[Window]) -> str:
    letters = [w.letter for w in windows if name in w.services]
    short = visible(name if len(name) <= 17 else name[:16] + "...")
    tag = f'<text class="hit" x="{x + _BOX - 6}" y="{y + 12}">{escape(" ".join(letters))}</text>'
    return (
        f'<g class="map-service" data-faults="{escape(" ".join(letters))}">'
        f"<title>{escape(visible(name))}</title>"
        f'<rect x="{x}" y="{y}" width="{_BOX}" height="{_HIGH}" rx="6"/>'
        f'<text x="{x + _BOX // 2}" y="{y + 25}">{escape(short)}</text>{tag if hit else ""}</g>'
    )
