"""What is loaded and served now, and the streams it is served to. One event loop only; no I/O of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from envoy.service.discovery.v3 import discovery_pb2

from controlplane.consistency import forget_unused, inconsistencies
from controlplane.loader import Loaded
from controlplane.names import DEFAULT_NAMESPACE
from controlplane.objects import Object
from controlplane.problems import Problem
from controlplane.registry import Registry
from controlplane.snapshot import TYPE_URLS, Snapshot, View
from controlplane.stream import MAX_GENERATIONS, Stream

_log = logging.getLogger(__name__)

Send = Callable[[discovery_pb2.DiscoveryResponse], None]


@dataclass(eq=False, slots=True)
class Client:
    """A connected client: its stream, where it calls from, and how to send it something."""

    stream: Stream
    address: str
    connected_at: str
    send: Send
    active: float = field(default=0.0)
    """When its last request came, in loop time (seconds)."""


class State:
    """The last good configuration, the problems of the last load, and the connected clients."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(Registry(()), 0)
        self.errors: tuple[Problem, ...] = ()
        self.warnings: tuple[Problem, ...] = ()
        self.clients: list[Client] = []
        self.history: deque[tuple[int, dict[str, frozenset[str]]]] = deque(maxlen=MAX_GENERATIONS)
        self.objects: tuple[Object, ...] = ()
        self.sound = asyncio.Event()
        """Set from the first configuration on that had nothing wrong, be it empty."""
        self._stream_ids = itertools.count(1)
        self._moved: asyncio.Event = asyncio.Event()

    @property
    def generation(self) -> int:
        """Counts the changes of what is served, from 1 with the first load that had objects."""
        return self.snapshot.generation

    # -- configuration ------------------------------------------------------------------------------

    def apply(self, loaded: Loaded) -> None:
        """Serve what was loaded, unless something is wrong with it; tell every client what changed for it."""
        if loaded.errors:
            self._fail(loaded.errors)
            return
        before, after = _by_key(self.objects), _by_key(loaded.objects)
        if before != after:
            snapshot = Snapshot(Registry(loaded.objects), self.generation + 1)
            forget_unused()
            if wrong := self.inconsistencies(snapshot):
                self._fail(wrong)
                return
            changed = _changed(self.snapshot, snapshot)
            self.snapshot = snapshot
            self.history.append((snapshot.generation, changed))
        if self.errors:
            _log.info("the configuration is sound%s", " again" if self.sound.is_set() else "")
        self._tell_new(loaded.warnings)
        self.errors, self.warnings = (), loaded.warnings
        self.objects = loaded.objects
        self.sound.set()
        if before != after:
            _log.info("generation %d: %d objects", self.generation, len(self.objects))
            for client in self.clients:
                for response in client.stream.on_snapshot(self.snapshot):
                    client.send(response)
            self.moved()

    def _tell_new(self, warnings: tuple[Problem, ...]) -> None:
        """Log what was not so before; that it has moved to another line is no news."""
        known = {replace(warning, document=0, line=0) for warning in self.warnings}
        for warning in warnings:
            if replace(warning, document=0, line=0) not in known:
                _log.warning("%s", warning)

    def _fail(self, errors: tuple[Problem, ...]) -> None:
        if errors != self.errors:
            for error in errors:
                _log.error("%s", error)
            if self.sound.is_set():
                _log.error("not applied; generation %d stays in force", self.generation)
            else:
                _log.error("nothing is served until this is mended")
        self.errors = errors

    def inconsistencies(self, snapshot: Snapshot) -> tuple[Problem, ...]:
        """What clients would have to refuse in a state. That has no place in a file."""
        views = {id(view): view for view in self._views(snapshot)}
        messages = (message for view in views.values() for message in inconsistencies(view))
        return tuple(Problem("", 0, 0, "", message) for message in messages)

    def _views(self, snapshot: Snapshot) -> Iterator[View]:
        yield snapshot.anyone(DEFAULT_NAMESPACE)
        for client in self.clients:
            if client.stream.node is not None:
                yield snapshot.view(client.stream.node)

    # -- clients ------------------------------------------------------------------------------------

    def connect(self, address: str, now: str, send: Send) -> Client:
        """A new stream; `send` is called with what to write to it."""
        client = Client(Stream(str(next(self._stream_ids)), self.snapshot), address, now, send)
        self.clients.append(client)
        return client

    def disconnect(self, client: Client) -> None:
        """The stream has ended."""
        self.clients.remove(client)
        self.moved()

    # -- waiting ------------------------------------------------------------------------------------

    def moved(self) -> None:
        """Wake whoever waits for anything to happen."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, timeout: float) -> None:
        """Until something happened, or the timeout (seconds) is over."""
        try:
            await asyncio.wait_for(self._moved.wait(), timeout)
        except TimeoutError:
            return


def _by_key(objects: tuple[Object, ...]) -> dict[object, Object]:
    return {thing.meta.key: thing for thing in objects}


def _changed(before: Snapshot, after: Snapshot) -> dict[str, frozenset[str]]:
    """The names in each type that changed for a client without labels."""
    old, new = before.anyone(DEFAULT_NAMESPACE), after.anyone(DEFAULT_NAMESPACE)
    return {
        short: new.resources(short, (), wildcard=True).changed_from(old.resources(short, (), wildcard=True))
        for short in TYPE_URLS
    }
