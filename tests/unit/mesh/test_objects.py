"""Reading Istio YAML: identity, default namespace, and what is refused."""

import pytest
import yaml

from mesh.errors import MeshError
from mesh.objects import Ref, in_order, kind_named, parse_objects

VS = """
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
"""


def test_default_namespace_is_written_beside_the_name_where_none_is_given() -> None:
    [item] = parse_objects(VS, "file")
    assert item.document["metadata"] == {"name": "reviews", "namespace": "default"}
    assert item.ref == Ref("VirtualService", "default", "reviews")
    assert item.title == "virtualservice.networking.istio.io/reviews"
    assert item.ref.filename == "virtualservice.default.reviews.yaml"


def test_a_namespace_and_everything_else_stay_as_written() -> None:
    text = VS.replace("  name: reviews", "  labels: {a: 'on'}\n  namespace: shop\n  name: reviews")
    [item] = parse_objects(text, "file")
    assert item.document == yaml.safe_load(text)
    assert yaml.safe_load(item.to_yaml()) == item.document


def test_many_documents_empty_ones_and_lists() -> None:
    items = "items:\n- {apiVersion: a/v1, kind: X, metadata: {name: n}}\n"
    text = f"# comment only\n---\n{VS}\n---\n---\nkind: List\napiVersion: v1\n{items}"
    assert [item.ref.kind for item in parse_objects(text, "file")] == ["VirtualService", "X"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "f is not YAML: "),
        ("a: 1\n  b: 2", "line 2"),
        ("just text", "f is not an Istio object"),
        ("apiVersion: a/v1", "f has no kind"),
        ("kind: X", "f has no apiVersion"),
        ("{apiVersion: a/v1, kind: X}", "f has no metadata.name"),
        ("{apiVersion: a/v1, kind: X, metadata: {name: 7}}", "f has no metadata.name"),
        ("{apiVersion: a/v1, kind: X, metadata: {name: ../../etc}}", "metadata.name '../../etc'"),
        ("{apiVersion: a/v1, kind: X, metadata: {name: n, namespace: /x}}", "metadata.namespace '/x'"),
        ("{apiVersion: a/v1, kind: ../X, metadata: {name: n}}", "the kind '../X'"),
        (VS + "---\n- 1", "f, document 2 is not an Istio object"),
        ("[" * 20_000, "f is not YAML: it nests more than 100 levels deep (line 1)."),
        ("{a: " * 5_000 + "1" + "}" * 5_000, "f is not YAML: it nests more than 100 levels deep (line 1)."),
        (
            "{kind: List, items: [&a {kind: List, items: [*a]}]}",
            "f, item 0 is a List, which a List cannot hold",
        ),
        ("a: \ud800", "f is not YAML: it holds characters that are no text"),
        ("a: !!int x", "f is not YAML: it has a value that does not fit its type"),
        ("a: !!bool x", "f is not YAML: it has a value that does not fit its type"),
        ("a: " + "9" * 5_000, "f is not YAML: it has a value that does not fit its type"),
        ("a: !!binary eA==", "f is not YAML: could not determine a constructor"),
        ("a: !!timestamp x", "f is not YAML: could not determine a constructor"),
    ],
)
def test_what_has_no_identity_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(MeshError) as caught:
        parse_objects(text, "f")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("vs", "VirtualService"),
        ("VirtualServices", "VirtualService"),
        ("virtualservice.networking.istio.io", "VirtualService"),
        ("serviceentries", "ServiceEntry"),
        ("we", "WorkloadEntry"),
        ("dr", "DestinationRule"),
    ],
)
def test_kinds_go_by_the_names_kubectl_takes(text: str, kind: str) -> None:
    assert kind_named(text) == kind


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(MeshError, match=r"does not know the kind 'pods'.*virtualservice"):
        kind_named("pods")


def test_what_others_point_at_comes_first() -> None:
    documents = [
        f"{{apiVersion: a/v1, kind: {kind}, metadata: {{name: n}}}}"
        for kind in ("VirtualService", "DestinationRule", "WorkloadEntry", "ServiceEntry")
    ]
    ordered = in_order(parse_objects("\n---\n".join(documents), "f"))
    kinds = [item.ref.kind for item in ordered]
    assert kinds == ["ServiceEntry", "WorkloadEntry", "DestinationRule", "VirtualService"]


def test_values_are_those_of_json_so_that_every_object_can_be_shown() -> None:
    [item] = parse_objects(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: n}, data: {a: 2026-11-21, b: =}}", "f"
    )
    assert item.document["data"] == {"a": "2026-11-21", "b": "="}
    assert parse_objects(item.to_yaml(), "f") == [item]
