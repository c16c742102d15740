"""A case put to a running Istiod."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.istiod import pilot
from tests.istiod.cases import Case
from tests.istiod.documents import document, join
from tests.istiod.questions import Identity
from tests.istiod.records import Record
from tests.istiod.resources import Resources, collect

STEP_SECONDS = 0.25
LONGEST_SECONDS = 15.0
STARTS = 12
LOOKS = 4

_BEACON = "beacon.invalid"
_LIGHT = join(
    document(
        "ServiceEntry",
        "zz-beacon",
        f"hosts: [{_BEACON}]\nresolution: STATIC\nports: [{{number: 1, name: grpc, protocol: GRPC}}]\n"
        "workloadSelector: {labels: {app: beacon}}",
        "zz-beacon",
    ),
    document("WorkloadEntry", "zz-beacon", "address: 127.0.0.1\nlabels: {app: beacon}", "zz-beacon"),
)


@asynccontextmanager
async def running(binary: str, documents: tuple[str, ...]) -> AsyncIterator[str]:
    """Istiod over these documents; gives its address. Raises pilot.Refused.

    About one start in three from a directory leaves every WorkloadEntry out for good. Such a one does not
    show the endpoint of a service put beside the case either, and is started again.
    """
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, (*documents, _LIGHT))
        for _ in range(STARTS):
            async with pilot.run(binary, Path(folder)) as started:
                if await _is_lit(started.plain):
                    yield started.plain
                    return
        raise TimeoutError(f"Istiod left out its WorkloadEntries {STARTS} times in a row")


def _write(folder: str, documents: tuple[str, ...]) -> None:
    for index, text in enumerate(documents):
        Path(folder, f"{index:03}.yaml").write_text(text, encoding="utf-8")


async def _is_lit(address: str) -> bool:
    for _ in range(LOOKS):
        await asyncio.sleep(STEP_SECONDS)
        found = await collect(Identity().bootstrap(address), [f"{_BEACON}:1"])
        if any("endpoints" in each for each in found["EDS"].values()):
            return True
    return False


async def is_refused(binary: str, text: str) -> bool:
    """Whether it refuses a document."""
    with tempfile.TemporaryDirectory() as folder:
        _write(folder, (text,))
        try:
            async with pilot.run(binary, Path(folder)):
                return False
        except pilot.Refused:
            return True


async def settled(address: str, case: Case, identity: Identity) -> Resources:
    """What a client is sent when Istiod has come to rest: two answers in a row are the same."""
    bootstrap, targets = identity.bootstrap(address), case.targets(identity)
    async with asyncio.timeout(LONGEST_SECONDS):
        last = await collect(bootstrap, targets)
        while True:
            await asyncio.sleep(STEP_SECONDS)
            now = await collect(bootstrap, targets)
            if now == last:
                return now
            last = now


async def record(binary: str, case: Case) -> Record:
    """What Istiod makes of a case."""
    refused: list[int] = []
    kept = case.documents
    while True:
        try:
            async with running(binary, kept) as address:
                answers = await asyncio.gather(*(settled(address, case, each) for each in case.identities))
        except pilot.Refused:
            refused = [i for i, text in enumerate(case.documents) if await is_refused(binary, text)]
            if not refused or len(kept) < len(case.documents):
                raise
            kept = tuple(text for i, text in enumerate(case.documents) if i not in refused)
        else:
            names = (each.name for each in case.identities)
            return Record(case.digest, refused, dict(zip(names, answers, strict=True)))
