"""The rules of a namespace of a cluster, written through its API server: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from console.acting.undo import alike
from lanes.cluster.api import Api
from lanes.cluster.reading import plain
from lanes.cluster.resource import DESTINATION_RULES, VIRTUAL_SERVICES, Resource
from lanes.landscape import LaneError
from lanes.store import Conflict, NoMesh
from mesh.errors import Changed, MeshError, NotFound, Refused
from mesh.objects import Document, MeshObject, Ref
from mesh.report import ObjectOutcome, Report, Verdict
from mesh.rulebook import Expected
from mesh.sources import Files, objects_in

# What others point at comes first, and goes last.
_KINDS: Mapping[str, Resource] = {each.kind: each for each in (DESTINATION_RULES, VIRTUAL_SERVICES)}
_UNOBSERVED = "the API server has it; under “Rules in force” each client shows it once it has taken it"
_NOTHING = "Refused; nothing was changed."


@dataclass(frozen=True, slots=True)
class _Write:
    """One object as the API server has it, and as it is to be; None where it is not there."""

    ref: Ref
    found: Document | None
    wanted: Document | None

    @property
    def verdict(self) -> str:
        if self.wanted is None:
            return "deleted"
        if self.found is None:
            return "created"
        return "unchanged" if alike(_written(self.found), self.wanted) else "configured"

    @property
    def title(self) -> str:
        return f"{self.ref.kind.lower()}.{_KINDS[self.ref.kind].group}/{self.ref.name}"


class ClusterRules:
    """VirtualServices and DestinationRules of one namespace, as `mesh.verbs.RuleVerbs`.

    Nobody is kept out: each write carries the version that was read, and an object that has changed since is
    not overwritten. All are tried as dry runs first, so that one that is refused leaves nothing behind.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    async def objects(self) -> list[MeshObject]:
        """Every object in force."""
        return [MeshObject(ref, _written(found)) for ref, found in (await self._read()).items()]

    async def validate_files(self, files: Files) -> Verdict:
        """What the API server would say to these rules; nothing is changed."""
        try:
            await self._rehearse(_plan(self._objects_in(files), await self._read()))
        except Refused as refused:
            return Verdict(errors=refused.details)
        return Verdict()

    async def apply_files(
        self, files: Files, timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        """Put rules in force; Changed if an object is no more as expected, Refused if one is not taken."""
        there = await self._read()
        _compare(expected or (), there)
        return await self._write(_plan(self._objects_in(files), there))

    async def delete_refs(
        self, refs: list[Ref], timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        """Take objects out of force; Changed if an object is no more as expected."""
        there = await self._read()
        _compare(expected or (), there)
        for ref in refs:
            if ref not in there:
                raise NotFound(f"There is no {ref.kind.lower()}/{ref.name} in the namespace {ref.namespace}.")
        return await self._write([_Write(ref, there[ref], None) for ref in refs])

    # -- reading

    async def _read(self) -> dict[Ref, Document]:
        with _told():
            found = [each for kind in _KINDS.values() for each in await self._api.list(kind)]
        return {_ref(each): each for each in found}

    def _objects_in(self, files: Files) -> list[MeshObject]:
        items = objects_in(files, self._api.namespace)
        faults = [fault for item in items if (fault := self._fault(item))]
        if faults:
            raise Refused(_NOTHING, faults)
        return items

    def _fault(self, item: MeshObject) -> str:
        if item.ref.kind not in _KINDS:
            known = " and ".join(_KINDS)
            return f"{item.title}: kubectl changes a {item.ref.kind}; this console changes {known} only"
        if item.ref.namespace != self._api.namespace:
            return f"{item.title}: it is of the namespace {item.ref.namespace}; this is {self._api.namespace}"
        return ""

    # -- writing

    async def _rehearse(self, writes: Sequence[_Write]) -> None:
        refused: list[str] = []
        for write in writes:
            try:
                with _told():
                    await self._put(write, dry=True)
            except Refused as refusal:
                refused += [f"{write.title}: {line}" for line in refusal.details]
        if refused:
            raise Refused(_NOTHING, refused)

    async def _write(self, writes: Sequence[_Write]) -> Report:
        todo = sorted((each for each in writes if each.verdict != "unchanged"), key=_turn)
        await self._rehearse(todo)
        done: list[_Write] = []
        for write in todo:
            try:
                with _told():
                    done.append(_Write(write.ref, await self._put(write), write.found))
            except MeshError as error:
                await self._take_back(done, error)
                raise
        outcomes = tuple(ObjectOutcome(each.title, each.verdict) for each in writes)
        return Report(outcomes, unobserved=_UNOBSERVED if todo else "")

    async def _take_back(self, done: Sequence[_Write], why: MeshError) -> None:
        """Put back what was written already; what somebody has changed since stays as that one wants it."""
        for write in reversed(done):
            before = None if write.wanted is None else _written(write.wanted)
            try:
                with _told():
                    await self._put(_Write(write.ref, write.found, before))
            except Changed:
                continue
            except MeshError as error:
                message = f"{why.message} A part of it is in force: {write.title} could not be put back"
                raise MeshError(f"{message}, since {error.message}", why.details) from None

    async def _put(self, write: _Write, *, dry: bool = False) -> Document | None:
        """The object as it is then."""
        resource, name, found = _KINDS[write.ref.kind], write.ref.name, write.found
        if write.wanted is None:
            if found is not None:
                same = {each: str(found["metadata"][each]) for each in ("uid", "resourceVersion")}
                await self._api.delete(resource, name, same, dry=dry)
            return None
        wanted = _written({**write.wanted, "apiVersion": resource.api_version})
        if found is None:
            return await self._api.create(resource, wanted, dry=dry, strict=True)
        patch = merge_patch(_written(found), wanted)
        version = str(found["metadata"]["resourceVersion"])
        return await self._api.merge(resource, name, patch, version, dry=dry, strict=True)


def merge_patch(before: Document, after: Document) -> Document:
    """What makes one document of the other, as RFC 7386 has it: what is not said stays."""
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := merge_patch(old, value):
                patch[name] = inner
        elif name not in before or value != old:
            patch[name] = value
    return patch


def _plan(items: Sequence[MeshObject], there: Mapping[Ref, Document]) -> list[_Write]:
    """The last of those that are given twice counts, as it does for kubectl."""
    wanted = {item.ref: item.document for item in items}
    return [_Write(ref, there.get(ref), document) for ref, document in wanted.items()]


def _turn(write: _Write) -> int:
    place = list(_KINDS).index(write.ref.kind)
    return -place if write.wanted is None else place


def _compare(expected: Sequence[Expected], there: Mapping[Ref, Document]) -> None:
    for each in expected:
        found = there.get(each.ref)
        if not alike(None if found is None else _written(found), each.document):
            raise Changed(f"{each.ref.kind.lower()}/{each.ref.name} has been changed meanwhile.")


def _ref(document: Document) -> Ref:
    metadata = document["metadata"]
    return Ref(document["kind"], metadata["namespace"], metadata["name"])


def _written(document: Document) -> Document:
    """As somebody would write it."""
    found = plain(document)
    return {**found, "metadata": {k: v for k, v in found["metadata"].items() if k != "creationTimestamp"}}


@contextmanager
def _told() -> Iterator[None]:
    """The API server's refusals as the mesh's errors."""
    try:
        yield
    except Conflict:
        raise Changed("Somebody else has changed it meanwhile.") from None
    except NoMesh as error:
        raise MeshError(str(error)) from None
    except LaneError as error:
        raise Refused(_NOTHING, [str(error)]) from None
