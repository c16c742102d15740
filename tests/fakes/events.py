"""A browser's side of server-sent events: the sections as the page would have them, and waiting for them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Any

import aiohttp


class Watching:
    """Watches `/mesh/events` as an async context manager, and asks for more under the same URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.sections: dict[str, Any] = {}
        self.requests: dict[str, Any] = {}
        """By trace."""
        self.events: Counter[str] = Counter()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        self._task: asyncio.Task[None] | None = None
        self._told = asyncio.Event()

    async def __aenter__(self) -> Watching:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._session.close()

    async def until(self, condition: Callable[[], Any], seconds: float = 30) -> Any:
        """What the condition gives as soon as that is something."""
        try:
            async with asyncio.timeout(seconds):
                while not (found := self._met(condition)):
                    self._told.clear()
                    assert self._task is not None
                    assert not self._task.done(), "the stream has ended"
                    await self._told.wait()
        except TimeoutError:
            shown = json.dumps({**self.sections, "requests": list(self.requests.values())[-3:]})
            raise AssertionError(f"not in {seconds} s: {shown[:6000]}") from None
        return found

    @staticmethod
    def _met(condition: Callable[[], Any]) -> Any:
        try:
            return condition()
        except (KeyError, StopIteration):
            return None  # it is not there yet

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(f"{self._url}{path}") as answer:
            return answer.status, await answer.json()

    async def _watch(self) -> None:
        async with self._session.get(f"{self._url}/mesh/events") as stream:
            assert stream.content_type == "text/event-stream"
            waiting = b""
            async for some in stream.content.iter_any():  # its lines are longer than what readline takes
                *whole, waiting = (waiting + some).split(b"\n\n")
                for event in whole:
                    name, _, data = event.partition(b"\n")
                    if name.startswith(b"event: "):
                        self._take(name[7:].decode(), json.loads(data.removeprefix(b"data: ")))

    def _take(self, name: str, data: Any) -> None:
        self.events[name] += 1
        if name == "requests":
            if data["reset"]:
                self.requests = {}
            self.requests |= {each["trace_id"]: each for each in data["requests"]}
        else:
            self.sections[name] = data
        self._told.set()

    # -- what a person looks for

    def edges(self) -> dict[tuple[str, str], dict[str, int]]:
        """Calls by lane from each to each."""
        return {
            (_words(edge["from"]), _words(edge["to"])): {t["lane"]: t["calls"] for t in edge["lanes"]}
            for edge in self.sections["topology"]["edges"]
        }

    def unreachable(self) -> dict[str, str]:
        return {each["name"]: each["error"] for each in self.sections["mesh"]["unreachable"]}

    def lane(self, name: str) -> Any:
        return next(each for each in self.sections["lanes"]["lanes"] if each["name"] == name)

    def resource(self, client: str, kind: str, name: str) -> Any:
        held = next(each for each in self.sections["rules"]["clients"] if each["name"] == client)
        return next(r for r in held["resources"] if (r["type"], r["name"]) == (kind, name))

    def hops(self, trace_id: str) -> list[str]:
        return [f"{_words(hop)}{' own' * hop['own']}" for hop in self.requests[trace_id]["hops"]]


def _words(place: Any) -> str:
    return f"{place['service']} {place['version']}".rstrip()
