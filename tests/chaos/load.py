"""The steady load: for each lane and kind of call a caller, which writes down how each of its calls went."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from types import TracebackType
from typing import Any, Self

from grpc import aio
from proxyless.calls import DeferredCall

from lanes.context import BASE

from .book import KINDS, MESSAGES, Call, Hop, Kind, Made
from .instance import METHODS
from .notes import CALL

DEADLINE = 90.0
"""Seconds a call may take: far more than any retry needs, for machines that do other things as well."""
PAUSE = 0.04, 0.16
"""Seconds between the calls of a caller."""


class Load:
    """Callers for each of these lanes, in each of the four kinds, over one channel."""

    def __init__(
        self, channel: aio.Channel, lanes: Sequence[str], now: Callable[[], float], rng: Random
    ) -> None:
        self._channel = channel
        self._rng = rng
        self._lanes = lanes
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._going = asyncio.Event()
        self._going.set()
        self._waiting = asyncio.Semaphore(0)
        self._number = 0
        self.now = now
        self.calls: list[Call] = []
        self.seen: Callable[[Call], None] = lambda _: None

    async def __aenter__(self) -> Self:
        callers = [(lane, kind) for lane in self._lanes for kind in KINDS]
        self._tasks = [asyncio.create_task(self._caller(lane, kind)) for lane, kind in callers]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Let the calls in flight end, each within its deadline."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No call is on its way within this context."""
        self._going.clear()
        for _ in self._tasks:
            await self._waiting.acquire()
        try:
            yield
        finally:
            self._going.set()

    async def until(self, condition: Callable[[Call], bool], *, after: float) -> Call:
        """The first call begun after a moment that is so."""
        seen: asyncio.Queue[Call] = asyncio.Queue()
        with _told(self, seen.put_nowait):
            while True:
                call = await self._next(seen)
                if call.started >= after and condition(call):
                    return call

    async def turnover(self, after: float) -> float:
        """Wait for a good call of each lane and kind begun after a moment; returns when the last ended.

        What fails is for the judge; here it does not count.
        """
        missing = {(lane, kind) for lane in self._lanes for kind in KINDS}
        seen: asyncio.Queue[Call] = asyncio.Queue()
        last = after
        with _told(self, seen.put_nowait):
            while missing:
                call = await self._next(seen)
                if call.started >= after and call.code == "OK":
                    missing.discard((call.lane, call.kind))
                    last = max(last, call.ended)
        return last

    async def _next(self, seen: asyncio.Queue[Call]) -> Call:
        """The next call that ends; a caller that broke is raised, as nothing would ever come of it."""
        got = asyncio.ensure_future(seen.get())
        await asyncio.wait([got, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        if got.done():
            return got.result()
        got.cancel()
        for task in self._tasks:
            if task.done():
                task.result()
        raise AssertionError("the load has ended, and somebody waits for its calls")

    async def _caller(self, lane: str, kind: Kind) -> None:
        rng = Random(self._rng.random())
        while not self._stopping:
            if not self._going.is_set():
                self._waiting.release()
                await self._going.wait()
            self._number += 1
            call = Call(self._number, lane, kind, self.now())
            self.calls.append(call)
            make = getattr(self._channel, kind)(METHODS[kind])
            metadata = (*_metadata(lane, rng), (CALL, str(call.number)))
            inner = make(*_REQUEST[kind](rng), timeout=DEADLINE, metadata=metadata)
            try:
                async for answer in _ANSWERS[kind](inner, rng):
                    if call.answered is None:
                        call.answered = self.now()
                    call.answers.append(tuple(Hop(*each) for each in json.loads(answer)))
            except aio.AioRpcError as error:
                call.code, call.details = error.code().name, error.details() or ""
            call.ended, call.made = self.now(), _made(inner)
            self.seen(call)
            await asyncio.sleep(rng.uniform(*PAUSE))


class _told:
    """Has somebody told of each call meanwhile, and whoever was told before as well."""

    def __init__(self, load: Load, tell: Callable[[Call], None]) -> None:
        self._load, self._tell = load, tell

    def __enter__(self) -> None:
        self._before = before = self._load.seen

        def both(call: Call) -> None:
            before(call)
            self._tell(call)

        self._load.seen = both

    def __exit__(self, *_: object) -> None:
        self._load.seen = self._before


def _metadata(lane: str, rng: Random) -> tuple[tuple[str, str], ...]:
    """The baggage of a lane, among other members or alone."""
    own = [] if lane == BASE else [rng.choice((f"env={lane}", f"env={lane};ttl=1"))]
    others = rng.sample(["user=7", "someenv=x", "x=y;z"], rng.randrange(3))
    members = own + others
    rng.shuffle(members)
    return (("baggage", ",".join(members)),) if members else ()


def _made(inner: Any) -> Made:
    """How a call that is over was made; by the type of what its caller was given."""
    if isinstance(inner, DeferredCall):
        return "deferred"
    return "made anew" if inner.attempts() > 1 else "at once"


async def _requests(rng: Random) -> AsyncIterator[bytes]:
    for _ in range(MESSAGES):
        yield b""
        await asyncio.sleep(rng.uniform(0, 0.01))


async def _awaited(call: Any, rng: Random) -> AsyncIterator[bytes]:
    yield await call


async def _iterated(call: Any, rng: Random) -> AsyncIterator[bytes]:
    async for answer in call:
        yield answer


async def _in_turns(call: Any, rng: Random) -> AsyncIterator[bytes]:
    """A request is written when the answer before it has come."""
    with contextlib.suppress(asyncio.InvalidStateError):  # it is over; why, whoever reads is told
        for _ in range(MESSAGES):
            await call.write(b"")
            answer = await call.read()
            if answer is aio.EOF:
                break
            yield answer
            await asyncio.sleep(rng.uniform(0, 0.02))
        await call.done_writing()
    while (answer := await call.read()) is not aio.EOF:
        yield answer


_REQUEST: dict[Kind, Callable[[Random], tuple[Any, ...]]] = {
    "unary_unary": lambda _: (b"",),
    "unary_stream": lambda _: (b"",),
    "stream_unary": lambda rng: (_requests(rng),),
    "stream_stream": lambda _: (),
}
_ANSWERS: dict[Kind, Callable[[Any, Random], AsyncIterator[bytes]]] = {
    "unary_unary": _awaited,
    "unary_stream": _iterated,
    "stream_unary": _awaited,
    "stream_stream": _in_turns,
}
