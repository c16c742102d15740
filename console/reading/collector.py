"""Asks the admin ports: all at once, each on its own account, so that one that hangs costs nobody else."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import aiohttp

from console.reading.clients import Dump, read_dump
from console.reading.mesh_view import OUT_OF_REACH
from console.reading.peers import Peer
from console.reading.spans import Span, Told, UnreadableError, mapping, read_spans, text
from lanes.store import Member

PATIENCE = 0.5
"""For so many seconds a round waits for its answers; what comes later counts in the next."""
TIMEOUT = 3.0
"""After so many seconds whoever was asked is out of reach."""
_RULES_SHARE = 20
"""A dump is not asked for again before so many times as long as it took have passed."""
_LARGEST = 64 << 20
_NOT_READY = 503
# The admin port answers to loopback's names only, against pages whose own name leads there; we are no page.
_HEADERS = {"Host": "localhost"}

_log = logging.getLogger(__name__)


class UnansweredError(Exception):
    """A peer that did not answer as asked; the message says what happened instead."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Watched:
    """One peer: what it said last, and what went wrong since."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.told: Told | None = None
        self.dump: Dump | None = None
        self.lane_key = ""
        self.error = ""
        self.lacking = ""
        """Why it is not to be called, as far as it says so itself."""
        self.since = 0
        self.late = False
        """Whether it did not answer in time when last asked."""
        self.next_dump = 0.0
        self.task: asyncio.Task[None] | None = None

    @property
    def member(self) -> Member | None:
        """The workload that it says it is; None as long as it has not said so."""
        if self.told is None:
            return None
        place, ready = self.told.place, not self.error and not self.lacking
        state = OUT_OF_REACH if self.error else self.lacking or "ready"
        return Member(place.service, place.version, self.told.instance, self.peer.admin, ready, state)


class Collector:
    """Reads spans and dumps; `on_spans` gets the new ones, `on_dump` each dump. An async context manager."""

    def __init__(
        self,
        on_spans: Callable[[Sequence[Span]], None],
        on_dump: Callable[[Dump], None],
        *,
        patience: float = PATIENCE,
        timeout: float = TIMEOUT,
    ) -> None:
        self._on_spans = on_spans
        self._on_dump = on_dump
        self._patience = patience
        self._timeout = timeout
        self._watched: dict[str, Watched] = {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def watched(self) -> Sequence[Watched]:
        """Everybody who is asked."""
        return tuple(self._watched.values())

    def unreachable(self) -> list[tuple[str, str]]:
        """Who does not answer, and why."""
        return [(each.peer.name, each.error) for each in self._watched.values() if each.error]

    def of_instance(self, instance: str) -> Watched | None:
        """The peer that calls itself so."""
        return next((w for w in self._watched.values() if w.told and w.told.instance == instance), None)

    async def look(self, peers: Iterable[Peer]) -> None:
        """Ask everybody who is not being asked yet, and wait a little for those who use to be quick."""
        self._follow(peers)
        prompt: list[asyncio.Task[None]] = []
        for watched in self._watched.values():
            if watched.task is not None and watched.task.done():
                watched.task = None
            if watched.task is None:
                watched.task = asyncio.create_task(self._ask(watched), name=f"asking {watched.peer.name}")
                if not watched.late:
                    prompt.append(watched.task)
        if prompt:
            _, pending = await asyncio.wait(prompt, timeout=self._patience)
            for watched in self._watched.values():
                watched.late |= watched.task in pending

    def _follow(self, peers: Iterable[Peer]) -> None:
        wanted = {peer.admin: peer for peer in peers}
        for admin in self._watched.keys() - wanted.keys():
            gone = self._watched.pop(admin)
            if gone.task is not None:
                gone.task.cancel()
        for admin, peer in wanted.items():
            known = self._watched.setdefault(admin, Watched(peer))
            known.peer = peer

    async def _ask(self, watched: Watched) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._spans(watched)
                await self._rules(watched)
                await self._readiness(watched)
        except TimeoutError:
            watched.late = True
            watched.error = f"no answer from {watched.peer.admin} within {self._timeout:g} s"
        except (UnansweredError, UnreadableError) as error:
            watched.late = False
            watched.error = f"{watched.peer.admin}: {error}"
        except Exception:  # noqa: BLE001 - a task nobody awaits: it is said here and in the log
            _log.exception("asking a peer", extra={"event": "peer_failed", "peer": watched.peer.name})
            watched.error = f"{watched.peer.admin}: the console met a fault of its own; its log says more"
        else:
            watched.late, watched.error = False, ""

    async def _spans(self, watched: Watched) -> None:
        told = read_spans(await self._get(watched, "/spans", {"since": str(watched.since)}))
        before = watched.told
        if before is not None and (told.run != before.run or told.next < watched.since):
            watched.dump, watched.next_dump, watched.lane_key = None, 0.0, ""
            if watched.since:  # it is another process, which counts from 0
                told = read_spans(await self._get(watched, "/spans", {"since": "0"}))
        watched.told, watched.since = told, told.next
        if told.spans:
            self._on_spans(told.spans)

    async def _rules(self, watched: Watched) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        if begun < watched.next_dump:
            return
        try:
            dump = read_dump(await self._get(watched, "/config_dump", {}))
            if not watched.lane_key:
                watched.lane_key = text(mapping(await self._get(watched, "/lanes", {}), "lanes"), "key")
        except UnansweredError as error:
            if error.status != 404:
                raise
            watched.dump, watched.next_dump = None, float("inf")  # it calls nobody through the mesh
            return
        watched.dump, watched.next_dump = dump, begun + _RULES_SHARE * (clock() - begun)
        self._on_dump(dump)

    async def _readiness(self, watched: Watched) -> None:
        if watched.peer.service:  # whoever named it knows how it does
            return
        status, body = await self._fetch(watched, "/readyz", {})
        watched.lacking = _lacking(body) if status == _NOT_READY else ""

    async def explain(self, watched: Watched, query: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
        """What a peer says of a call; UnansweredError, UnreadableError, or TimeoutError."""
        async with asyncio.timeout(self._timeout):
            return mapping(await self._get(watched, "/explain", query), "the answer")

    async def _get(
        self, watched: Watched, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]]
    ) -> object:
        """The JSON at a path of a peer."""
        status, body = await self._fetch(watched, path, query)
        if status != 200:
            raise UnansweredError(f"{path} answers {status}: {_reason(body)}", status)
        try:
            found = json.loads(body)
            if b"\\ud" in body.lower():  # a lone surrogate is JSON, and no text
                json.dumps(found, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise UnreadableError(f"{path} is no JSON") from None
        return found

    async def _fetch(
        self, watched: Watched, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]]
    ) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        if self._session is None:
            raise UnansweredError("the console is ending")
        url = f"http://{watched.peer.admin}{path}"
        try:
            async with self._session.get(url, params=query, headers=_HEADERS) as response:
                body = await response.content.read(_LARGEST + 1)
                while not response.content.at_eof() and len(body) <= _LARGEST:
                    body += await response.content.read(_LARGEST + 1 - len(body))
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno
            reason = os.strerror(number) if number else str(error.os_error)
            raise UnansweredError(reason.lower()) from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnansweredError(str(error) or type(error).__name__) from None
        if len(body) > _LARGEST:
            raise UnreadableError(f"{path} is longer than {_LARGEST >> 20} MB")
        return response.status, body

    async def __aenter__(self) -> Collector:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [each.task for each in self._watched.values() if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None


def _lacking(body: bytes) -> str:
    """What a `/readyz` says is lacking, in one line."""
    try:
        lacking = json.loads(body)["lacking"]
        return "; ".join(str(why) if what == "service" else f"{what}: {why}" for what, why in lacking.items())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "not ready"


def _reason(body: bytes) -> str:
    """What an error of an admin port says, JSON or text."""
    try:
        error = json.loads(body)["error"]
        return str(error.get("reason") or error.get("message"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return body[:200].decode(errors="replace")
