"""One request, and how its attempts went."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from .. import observer
from ..clusters import ActiveCluster
from ..resources import MessageEdits
from ..retry import Loss
from ..routing import Course
from .attempts import Attempt


@dataclass
class Exchange:
    """One request as the caller made it; `deadline` stays None: aiohttp itself minds the caller's."""

    request: aiohttp.ClientRequest
    handler: aiohttp.ClientHandlerType
    started: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    deadline: float | None = None
    wait_for_ready: bool | None = None
    course: Course | None = None
    delayed: float = 0.0
    """Seconds that faults have kept it."""
    headers: tuple[tuple[str, str], ...] = ()
    """Its own, before the configuration edits them."""
    tried: list[str] = field(default_factory=list)
    """The endpoints of its attempts."""

    def __post_init__(self) -> None:
        self.headers = tuple(self.request.headers.items())
        self.url = self.request.url
        self.authority: str = self.request.headers["Host"]

    @property
    def name(self) -> str:
        """As the observer knows it."""
        return f"{self.request.method} {self.url.raw_path}"

    @property
    def repeatable(self) -> bool:
        """Whether its body can be sent again: it has none, or one that was not used up."""
        body = self.request.body
        return not isinstance(body, aiohttp.Payload) or not body.consumed


@dataclass(slots=True)
class Outcome:
    """How one attempt went: a response, or how it was lost and what is raised for it."""

    attempt: Attempt
    cluster: ActiveCluster
    where: str
    edits: tuple[MessageEdits, ...]
    cookies: Sequence[str]
    """What its response sets, for the hash of the next request."""
    told: observer.Attempt
    """As the observer knows it."""
    response: aiohttp.ClientResponse | None = None
    lost: Loss | None = None
    error: Exception | None = None
    unsent: bool = False
    """No server can have acted on it."""

    def discard(self) -> None:
        """Another attempt takes its place."""
        if self.response is not None:
            self.response.release()
        self.attempt.end()
