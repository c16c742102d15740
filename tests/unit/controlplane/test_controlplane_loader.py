"""Directories, merges and what is consistent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controlplane import consistency, loader, names
from controlplane.consistency import inconsistencies, references
from controlplane.loader import load_directory, load_texts, merge
from controlplane.node import Node
from controlplane.objects import ObjectKey
from controlplane.state import State

RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v1}}]}]}
"""


def test_every_yaml_below_a_directory_is_read(tmp_path: Path, services_yaml: str) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "a.yaml").write_text(services_yaml)
    (tmp_path / "b.yml").write_text(RULE)
    (tmp_path / "notes.txt").write_text("not: [yaml")
    (tmp_path / "empty.yaml").write_text("")
    loaded = load_directory(tmp_path)
    assert not loaded.errors
    assert {thing.meta.file for thing in loaded.objects} == {"b.yml", "deep/er/a.yaml"}


def test_files_that_cannot_be_read_are_errors_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: \xff")
    (error,) = load_directory(tmp_path).errors
    assert (error.file, error.line) == ("a.yaml", 0)
    assert "UTF-8" in error.message
    (missing,) = load_directory(tmp_path / "gone").errors
    assert "not a directory" in missing.message


def test_of_what_changes_again_and_again_no_more_is_kept_than_there_is(services_yaml: str) -> None:
    """Or the memory of a control plane grows with each change."""
    state, sizes = State(), []
    for number in range(20):
        rule = RULE.replace("{route:", f"{{name: r{number}, route:")
        state.apply(load_texts({"services.yaml": services_yaml, "rule.yaml": rule}))
        assert not state.errors
        for route in state.snapshot.anyone("default").resources("RDS", (), wildcard=True).by_name.values():
            references("RDS", route)  # as whoever waits for the clients does
        sizes.append(len(consistency._young) + len(consistency._old))
    (text,) = (text for file, (text, _) in loader._parsed.items() if file == "rule.yaml")
    assert "r19" in text
    assert sizes[-1] == sizes[2]


def test_a_merge_replaces_what_has_the_same_name(services_yaml: str) -> None:
    current = load_texts({"services.yaml": services_yaml, "rule.yaml": RULE}).objects
    changed = RULE.replace("subset: v1", "subset: v2")
    verdict, merged = merge(current, {"new.yaml": changed})
    assert not verdict.errors
    assert not verdict.warnings
    assert len(merged) == len(current)
    assert {thing.meta.file for thing in merged} == {"services.yaml", "new.yaml"}


def test_a_merge_warns_of_what_it_breaks_and_of_nothing_else(services_yaml: str) -> None:
    lonely = RULE.replace("reviews", "lonely")
    current = load_texts({"services.yaml": services_yaml, "rule.yaml": RULE, "lonely.yaml": lonely}).objects
    verdict, merged = merge(current, {}, [ObjectKey("DestinationRule", "default", "reviews")])
    assert not verdict.errors
    assert len(merged) == len(current) - 1
    assert [(warning.file, warning.field) for warning in verdict.warnings] == [
        ("rule.yaml", "spec.http[0].route[0].destination.subset")
    ]


def test_a_merge_with_an_error_says_so(services_yaml: str) -> None:
    current = load_texts({"services.yaml": services_yaml}).objects
    verdict, _ = merge(current, {"new.yaml": RULE + "  extra: 1\n"})
    assert verdict.errors


def test_where_a_file_stands_does_not_change_an_object(services_yaml: str) -> None:
    one = load_texts({"a.yaml": services_yaml}).objects
    other = load_texts({"b.yaml": "---\n# moved\n---\n" + services_yaml}).objects
    assert one == other


def test_what_is_served_is_consistent_and_a_missing_subset_is_allowed(world: Any) -> None:
    view = world(RULE.replace("v1}", "v9}")).anyone("default")
    assert inconsistencies(view) == []
    name = "outbound|9080||reviews.default.svc.cluster.local"
    served = view.resources("RDS", [name]).by_name[name]
    assert references("RDS", served) == {("CDS", "outbound|9080|v9|reviews.default.svc.cluster.local")}


def test_clients_of_one_identity_share_what_is_built(world: Any) -> None:
    snapshot = world()

    def client(ip: str, **labels: str) -> Node:
        return Node(f"sidecar~{ip}~me", "default", "default.svc.cluster.local", (ip,), labels)

    assert snapshot.view(client("10.0.0.1", app="a")) is snapshot.view(client("10.0.0.2", app="a"))
    assert snapshot.view(client("10.0.0.1", app="a")) is not snapshot.view(client("10.0.0.1", app="b"))


def test_a_directory_that_changes_while_it_is_read_is_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file is replaced by another after it was listed; one of the two was there at every moment."""
    (tmp_path / "old.yaml").write_text(RULE)
    read = loader.read_file

    def replaced_meanwhile(path: Path, label: str) -> Any:
        (tmp_path / "new.yaml").write_text(RULE)
        (tmp_path / "old.yaml").unlink(missing_ok=True)
        return read(path, label)

    monkeypatch.setattr(loader, "read_file", replaced_meanwhile)
    assert loader.read_directory(tmp_path) == ({"new.yaml": RULE}, [])


def test_a_directory_that_never_stops_changing_is_read_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = iter(range(1000))
    read = loader.read_file

    def changed_meanwhile(path: Path, label: str) -> Any:
        path.write_text(f"# {next(count)}")
        return read(path, label)

    (tmp_path / "a.yaml").write_text("# 0")
    monkeypatch.setattr(loader, "read_file", changed_meanwhile)
    texts, problems = loader.read_directory(tmp_path)
    assert (list(texts), problems) == (["a.yaml"], [])


def test_names() -> None:
    assert names.resolve("reviews", "shop") == "reviews.shop.svc.cluster.local"
    assert names.resolve("reviews.other", "shop") == "reviews.other"
    assert names.parse_cluster_key("outbound|9080|v1|a.b") == (9080, "v1", "a.b")
    for wrong in (
        "outbound|x||a",
        "inbound|1||a",
        "outbound|1||",
        "outbound|0||a",
        "outbound|1|a",
        "",
        "a|b|c|d|e",
    ):
        assert names.parse_cluster_key(wrong) is None
