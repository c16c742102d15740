"""The picker: priorities, failover, localities by weight, round robin, what a retry avoids."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import pytest
from proxyless.balance import Ask, Picker, Readiness, Status, draw_weighted, make_picker
from proxyless.resources import Endpoint, Endpoints, Health, Locality, LocalityName

READY, CONNECTING, FAILED = Readiness.READY, Readiness.CONNECTING, Readiness.FAILED
USABLE, WAITING, UNUSABLE = Status.USABLE, Status.WAITING, Status.UNUSABLE


def locality(
    *hosts: str, priority: int = 0, weight: int = 1, zone: str = "", health: Health = Health.HEALTHY
) -> Locality:
    endpoints = tuple(Endpoint(f"10.0.0.{host}", 80, health) for host in hosts)
    return Locality(LocalityName(zone=zone), weight, priority, endpoints)


def picker(*localities: Locality, seed: int = 0, **states: Readiness) -> Picker:
    """A picker; states by the last number of the address, `_1=READY`."""
    readiness = {f"10.0.0.{key[1:]}:80": state for key, state in states.items()}
    return make_picker(Endpoints("e", localities), readiness, random.Random(seed).randrange)


def picks(made: Picker, count: int, avoid: frozenset[str] = frozenset(), seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    asked = (made.pick(Ask(rng.randrange, avoid)) for _ in range(count))
    return [(address or "nobody yet").removeprefix("10.0.0.").removesuffix(":80") for address in asked]


def test_priorities_by_every_combination_of_readiness() -> None:
    """The first with a ready endpoint serves; one still connecting is waited for; a failed one hands over."""
    layout = (locality("1", "2"), locality("3", priority=1))
    for one, two, three in product(Readiness, repeat=3):
        made = picker(*layout, _1=one, _2=two, _3=three)
        if READY in (one, two):
            expected, within = USABLE, {n for n, s in (("1", one), ("2", two)) if s is READY}
        elif CONNECTING in (one, two):
            expected, within = WAITING, set()
        else:
            expected = {READY: USABLE, CONNECTING: WAITING, FAILED: UNUSABLE}[three]
            within = {"3"}
        assert made.status is expected
        if made.status is USABLE:
            assert set(picks(made, 6)) == within


def test_an_address_nothing_is_known_of_is_connecting() -> None:
    made = picker(locality("1"))
    assert (made.status, made.reason) == (WAITING, "connecting to 10.0.0.1:80")


@pytest.mark.parametrize(
    ("localities", "reason"),
    [
        ((), "it has no endpoints"),
        ((locality(),), "it has no endpoints"),
        (
            (locality("1", "2", health=Health.DRAINING),),
            "none of its 2 endpoints is healthy (10.0.0.1:80 is DRAINING)",
        ),
    ],
)
def test_nothing_to_pick_from(localities: tuple[Locality, ...], reason: str) -> None:
    made = picker(*localities)
    assert (made.status, made.reason) == (UNUSABLE, reason)


def test_when_all_have_failed_the_reason_counts_them() -> None:
    endpoints = Endpoints("e", (locality("1"), locality("2", priority=1)))
    states = {"10.0.0.1:80": FAILED, "10.0.0.2:80": FAILED}
    made = make_picker(endpoints, states, lambda _: 0)
    assert made.reason == "none of its 2 endpoints can be reached (10.0.0.1:80)"


@pytest.mark.parametrize("health", Health)
def test_only_usable_health_is_picked(health: Health) -> None:
    layout = (locality("1", health=health), locality("2", zone="b"))
    made = picker(*layout, _1=READY, _2=READY)
    assert ("1" in picks(made, 40)) is health.usable


def test_a_priority_without_healthy_endpoints_hands_over() -> None:
    layout = (locality("1", health=Health.UNHEALTHY), locality("2", priority=1))
    assert picks(picker(*layout, _1=READY, _2=READY), 3) == ["2", "2", "2"]


def test_round_robin_takes_turns_from_a_random_start() -> None:
    starts = set()
    for seed in range(20):
        turns = picks(picker(locality("1", "2", "3"), seed=seed, _1=READY, _2=READY, _3=READY), 9)
        assert Counter(turns) == {"1": 3, "2": 3, "3": 3}
        assert turns[:3] == turns[3:6] == turns[6:]
        starts.add(turns[0])
    assert starts == {"1", "2", "3"}


def test_only_ready_endpoints_take_turns() -> None:
    made = picker(locality("1", "2", "3"), _1=READY, _2=FAILED, _3=READY)
    assert Counter(picks(made, 10)) == {"1": 5, "3": 5}


def test_localities_share_by_weight_of_those_that_are_ready() -> None:
    layout = (
        locality("1", zone="a", weight=3),
        locality("2", zone="b", weight=1),
        locality("3", zone="c", weight=1000),
    )
    made = picker(*layout, _1=READY, _2=READY, _3=CONNECTING)
    counted = Counter(picks(made, 4000))
    assert set(counted) == {"1", "2"}
    assert 2800 < counted["1"] < 3200


def test_a_retry_goes_to_another_host_where_there_is_one() -> None:
    layout = (locality("1", "2", zone="a", weight=1000), locality("3", zone="b"))
    made = picker(*layout, _1=READY, _2=READY, _3=READY)
    tried = frozenset({"10.0.0.1:80"})
    assert "1" not in picks(made, 30, tried)
    tried |= {"10.0.0.2:80"}
    assert set(picks(made, 30, tried)) == {"3"}  # another locality, however small
    tried |= {"10.0.0.3:80"}
    assert set(picks(made, 30, tried)) == {"1", "2"}  # none is left: turns go on


def test_a_retry_does_not_disturb_the_turns_of_one_locality() -> None:
    made = picker(locality("1", "2", "3"), _1=READY, _2=READY, _3=READY)
    (first,) = picks(made, 1)
    everyone = frozenset(f"10.0.0.{n}:80" for n in "123")
    rest = picks(made, 2, everyone)
    assert {first, *rest} == {"1", "2", "3"}


def test_a_weight_of_zero_is_never_drawn() -> None:
    rng = random.Random(7)
    drawn = Counter(draw_weighted("abcd", [0, 1, 0, 3], rng.randrange) for _ in range(4000))
    assert set(drawn) == {"b", "d"}
    assert 900 < drawn["b"] < 1100


@pytest.mark.parametrize(("point", "item"), [(0, "a"), (1, "a"), (2, "c"), (4, "c")])
def test_every_point_has_its_item(point: int, item: str) -> None:
    bounds: list[int] = []

    def draw(bound: int) -> int:
        bounds.append(bound)
        return point

    assert draw_weighted("abc", [2, 0, 3], draw) == item
    assert bounds == [5]


def test_a_draw_beyond_its_bound_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="beyond its bound"):
        draw_weighted("ab", [1, 1], lambda bound: bound)
