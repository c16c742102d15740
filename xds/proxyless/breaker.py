"""Circuit breaking: how many calls a cluster may have in flight, in the whole process (gRFC A32)."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock


class CallCounter:
    """Counts the calls in flight by key; the clients of one process share one."""

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}
        self._lock = Lock()

    def enter(self, key: Hashable, limit: int) -> bool:
        """Count one more call, unless `limit` are in flight already."""
        with self._lock:
            count = self._counts.get(key, 0)
            if count >= limit:
                return False
            self._counts[key] = count + 1
            return True

    def leave(self, key: Hashable) -> None:
        """Count one call less."""
        with self._lock:
            left = self._counts[key] - 1
            if left:
                self._counts[key] = left
            else:
                del self._counts[key]

    def count(self, key: Hashable) -> int:
        """Return the number of calls in flight."""
        return self._counts.get(key, 0)


IN_FLIGHT = CallCounter()
"""The process-wide counter, by cluster and EDS name."""
