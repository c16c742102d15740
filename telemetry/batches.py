"""Measurements that are taken down at once and written many at a time, and before anybody reads them.

To write one is most of what a call through the mesh would cost, as the caches of the SDK's code are cold
between two calls; of many in a row it is a fraction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any, TypeAlias
from weakref import WeakSet

from opentelemetry.metrics import CallbackOptions, Meter, Observation

SIZE = 64
"""How many are written at once: enough for warm caches, too few for a stall."""
Measurement: TypeAlias = tuple[Callable[..., None], Any]
"""What writes it, and what that is to be called with."""


class Batch:
    """The measurements of one client that are not written yet.

    `finish` is called after each batch, to write what has been summed up in it.
    """

    def __init__(self, meter: Meter, finish: Callable[[], None]) -> None:
        self._finish = finish
        self._waiting: deque[Measurement] = deque()
        self._writing = Lock()
        with _registering:
            _batches.add(self)
        # The SDK says nothing before it collects but by asking such an instrument, which need not answer.
        meter.create_observable_gauge(
            "proxyless.unwritten", [_before_collecting], "{measurement}", "Never has a value."
        )

    def add(self, write: Callable[..., None], *given: Any) -> None:
        """Take a measurement down; `write(*given)` is called later, perhaps in another thread."""
        self._waiting.append((write, given))
        if len(self._waiting) >= SIZE and not self._writing.locked():
            self.write()

    def write(self) -> None:
        """Write all that there are."""
        with self._writing:
            while self._waiting:
                write, given = self._waiting.popleft()
                write(*given)
            self._finish()


_batches: WeakSet[Batch] = WeakSet()
_registering = Lock()


def _before_collecting(options: CallbackOptions) -> Iterable[Observation]:
    """Write what every client of the process has: of two on one meter, the SDK asks the first one only."""
    with _registering:
        batches = list(_batches)
    for batch in batches:
        batch.write()
    return ()
