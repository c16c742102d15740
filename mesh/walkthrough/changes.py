"""Steps about change: rules edited, instances and the control plane killed, while requests go on."""

from __future__ import annotations

import asyncio
import time

from mesh.report import Report
from mesh.walkthrough.load import Load
from mesh.walkthrough.outcome import Notes, Outcome, Stage
from mesh.walkthrough.rules import DEV, QA, as_yaml, everybody_to_reviews, lanes

_COLOURS = (None, DEV, QA, "user=7,env=dev;ttl=1")
_ENOUGH = 100


async def edit(stage: Stage) -> Outcome:
    """A rule is edited while requests go on; how long until the first one follows it."""
    notes = Notes()
    async with Load(stage.door, (None,)) as load:
        await load.more(_ENOUGH // 4)
        started = time.monotonic()
        watching = asyncio.create_task(load.until(lambda v: v.versions.get("reviews") == "v2", None))
        report: Report = await stage.mesh.apply(everybody_to_reviews("v2"))
        followed = await watching
        await load.more(_ENOUGH // 4)
    for line in report.lines():
        notes.see(line)
    if followed is None:
        notes.expect(False, "no request followed the rule")
    else:
        milliseconds = (followed - started) * 1000
        notes.see(f"the first request that followed it was answered {milliseconds:.0f} ms after the edit")
    notes.see(load.summary())
    notes.expect(report.ok, "not every client has taken the rule")
    notes.expect(not load.failures, "requests failed")
    visits = await stage.door.visits(20)
    late = sum(visit.versions.get("reviews") != "v2" for visit in visits)
    notes.expect(not late, f"{late} requests did not follow the rule after everybody had acknowledged it")
    notes.expect((await stage.mesh.apply(as_yaml(lanes()))).ok, "the lanes could not be put back")
    return notes.outcome()


async def instance_killed(stage: Stage) -> Outcome:
    """An instance is killed under load: its lane is served by base, and by the lane again when it is back."""
    notes = Notes()
    async with Load(stage.door, _COLOURS) as load:
        await load.more(_ENOUGH)
        killed = await stage.mesh.kill("reviews/v2")
        notes.see(f"{killed.name} {killed.text}")
        fell_back = await load.until(lambda visit: visit.versions.get("reviews") in ("v1", "v3"), DEV)
        await load.more(_ENOUGH)
        visit = await stage.door.visit(DEV)
        notes.see(f"dev meanwhile: {visit.path_through('reviews')}")
        started = await stage.mesh.start("reviews/v2")
        notes.see(f"{started.name} {started.text}")
        returned = await load.until(lambda visit: visit.versions.get("reviews") == "v2", DEV)
        await load.more(_ENOUGH)
    visit = await stage.door.visit(DEV)
    notes.see(f"dev again: {visit.path_through('reviews')}")
    notes.see(load.summary())
    notes.expect(fell_back is not None, "dev was not served by base")
    notes.expect(returned is not None, "dev did not return to reviews v2")
    notes.expect(not load.failures, "requests failed")
    return notes.outcome()


async def control_plane_killed(stage: Stage) -> Outcome:
    """The control plane is killed and started again under load: everybody goes on with what they know."""
    notes = Notes()
    async with Load(stage.door, _COLOURS) as load:
        await load.more(_ENOUGH)
        killed = await stage.mesh.kill("controlplane")
        notes.see(f"{killed.name} {killed.text}")
        await load.more(_ENOUGH)
        visit = await stage.door.visit(DEV)
        notes.see(f"dev without it: {visit.path_through('reviews')}")
        notes.expect(
            visit.versions.get("reviews") == "v2", "without a control plane dev was not served by dev"
        )
        started = await stage.mesh.start("controlplane")
        notes.see(f"{started.name} {started.text}, every client is back and has taken its configuration")
        await load.more(_ENOUGH)
        report = await stage.mesh.apply(everybody_to_reviews("v3"))
        followed = await load.until(lambda visit: visit.versions.get("reviews") == "v3", None)
    notes.see(f"a rule applied after that: {report.outcome_lines()[-1]}")
    notes.see(load.summary())
    notes.expect(report.ok and followed is not None, "a rule applied after that was not followed")
    notes.expect(not load.failures, "requests failed")
    notes.expect((await stage.mesh.apply(as_yaml(lanes()))).ok, "the lanes could not be put back")
    return notes.outcome()
