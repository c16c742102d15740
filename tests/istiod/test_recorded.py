"""The embedded control plane makes of every case what a stock Istiod made of it, as recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.control_plane import FakeControlPlane
from tests.istiod import features, ours, records, resources
from tests.istiod.cases import Case, all_cases
from tests.istiod.questions import Question, ask
from tests.istiod.stricter import STRICTER

CASES = all_cases()
VERDICTS = records.read_verdicts()
RENEW = "the case has changed since: make record-istiod ISTIOD=path/to/pilot-discovery"


def _record(case: Case) -> records.Record:
    record = records.read(case)
    assert record.digest == case.digest, RENEW
    return record


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_documents_are_taken_and_the_same_resources_served(case: Case) -> None:
    record = _record(case)
    assert ours.refused(case.documents) == record.refused
    kept = tuple(text for index, text in enumerate(case.documents) if index not in record.refused)
    served = ours.snapshot(kept)
    for identity in case.identities:
        assert ours.resources(served, case, identity) == record.clients[identity.name]


@pytest.mark.parametrize("text", VERDICTS)
def test_the_same_documents_are_refused(text: str) -> None:
    if text in STRICTER:
        assert VERDICTS[text], "Istio refuses it as well: it is no exception"
        assert ours.reasons(text)
    else:
        assert bool(ours.reasons(text)) is not VERDICTS[text], ours.reasons(text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_client_decides_the_same(case: Case) -> None:
    record = _record(case)
    served = ours.snapshot(case.documents)
    for identity in case.identities:
        asked = tuple(question for question in case.questions if question.identity == identity)
        theirs, mine = await asyncio.gather(
            _decisions(case, record.clients[identity.name], asked),
            _decisions(case, ours.resources(served, case, identity), asked),
        )
        assert mine == theirs


async def _decisions(
    case: Case, content: resources.Resources, asked: tuple[Question, ...]
) -> dict[str, dict[str, Any]]:
    async with FakeControlPlane() as replay:
        replay.set(*resources.messages(content))
        found = await ask(replay.address, asked)
        # Of a service with several addresses Istiod lists each endpoint several times, which gRPC refuses.
        assert not replay.nacks or case.name == "endpoints-addresses"
        return found


def test_the_cases_cover_every_feature() -> None:
    texts = "\n".join(document for case in CASES for document in case.documents)
    for action in features.ACTIONS.values():
        assert all(line in texts for line in action.splitlines()), action
    for match in features.MATCHES.values():
        assert match in texts, match
    assert sum(case.name.startswith("generated") for case in CASES) >= 60
    assert sum(text in VERDICTS for text in STRICTER) == len(STRICTER)
