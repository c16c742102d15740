"""A minute of chaos, with every fault in it, and all there is to each; `make chaos` is the whole of it."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom

import pytest

from .faults import FAULTS
from .run import run


@pytest.mark.timeout(400)
async def test_a_minute_of_chaos(tmp_path: Path) -> None:
    """Not one call lost, or in a wrong lane; the seed of a run that fails is in what it says."""
    seed = SystemRandom().randrange(1, 2**31)
    report = await run(tmp_path, seed, 60.0, (), print)
    assert report.ok, "\n".join(report.lines())
    assert report.calls > 100
    assert [each.name for each in report.outcomes] == list(FAULTS)
    assert all(each.done >= FAULTS[each.name].least for each in report.outcomes)
    assert report.made["at once"] > 100
    assert report.made["deferred"] > 10
    assert report.attempts >= 2 * report.calls
