"""Changes of lanes as functions of the objects, whatever those are by then. Pure.

Where others write at the same time, a change may be made to what they have just written, with a part of
itself already in it. So each of these, made twice, is as good as made once, and none touches another lane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lanes.compose import drop, put, restore
from lanes.landscape import Landscape
from lanes.own import lanes_in
from lanes.spec import Lane, Mode

Edit = Callable[[Landscape], Landscape]


def unchanged(landscape: Landscape) -> Landscape:
    """All as it is."""
    return landscape


def create(lane: Lane) -> Edit:
    """This lane, as given."""
    return lambda landscape: put(landscape, lane)


def extend(name: str, versions: Mapping[str, str], mode: Mode | None, expires: str | None) -> Edit:
    """A lane with these versions beside those it has; None leaves mode and expiry as they are."""

    def edit(landscape: Landscape) -> Landscape:
        there = _lane(landscape, name)
        held = there.versions if there else {}
        return put(
            landscape,
            Lane(
                name,
                {**held, **versions},
                mode or (there.mode if there else Mode.PERMISSIVE),
                expires if expires is not None else (there.expires if there else ""),
            ),
        )

    return edit


def reduce(name: str, services: Iterable[str]) -> Edit:
    """A lane without these services; it stays as it is where it has none of them."""
    gone = frozenset(services)

    def edit(landscape: Landscape) -> Landscape:
        there = _lane(landscape, name)
        if there is None:
            return landscape
        left = {service: version for service, version in there.versions.items() if service not in gone}
        return put(landscape, Lane(name, left, there.mode, there.expires))

    return edit


def delete(*names: str) -> Edit:
    """All but these lanes."""

    def edit(landscape: Landscape) -> Landscape:
        for name in names:
            landscape = drop(landscape, name)
        return landscape

    return edit


def exactly(lanes: Iterable[Lane]) -> Edit:
    """These lanes and no others."""
    wanted = tuple(lanes)
    return lambda landscape: restore(landscape, wanted)


def _lane(landscape: Landscape, name: str) -> Lane | None:
    return next((lane for lane in lanes_in(landscape) if lane.name == name), None)
