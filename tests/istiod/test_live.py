"""Live against an Istiod (`make test-istiod`): the records hold, and a client decides by both the same."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from controlplane.app import ControlPlane
from tests.istiod import live, ours, records
from tests.istiod.cases import Case, all_cases
from tests.istiod.questions import ask

BINARY = os.environ.get("ISTIOD", "")

pytestmark = [
    pytest.mark.skipif(not BINARY, reason="needs a pilot-discovery: make test-istiod ISTIOD=path/to/it"),
    pytest.mark.timeout(120),
]


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
async def test_the_record_holds_and_a_client_decides_the_same(case: Case, tmp_path: Path) -> None:
    refused = ours.refused(case.documents)
    kept = tuple(text for index, text in enumerate(case.documents) if index not in refused)
    for index, text in enumerate(kept):
        (tmp_path / f"{index:03}.yaml").write_text(text)
    async with live.running(BINARY, kept) as theirs, ControlPlane(tmp_path, port=0, admin_port=0) as mine:
        assert not mine.state.errors
        for identity in case.identities:
            assert await live.settled(theirs, case, identity) == records.read(case).clients[identity.name]
        answers = await asyncio.gather(
            ask(theirs, case.questions), ask(f"{mine.host}:{mine.port}", case.questions)
        )
    assert answers[1] == answers[0]
