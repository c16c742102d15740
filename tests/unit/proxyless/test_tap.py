"""Copies of a stream of requests: they get what goes by, and what cannot keep up holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from proxyless.retry import BUFFER_LIMIT
from proxyless.tap import CopiedRequests, CutOffError, Tap


async def all_of(requests: AsyncIterator[bytes] | object) -> list[bytes]:
    return [each async for each in requests]  # type: ignore[attr-defined]


async def test_every_copy_gets_what_goes_by_from_its_beginning_on() -> None:
    tap = Tap(["a", "b", "c"], str.encode)
    first = tap.copy()
    messages = tap.messages()
    assert await anext(messages) == b"a"
    second = tap.copy()
    assert await all_of(messages) == [b"b", b"c"]
    assert await all_of(first) == [b"a", b"b", b"c"]
    assert await all_of(second) == [b"b", b"c"]
    tap.close()


async def test_a_copy_waits_for_what_is_to_come() -> None:
    tap = Tap(later := Later(), bytes)
    copy = tap.copy()
    gathered = asyncio.create_task(all_of(copy))
    passing = asyncio.create_task(all_of(tap.messages()))
    later.go.set()
    assert await passing == await gathered == [b"now", b"later"]


class Later:
    """Has one request, and one when it is told to go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"now"
        await self.go.wait()
        yield b"later"


@pytest.mark.parametrize("size", [1000, BUFFER_LIMIT + 1])
async def test_what_cannot_keep_up_is_cut_off_and_the_rest_goes_on(size: int) -> None:
    n = BUFFER_LIMIT // (size + 5) + 1
    tap = Tap([bytes(size)] * n + [b"last"], bytes)
    copy, given_up = tap.copy(), asyncio.Event()
    copy.serve(given_up.set)
    assert len(await all_of(tap.messages())) == n + 1
    assert given_up.is_set()
    with pytest.raises(CutOffError, match="it cannot keep up"):
        await all_of(copy)


async def test_empty_messages_take_room_as_well() -> None:
    copy, given_up = CopiedRequests(), asyncio.Event()
    copy.serve(given_up.set)
    for _ in range(BUFFER_LIMIT // 5):
        copy.offer(b"")
    assert not given_up.is_set()
    copy.offer(b"")
    assert given_up.is_set()


async def test_who_keeps_up_may_have_any_amount() -> None:
    tap = Tap([bytes(BUFFER_LIMIT // 2)] * 9, bytes)
    copy = tap.copy()
    reading, messages = aiter(copy), tap.messages()
    async for message in messages:
        assert await anext(reading) == message
    assert await all_of(reading) == []


async def test_a_call_that_ends_cuts_off_what_has_not_all_of_it() -> None:
    tap = Tap([b"a", b"b"], bytes)
    copy = tap.copy()
    await anext(tap.messages())
    tap.close()
    tap.close()
    with pytest.raises(CutOffError, match="the call has ended"):
        await all_of(copy)


async def test_one_that_has_all_of_it_is_sent_to_its_end() -> None:
    tap = Tap([b"a", b"b"], bytes)
    copy, given_up = tap.copy(), asyncio.Event()
    copy.serve(given_up.set)
    await all_of(tap.messages())
    tap.close()
    assert await all_of(copy) == [b"a", b"b"] and not given_up.is_set()
