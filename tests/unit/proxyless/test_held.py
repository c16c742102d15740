"""The cache states of a resource, in the words of gRFCs A78 and A88."""

from __future__ import annotations

import pytest
from proxyless.held import Held, State
from proxyless.resources import Listener


@pytest.mark.parametrize(
    ("state", "without", "with_one"),
    [
        (State.REQUESTED, "requested", None),
        (State.ACKED, None, "acked"),
        (State.NACKED, "nacked", "nacked_but_cached"),
        (State.ABSENT, "does_not_exist", "does_not_exist_but_cached"),
        (State.DENIED, "received_error", "received_error_but_cached"),
        (State.OVERDUE, "timeout", None),
    ],
)
def test_cache_states(state: State, without: str | None, with_one: str | None) -> None:
    if without is not None:
        assert Held(state).cache_state == without
    if with_one is not None:
        assert Held(state, Listener("l")).cache_state == with_one
