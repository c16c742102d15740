"""What is counted in the whole process: calls in flight, retries, active faults (gRFCs A32, A33)."""

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


class Gauge:
    """Counts what goes on now."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = Lock()

    def enter(self) -> None:
        """One more."""
        with self._lock:
            self.value += 1

    def leave(self) -> None:
        """One less."""
        with self._lock:
            self.value -= 1


IN_FLIGHT = CallCounter()
"""The calls in flight, by cluster and EDS name."""

RETRIES = CallCounter()
"""The calls that are being retried, by the same."""

ACTIVE_FAULTS = Gauge()
"""The calls that are being delayed or aborted by a fault."""
