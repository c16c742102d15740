"""Objects written by the console over a real control plane: all of them, or none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from console.acting.rewriting import merged, rewrite
from controlplane.app import ControlPlane
from lanes.change import Change
from lanes.landscape import Document, Key
from mesh.admin import Admin
from mesh.errors import Changed, MeshError
from mesh.objects import MeshObject, Ref, parse_objects
from mesh.report import ClientOutcome, ObjectOutcome, Report
from mesh.rulebook import Expected, RuleBook
from mesh.store import Store

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews, namespace: default}
spec:
  hosts: [reviews.default.svc.cluster.local]
  resolution: STATIC
  ports: [{number: 9080, name: grpc, protocol: GRPC}]
"""


def rule(subset: str, name: str = "reviews") -> Document:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"hosts": [name], "http": [{"route": [{"destination": {"host": name, "subset": subset}}]}]},
    }


def subsets(*names: str, of: str = "reviews") -> Document:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": of, "namespace": "default"},
        "spec": {"host": of, "subsets": [{"name": name, "labels": {"version": name}} for name in names]},
    }


def change(before: Document | None, after: Document | None) -> Change:
    document = before or after
    assert document is not None
    return Change(Key(document["kind"], "default", document["metadata"]["name"]), before, after)


class Rules:
    """The rules of a mesh, and a moment before each writing in which somebody else may do something."""

    def __init__(self, book: RuleBook, plane: ControlPlane) -> None:
        self.book = book
        self.plane = plane
        self.asked: list[str] = []
        self.meanwhile: dict[int, Callable[[], Awaitable[object]]] = {}

    async def apply_files(
        self, files: Any, timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        await self._ask("apply")
        return await self.book.apply(files, timeout, expected)

    async def delete_refs(
        self, refs: list[Ref], timeout: float, expected: Sequence[Expected] | None = None
    ) -> Report:
        await self._ask("delete")
        return await self.book.delete(refs, timeout, expected)

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        if (other := self.meanwhile.get(len(self.asked))) is not None:
            await other()

    def now(self) -> list[MeshObject]:
        return [item for item in self.book.objects() if item.ref.kind != "ServiceEntry"]

    def has(self, *documents: Document) -> bool:
        return [item.document for item in self.now()] == sorted(
            documents, key=lambda each: (each["kind"], each["metadata"]["name"])
        )


@pytest_asyncio.fixture
async def rules(tmp_path: Path) -> AsyncIterator[Rules]:
    store = Store(tmp_path)
    store.write(parse_objects(ENTRY, "entry"))
    async with ControlPlane(tmp_path, port=0, admin_port=0) as plane:
        admin = Admin(f"http://127.0.0.1:{plane.admin_port}")
        yield Rules(RuleBook(store, admin), plane)
        await admin.close()


BEFORE = (subsets("v1", "v2"), rule("v2"))
AFTER = (subsets("v1", "v3"), rule("v3"))
CHANGES = [change(before, after) for before, after in zip(BEFORE, AFTER, strict=True)]


async def begun(rules: Rules, *documents: Document) -> None:
    await rewrite(rules, [change(None, document) for document in documents])
    rules.asked.clear()


async def test_a_subset_outlives_the_rules_that_name_it(rules: Rules) -> None:
    await begun(rules, *BEFORE)
    report = await rewrite(rules, CHANGES)
    assert rules.asked == ["apply", "apply"]
    assert rules.has(*AFTER)
    assert {item.verdict for item in report.objects} == {"configured"}


async def test_created_and_deleted_together_and_back(rules: Rules) -> None:
    await begun(rules, *BEFORE)
    there = [change(BEFORE[1], None), change(None, rule("v1", "ratings"))]
    await rewrite(rules, there)
    assert rules.has(BEFORE[0], rule("v1", "ratings"))
    await rewrite(rules, [Change(each.key, each.after, each.before) for each in there])
    assert rules.has(*BEFORE)


@pytest.mark.parametrize(
    "wrong",
    [
        change(rule("v1"), rule("v3")),
        change(None, rule("v3")),
        change(rule("v1"), None),
        change(rule("v1", "ratings"), rule("v2", "ratings")),
    ],
)
async def test_what_is_not_as_it_was_is_not_touched(rules: Rules, wrong: Change) -> None:
    await begun(rules, *BEFORE)
    with pytest.raises(Changed):
        await rewrite(rules, [CHANGES[0], wrong])
    assert rules.has(*BEFORE)
    with pytest.raises(Changed):
        await rewrite(rules, [wrong])
    assert rules.has(*BEFORE)


async def test_who_is_crossed_half_way_takes_back_what_was_written(rules: Rules) -> None:
    await begun(rules, *BEFORE)
    other = rule("v1")
    rules.meanwhile[2] = lambda: rules.book.apply({"other": MeshObject(_ref(other), other).to_yaml()})
    with pytest.raises(Changed):
        await rewrite(rules, CHANGES)
    # The other's rule stays, and a subset that is put back does not take it along.
    found = {item.ref.kind: item.document for item in rules.now()}
    assert found["VirtualService"] == other
    assert found["DestinationRule"]["spec"]["subsets"] == BEFORE[0]["spec"]["subsets"]


async def test_what_cannot_be_put_back_is_said(rules: Rules) -> None:
    await begun(rules, *BEFORE)
    rules.meanwhile[2] = rules.plane.stop
    with pytest.raises(MeshError, match="A part of it is in force"):
        await rewrite(rules, CHANGES)


def _ref(document: Document) -> Ref:
    return Ref(document["kind"], "default", document["metadata"]["name"])


def test_reports_as_one() -> None:
    first = Report(
        (ObjectOutcome("a", "created"),),
        (ClientOutcome("x", "acknowledged"), ClientOutcome("y", "refused", "no")),
        milliseconds=2.5,
        warnings=("w",),
    )
    second = Report(
        (ObjectOutcome("a", "deleted"),),
        (ClientOutcome("x", "pending"), ClientOutcome("y", "acknowledged")),
        milliseconds=1.5,
        complete=False,
        timeout=10,
        warnings=("w",),
        unobserved="nobody",
    )
    both = merged([first, second])
    assert both.objects == (ObjectOutcome("a", "deleted"),)
    assert [client.state for client in both.clients] == ["pending", "refused"]
    assert (both.milliseconds, both.complete, both.timeout) == (4.0, False, 10)
    assert (both.warnings, both.unobserved, both.ok) == (("w",), "nobody", False)
    assert merged([]).ok
