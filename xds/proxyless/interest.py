"""Which resources are needed, by how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from .depgraph import Key


class Interest:
    """Counts who needs what; what nobody needs is given up only when all have said what they need now."""

    def __init__(self) -> None:
        self._users: Counter[Key] = Counter()
        self._watched: set[Key] = set()
        self._touched: set[Key] = set()

    def changed(self, before: Set[Key], after: Set[Key]) -> None:
        """Somebody needed the ones and now needs the others."""
        for key in after - before:
            self._users[key] += 1
            self._touched.add(key)
        for key in before - after:
            self._users[key] -= 1
            self._touched.add(key)

    def settle(self) -> tuple[set[Key], set[Key]]:
        """Return what has to be watched from now on, and what no longer."""
        needed = {key for key in self._touched if self._users[key]}
        given_up = self._touched - needed
        added, dropped = needed - self._watched, given_up & self._watched
        for key in given_up:
            del self._users[key]
        self._watched |= added
        self._watched -= dropped
        self._touched = set()
        return added, dropped
