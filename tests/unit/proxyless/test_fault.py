"""Faults: which are drawn, and whose policy counts."""

from __future__ import annotations

import pytest
from proxyless.fault import NO_FAULT, Fault, combined, draw_fault, effective_policies
from proxyless.match import CallHeaders
from proxyless.resources import (
    FaultAbort,
    FaultDelay,
    FaultFilter,
    FaultPolicy,
    Fraction,
)

ALWAYS, HALF, NEVER = Fraction(100), Fraction(50), Fraction(0)


def delay(seconds: float | None, share: Fraction = ALWAYS) -> FaultPolicy:
    return FaultPolicy(delay=FaultDelay(seconds, share))


def abort(code: int | None, share: Fraction = ALWAYS) -> FaultPolicy:
    return FaultPolicy(abort=FaultAbort(code, share))


@pytest.mark.parametrize(
    ("policy", "headers", "drawn", "fault"),
    [
        (FaultPolicy(), {}, 0, NO_FAULT),
        (delay(1.5), {}, 99, Fault(1.5)),
        (delay(1.5, HALF), {}, 49, Fault(1.5)),
        (delay(1.5, HALF), {}, 50, NO_FAULT),
        (delay(1.5, NEVER), {}, 0, NO_FAULT),
        (delay(0.0), {}, 0, NO_FAULT),
        (delay(None), {}, 0, NO_FAULT),
        (delay(None), {"x-envoy-fault-delay-request": "250"}, 0, Fault(0.25)),
        (delay(None), {"x-envoy-fault-delay-request": "-250"}, 0, NO_FAULT),
        (delay(None), {"x-envoy-fault-delay-request": "250,9000"}, 0, Fault(0.25)),
        (delay(None), {"x-envoy-fault-delay-request": "soon"}, 0, NO_FAULT),
        (
            delay(None),
            {"x-envoy-fault-delay-request": "1", "x-envoy-fault-delay-request-percentage": "30"},
            30,
            NO_FAULT,
        ),
        # A request may ask for less than is configured, never for more.
        (
            delay(None, HALF),
            {"x-envoy-fault-delay-request": "1", "x-envoy-fault-delay-request-percentage": "90"},
            50,
            NO_FAULT,
        ),
        # What is fixed is not for the request to change: a strict lane could be left that way.
        (delay(1.0), {"x-envoy-fault-delay-request-percentage": "0"}, 0, Fault(1.0)),
        (delay(1.0), {"x-envoy-fault-delay-request": "9000"}, 0, Fault(1.0)),
        (abort(14), {"x-envoy-fault-abort-request-percentage": "0"}, 0, Fault(0, 14)),
        (abort(14), {"x-envoy-fault-abort-grpc-request": "5"}, 0, Fault(0, 14)),
        (abort(14), {}, 99, Fault(0, 14)),
        (abort(14, HALF), {}, 50, NO_FAULT),
        (abort(0), {}, 0, NO_FAULT),  # OK aborts nothing
        (abort(None), {}, 0, NO_FAULT),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "5"}, 0, Fault(0, 5)),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "0"}, 0, NO_FAULT),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "99"}, 0, Fault(0, 2)),
        (abort(None), {"x-envoy-fault-abort-grpc-request": "x"}, 0, NO_FAULT),
        (abort(None), {"x-envoy-fault-abort-request": "503"}, 0, Fault(0, 14)),
        (abort(None), {"x-envoy-fault-abort-request": "404"}, 0, Fault(0, 12)),
        (abort(None), {"x-envoy-fault-abort-request": "500"}, 0, Fault(0, 2)),
        (abort(None), {"x-envoy-fault-abort-request": "200"}, 0, NO_FAULT),
        (
            abort(None),
            {"x-envoy-fault-abort-grpc-request": "5", "x-envoy-fault-abort-request-percentage": "10"},
            10,
            NO_FAULT,
        ),
        (FaultPolicy(FaultDelay(1.0, ALWAYS), FaultAbort(14, ALWAYS)), {}, 0, Fault(1.0, 14)),
    ],
)
def test_faults(policy: FaultPolicy, headers: dict[str, str], drawn: int, fault: Fault) -> None:
    call = CallHeaders("/s/m", "a", headers.items())
    assert draw_fault(policy, call, lambda _: drawn) == fault
    assert bool(fault) == (fault != NO_FAULT)


@pytest.mark.parametrize(("active", "faulted"), [(0, True), (1, True), (2, False), (3, False)])
def test_active_faults_are_limited(active: int, faulted: bool) -> None:
    policy = FaultPolicy(abort=FaultAbort(14, ALWAYS), max_active=2)
    drawn = draw_fault(policy, CallHeaders("/", "a"), lambda _: 0)
    assert bool(combined([drawn], active)) is faulted


def test_each_of_several_filters_has_its_own_say() -> None:
    drawn = [Fault(1.0, None, 5), Fault(0.5, 7, 2), Fault(0.25, 14), NO_FAULT]
    assert combined(drawn, 0) == Fault(1.75, 7)
    assert combined(drawn, 2) == Fault(1.25, 14)
    assert combined(drawn, 5) == Fault(0.25, 14)
    assert combined([], 0) == NO_FAULT


def test_delay_and_abort_are_drawn_independently() -> None:
    asked: list[int] = []

    def draw(bound: int) -> int:
        asked.append(bound)
        return 0

    policy = FaultPolicy(FaultDelay(1.0, Fraction(1, 100)), FaultAbort(14, Fraction(1, 10_000)))
    assert draw_fault(policy, CallHeaders("/", "a"), draw) == Fault(1.0, 14)
    assert asked == [100, 10_000]


def test_the_most_specific_override_counts_and_names_outside_the_chain_do_not() -> None:
    chain = [FaultFilter("one", abort(1)), FaultFilter("two", abort(2))]
    host = [FaultFilter("one", abort(3)), FaultFilter("two", abort(4)), FaultFilter("other", abort(5))]
    route = [FaultFilter("one", abort(6))]
    cluster = [FaultFilter("one", FaultPolicy())]
    assert effective_policies(chain) == (abort(1), abort(2))
    assert effective_policies(chain, host, []) == (abort(3), abort(4))
    assert effective_policies(chain, host, route) == (abort(6), abort(4))
    assert effective_policies(chain, host, route, cluster) == (FaultPolicy(), abort(4))
