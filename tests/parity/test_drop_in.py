"""`mesh.channel(target)` in the place of `grpc.aio.insecure_channel(address)`: one program, one record.

One table of scenarios. Each is a program that uses a channel and notes what it sees: values, errors, the
order of events. It runs on a plain channel and on ours in four modes, and the records must be equal but for
the steps that a `Differs` names with its reason.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
import proxyless
import pytest
from grpc import aio

from tests.fakes import resources as build
from tests.fakes.control_plane import FakeControlPlane
from tests.fakes.scripted import Scripted

TARGET = "xds:///scripted:9080"
NAME = "scripted:9080"
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
WORDS = {kind: "".join(word.capitalize() for word in kind.split("_")) for kind in KINDS}

ISTIO_RETRY = {
    "retry_on": "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    "num_retries": 2,
    "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts"}],
    "host_selection_retry_max_attempts": "5",
}
"""What Istiod gives every route that says nothing of retries."""

EARLY, READY, RETRY, INTERCEPTED = "early", "ready", "retry", "intercepted"
MODES = (EARLY, READY, RETRY, INTERCEPTED)


# --- what the table is made of ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Differs:
    """Steps that are meant to differ from the plain channel in some modes, and why."""

    modes: Sequence[str]
    steps: Mapping[str, Any]
    why: str
    kinds: Sequence[str] = KINDS


@dataclass(frozen=True)
class Scenario:
    name: str
    run: Callable[[Trial], Awaitable[None]]
    kinds: Sequence[str]
    differs: Sequence[Differs]
    modes: Sequence[str]


SCENARIOS: dict[str, Scenario] = {}

Program: TypeAlias = Callable[["Trial"], Awaitable[None]]


def scenario(
    *differs: Differs, kinds: Sequence[str] = KINDS, modes: Sequence[str] | None = None
) -> Callable[[Program], Program]:
    def add(run: Program) -> Program:
        SCENARIOS[run.__name__] = Scenario(run.__name__, run, kinds, differs, modes or MODES)
        return run

    return add


UNARY_RESPONSE = ("unary_unary", "stream_unary")
STREAM_RESPONSE = ("unary_stream", "stream_stream")
STREAM_REQUEST = ("stream_unary", "stream_stream")


async def words(*messages: Any) -> AsyncIterator[Any]:
    for message in messages:
        yield message


@dataclass
class Trial:
    """One program at work: its channel, its server, and what it has noted."""

    kind: str
    channel: Any
    server: Scripted
    intercepted: bool = False
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def streams_requests(self) -> bool:
        return self.kind in STREAM_REQUEST

    def multicallable(self, behaviour: str, *codecs: Any) -> Any:
        return getattr(self.channel, self.kind)(f"/{behaviour}/{WORDS[self.kind]}", *codecs)

    def call(self, behaviour: str, *codecs: Any, request: Any = None, **arguments: Any) -> Any:
        """Make a call of the trial's kind, whose requests are `a` and, where there are two, `b`."""
        if request is None:
            request = words(b"a", b"b") if self.streams_requests else b"a"
        return self.multicallable(behaviour, *codecs)(request, **arguments)

    def open(self, behaviour: str, *codecs: Any, **arguments: Any) -> Any:
        """Make a call that is written to."""
        return self.multicallable(behaviour, *codecs)(**arguments)

    async def lose_the_server(self) -> None:
        """Stop the server, and wait until the channel knows."""
        await self.server.stop()
        while (state := self.channel.get_state()) is grpc.ChannelConnectivity.READY:
            await self.channel.wait_for_state_change(state)

    def note(self, step: str, value: Any) -> None:
        assert step not in self.record, step
        self.record[step] = self.plain(value)

    async def outcome(self, step: str, awaitable: Awaitable[Any]) -> None:
        """Note what comes of an awaitable."""
        self.note(step, await self.result(awaitable))

    async def end(self, step: str, call: Any) -> None:
        """Take a call to its end by the means of its kind, and note what came of it."""
        await self.outcome(step, call if self.kind in UNARY_RESPONSE else collect(call))

    async def result(self, awaitable: Awaitable[Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        try:
            return await awaitable
        except asyncio.CancelledError as error:
            assert not task.cancelling()
            return error
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
            return error

    def attempt(self, step: str, act: Callable[[], Any]) -> Any:
        """Do something that may raise at once, and note what came of it; calls are returned, not noted."""
        try:
            value = act()
        except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
            self.note(step, error)
            return None
        self.note(step, "a call" if isinstance(value, aio.Call) else value)
        return value

    def plain(self, value: Any) -> Any:
        """Anything as something that can be compared."""
        if isinstance(value, aio.AioRpcError):
            details = (value.details() or "").replace(self.server.address, "ADDRESS")
            metadata = [tuple(each or ()) for each in (value.initial_metadata(), value.trailing_metadata())]
            return ("AioRpcError", value.code().name, details, *metadata)
        if isinstance(value, BaseException):
            return (type(value).__name__, re.sub(" object at 0x[0-9a-f]+", "", str(value)))
        if isinstance(value, aio.Metadata):
            return tuple(value)
        if value is aio.EOF:
            return "EOF"
        if isinstance(value, grpc.StatusCode | grpc.ChannelConnectivity):
            return value.name
        if isinstance(value, str):
            return value.replace(self.server.address, "ADDRESS")
        if isinstance(value, list):
            return [self.plain(each) for each in value]
        return value

    async def summary(self, call: Any) -> None:
        """Note everything a call object says of its end."""
        await self.outcome("code", call.code())
        await self.outcome("details", call.details())
        await self.outcome("initial metadata", call.initial_metadata())
        await self.outcome("trailing metadata", call.trailing_metadata())
        self.note("done", call.done())
        self.note("cancelled", call.cancelled())
        self.note("cancel after the end", call.cancel())


async def collect(call: Any) -> list[Any]:
    """Every response, then the error if there is one."""
    received: list[Any] = []
    try:
        async for message in call:
            received.append(message)
    except asyncio.CancelledError as error:
        received.append(error)
    except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
        received.append(error)
    return received


# --- how calls end ----------------------------------------------------------------------------------------


@scenario()
async def success(t: Trial) -> None:
    call = t.call("ok")
    t.note("is a call", isinstance(call, getattr(aio, f"{WORDS[t.kind]}Call")))
    t.note("done before", call.done())
    t.note("cancelled before", call.cancelled())
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_error_with_details_and_trailing_metadata(t: Trial) -> None:
    call = t.call("fail")
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_error_that_policies_retry(t: Trial) -> None:
    call = t.call("unavailable")
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_error_after_the_first_message(t: Trial) -> None:
    call = t.call("fail_late")
    await t.end("end", call)
    await t.summary(call)


@scenario()
async def an_unknown_method(t: Trial) -> None:
    call = t.call("nothing", request=[] if t.streams_requests else b"")
    await t.end("end", call)
    await t.summary(call)


@asynccontextmanager
async def silent_client(t: Trial) -> AsyncIterator[dict[str, Any]]:
    """Arguments of a call whose client, where it streams, sends nothing until the block ends."""
    forever = asyncio.Event()

    async def silence() -> AsyncIterator[bytes]:
        await forever.wait()
        yield b""

    try:
        yield {"request": silence()} if t.streams_requests else {}
    finally:
        forever.set()


@scenario()
async def a_server_that_answers_before_it_is_asked(t: Trial) -> None:
    async with silent_client(t) as request:
        call = t.call("early", **request)
        await t.end("end", call)
        await t.outcome("code", call.code())


# Not before there is configuration: how much of the time that takes is the machine's business.
@scenario(modes=(READY, RETRY, INTERCEPTED))
async def a_deadline_that_passes(t: Trial) -> None:
    call = t.call("hang", timeout=0.3)
    await t.end("end", call)
    await t.summary(call)


LATE = f"{TARGET}: deadline exceeded while waiting: LDS resource '{NAME}'"
NAMED_DEADLINE = "the details name what did not come in time"


@scenario(
    Differs(
        (EARLY,), {"end": ("AioRpcError", "DEADLINE_EXCEEDED", LATE, (), ())}, NAMED_DEADLINE, UNARY_RESPONSE
    ),
    Differs(
        (EARLY,),
        {"end": [("AioRpcError", "DEADLINE_EXCEEDED", LATE, (), ())]},
        NAMED_DEADLINE,
        STREAM_RESPONSE,
    ),
    Differs((EARLY,), {"details": LATE}, NAMED_DEADLINE),
)
async def a_timeout_of_zero(t: Trial) -> None:
    # Nothing is written: a write to a call that has just ended cancels it, if grpc.aio has not seen the end.
    async with silent_client(t) as request:
        call = t.call("hang", timeout=0, **request)
        await t.end("end", call)
        await t.summary(call)


@scenario()
async def a_negative_timeout(t: Trial) -> None:
    async with silent_client(t) as request:
        call = t.call("hang", timeout=-1, **request)
        await t.outcome("code", call.code())


@scenario()
async def a_timeout_that_is_over_reaches_no_server(t: Trial) -> None:
    # What is left of a budget may well be negative; a timeout of 0 would leave the server a millisecond.
    for i in range(5):
        async with silent_client(t) as request:
            call = t.call("ok", timeout=-1, **request)
            await t.outcome(f"code {i}", call.code())
    t.note("attempts", t.server.attempts)


@scenario(
    Differs(
        (INTERCEPTED,),
        {"call": ("TypeError", "unsupported operand type(s) for +: 'float' and 'str'")},
        "raised at once, as without interceptors; grpc.aio raises when the call is awaited",
    )
)
async def a_timeout_that_is_no_number(t: Trial) -> None:
    call = t.attempt("call", lambda: t.call("ok", timeout="1"))
    if call is not None:
        await t.result(call.wait_for_connection())


@scenario()
async def a_server_killed_in_mid_call(t: Trial) -> None:
    call = t.call("drip", request=[] if t.streams_requests else b"")
    if t.kind in STREAM_RESPONSE:
        await t.outcome("first", call.read())
    else:
        await t.server.reached.wait()
    await t.server.stop()
    await t.outcome("code", call.code())
    t.note("cancelled", call.cancelled())


# --- cancelling -------------------------------------------------------------------------------------------


async def cancelled(t: Trial, call: Any) -> None:
    seen: list[Any] = []
    call.add_done_callback(lambda ended: seen.append(ended is call))
    t.note("cancel", call.cancel())
    t.note("callbacks at once", list(seen))
    t.note("done at once", call.done())
    t.note("cancelled at once", call.cancelled())
    t.note("cancel again", call.cancel())
    await t.end("end", call)
    t.note("callbacks", seen)
    await t.summary(call)


@scenario(
    Differs(
        (INTERCEPTED,),
        {"initial metadata": (), "trailing metadata": ()},
        "empty metadata as without interceptors; grpc.aio returns None against its own annotation",
    ),
    Differs(
        (INTERCEPTED,),
        {"callbacks at once": [True], "done at once": True, "cancelled at once": True, "cancel again": False},
        "it is cancelled at once, as without interceptors",
    ),
)
async def cancelling_at_once(t: Trial) -> None:
    await cancelled(t, t.call("hang"))


@scenario()
async def cancelling_once_it_was_sent(t: Trial) -> None:
    call = t.call("hang")
    await t.server.reached.wait()
    await cancelled(t, call)


@scenario(kinds=STREAM_RESPONSE)
async def cancelling_in_mid_stream(t: Trial) -> None:
    call = t.call("drip")
    await t.outcome("first", call.read())
    t.note("cancel", call.cancel())
    await t.outcome("second", call.read())
    await t.summary(call)


@scenario()
async def cancelling_whoever_waits(t: Trial) -> None:
    call = t.call("hang")

    async def wait() -> Any:
        return await call if t.kind in UNARY_RESPONSE else [each async for each in call]

    waiting = asyncio.create_task(wait())
    await t.server.reached.wait()
    waiting.cancel()
    await asyncio.wait([waiting])
    t.note("waiter cancelled", waiting.cancelled())
    t.note("call cancelled", call.cancelled())
    await t.outcome("code", call.code())
    await t.outcome("details", call.details())


@scenario()
async def cancelling_whoever_waits_at_once(t: Trial) -> None:
    if t.channel.__class__.__module__.startswith("grpc") and t.intercepted and t.kind in STREAM_RESPONSE:
        # grpc.aio 1.85 never ends this call: its generator is cancelled, not the call.
        t.note("waiter cancelled", True)
        t.note("code", grpc.StatusCode.CANCELLED)
        return
    call = t.call("hang")

    async def wait() -> Any:
        return await call if t.kind in UNARY_RESPONSE else [each async for each in call]

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    t.note("waiter cancelled", waiting.cancelled())
    await t.outcome("code", call.code())


@scenario()
async def cancelling_whoever_asks_for_the_code(t: Trial) -> None:
    call = t.call("hang")
    asking = asyncio.create_task(call.code())
    await t.server.reached.wait()
    asking.cancel()
    await asyncio.wait([asking])
    t.note("done", call.done())
    t.server.release.set()
    await t.end("end", call)


@scenario()
async def a_call_nobody_holds(t: Trial) -> None:
    ended = asyncio.get_running_loop().create_future()
    call = t.call("hang")
    call.add_done_callback(lambda call: ended.done() or ended.set_result(call))
    del call
    gc.collect()
    await t.server.reached.wait()
    gc.collect()
    t.server.release.set()
    if t.kind in STREAM_RESPONSE:
        return  # nobody reads its messages, so it does not end
    await t.outcome("code", (await ended).code())


# --- looking at a call ------------------------------------------------------------------------------------


@scenario(kinds=UNARY_RESPONSE)
async def awaiting_twice(t: Trial) -> None:
    call = t.call("ok")
    await t.outcome("first", call)
    await t.outcome("second", call)
    failing = t.call("fail")
    await t.outcome("first failure", failing)
    await t.outcome("second failure", failing)


@scenario(kinds=UNARY_RESPONSE)
async def awaiting_from_many_tasks(t: Trial) -> None:
    call = t.call("ok")

    async def wait() -> Any:
        return await call

    t.note("all", await asyncio.gather(*(wait() for _ in range(3))))


@scenario()
async def asking_before_the_end(t: Trial) -> None:
    call = t.call("hang")
    asked = [
        asyncio.create_task(each())
        for each in (call.code, call.details, call.trailing_metadata, call.initial_metadata)
    ]
    await t.server.reached.wait()
    t.note("done", [each.done() for each in asked])
    t.server.release.set()
    await t.end("end", call)
    t.note("answers", [t.plain(each) for each in await asyncio.gather(*asked)])


@scenario(kinds=("unary_stream", "stream_unary", "stream_stream"))
async def initial_metadata_before_the_end(t: Trial) -> None:
    call = t.call("headers")
    await t.outcome("initial metadata", call.initial_metadata())
    t.note("done", call.done())
    t.server.release.set()
    await t.end("end", call)


TIME_REMAINING = Differs(
    (INTERCEPTED,),
    {"without": "None", "with": "float"},
    "grpc.aio's intercepted calls raise NotImplementedError",
)


@scenario(TIME_REMAINING)
async def time_remaining(t: Trial) -> None:
    def remaining(call: Any) -> str:
        try:
            left = call.time_remaining()
        except NotImplementedError:
            return "not implemented"
        assert left is None or 0 < left <= 30
        return "None" if left is None else "float"

    unlimited, limited = t.call("ok"), t.call("ok", timeout=30)
    t.note("without", remaining(unlimited))
    t.note("with", remaining(limited))
    await t.end("first", unlimited)
    await t.end("second", limited)


@scenario()
async def done_callbacks(t: Trial) -> None:
    call, seen = t.call("hang"), []
    call.add_done_callback(lambda ended: seen.append(("first", ended is call)))
    call.add_done_callback(lambda ended: seen.append(("second", ended is call)))
    t.note("before", list(seen))
    t.server.release.set()
    await t.end("end", call)
    await call.code()
    t.note("after", list(seen))
    call.add_done_callback(lambda ended: seen.append(("late", ended is call)))
    t.note("late", list(seen))


@scenario()
async def waiting_for_the_connection(t: Trial) -> None:
    call = t.call("ok")
    await t.outcome("connection", call.wait_for_connection())
    await t.end("end", call)


@scenario(kinds=STREAM_REQUEST)
async def waiting_for_the_connection_before_writing(t: Trial) -> None:
    call = t.open("ok")
    await t.outcome("connection", call.wait_for_connection())
    t.note("done", call.done())
    await t.outcome("write", call.write(b"a"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


# --- reading ----------------------------------------------------------------------------------------------


@scenario(kinds=STREAM_RESPONSE)
async def reading_to_the_end_and_beyond(t: Trial) -> None:
    call = t.call("ok")
    for step in range(5):
        await t.outcome(f"read {step}", call.read())
    await t.summary(call)


ENOUGH = ("AioRpcError", "UNAVAILABLE", "enough", (), (("why", "gone"), ("why-bin", b"\x00\xff")))


@scenario(
    Differs(
        (INTERCEPTED,),
        {"read 2": ENOUGH, "read 3": ENOUGH},
        "the error each time, as without interceptors; grpc.aio's intercepted calls forget it",
    ),
    kinds=STREAM_RESPONSE,
)
async def reading_into_an_error(t: Trial) -> None:
    call = t.call("fail_late")
    for step in range(4):
        await t.outcome(f"read {step}", call.read())
    await t.summary(call)


@scenario(kinds=STREAM_RESPONSE)
async def leaving_a_loop(t: Trial) -> None:
    call = t.call("drip")
    async for message in call:
        t.note("first", message)
        break
    t.note("done", call.done())
    t.server.release.set()
    await t.outcome("the rest", collect(call))
    await t.outcome("once more", collect(call))


MIXED = "refused as without interceptors; grpc.aio's intercepted calls let both be mixed"
REFUSED = ("UsageError", "The iterator and read/write APIs may not be mixed on a single RPC.")


@scenario(Differs((INTERCEPTED,), {"loop": [REFUSED]}, MIXED), kinds=STREAM_RESPONSE)
async def reading_then_looping(t: Trial) -> None:
    call = t.call("drip")
    await t.outcome("read", call.read())
    t.server.release.set()
    await t.outcome("loop", collect(call))
    call.cancel()


@scenario(Differs((INTERCEPTED,), {"read": REFUSED}, MIXED), kinds=STREAM_RESPONSE)
async def looping_then_reading(t: Trial) -> None:
    call = t.call("drip")
    async for message in call:
        t.note("first", message)
        break
    t.server.release.set()
    await t.outcome("read", call.read())
    call.cancel()


@scenario(kinds=STREAM_RESPONSE)
async def the_same_iterator_each_time(t: Trial) -> None:
    call = t.call("ok")
    t.note("same", call.__aiter__() is call.__aiter__())
    await t.end("end", call)


# --- writing ----------------------------------------------------------------------------------------------


@scenario(kinds=STREAM_REQUEST)
async def writing(t: Trial) -> None:
    call = t.open("ok")
    await t.outcome("write a", call.write(b"a"))
    await t.outcome("write b", call.write(b"b"))
    await t.outcome("done writing", call.done_writing())
    await t.outcome("done writing again", call.done_writing())
    # In which words depends on whether the answer is there already: it races with this line.
    t.note("write after", type(await t.result(call.write(b"c"))).__name__)
    await t.end("end", call)
    await t.outcome("write after the end", call.write(b"d"))
    await t.outcome("done writing after the end", call.done_writing())
    await t.summary(call)


@scenario(kinds=("stream_stream",))
async def talking(t: Trial) -> None:
    call = t.open("ok")
    for step in range(3):
        await t.outcome(f"write {step}", call.write(b"%d" % step))
        await t.outcome(f"read {step}", call.read())
    await t.outcome("done writing", call.done_writing())
    await t.outcome("end", call.read())
    await t.summary(call)


@scenario(kinds=STREAM_REQUEST)
async def writing_beside_an_iterator(t: Trial) -> None:
    call = t.call("ok")
    await t.outcome("write", call.write(b"c"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


@scenario(kinds=STREAM_REQUEST)
async def writing_nothing(t: Trial) -> None:
    call = t.open("ok")
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)
    await t.outcome("code", call.code())


@scenario(kinds=STREAM_REQUEST)
async def writing_after_an_error(t: Trial) -> None:
    call = t.open("fail")
    await t.outcome("no more", call.done_writing())
    await t.outcome("code", call.code())
    await t.outcome("write", call.write(b"a"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


@scenario(
    Differs((INTERCEPTED,), {"done writing": None}, "as without interceptors: nothing is left to be done"),
    kinds=STREAM_REQUEST,
)
async def writing_after_cancelling(t: Trial) -> None:
    call = t.open("hang")
    call.cancel()
    await t.outcome("write", call.write(b"a"))
    await t.outcome("done writing", call.done_writing())
    await t.outcome("code", call.code())


@scenario(
    Differs(
        (INTERCEPTED,),
        {"write": "AioRpcError"},
        "as without interceptors; grpc.aio's intercepted calls take what they never send",
    ),
    kinds=STREAM_REQUEST,
)
async def writing_to_a_server_that_is_down(t: Trial) -> None:
    await t.lose_the_server()
    call = t.open("ok")
    result = t.plain(await t.result(call.write(b"a")))
    t.note("write", result and result[0])
    # grpc.aio says INTERNAL of a call that ends while it is being written to.
    t.note("fails", await call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL))
    await t.outcome("write after the end", call.write(b"b"))


# --- iterators of requests --------------------------------------------------------------------------------


class Raised(Exception):
    """What a program's own code raises."""


async def failing_late() -> AsyncIterator[bytes]:
    yield b"a"
    raise Raised


def failing_at_once() -> Iterator[bytes]:
    raise Raised
    yield b""


@scenario(kinds=STREAM_REQUEST)
async def requests_of_every_shape(t: Trial) -> None:
    shapes: dict[str, Any] = {
        "list": [b"a", b"b"],
        "generator": (each for each in (b"a", b"b")),
        "async generator": words(b"a", b"b"),
        "nothing": [],
        "async nothing": words(),
        "empty messages": [b"", b""],
        "bytes in a tuple": (b"a",),
    }
    for name, requests in shapes.items():
        await t.end(name, t.call("ok", request=requests))


@scenario(kinds=STREAM_REQUEST)
async def requests_that_fail(t: Trial) -> None:
    for name, requests in {"late": failing_late(), "at once": failing_at_once(), "no iterator": 7}.items():
        call = t.call("ok", request=requests)
        if t.kind in STREAM_RESPONSE:
            # Whether the answer to the first request comes before the end is open.
            t.note(name, (await collect(call))[-1])
        else:
            await t.end(name, call)
        await t.outcome(f"{name}: code", call.code())
        await t.outcome(f"{name}: details", call.details())
        t.note(f"{name}: cancelled", call.cancelled())


# --- serializers ------------------------------------------------------------------------------------------


def refuse(_: Any) -> bytes:
    raise Raised("refused")


def backwards(message: bytes) -> bytes:
    return message[::-1]


@scenario()
async def codecs(t: Trial) -> None:
    call = t.call("ok", backwards, lambda message: message.decode())
    await t.end("end", call)


EMPTY_INSTEAD = (
    "grpc.aio sends an empty message in the place of one that cannot be serialized; ours never does"
)


@scenario(
    Differs((RETRY,), {"end": ("CancelledError", "")}, EMPTY_INSTEAD, ("stream_unary",)),
)
async def a_serializer_that_raises(t: Trial) -> None:
    await t.end("end", t.call("ok", refuse))


@scenario()
async def a_deserializer_that_raises(t: Trial) -> None:
    call = t.call("ok", None, refuse)
    await t.end("end", call)


@scenario(kinds=("stream_stream",))
async def writing_what_cannot_be_serialized(t: Trial) -> None:
    call = t.open("ok", lambda message: refuse(message) if message == b"bad" else message)
    await t.outcome("bad", call.write(b"bad"))
    await t.outcome("good", call.write(b"good"))
    await t.outcome("done writing", call.done_writing())
    await t.end("end", call)


@scenario()
async def a_request_of_the_wrong_type(t: Trial) -> None:
    await t.end("end", t.call("ok", request=[7] if t.streams_requests else 7))


# --- metadata ---------------------------------------------------------------------------------------------


@scenario()
async def metadata_of_every_shape(t: Trial) -> None:
    pairs = (("x-a", "1"), ("x-a", "2"), ("x-b-bin", b"\x00\xff"))
    shapes: dict[str, Any] = {
        "none": None,
        "nothing": (),
        "tuple": pairs,
        "list": list(pairs),
        "lists": [["x-a", "1"]],
        "Metadata": aio.Metadata(*pairs),
        "bytes": [("x-a", b"1")],
        "empty value": [("x-a", "")],
    }
    for name, metadata in shapes.items():
        await t.end(name, t.call("metadata", metadata=metadata))


BAD_METADATA: dict[str, Any] = {
    "upper case": [("X-A", "1")],
    "blank in key": [("x a", "1")],
    "empty key": [("", "1")],
    "key not ASCII": [("x-ø", "1")],
    "value not ASCII": [("x-a", "ø")],
    "value with newline": [("x-a", "1\n2")],
    "text under -bin": [("x-a-bin", "1")],
    "number": [("x-a", 1)],
    "None": [("x-a", None)],
}


@scenario()
async def metadata_that_is_invalid(t: Trial) -> None:
    """The call is made; who awaits it is told."""
    for name, metadata in BAD_METADATA.items():
        request = [] if t.streams_requests else b""
        call = t.call("metadata", request=request, metadata=metadata)
        if t.kind == "stream_unary":
            # grpc.aio races two reasons to end such a call.
            t.note(name, isinstance(await t.result(call), BaseException))
        else:
            await t.end(name, call)


@scenario(
    Differs(
        (EARLY, INTERCEPTED),
        {"three in a tuple": "a call", "no tuple": "a call"},
        "looked at when the call is started; then whoever awaits it is told",
    )
)
async def metadata_of_another_shape(t: Trial) -> None:
    """The call is not even made."""
    for name, metadata in {"three in a tuple": [("x-a", "1", "2")], "no tuple": [7]}.items():
        call = t.attempt(name, lambda metadata=metadata: t.call("metadata", metadata=metadata))
        if call is not None:
            call.cancel()


# --- sizes, compression, credentials ----------------------------------------------------------------------


@scenario()
async def sizes(t: Trial) -> None:
    for size in (0, 1, 3_000_000):
        request = b"r" * size
        await t.end(
            f"request of {size}", t.call("sized", request=[request] if t.streams_requests else request)
        )
    for size in (b"0", b"3000000"):
        call = t.call("sized", lambda m: m, len, request=[size] if t.streams_requests else size)
        await t.end(f"response of {size.decode()}", call)


@scenario()
async def a_response_that_is_too_large(t: Trial) -> None:
    size = b"5000000"
    call = t.call("sized", request=[size] if t.streams_requests else size)
    await t.end("end", call)


@scenario()
async def compression(t: Trial) -> None:
    for algorithm in (grpc.Compression.Gzip, grpc.Compression.NoCompression, grpc.Compression.Deflate):
        await t.end(algorithm.name, t.call("ok", compression=algorithm))


@scenario()
async def call_credentials_on_an_insecure_channel(t: Trial) -> None:
    credentials = grpc.access_token_call_credentials("secret")
    call = t.attempt("call", lambda: t.call("ok", credentials=credentials))
    if call is not None:
        await t.end("end", call)
        await t.outcome("code", call.code())
        await t.outcome("details", call.details())
        t.note("done", call.done())
        t.note("cancelled", call.cancelled())


# --- servers that are not there ---------------------------------------------------------------------------


@scenario()
async def a_server_that_is_down(t: Trial) -> None:
    await t.lose_the_server()
    call = t.call("ok", wait_for_ready=False, timeout=20)
    result = t.plain(await t.result(call if t.kind in UNARY_RESPONSE else call.read()))
    t.note("end", result[:2])
    await t.outcome("code", call.code())
    t.note("done", call.done())


@scenario()
async def waiting_for_a_server_that_comes_back(t: Trial) -> None:
    await t.lose_the_server()
    call = t.call("ok", wait_for_ready=True, timeout=20)
    ended = asyncio.ensure_future(t.end("end", call))
    failing = t.call("ok", timeout=20)
    await t.outcome("meanwhile", failing.code())
    t.note("done meanwhile", call.done())
    await t.server.start(t.server.address)
    await ended
    await t.summary(call)


# --- the channel ------------------------------------------------------------------------------------------


@scenario()
async def closing_cancels_calls(t: Trial) -> None:
    calls = [t.call("hang"), t.call("hang")]
    await t.server.reached.wait()
    await t.channel.close()
    for step, call in enumerate(calls):
        t.note(f"done {step}", call.done())
        await t.end(f"end {step}", call)
        await t.outcome(f"code {step}", call.code())
        await t.outcome(f"details {step}", call.details())


@scenario()
async def closing_with_grace(t: Trial) -> None:
    call = t.call("hang")
    await t.server.reached.wait()
    closing = asyncio.create_task(t.channel.close(grace=20))
    await asyncio.sleep(0)
    t.note("closed", closing.done())
    t.server.release.set()
    await t.end("end", call)
    await closing


@scenario()
async def closing_with_too_little_grace(t: Trial) -> None:
    call = t.call("hang")
    await t.server.reached.wait()
    await t.channel.close(grace=0.01)
    await t.end("end", call)


@scenario()
async def closing_twice(t: Trial) -> None:
    await t.outcome("once", t.channel.close())
    await t.outcome("twice", t.channel.close(1))


@scenario(kinds=("unary_unary",))
async def a_negative_grace(t: Trial) -> None:
    await t.outcome("close", t.channel.close(-1))


@scenario(
    Differs((INTERCEPTED,), {"use": "UsageError"}, "raised at once, as without interceptors"),
)
async def using_a_closed_channel(t: Trial) -> None:
    multicallable = t.multicallable("ok")
    await t.channel.close()
    request = words(b"a") if t.streams_requests else b"a"
    try:
        multicallable(request)
    except aio.UsageError:
        t.note("use", "UsageError")
    t.note("state", t.channel.get_state())


@scenario(kinds=("unary_unary",))
async def waiting_on_a_closed_channel(t: Trial) -> None:
    await t.channel.close()
    shutdown = grpc.ChannelConnectivity.SHUTDOWN
    t.note("ready", isinstance(await t.result(t.channel.channel_ready()), aio.UsageError))
    t.note("change", isinstance(await t.result(t.channel.wait_for_state_change(shutdown)), aio.UsageError))
    t.note("state", t.channel.get_state())


@scenario()
async def a_channel_as_context(t: Trial) -> None:
    async with t.channel as entered:
        t.note("same", entered is t.channel)
        call = t.call("ok")
        await t.end("end", call)
    t.note("state", t.channel.get_state())
    try:
        async with t.channel:
            raise Raised
    except Raised:
        t.note("raised", True)


@scenario(kinds=("unary_unary",))
async def connectivity(t: Trial) -> None:
    await t.outcome("ready", t.channel.channel_ready())
    t.note("state", t.channel.get_state())
    await t.server.stop()
    await t.outcome("change", t.channel.wait_for_state_change(grpc.ChannelConnectivity.READY))
    t.note("still ready", t.channel.get_state() is grpc.ChannelConnectivity.READY)
    await t.server.start(t.server.address)
    await t.outcome("ready again", t.channel.channel_ready())


@scenario(kinds=("unary_unary",))
async def a_method_named_in_bytes(t: Trial) -> None:
    call = t.attempt("call", lambda: t.channel.unary_unary(b"/ok/UnaryUnary")(b"a"))
    if call is not None:
        await t.end("end", call)


# --- running it -------------------------------------------------------------------------------------------


class _UnaryUnary(aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(client_call_details, request)


class _UnaryStream(aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(client_call_details, request)


class _StreamUnary(aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(client_call_details, request_iterator)


class _StreamStream(aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await continuation(client_call_details, request_iterator)


def pass_through() -> list[Any]:
    return [_UnaryUnary(), _UnaryStream(), _StreamUnary(), _StreamStream()]


async def on_a_plain_channel(each: Scenario, kind: str, interceptors: Any) -> dict[str, Any]:
    async with Scripted() as server:
        channel = aio.insecure_channel(server.address, interceptors=interceptors)
        trial = Trial(kind, channel, server, bool(interceptors))
        async with asyncio.timeout(20):
            await each.run(trial)
        await channel.close()
    return trial.record


async def on_ours(each: Scenario, kind: str, mode: str) -> dict[str, Any]:
    async with Scripted() as server, FakeControlPlane(automatic=mode != EARLY) as plane:
        route = build.route("c")
        if mode == RETRY:
            route["route"]["retry_policy"] = ISTIO_RETRY
        config = build.service(NAME, {"c": [server.address]}, [route])
        bootstrap = proxyless.Bootstrap.from_env({"XDS_ADDRESS": plane.address, "POD_NAME": "test"})
        async with proxyless.Client(bootstrap) as mesh:
            channel = mesh.channel(TARGET, interceptors=pass_through() if mode == INTERCEPTED else None)

            async def configure() -> None:
                await plane.until(lambda: any(build.LDS in stream.names for stream in plane.streams))
                plane.automatic = True
                plane.set(*config)

            if mode == EARLY:
                configuring = asyncio.create_task(configure())
            else:
                plane.set(*config)
                await channel.channel_ready()
            trial = Trial(kind, channel, server, mode == INTERCEPTED)
            try:
                async with asyncio.timeout(20):
                    await each.run(trial)
            finally:
                if mode == EARLY:
                    configuring.cancel()
                    await asyncio.wait([configuring])
            await channel.close()
    return trial.record


@pytest.fixture(scope="module", autouse=True)
def quick_collections() -> Iterator[None]:
    """Collections look only at what these tests make."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def noise() -> list[str]:
    return []


_plain: dict[tuple[str, str, bool], dict[str, Any]] = {}


def cases() -> Iterator[Any]:
    for each in SCENARIOS.values():
        for kind in each.kinds:
            for mode in each.modes:
                if mode == RETRY and kind in STREAM_RESPONSE:
                    continue  # not retried (yet): the same as READY
                yield pytest.param(each, kind, mode, id=f"{each.name}-{kind}-{mode}")


@pytest.fixture(scope="module", autouse=True)
def young_heap() -> Iterator[None]:
    """Each row collects garbage twice: let it look at what this file makes, not at the whole session's."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def recorded(make: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Take a record that says something.

    grpc.aio reports INTERNAL for a call that ends while it is being written to, now and then and whatever
    its real status: a record with that in it is taken again.
    """
    for _ in range(5):
        record = await make()
        if "Internal error from Core" not in repr(record):
            break
    return record


@pytest.mark.parametrize(("each", "kind", "mode"), list(cases()))
async def test_the_record_is_the_plain_channel_s(
    each: Scenario, kind: str, mode: str, noise: list[str]
) -> None:
    loop = asyncio.get_running_loop()
    intercepted = mode == INTERCEPTED
    key = (each.name, kind, intercepted)
    if key not in _plain:
        _plain[key] = await recorded(
            lambda: on_a_plain_channel(each, kind, pass_through() if intercepted else None)
        )
    expected = dict(_plain[key])
    for differs in each.differs:
        if mode in differs.modes and kind in differs.kinds:
            for step, value in differs.steps.items():
                assert expected.get(step) != value, f"no longer differs: {step}"
            expected |= differs.steps
    gc.collect()
    before = asyncio.all_tasks()
    loop.set_exception_handler(lambda _, context: noise.append(str(context)))
    record = await recorded(lambda: on_ours(each, kind, mode))
    assert record == expected
    gc.collect()
    # What grpc.aio says of a loop that an earlier test has closed is none of ours.
    assert not [each for each in noise if "PollerCompletionQueue._handle_events" not in each]
    left = asyncio.all_tasks() - before
    if left:
        await asyncio.wait(left, timeout=5)
    assert all(task.done() for task in left), left
