"""What a caller sees of a call that is under way, and how responses are read."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.parity.drop_in.trial import (
    INTERCEPTED,
    STREAM_REQUEST,
    STREAM_RESPONSE,
    UNARY_RESPONSE,
    Differs,
    Trial,
    collect,
    scenario,
)

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
