"""The front door: requests to productpage, and who served them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp

_TIMEOUT = 10.0
_AT_ONCE = 8


@dataclass(frozen=True)
class Visit:
    """One answer of `/api/v1/products/{id}`: which versions served it, or what went wrong."""

    paths: tuple[str, ...]
    """Each way through the mesh, `productpage v1 → reviews v2 → ratings v2`, in a stable order."""
    versions: Mapping[str, str]
    """The version that served, by service; a service that was not called is missing."""
    instances: Mapping[str, str] = field(default_factory=dict)
    """The instance that served, likewise."""
    stars: frozenset[int] = frozenset()
    colors: frozenset[str] = frozenset()
    errors: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every part of the answer is there."""
        return not self.errors

    def path_through(self, service: str) -> str:
        """The way on which this service lies; empty if there is none."""
        return next((path for path in self.paths if f" {service} " in f" {path} "), "")


class Door:
    """A client of the front door as an async context manager."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT))

    async def __aenter__(self) -> Door:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def visit(self, baggage: str | None = None, what: str = "0") -> Visit:
        """Ask for a book, or what belongs to it; a failure is part of the visit and not an exception."""
        headers = {"baggage": baggage} if baggage is not None else {}
        try:
            async with self._session.get(f"{self._url}/api/v1/products/{what}", headers=headers) as response:
                return read_visit(response.status, await response.json(content_type=None))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Visit((), {}, errors=(f"{type(error).__name__}: {error}",))

    async def visits(self, count: int, baggage: str | None = None) -> list[Visit]:
        """So many requests, a few at a time."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one() -> Visit:
            async with gate:
                return await self.visit(baggage)

        return await asyncio.gather(*(one() for _ in range(count)))


def read_visit(status: int, body: Any) -> Visit:
    """An answer of the API as a visit."""
    hops = body.get("hops") if isinstance(body, dict) else None
    if not isinstance(hops, dict):
        return Visit((), {}, errors=(f"HTTP {status}: {str(body)[:200]}",))
    errors = [f"HTTP {status}"] if status != 200 else []
    if "error" in body:
        errors.append(f"{body['error']['code']}: {body['error']['reason']}")
    for part in ("details", "reviews"):
        failure = (body.get(part) or {}).get("error")
        if failure:
            errors.append(f"{part}: {failure['code']}: {failure['reason']}")
    reviews = body.get("reviews") or {}
    if reviews.get("ratings_error"):
        errors.append(f"ratings: {reviews['ratings_error']}")
    ratings = [review["rating"] for review in reviews.get("reviews", ()) if "rating" in review]
    return Visit(
        tuple(sorted(_paths(hops))),
        dict(_each(hops, "version")),
        dict(_each(hops, "instance")),
        frozenset(int(rating["stars"]) for rating in ratings),
        frozenset(str(rating["color"]) for rating in ratings),
        tuple(errors),
    )


def _paths(hop: Mapping[str, Any]) -> list[str]:
    here = f"{hop['service']} {hop['version']}"
    calls: Sequence[Mapping[str, Any]] = hop["calls"]
    return [f"{here} → {path}" for call in calls for path in _paths(call)] or [here]


def _each(hop: Mapping[str, Any], what: str) -> list[tuple[str, str]]:
    below = [pair for call in hop["calls"] for pair in _each(call, what)]
    return [(str(hop["service"]), str(hop[what])), *below]
