"""The journal of what was changed through this console, newest first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.acting.undo import Inverse, Rules
from lanes.landscape import Key
from mesh.errors import NotFound

KEPT = 50


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an action: whether all have taken it, in how long, in lines, and what takes it back."""

    title: str
    ok: bool = True
    milliseconds: float | None = None
    lines: tuple[str, ...] = ()
    inverse: Inverse | None = None
    extra: Mapping[str, Any] | None = None
    """What the answer tells beside the action."""


@dataclass(frozen=True, slots=True)
class Action:
    """One line of the journal; `time` is in seconds since 1970."""

    id: str
    time: float
    done: Done
    undone: bool = False

    @property
    def undoable(self) -> bool:
        """Whether there is something to take back still."""
        return self.done.inverse is not None and not self.undone

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        done = self.done
        return {
            "id": self.id,
            "time": self.time,
            "title": done.title,
            "ok": done.ok,
            "milliseconds": None if done.milliseconds is None else round(done.milliseconds, 1),
            "lines": list(done.lines),
            "undoable": self.undoable,
            "undone": self.undone,
        }


class Actions:
    """The last actions, in memory; whoever is to know is told of each change."""

    def __init__(self, publish: Callable[[dict[str, Any]], None], now: Callable[[], float]) -> None:
        self._publish = publish
        self._now = now
        self._kept: list[Action] = []
        self._number = 0

    def to_dict(self) -> dict[str, Any]:
        """The event `actions`."""
        return {"actions": [action.to_dict() for action in self._kept]}

    def made(self, done: Done) -> Action:
        """An action that is not kept: it has changed nothing that could be taken back."""
        self._number += 1
        return Action(str(self._number), self._now(), done)

    def add(self, done: Done, undoes: str = "") -> Action:
        """Keep an action, the newest now; `undoes` is the id of the one it has taken back."""
        action = self.made(done)
        older = (replace(each, undone=True) if each.id == undoes else each for each in self._kept)
        self._kept = [action, *older][:KEPT]
        self._publish(self.to_dict())
        return action

    def find(self, id: str) -> Action:
        """The action of this id; NotFound if it is kept no more."""
        for action in self._kept:
            if action.id == id:
                return action
        raise NotFound(f"There is no action {id[:80]!r}; the last {KEPT} are kept, while this console runs.")

    def later(self, action: Action, key: Key) -> Action | None:
        """The last action after this one that has changed an object, and was not undone."""
        for other in self._kept:
            if other.id == action.id:
                return None
            rules = other.done.inverse
            if isinstance(rules, Rules) and key in rules.keys and not other.undone:
                return other
        return None
