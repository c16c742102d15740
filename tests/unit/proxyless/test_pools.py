"""Links of a pool: connected and closed in slices, and only where somebody still holds them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from proxyless import slices
from proxyless.pools import Link, Pool, SubchannelKey

KEYS = [SubchannelKey(f"127.0.0.1:{port}", "a") for port in range(1, 101)]


class FakeLink(Link):
    def connected(self) -> bool:
        return True


class FakePool(Pool[FakeLink]):
    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.ended: list[str] = []

    def make(self, key: SubchannelKey) -> FakeLink:
        return FakeLink(key)

    def connect(self, link: FakeLink) -> None:
        self.begun.append(link.key.address)

    async def shut(self, link: FakeLink) -> None:
        self.ended.append(link.key.address)

    async def judge(self, call: Any, address: str, outliers: Any) -> bool:
        return False


def nothing() -> None:
    pass


@pytest.fixture
def a_slice_is_over_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock finds it a millisecond later."""
    now = iter(range(10**6))
    monkeypatch.setattr(slices, "monotonic", lambda: next(now) / 1000)


async def most_in_a_turn(pool: FakePool, done: Callable[[], int], wanted: int) -> int:
    """By how many more it had at most while the event loop went round once, until it has so many."""
    most = 0
    while (before := done()) < wanted:
        await asyncio.sleep(0)
        most = max(most, done() - before)
    return most


@pytest.mark.usefixtures("a_slice_is_over_soon")
async def test_a_hundred_links_are_connected_and_closed_a_few_at_a_time() -> None:
    pool = FakePool()
    links = [pool.acquire(key, nothing) for key in KEYS]
    assert pool.begun == []
    assert 1 <= await most_in_a_turn(pool, lambda: len(pool.begun), len(KEYS)) <= 3
    assert pool.begun == [key.address for key in KEYS], "who came first is first"
    for link in links:
        pool.release(link, nothing)
    assert 1 <= await most_in_a_turn(pool, lambda: len(pool.ended), len(KEYS)) <= 3
    await pool.close()
    assert sorted(pool.ended) == sorted(pool.begun)


async def test_what_is_given_back_before_its_turn_is_never_connected() -> None:
    pool = FakePool()
    kept, gone = pool.acquire(KEYS[0], nothing), pool.acquire(KEYS[1], nothing)
    pool.release(gone, nothing)
    again = pool.acquire(KEYS[1], nothing)
    pool.release(again, nothing)
    await most_in_a_turn(pool, lambda: len(pool.begun), 1)
    await pool.close()
    assert pool.begun == [kept.key.address]


async def test_a_pool_that_is_closed_at_once_connects_to_nothing() -> None:
    pool = FakePool()
    for key in KEYS:
        pool.acquire(key, nothing)
    await pool.close()
    assert pool.begun == []
    assert len(pool.ended) == len(KEYS)


async def test_closing_does_what_a_cancelled_task_has_left() -> None:
    pool = FakePool()
    for key in KEYS:
        pool.acquire(key, nothing)
    assert pool._doing is not None
    pool._doing.cancel()
    await pool.close()
    assert len(pool.ended) == len(KEYS)
