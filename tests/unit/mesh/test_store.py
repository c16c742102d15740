"""The directory of rules: one file per object, replaced whole."""

from pathlib import Path

import pytest

from mesh.objects import MeshObject, Ref, parse_objects
from mesh.store import Store


def rule(name: str, host: str = "h", kind: str = "VirtualService") -> MeshObject:
    identity = f"apiVersion: networking.istio.io/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
    text = f"{identity}spec: {{hosts: [{host}]}}"
    return parse_objects(text, "test")[0]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_what_is_written_is_read_back(store: Store) -> None:
    store.write([rule("b"), rule("a")])
    assert store.objects() == [rule("a"), rule("b")]
    assert store.get(rule("a").ref) == rule("a")


def test_one_file_an_object_and_nothing_else(store: Store) -> None:
    store.write([rule("a"), rule("a", "other")])
    assert [path.name for path in store.directory.iterdir()] == ["virtualservice.default.a.yaml"]


def test_plan_tells_created_configured_unchanged_without_writing(store: Store) -> None:
    store.write([rule("same"), rule("other", "old")])
    changes = store.plan([rule("new"), rule("same"), rule("other", "new")])
    assert [change.verdict for change in changes] == ["created", "unchanged", "configured"]
    assert store.get(rule("new").ref) is None


def test_plan_counts_an_object_given_twice_in_turn(store: Store) -> None:
    changes = store.plan([rule("a"), rule("a"), rule("a", "other")])
    assert [change.verdict for change in changes] == ["created", "unchanged", "configured"]


def test_removing_what_is_not_there_is_no_error(store: Store) -> None:
    store.write([rule("a")])
    store.remove([rule("a").ref, Ref("VirtualService", "default", "never")])
    assert store.objects() == []
    assert store.get(rule("a").ref) is None


def test_a_write_that_fails_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write([rule("a")])
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.write([rule("a", "other")])
    assert [path.name for path in store.directory.iterdir()] == ["virtualservice.default.a.yaml"]
    assert store.objects() == [rule("a")]
