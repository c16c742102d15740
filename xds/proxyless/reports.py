"""What the observer and the log are told of the control plane and of connections."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, ParamSpec

from .held import Held, State
from .observer import Observer
from .pools import SubchannelKey
from .resources import Kind

_log = logging.getLogger("proxyless")

Told = ParamSpec("Told")


class Reporter:
    """Tells an observer, whose failures are logged and go no further."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._noted: set[tuple[Kind, str, str]] = set()

    def tell(self, method: Callable[Told, None], *args: Told.args, **kwargs: Told.kwargs) -> None:
        """Call a method of the observer."""
        try:
            method(*args, **kwargs)
        except Exception:  # noqa: BLE001 - an observer must never break routing
            _log.exception("the observer %r failed", self._observer)

    def resource(self, kind: Kind, name: str, held: Held | None) -> None:
        """What is known of a resource has changed."""
        if held is None or held.state is State.REQUESTED:
            return
        self.cached(kind, name, held)
        if held.state is State.NACKED:
            _log.error("refused %s %s", kind.value, held.error)
            self.tell(self._observer.resource_refused, kind, name, held.error)
        elif held.state is State.ABSENT:
            kept = "; the version in force is kept (ignore_resource_deletion)" if held.resource else ""
            _log.warning("%s resource %r does not exist in the control plane%s", kind.value, name, kept)
            self.tell(self._observer.resource_absent, kind, name)
        elif held.state in (State.DENIED, State.OVERDUE):
            _log.warning("%s resource %r cannot be had: %s", kind.value, name, held.error)
        else:
            self.tell(self._observer.resource_updated, kind, name, held.version)
            self._notes(kind, name, held)

    def cached(self, kind: Kind, name: str, held: Held | None) -> None:
        """A resource is in this state now; None: nobody wants it any more."""
        state = None if held is None else held.cache_state
        self.tell(self._observer.resource_cached, kind, name, state)

    def connection(self, key: SubchannelKey, what: Literal["made", "failed", "lost"], why: str) -> None:
        """What became of a connection to an endpoint."""
        uri = f"xds:///{key.authority}"
        if what == "made":
            self.tell(self._observer.connection_made, uri, key.address)
        elif what == "failed":
            self.tell(self._observer.connection_failed, uri, key.address, why)
        else:
            self.tell(self._observer.connection_lost, uri, key.address)

    def _notes(self, kind: Kind, name: str, held: Held) -> None:
        for note in held.notes:
            if (kind, name, note) not in self._noted:
                self._noted.add((kind, name, note))
                _log.info("%s %s: %s", kind.value, name, note)
                self.tell(self._observer.field_unsupported, kind, name, note)
