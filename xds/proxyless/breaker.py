"""What is counted in the whole process: calls in flight, retries, active faults (gRFCs A32, A33)."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from weakref import WeakValueDictionary


class Count:
    """Counts what goes on now; threads may share one."""

    __slots__ = ("__weakref__", "_lock", "value")

    def __init__(self) -> None:
        self.value = 0
        self._lock = Lock()

    def enter(self, limit: int | None = None) -> bool:
        """One more, unless there are `limit` already."""
        with self._lock:
            if limit is not None and self.value >= limit:
                return False
            self.value += 1
            return True

    def leave(self) -> None:
        """One less."""
        with self._lock:
            self.value -= 1


class Counts:
    """Counts by key; the clients of one process share them, and each lives as long as somebody holds it."""

    def __init__(self) -> None:
        self._counts: WeakValueDictionary[Hashable, Count] = WeakValueDictionary()
        self._lock = Lock()

    def of(self, key: Hashable) -> Count:
        """The count of a key."""
        with self._lock:
            found = self._counts.get(key)
            if found is None:
                found = self._counts[key] = Count()
            return found


IN_FLIGHT = Counts()
"""The calls in flight, by cluster and EDS name."""

RETRIES = Counts()
"""The calls that are being retried, by the same."""

ACTIVE_FAULTS = Count()
"""The calls that are being delayed or aborted by a fault."""
