"""Rules as YAML that a person edits: listed, checked, put in force, taken out of force."""

from __future__ import annotations

from typing import Any

from console.acting.actions import Done
from console.acting.rewriting import TIMEOUT
from console.acting.undo import inverse_of
from lanes.change import Change
from lanes.landscape import Key
from lanes.store import LaneStore
from mesh.errors import Changed, MeshError, NotFound, Refused
from mesh.objects import MeshObject, Ref
from mesh.report import Report
from mesh.rulebook import Expected
from mesh.sources import objects_in
from mesh.verbs import RuleVerbs
from mesh.workloads import MANAGED_BY

_LABEL = "YAML"
_TRIES = 20


def is_managed(item: MeshObject) -> bool:
    """Whether the mesh itself writes this object, for a service or an instance."""
    labels = item.document["metadata"].get("labels")
    return isinstance(labels, dict) and labels.items() >= MANAGED_BY.items()


class RuleTexts:
    """The objects of a mesh as texts; what says no namespace is of `namespace`."""

    def __init__(self, mesh: RuleVerbs, store: LaneStore, namespace: str) -> None:
        self._mesh = mesh
        self._namespace = namespace
        self._store = store

    async def listed(self) -> dict[str, Any]:
        """Every object in force."""
        found = [
            {**item.ref.as_dict(), "yaml": item.to_yaml(), "managed": is_managed(item)}
            for item in await self._mesh.objects()
        ]
        return {"objects": found}

    async def validate(self, text: str) -> Done:
        """What the control plane would say; nothing is changed."""
        try:
            self._objects_in(text)
        except Refused as refused:
            return _checked(False, refused.details)
        verdict = await self._mesh.validate_files({_LABEL: text})
        return _checked(verdict.ok, (*verdict.errors, *(f"warning: {line}" for line in verdict.warnings)))

    async def apply(self, text: str) -> Done:
        """Put every object of a text in force, or none."""
        objects = {item.ref: item for item in self._objects_in(text)}
        async with self._store.exclusive():
            for left in reversed(range(_TRIES)):
                there = {item.ref: item for item in await self._mesh.objects()}
                _keep_off([there[ref] for ref in objects if ref in there])
                expected = [Expected(ref, there[ref].document if ref in there else None) for ref in objects]
                try:
                    report = await self._mesh.apply_files({_LABEL: text}, TIMEOUT, expected)
                    break
                except Changed:
                    if not left:
                        raise
        changed = [Change(_key(each.ref), each.document, objects[each.ref].document) for each in expected]
        return done(f"Apply {_named(list(objects))}", report, changed)

    async def delete(self, ref: Ref) -> Done:
        """Take one object out of force."""
        async with self._store.exclusive():
            item = next((item for item in await self._mesh.objects() if item.ref == ref), None)
            if item is None:
                raise NotFound(f"There is no {_named([ref])} in the namespace {ref.namespace}.")
            _keep_off([item])
            expected = [Expected(ref, item.document)]
            report = await self._mesh.delete_refs([ref], TIMEOUT, expected)
        return done(f"Delete {_named([ref])}", report, [Change(_key(ref), item.document, None)])

    def _objects_in(self, text: str) -> list[MeshObject]:
        try:
            return objects_in({_LABEL: text}, self._namespace)
        except MeshError as error:
            raise Refused("Refused; nothing was changed.", [error.message, *error.details]) from None


def done(title: str, report: Report, changed: list[Change] | tuple[Change, ...]) -> Done:
    """What came of rules that were written."""
    lines = tuple(report.lines()) or ("nothing to change",)
    # Who was not asked took no time: the report's 0 ms would be a lie.
    took = report.milliseconds if report.clients else None
    return Done(title, report.ok, took, lines, inverse_of(changed))


def _checked(ok: bool, lines: tuple[str, ...]) -> Done:
    return Done("Check YAML", ok, lines=lines, extra={"details": list(lines)})


def _keep_off(items: list[MeshObject]) -> None:
    for item in items:
        if is_managed(item):
            raise Refused(
                "Refused; nothing was changed.", [f"{item.title} is the mesh's own: it follows what runs"]
            )


def _named(refs: list[Ref]) -> str:
    shown = ", ".join(f"{ref.kind.lower()}/{ref.name}" for ref in refs[:3])
    return f"{shown} and {len(refs) - 3} more" if len(refs) > 3 else shown


def _key(ref: Ref) -> Key:
    return Key(ref.kind, ref.namespace, ref.name)
