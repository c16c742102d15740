"""A steady load: its rate, its shares, and its end when nobody watches."""

import asyncio
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.acting.traffic import PATIENCE, Clock, Load, Traffic, rotation


class Hours:
    """A clock that goes on when somebody sleeps, and stops at an hour for good."""

    def __init__(self, end: float) -> None:
        self.time = 0.0
        self.end = end
        self.over = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if self.time + seconds > self.end:
            self.over.set()
            await asyncio.Event().wait()
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.time, self.sleep)


class Sent:
    def __init__(self, hours: Hours) -> None:
        self.hours = hours
        self.lanes: list[str] = []
        self.times: list[float] = []

    async def __call__(self, lane: str) -> None:
        self.lanes.append(lane)
        self.times.append(self.hours.time)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 9), min_size=1).filter(lambda d: any(d.values()))
)
def test_each_round_has_every_lane_as_often_as_its_share(shares: dict[str, int]) -> None:
    found = Counter(islice(rotation(shares), 3 * sum(shares.values())))
    assert found == {lane: 3 * share for lane, share in shares.items() if share}


def test_turns_are_spread_out() -> None:
    assert list(islice(rotation({"base": 4, "dev": 1}), 5)) == ["base", "base", "dev", "base", "base"]
    assert list(rotation({"base": 0})) == []


async def test_the_rate_is_kept() -> None:
    hours = Hours(10)
    sent = Sent(hours)
    traffic = Traffic(sent, lambda: True, hours.clock())
    await traffic.set(Load(5, {"base": 4, "dev": 1}))
    await hours.over.wait()
    assert traffic.load.to_dict() == {"rate": 5, "lanes": {"base": 4, "dev": 1}}
    await traffic.close()
    assert Counter(sent.lanes) in ({"base": 40, "dev": 10}, {"base": 41, "dev": 10})
    assert traffic.load == Load()


async def test_it_ends_a_minute_after_nobody_watches() -> None:
    hours = Hours(1000)
    sent = Sent(hours)
    ended: list[Load] = []
    traffic = Traffic(sent, lambda: hours.time < 100, hours.clock(), lambda: ended.append(traffic.load))
    await traffic.set(Load(1, {"base": 1}))
    assert traffic._task is not None
    await traffic._task
    assert 100 + PATIENCE - 2 <= sent.times[-1] <= 100 + PATIENCE
    assert ended == [Load()]


async def test_who_was_asleep_does_not_catch_up() -> None:
    hours = Hours(110)
    sent = Sent(hours)
    asleep = [100.0]

    async def sleep(seconds: float) -> None:
        await hours.sleep(seconds + (asleep.pop() if asleep else 0))

    traffic = Traffic(sent, lambda: True, Clock(lambda: hours.time, sleep))
    await traffic.set(Load(10, {"base": 1}))
    await hours.over.wait()
    await traffic.close()
    assert len(sent.lanes) < 130


async def test_a_door_that_answers_nobody_does_not_pile_up_requests() -> None:
    hours = Hours(100)
    under_way = 0

    async def stuck(_: str) -> None:
        nonlocal under_way
        under_way += 1
        await asyncio.Event().wait()

    traffic = Traffic(stuck, lambda: True, hours.clock())
    await traffic.set(Load(50, {"base": 1}))
    await hours.over.wait()
    assert under_way == 100
    await traffic.close()


async def test_a_rate_of_nothing_ends_it() -> None:
    hours = Hours(5)
    traffic = Traffic(Sent(hours), lambda: True, hours.clock())
    await traffic.set(Load(1, {"base": 1}))
    await traffic.set(Load(0, {}))
    assert traffic.load == Load()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(hours.over.wait(), 0.01)
