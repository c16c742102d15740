"""The same routes, two clients and an Envoy: the same metadata must reach the same version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import sqrt

import pytest
from grpc import StatusCode

from tests.fakes.control_plane import FakeControlPlane
from tests.parity import report
from tests.parity.cases import REFUSED, Case, Expected
from tests.parity.conftest import Driver

CASES = report.ROUTES
CALLS = 1000
"""Made where shares are expected; a tenth where one gets all."""


def rows() -> list[object]:
    """The table as pytest takes it."""
    return [pytest.param(case, id=case.name) for case in CASES]


def assert_shares(expected: Mapping[str, float], got: Counter[str]) -> None:
    """Within six standard deviations: by chance this fails once in five hundred million times."""
    assert got.keys() <= expected.keys(), got
    n = got.total()
    for name, share in expected.items():
        assert abs(got[name] - n * share) <= 6 * sqrt(n * share * (1 - share)), got


async def drive(plane: FakeControlPlane, client: Driver, case: Case, expected: Expected) -> None:
    """Make the row's calls with one client and hold them to what is expected."""
    try:
        await _hold(plane, client, case, expected)
    finally:
        await client.close(case.target)


async def _hold(plane: FakeControlPlane, client: Driver, case: Case, expected: Expected) -> None:
    n = 1
    if isinstance(expected, Mapping):
        n = CALLS if len(expected) > 1 else CALLS // 10
    results = await client.call(case.target, case.method, tuple(case.metadata), n)
    outcomes = Counter(each.partition(":")[0] for each in results)
    if expected == REFUSED:
        assert outcomes == {"UNAVAILABLE": 1}, (client.node, results)
        await plane.until(lambda: bool(client.refusals(plane, case.listener)))
        return
    assert not client.refusals(plane, case.listener), client.node
    if isinstance(expected, Mapping):
        assert_shares(expected, outcomes)
    else:
        name = expected.name if isinstance(expected, StatusCode) else expected
        assert outcomes == {name: 1}, (client.node, results)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", rows())
async def test_both_go_where_the_table_says(
    plane: FakeControlPlane, ours: Driver, theirs: Driver, case: Case
) -> None:
    plane.set(*case.resources)
    await drive(plane, theirs, case, case.expected if case.grpc is None else case.grpc)
    await drive(plane, ours, case, case.expected)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("case", rows())
async def test_envoy_goes_where_the_table_says(plane: FakeControlPlane, envoy: Driver, case: Case) -> None:
    plane.set(*case.resources)
    await drive(plane, envoy, case, case.expected if case.envoy is None else case.envoy)


def test_the_tables_are_ones_to_rely_on() -> None:
    assert len(CASES) >= 300
    every = [*CASES, *report.CLUSTERS]
    assert len({case.name for case in every}) == len({case.listener for case in every}) == len(every)
    for case in every:
        differs = case.grpc is not None or case.envoy is not None
        assert differs == bool(case.why), f"{case.name}: a difference needs its reason"
        assert case.expected not in (case.grpc, case.envoy), f"{case.name}: this is no difference"


def test_the_page_of_differences_is_up_to_date() -> None:
    assert report.FILE.read_text() == report.text(), "make it anew: python -m tests.parity.report"
