"""The policies one by one, shares by health, drops, hashes."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from proxyless.balance import Ask, Readiness, Status, call_hash, draw_drop, make_picker, set_cookie
from proxyless.balance.ask import Host
from proxyless.balance.policies import POLICIES
from proxyless.balance.ring_hash import build_ring
from proxyless.parse.lbpolicy import _NEWER, _OLDER
from proxyless.resources import (
    Drop,
    Endpoint,
    Endpoints,
    Fraction,
    HashCookie,
    HashPolicy,
    Health,
    LbPolicy,
    Locality,
    LocalityName,
)

READY, CONNECTING, FAILED = Readiness.READY, Readiness.CONNECTING, Readiness.FAILED


def host(number: int) -> str:
    return f"10.0.0.{number}:80"


def group(*numbers: int, priority: int = 0, unhealthy: int = 0) -> Locality:
    """A locality of these hosts, and of so many more that are not healthy."""
    endpoints = [Endpoint(f"10.0.0.{n}", 80) for n in numbers]
    endpoints += [Endpoint(f"10.1.{priority}.{n}", 80, Health.UNHEALTHY) for n in range(unhealthy)]
    return Locality(LocalityName(), 1, priority, tuple(endpoints))


def counted(
    *localities: Locality,
    states: dict[int, Readiness] | None = None,
    policy: str = "round_robin",
    factor: int | None = None,
    ask: Ask | None = None,
    n: int = 2000,
) -> Counter[int]:
    """Where so many calls go, by the last number of the address."""
    rng = random.Random(3)
    readiness = {each.address: READY for locality in localities for each in locality.endpoints}
    readiness |= {host(number): state for number, state in (states or {}).items()}
    endpoints = Endpoints("e", localities, overprovisioning=factor)
    made = make_picker(endpoints, readiness, rng.randrange, LbPolicy(policy))
    assert made.status is Status.USABLE
    picked = (made.pick(ask or Ask(rng.randrange)) for _ in range(n))
    return Counter(0 if address is None else int(address.split(":")[0].split(".")[-1]) for address in picked)


def test_every_policy_that_is_parsed_is_there() -> None:
    made = {"round_robin", "least_request", "random", "ring_hash", "pick_first"}
    assert set(POLICIES) == made
    assert len(_NEWER) == len(made) + 1  # and the one that weighs localities
    assert len(_OLDER) == len(made) - 1  # pick first came later


def test_random_is_even() -> None:
    shares = counted(group(1, 2, 3), policy="random", n=3000)
    assert all(900 < shares[n] < 1100 for n in (1, 2, 3))


def test_least_request_takes_the_less_loaded_of_two() -> None:
    """Of three, the busiest is picked only where it was drawn twice: once in nine."""
    load = {host(1): 5, host(2): 1, host(3): 0}
    rng = random.Random(1)
    shares = counted(group(1, 2, 3), policy="least_request", ask=Ask(rng.randrange, load=load.__getitem__))
    assert 150 < shares[1] < 300
    assert shares[1] < shares[2] < shares[3]


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_retry_goes_elsewhere_where_there_is_an_elsewhere(policy: str) -> None:
    rng = random.Random(1)
    elsewhere = Ask(rng.randrange, frozenset({host(1), host(2)}), hash=7)
    assert counted(group(1, 2, 3), policy=policy, ask=elsewhere, n=50) == {3: 50}
    nowhere = Ask(rng.randrange, frozenset({host(1)}), hash=7)
    assert counted(group(1), policy=policy, ask=nowhere, n=5) == {1: 5}


@pytest.mark.parametrize("policy", sorted(POLICIES.keys() - {"pick_first", "ring_hash"}))
def test_only_who_is_ready_is_picked(policy: str) -> None:
    assert set(counted(group(1, 2, 3), policy=policy, states={1: CONNECTING, 2: FAILED})) == {3}


def test_pick_first_waits_for_the_first_and_goes_past_the_failed() -> None:
    three = group(1, 2, 3)
    assert set(counted(three, policy="pick_first")) == {1}
    assert set(counted(three, policy="pick_first", states={1: CONNECTING})) == {0}
    assert set(counted(three, policy="pick_first", states={1: FAILED})) == {2}


def test_a_hash_stays_with_its_endpoint_and_moves_only_when_that_fails() -> None:
    three = group(1, 2, 3)

    def went(value: int, **states: Readiness) -> int:
        known = {int(key[1:]): state for key, state in states.items()}
        ask = Ask(lambda bound: 0, hash=value)
        [(number, _)] = counted(three, policy="ring_hash", states=known, ask=ask, n=1).items()
        return number

    rng = random.Random(5)
    hashes = [rng.getrandbits(64) for _ in range(300)]
    before = {value: went(value) for value in hashes}
    assert set(before.values()) == {1, 2, 3}
    for value, number in before.items():
        after = went(value, _2=FAILED)
        assert after != 2
        assert after == number or number == 2
        assert went(value, _2=CONNECTING) == (0 if number == 2 else number)  # it is waited for


def test_the_ring_has_points_by_weight_within_its_bounds() -> None:
    ring = build_ring((Host("a", 1), Host("b", 3)), 1024, 4096)
    assert list(ring.hashes) == sorted(ring.hashes)
    assert Counter(ring.owners) == {"a": 256, "b": 768}
    assert len(build_ring(tuple(Host(str(n)) for n in range(5000)), 1024, 4096).hashes) == 4096
    assert set(ring.walk(2**64 - 1)) == {"a", "b"}


@pytest.mark.parametrize(
    ("healthy", "unhealthy", "factor", "first"),
    [
        (10, 0, 140, 100),
        (8, 2, 140, 100),  # 80 % healthy, times 1.4, is still enough
        (7, 3, 140, 98),
        (5, 5, 140, 70),
        (1, 9, 140, 14),
        (5, 5, 100, 50),
        (0, 10, 140, 0),
    ],
)
def test_a_priority_hands_over_what_it_falls_short_of(
    healthy: int, unhealthy: int, factor: int, first: int
) -> None:
    one = group(*range(1, healthy + 1), unhealthy=unhealthy)
    two = group(*range(101, 111), priority=1)
    shares = counted(one, two, factor=factor, n=5000)
    share = 100 * sum(count for number, count in shares.items() if number < 100) / 5000
    assert abs(share - first) < 4
    assert (share == first) if first in (0, 100) else True


def test_what_cannot_be_reached_falls_short_as_well() -> None:
    one, two = group(1, 2, 3, 4), group(101, priority=1)
    shares = counted(one, two, factor=100, states={1: FAILED, 2: FAILED}, n=4000)
    assert set(shares) == {3, 4, 101}
    assert abs(shares[101] - 2000) < 200


def test_priorities_that_fall_short_together_share_in_proportion() -> None:
    one, two = group(1, unhealthy=9), group(101, priority=1, unhealthy=3)
    shares = counted(one, two, factor=100, n=4000)  # 10 % and 25 % healthy
    assert abs(shares[1] - 4000 * 10 / 35) < 150


def test_without_a_factor_nothing_is_handed_over_while_anything_is_ready() -> None:
    assert set(counted(group(1, unhealthy=9), group(101, priority=1))) == {1}


def test_an_ejected_endpoint_counts_as_failed() -> None:
    endpoints = Endpoints("e", (group(1, 2),))
    readiness = {host(1): READY, host(2): READY}
    draw = random.Random(1).randrange
    some = make_picker(endpoints, readiness, draw, ejected={host(1)})
    assert {some.pick(Ask(draw)) for _ in range(10)} == {host(2)}
    none = make_picker(endpoints, readiness, draw, ejected={host(1), host(2)})
    assert none.status is Status.UNUSABLE
    assert "ejected" in none.reason


def test_each_kind_of_drop_is_drawn_on_its_own() -> None:
    drops = (Drop("a", Fraction(10)), Drop("b", Fraction(500_000, 1_000_000)))
    assert draw_drop(drops, lambda bound: 9) == "a"
    assert draw_drop(drops, lambda bound: 10) == "b"
    assert draw_drop(drops, lambda bound: bound - 1) is None
    assert draw_drop((), lambda bound: 0) is None


HEADERS = {"a": "1", "b": "2", "path": "/users/42/books"}


def test_the_hash_of_a_call() -> None:
    def of(*policies: HashPolicy, channel: int = 99) -> int | None:
        return call_hash(policies, HEADERS.get, channel)

    a, b, missing = HashPolicy("a"), HashPolicy("b"), HashPolicy("c")
    assert of() is None and of(missing) is None
    assert of(a) == of(missing, a) != of(b)
    assert of(a, b) != of(b, a)
    assert of(HashPolicy("a", terminal=True), b) == of(a)
    assert of(HashPolicy("c", terminal=True), b) == of(b)
    assert of(HashPolicy(None)) == 99
    ids = HashPolicy("path", r"/users/(\d+)/.*", r"\1")
    assert of(ids) == call_hash([HashPolicy("x")], {"x": "42"}.get, 0)
    swapped = HashPolicy("path", r"/(users)/(\d+)", r"\\\2-\1")
    assert of(swapped) == call_hash([HashPolicy("x")], {"x": r"\42-users/books"}.get, 0)


def test_the_hash_of_a_request_by_its_query_and_cookies() -> None:
    made: list[str] = []

    def make(cookie: HashCookie) -> str:
        made.append(cookie.name)
        return "fresh"

    def of(policy: HashPolicy, cookies: str = "") -> int | None:
        headers = {"cookie": cookies} if cookies else {}
        return call_hash([policy], headers.get, 0, query={"q": "1", "empty": ""}, make_cookie=make)

    def text(value: str) -> int | None:
        return call_hash([HashPolicy("x")], {"x": value}.get, 0)

    assert of(HashPolicy(query="q")) == text("1") and of(HashPolicy(query="other")) is None
    assert of(HashPolicy(query="empty")) == text("")
    read, kept = HashPolicy(cookie=HashCookie("c")), HashPolicy(cookie=HashCookie("c", 5))
    assert of(read) is None and of(read, "cc=1; d=c") is None and of(read, "c=") is None
    assert of(read, 'a=b; c="x"; c=y') == of(kept, "c=x") == text("x")
    assert not made
    assert of(kept) == of(kept, "c=") == text("fresh") and made == ["c", "c"]
    for policy in (HashPolicy(query="q"), kept):  # a gRPC call
        assert call_hash([policy], {"cookie": "c=x"}.get, 0) is None


def test_cookies_as_envoy_sets_them() -> None:
    assert set_cookie(HashCookie("c", 0), "1") == 'c="1"; HttpOnly'
    full = HashCookie("c", 90, "/a", (("SameSite", "Lax"), ("Secure", "")))
    assert set_cookie(full, "1") == 'c="1"; Max-Age=90; Path=/a; SameSite=Lax; Secure; HttpOnly'
