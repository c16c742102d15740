"""The services as processes that call each other directly, and what they log."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.processes import running


@dataclass
class Chain:
    """productpage's address, and every line logged since all of them served."""

    address: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def faults(self) -> list[dict[str, Any]]:
        """The lines that tell of something that nobody foresaw."""
        return [
            line for line in self.lines if line.get("level", "").upper() == "ERROR" or "exception" in line
        ]


@asynccontextmanager
async def chain(**environ: str) -> AsyncIterator[Chain]:
    """All five services; `environ` is productpage's own."""
    made = Chain()
    async with AsyncExitStack() as stack:

        async def begin(service: str, **more: str) -> str:
            process, address = await stack.enter_async_context(running(service, **more))
            reading = asyncio.create_task(_read(process, made.lines))
            stack.callback(reading.cancel)
            return address

        details = await begin("details")
        ratings = await begin("ratings", SERVICE_VERSION="v2")
        reviews = await begin("reviews", SERVICE_VERSION="v2", RATINGS_TARGET=ratings)
        delivery = await begin("delivery", DETAILS_TARGET=details)
        targets = {"DETAILS": details, "RATINGS": ratings, "REVIEWS": reviews, "DELIVERY": delivery}
        own = {f"{name}_TARGET": address for name, address in targets.items()}
        made.address = await begin("productpage", **own, **environ)
        yield made


async def _read(process: Process, lines: list[dict[str, Any]]) -> None:
    """Take in what it logs, so that it never waits for somebody who does."""
    assert process.stderr is not None
    async for line in process.stderr:
        lines.append(json.loads(line))
