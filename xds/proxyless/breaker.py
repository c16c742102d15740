"""What is counted in the whole process: calls in flight, retries, active faults (gRFCs A32, A33)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar
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


T = TypeVar("T")


class Shared(Generic[T]):
    """What the clients of one process share, by key; each lives as long as somebody holds it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._found: WeakValueDictionary[Hashable, T] = WeakValueDictionary()
        self._lock = Lock()

    def of(self, key: Hashable) -> T:
        """That of a key."""
        with self._lock:
            found = self._found.get(key)
            if found is None:
                found = self._found[key] = self._make()
            return found


IN_FLIGHT: Shared[set[int]] = Shared(set)
"""The calls in flight by `id`, as each may be told twice to have ended; by cluster and EDS name.

Whoever adds one has looked at how many there are before: threads that do so at the same moment may pass a
limit by one each, as in gRPC. A lock would cost every call more than that is worth.
"""

RETRIES = Shared(Count)
"""The calls that are being retried, by the same."""

ACTIVE_FAULTS = Count()
"""The calls that are being delayed or aborted by a fault."""
