"""Objects written to the mesh: all of them or none, and none that somebody else has changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from lanes.change import Change, changes, dump_all, steps
from lanes.landscape import Document, Key, Landscape, key_of
from lanes.store import LaneStore
from mesh.errors import Changed, MeshError
from mesh.objects import Ref
from mesh.report import ClientOutcome, Report
from mesh.rulebook import Expected
from mesh.verbs import RuleVerbs

TIMEOUT = 10.0
_TRIES = 20
_WORST = ("refused", "pending", "acknowledged")


async def edit(
    mesh: RuleVerbs, store: LaneStore, change: Callable[[Landscape], Landscape]
) -> tuple[Report, tuple[Change, ...]]:
    """Change the rules as they are; anew when somebody else was faster."""
    async with store.exclusive():
        for left in reversed(range(_TRIES)):
            seen = await store.read()
            changed = tuple(changes(seen.landscape, change(seen.landscape)))
            try:
                return await rewrite(mesh, changed), changed
            except Changed:
                if not left:
                    raise
    raise AssertionError  # the last try returns or raises


async def rewrite(mesh: RuleVerbs, changed: Sequence[Change]) -> Report:
    """Put each object in force as it is after; Changed where one is not as it was before."""
    now: dict[Key, Document | None] = {change.key: change.before for change in changed}
    reports: list[Report] = []
    for step in steps(changed):
        expected = [Expected(ref_of(key), document) for key, document in now.items()]
        try:
            if step.apply:
                files = {"console": dump_all(step.apply)}
                reports.append(await mesh.apply_files(files, TIMEOUT, expected))
                now |= {key_of(document): document for document in step.apply}
            if step.delete:
                refs = [ref_of(key) for key in step.delete]
                reports.append(await mesh.delete_refs(refs, TIMEOUT, expected))
                now |= dict.fromkeys(step.delete)
        except MeshError as error:
            if reports:
                await _take_back(mesh, changed, now, error)
            raise
    return merged(reports)


async def _take_back(
    mesh: RuleVerbs, changed: Sequence[Change], now: dict[Key, Document | None], why: MeshError
) -> None:
    """Put back what the first steps wrote; what somebody has changed since stays as that one wants it."""
    differ = (each for each in changed if now[each.key] != each.before)
    back = steps(Change(each.key, now[each.key], each.before) for each in differ)
    todo: list[tuple[Key, Document | None]] = []
    for step in back:
        todo += [(key_of(document), document) for document in step.apply]
        todo += [(key, None) for key in step.delete]
    for key, document in todo:
        expected = [Expected(ref_of(key), now[key])]
        try:
            if document is None:
                await mesh.delete_refs([ref_of(key)], TIMEOUT, expected)
            else:
                await mesh.apply_files({"console": dump_all([document])}, TIMEOUT, expected)
            now[key] = document
        except Changed:
            continue
        except MeshError as error:
            message = f"{why.message} A part of it is in force: {key} could not be put back"
            raise MeshError(f"{message}, since {error.message}", why.details) from None


def merged(reports: Sequence[Report]) -> Report:
    """Several reports as one: each object's last verdict, each client's worst answer, the time of all."""
    if not reports:
        return Report(())
    objects = {item.title: item for report in reports for item in report.objects}
    clients: dict[str, ClientOutcome] = {}
    for client in (client for report in reports for client in report.clients):
        there = clients.get(client.id)
        if there is None or _rank(client) < _rank(there):
            clients[client.id] = client
    return replace(
        reports[0],
        objects=tuple(objects.values()),
        clients=tuple(clients.values()),
        milliseconds=sum(report.milliseconds for report in reports),
        complete=all(report.complete for report in reports),
        timeout=max(report.timeout for report in reports),
        warnings=tuple(dict.fromkeys(line for report in reports for line in report.warnings)),
        unobserved=next((report.unobserved for report in reports if report.unobserved), ""),
    )


def ref_of(key: Key) -> Ref:
    """The object of a key, as the mesh names it."""
    return Ref(key.kind, key.namespace, key.name)


def _rank(client: ClientOutcome) -> int:
    return _WORST.index(client.state) if client.state in _WORST else 0
