"""All services as processes, for the tests of what strangers send."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.fakes.chain import Chain, chain


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services() -> AsyncIterator[Chain]:
    """A chain whose door believes all that it can be told to believe; no test leaves a fault in its log."""
    trust = {"TRUST_BAGGAGE": "on", "TRUST_END_USER": "on", "LANE_HEADER": "x-lane"}
    async with chain(**trust, PROPAGATE_HEADERS="x-tenant") as made:
        yield made
        assert made.faults() == []
