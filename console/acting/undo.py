"""What takes an action back. Pure.

An undo is itself an action with an inverse, so it can be undone as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from lanes.change import Change
from lanes.landscape import Document, Key, Landscape, replaced, without

_NOTED = "creationTimestamp"


@dataclass(frozen=True, slots=True)
class Rules:
    """Objects to be put back: each change goes from what the action has left to what was there before it."""

    changes: tuple[Change, ...]
    of_lanes: bool = False
    """Whether it makes or ends lanes, so that their history has to know."""

    @property
    def keys(self) -> frozenset[Key]:
        """The objects it touches."""
        return frozenset(change.key for change in self.changes)


@dataclass(frozen=True, slots=True)
class Process:
    """A process to be killed or started again; `pid` is that of the one to kill."""

    name: str
    verb: Literal["kill", "start"]
    pid: int | None = None


Inverse = Rules | Process


def inverse_of(changes: Iterable[Change], *, of_lanes: bool = False) -> Rules | None:
    """What takes these changes back; None where nothing changed."""
    back = tuple(
        Change(each.key, each.after, each.before) for each in changes if not alike(each.before, each.after)
    )
    return Rules(back, of_lanes) if back else None


def crossed(rules: Rules, objects: Mapping[Key, Document]) -> Key | None:
    """The first object that is no more as the action left it."""
    return next(
        (each.key for each in rules.changes if not alike(objects.get(each.key), each.before)),
        None,
    )


def alike(one: Document | None, other: Document | None) -> bool:
    """Whether two objects say the same, whatever an API server notes down beside it."""
    return one == other or (one is not None and other is not None and _said(one) == _said(other))


def _said(document: Document) -> Document:
    metadata = {
        name: each for name, each in (document.get("metadata") or {}).items() if each and name != _NOTED
    }
    # Of an object written in one version an API server tells in another.
    return {**document, "apiVersion": "", "metadata": metadata}


def put_back(landscape: Landscape, rules: Rules) -> Landscape:
    """The landscape as it was before the action, in what the action changed."""
    for each in rules.changes:
        if each.after is None:
            landscape = without(landscape, each.key)
        else:
            landscape = replaced(landscape, each.key, each.after)
    return landscape
