"""Between control plane and clients: an ADS server that passes on what it hears, and does wrong by it.

It speaks for the control plane under nonces of its own, so whatever wrong it does, either side sees a
conversation that keeps to the protocol: what answers to a forgery never reaches the control plane.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

import grpc
from envoy.service.discovery.v3.ads_pb2_grpc import (
    AggregatedDiscoveryServiceServicer,
    AggregatedDiscoveryServiceStub,
    add_AggregatedDiscoveryServiceServicer_to_server,
)
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from grpc import aio

from tests.fakes.resources import EDS, RDS

Manner: TypeAlias = Literal["honest", "slow", "in parts", "out of order", "stale", "duplicate", "empty"]
MANNERS: tuple[Manner, ...] = ("slow", "in parts", "out of order", "stale", "duplicate", "empty")
LATE = 0.25
"""Seconds by which each answer is late where they are slow."""
GATHER = 0.1
"""Seconds in which answers are gathered where they come out of order."""
SPLIT = (RDS, EDS)
"""Types of which a response need not name all there is."""


class _Cut(Exception):
    """The stream ends here."""


@dataclass(eq=False)
class Conversation:
    """One client's stream: what it asked for, what it was told, and by which nonces."""

    node: str = ""
    sent: dict[str, DiscoveryResponse] = field(default_factory=dict)
    """The last response of the control plane, by type."""
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Those the control plane has been asked for."""
    versions: dict[str, str] = field(default_factory=dict)
    """The version with which it was asked last."""
    nonces: dict[str, str] = field(default_factory=dict)
    """By the nonce the client was given, the control plane's own; a forgery has none."""
    forged: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    """By nonce, what will hold the client's error, empty where it took the forgery."""
    earlier: dict[str, str] = field(default_factory=dict)
    """The nonce of the response before the last, by type."""
    given: dict[str, str] = field(default_factory=dict)
    """The last nonce given, by type."""
    outgoing: asyncio.Queue[DiscoveryResponse | None] = field(default_factory=asyncio.Queue)
    messages: int = 0
    limit: int | None = None
    """How many messages there may be."""
    count: int = 0

    def tell(self, response: DiscoveryResponse, nonce: str | None, *, forged: bool = False) -> str:
        """Send a response under a new nonce, or the one given; returns it."""
        if nonce is None:
            self.count += 1
            nonce = f"m{self.count}"
        made = DiscoveryResponse()
        made.CopyFrom(response)
        made.nonce = nonce
        if not forged:
            self.nonces[nonce] = response.nonce
        if self.given.get(response.type_url) != nonce:
            self.earlier[response.type_url] = self.given.get(response.type_url, nonce)
            self.given[response.type_url] = nonce
        self.outgoing.put_nowait(made)
        return nonce

    def translated(self, request: DiscoveryRequest) -> DiscoveryRequest | None:
        """The client's request as the control plane may hear it, if it may."""
        if request.node.id:
            self.node = request.node.id
        url, names = request.type_url, tuple(request.resource_names)
        own = self.nonces.get(request.response_nonce)
        passed = DiscoveryRequest()
        passed.CopyFrom(request)
        if request.response_nonce and own is None:
            answer = self.forged.get(request.response_nonce)
            if answer is not None and not answer.done():
                answer.set_result(request.error_detail.message if request.HasField("error_detail") else "")
            if names == self.names.get(url):
                return None
            passed.ClearField("error_detail")
            passed.version_info = self.versions.get(url, "")
            own = self.sent[url].nonce if url in self.sent else ""
        passed.response_nonce = own or ""
        self.names[url], self.versions[url] = names, passed.version_info
        return passed


class Meddler(AggregatedDiscoveryServiceServicer):  # type: ignore[misc]
    """An ADS server before the control plane at `upstream`."""

    def __init__(self, upstream: str, rng: Random) -> None:
        self._upstream = upstream
        self._rng = rng
        self.manner: Manner = "honest"
        self.to_cut = 0
        """How many of the streams that come next are to be cut."""
        self.cut_after = 0
        """How many messages, in both directions, such a stream may have."""
        self.cuts = 0
        self.cut_before: set[tuple[str, str]] = set()
        """What the messages were that streams were cut before: their kinds and types."""
        self.meddled = 0
        """How many responses were not passed on as they came."""
        self.conversations: list[Conversation] = []
        self.address = ""

    async def __aenter__(self) -> Self:
        self._server = aio.server(options=[("grpc.so_reuseport", 0)])
        add_AggregatedDiscoveryServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._server.stop(None)

    def clients(self, type_url: str, name: str) -> Iterator[Conversation]:
        """The conversations of those who hold this resource."""
        for each in self.conversations:
            if name in each.names.get(type_url, ()) and type_url in each.sent:
                yield each

    async def forge(self, talk: Conversation, response: DiscoveryResponse) -> str:
        """Say something in the control plane's name; returns the client's error, empty where it took it.

        Raises ConnectionError where its stream ends before.
        """
        answer = _forge(talk, response)
        await asyncio.wait([answer])
        if answer.cancelled():
            raise ConnectionError("the stream ended before the forgery was answered")
        return answer.result()

    # --- the service --------------------------------------------------------------------------------------

    async def StreamAggregatedResources(
        self, requests: AsyncIterator[DiscoveryRequest], context: Any
    ) -> AsyncIterator[DiscoveryResponse]:
        talk = Conversation()
        if self.to_cut:
            self.to_cut -= 1
            talk.limit = self.cut_after
        async with aio.insecure_channel(
            self._upstream, options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            upstream = AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()
            work = [
                asyncio.create_task(self._up(talk, requests, upstream)),
                asyncio.create_task(self._down(talk, upstream)),
            ]
            self.conversations.append(talk)
            for task in work:
                task.add_done_callback(lambda _: talk.outgoing.put_nowait(None))
            try:
                while (response := await talk.outgoing.get()) is not None:
                    self._count(talk, "response", response.type_url)
                    yield response
            except _Cut:
                pass
            finally:
                self.conversations.remove(talk)
                upstream.cancel()
                for task in work:
                    task.cancel()
                ended = await asyncio.gather(*work, return_exceptions=True)
                for answer in talk.forged.values():
                    answer.cancel()
            if any(isinstance(each, _Cut) for each in ended) or self._rng.randrange(2):
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the stream ends here")

    def _count(self, talk: Conversation, kind: str, type_url: str) -> None:
        """One more message; raises where it is one too many."""
        if talk.limit is not None and talk.messages >= talk.limit:
            self.cuts += 1
            self.cut_before.add((kind, type_url))
            raise _Cut
        talk.messages += 1

    async def _up(self, talk: Conversation, requests: AsyncIterator[DiscoveryRequest], upstream: Any) -> None:
        async for request in requests:
            self._count(talk, "acknowledgement" if request.response_nonce else "request", request.type_url)
            passed = talk.translated(request)
            if passed is not None:
                await upstream.write(passed)

    async def _down(self, talk: Conversation, upstream: Any) -> None:
        gathered: list[DiscoveryResponse] = []
        reading: asyncio.Task[Any] = asyncio.create_task(upstream.read())
        try:
            while True:
                done, _ = await asyncio.wait([reading], timeout=GATHER if gathered else None)
                if done:
                    response = reading.result()
                    if response is aio.EOF:
                        return
                    reading = asyncio.create_task(upstream.read())
                    talk.sent[response.type_url] = response
                    if self.manner == "out of order":
                        gathered.append(response)
                        continue
                    await self._meddle(talk, response)
                elif gathered:
                    self._shuffled(talk, gathered)
                    gathered.clear()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, aio.AioRpcError):
                await reading

    async def _meddle(self, talk: Conversation, response: DiscoveryResponse) -> None:
        manner, url = self.manner, response.type_url
        self.meddled += manner != "honest"
        if manner == "slow":
            await asyncio.sleep(LATE)
        if manner == "in parts" and url in SPLIT and len(response.resources) > 1:
            for each in response.resources:
                part = DiscoveryResponse(type_url=url, version_info=response.version_info)
                part.nonce = response.nonce
                part.resources.append(each)
                talk.tell(part, None)
            return
        nonce = talk.tell(response, None)
        if manner == "duplicate":
            talk.tell(response, nonce)
        elif manner == "stale":
            talk.tell(response, talk.earlier[url])
        elif manner == "empty" and url in SPLIT:
            _forge(talk, DiscoveryResponse(type_url=url, version_info="empty"))

    def _shuffled(self, talk: Conversation, gathered: list[DiscoveryResponse]) -> None:
        """Tell them in another order, those of one type in their own: the last word on a type is the last."""
        types = [response.type_url for response in gathered]
        self._rng.shuffle(types)
        for url in types:
            following = next(each for each in gathered if each.type_url == url)
            gathered.remove(following)
            talk.tell(following, None)
            self.meddled += 1


def _forge(talk: Conversation, response: DiscoveryResponse) -> asyncio.Future[str]:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    talk.forged[talk.tell(response, None, forged=True)] = answer
    return answer
