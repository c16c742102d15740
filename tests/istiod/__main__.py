"""`python -m tests.istiod PATH`: record the answers of a pilot-discovery to every case."""

from __future__ import annotations

import asyncio
import sys

from tests.istiod import live, pilot, records
from tests.istiod.cases import Case, all_cases
from tests.istiod.verdicts import all_documents

AT_ONCE = 4


async def main(binary: str, only: list[str]) -> None:
    """Write a file for each case, and the version; what belongs to no case any more goes."""
    cases = [case for case in all_cases() if not only or case.name in only]
    records.FOLDER.mkdir(parents=True, exist_ok=True)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> None:
        async with room:
            try:
                found = await live.record(binary, case)
            except Exception as error:
                raise RuntimeError(f"case {case.name}") from error
        records.path_of(case).write_text(found.text(), encoding="utf-8")

    verdicts: dict[str, bool] = {}

    async def judge(text: str) -> None:
        async with room:
            verdicts[text] = not await live.is_refused(binary, text)

    await asyncio.gather(*(one(case) for case in cases))
    if not only:
        await asyncio.gather(*(judge(text) for text in all_documents()))
        records.write_verdicts(verdicts)
        kept = {records.path_of(case) for case in cases}
        for file in records.FOLDER.glob("*.json"):
            if file not in kept:
                file.unlink()
    records.VERSION_FILE.write_text(await pilot.version(binary) + "\n", encoding="utf-8")
    print(f"recorded {len(cases)} cases and {len(verdicts)} verdicts of Istio {records.version()}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("which Istiod? make record-istiod ISTIOD=path/to/pilot-discovery")
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
