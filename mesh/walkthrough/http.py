"""The step with a service that speaks HTTP: it follows a lane, and so does the gRPC call behind it."""

from __future__ import annotations

import asyncio

from mesh.walkthrough.outcome import Notes, Outcome, Stage
from mesh.walkthrough.rules import FAST, QA, as_yaml, lanes_and_delivery

_EACH = 10


async def delivery(stage: Stage) -> Outcome:
    """delivery is started, a lane gets its v2; what is asked of it over HTTP stays in the lane behind it."""
    notes = Notes()
    for started in await asyncio.gather(stage.mesh.start("delivery/v1"), stage.mesh.start("delivery/v2")):
        notes.see(f"{started.name} {started.text}")
    report = await stage.mesh.apply(as_yaml(lanes_and_delivery(fast=True)))
    notes.expect(report.ok, "not every client has taken the rules")
    for baggage, details, wanted in (
        (None, "v1", "v1"),
        (FAST, "v2", "v2"),
        (QA, "v2", "v1"),  # it has no delivery: base there, and the lane again behind it
    ):
        way = f"productpage v1 → delivery {wanted} → details {details}"
        visits = await asyncio.gather(*(stage.door.visit(baggage, "0/delivery") for _ in range(_EACH)))
        errors = {error for visit in visits for error in visit.errors}
        ways = {path for visit in visits for path in visit.paths}
        notes.see(f"baggage: {baggage}" if baggage else "without a colour")
        notes.see(f"{len(visits):4d}  {', '.join(sorted(ways)) or 'none'}")
        notes.expect(not errors, f"requests failed: {', '.join(sorted(errors))}")
        notes.expect(ways == {way}, f"all should have taken {way}")
    notes.expect(
        (await stage.mesh.apply(as_yaml(lanes_and_delivery(fast=False)))).ok,
        "the lanes could not be put back",
    )
    return notes.outcome()
