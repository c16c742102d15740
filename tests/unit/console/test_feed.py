"""The feed: what is told to whom, and who is dropped."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from console.reading.feed import PING, Feed, Subscriber, encode


def read(event: bytes) -> tuple[str, dict[str, Any]]:
    name, data, end = event.decode().split("\n", 2)
    assert (name[:7], data[:6], end) == ("event: ", "data: ", "\n")
    return name[7:], json.loads(data[6:])


async def taken(subscriber: Subscriber, number: int) -> list[tuple[str, dict[str, Any]]]:
    events = subscriber.events(quiet=30)
    return [read(await anext(events)) for _ in range(number)]


async def test_who_comes_gets_everything_once_and_then_what_changes() -> None:
    feed = Feed()
    feed.publish("mesh", {"name": "one"})
    feed.publish("rules", {"clients": []})
    with feed.subscribed() as subscriber:
        assert await taken(subscriber, 2) == [("mesh", {"name": "one"}), ("rules", {"clients": []})]
        feed.publish("rules", {"clients": []})
        feed.publish("mesh", {"name": "two\nlines"})
        assert await taken(subscriber, 1) == [("mesh", {"name": "two\nlines"})]


async def test_what_is_told_in_parts_is_whole_for_those_who_come() -> None:
    feed = Feed()
    kept: list[int] = []
    with feed.subscribed() as early:
        for number in range(3):
            kept.insert(0, number)
            feed.publish("requests", {"new": [number]}, whole=lambda: {"all": [*kept]})
        assert [data for _, data in await taken(early, 3)] == [{"new": [0]}, {"new": [1]}, {"new": [2]}]
    with feed.subscribed() as late:
        assert await taken(late, 1) == [("requests", {"all": [2, 1, 0]})]
    assert feed.sections() == {"requests": {"all": [2, 1, 0]}}


async def test_the_same_part_twice_is_told_twice() -> None:
    feed = Feed()
    with feed.subscribed() as subscriber:
        feed.publish("requests", {"new": []}, whole=dict)
        feed.publish("requests", {"new": []}, whole=dict)
        assert len(await taken(subscriber, 2)) == 2


async def test_a_slow_one_is_dropped_and_costs_the_others_nothing() -> None:
    feed = Feed()
    with feed.subscribed() as slow, feed.subscribed() as quick:
        for number in range(1000):
            feed.publish("mesh", {"number": number})
            assert await taken(quick, 1) == [("mesh", {"number": number})]
        assert slow.dropped
        assert [event async for event in slow.events(quiet=30)] == []
        assert not quick.dropped
        assert slow._events.qsize() == 0


async def test_the_end_ends_those_who_watch_and_those_who_come() -> None:
    feed = Feed()
    feed.publish("mesh", {})
    with feed.subscribed() as subscriber:
        feed.close()
        assert [event async for event in subscriber.events(quiet=30)] == []
    with feed.subscribed() as late:
        assert [event async for event in late.events(quiet=30)] == []


async def test_silence_is_broken_by_a_comment() -> None:
    with Feed().subscribed() as subscriber:
        assert await anext(subscriber.events(quiet=0.01)) == PING


async def test_whether_anybody_watches() -> None:
    now = [100.0]
    feed = Feed(clock=lambda: now[0])
    now[0] = 160.0
    assert (feed.watchers, feed.unwatched_for) == (0, 60.0)
    waiting = asyncio.create_task(feed.until_watched())
    with feed.subscribed():
        await waiting
        with feed.subscribed():
            assert feed.watchers == 2
        now[0] = 170.0
        assert (feed.watchers, feed.unwatched_for) == (1, 0.0)
    now[0] = 175.0
    assert (feed.watchers, feed.unwatched_for) == (0, 5.0)
    again = asyncio.create_task(feed.until_watched())
    await asyncio.sleep(0)
    assert not again.done()
    again.cancel()


def test_text_of_any_kind_is_one_event() -> None:
    name, data = read(encode("mesh", {"text": "Ö\r\n\u2028\udc80"}))
    assert name == "mesh"
    assert data["text"].startswith("Ö\r\n\u2028")
