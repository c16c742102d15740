"""The chain as a picture: a line of base and a line of the lane, and the way between their stations. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lanes.context import BASE
from productpage.chain import Station

WIDTH = 800
_MARGIN = 92
_BASE_Y = 78
_LANE_Y = 166
_ARC = 34
"""How far a way leaves its line to pass a station without stopping there."""
_BARS = 1000.0
"""A bar's picture is this wide."""
_THINNEST = 6.0
_LONGEST_NAME = 12


@dataclass(frozen=True, slots=True)
class Stop:
    """A station on the map."""

    station: Station
    x: float
    y: float
    kind: str
    """base, lane or failed: how it is drawn."""

    @property
    def label_y(self) -> float:
        """Where its name stands: away from the other line."""
        return self.y - 38 if self.y == _BASE_Y else self.y + 34


@dataclass(frozen=True, slots=True)
class Way:
    """A call on the map: the path of an SVG."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Track:
    """A line, and where its name stands: base's between the lines, as its stations have theirs above."""

    kind: str
    name: str
    y: int
    name_y: int


@dataclass(frozen=True, slots=True)
class Map:
    """Everything the map shows, in the units of its view box."""

    height: int
    stops: tuple[Stop, ...]
    ways: tuple[Way, ...]
    tracks: tuple[Track, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """When a call was under way, within `width`; None of it is drawn where nobody measured."""

    x: float
    width: float


def map_of(stations: Sequence[Station], lane: str) -> Map:
    """The map of a chain that was asked for in this lane."""
    laned = lane != BASE
    tracks = [Track("base", BASE, _BASE_Y, _BASE_Y + 24)]
    if laned:
        name = lane if len(lane) <= _LONGEST_NAME else lane[: _LONGEST_NAME - 1] + "…"
        tracks.append(Track("lane", name, _LANE_Y, _LANE_Y - 12))
    step = (WIDTH - 2 * _MARGIN) / max(len(stations) - 1, 1)
    stops = []
    for index, station in enumerate(stations):
        on_lane = laned and (station.own or bool(station.failed))
        kind = "failed" if station.failed else "lane" if on_lane else "base"
        stops.append(Stop(station, _MARGIN + index * step, _LANE_Y if on_lane else _BASE_Y, kind))
    ways = [
        Way(_path(stops[station.caller], stop, station.caller + 1 == index), _way_kind(station, laned))
        for index, (station, stop) in enumerate(zip(stations, stops, strict=True))
        if station.caller is not None
    ]
    return Map(_LANE_Y + 62 if laned else _BASE_Y + 38, tuple(stops), tuple(ways), tuple(tracks))


def _way_kind(station: Station, laned: bool) -> str:
    """A call has the colour of the lane it carries, also on its way to base."""
    if station.failed:
        return "failed"
    return "lane" if laned and station.lane != BASE else "base"


def _path(start: Stop, end: Stop, neighbours: bool) -> str:
    begin = f"M{start.x:.1f} {start.y:.1f}"
    if start.y == end.y:
        if neighbours:
            return f"{begin}L{end.x:.1f} {end.y:.1f}"
        top = start.y + (_ARC if start.y == _BASE_Y else -_ARC)
        return f"{begin}C{start.x + 40:.1f} {top:.1f} {end.x - 40:.1f} {top:.1f} {end.x:.1f} {end.y:.1f}"
    middle = end.x - 70
    return f"{begin}C{middle:.1f} {start.y:.1f} {middle - 10:.1f} {end.y:.1f} {end.x:.1f} {end.y:.1f}"


def bar_of(station: Station, total: float) -> Bar | None:
    """The bar of a station, in thousandths of `total` seconds."""
    if station.start is None or station.took is None or total <= 0:
        return None
    start = min(station.start / total, 1.0) * _BARS
    width = max(min(station.took / total * _BARS, _BARS - start), _THINNEST)
    return Bar(round(min(start, _BARS - width), 1), round(width, 1))
