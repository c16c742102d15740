"""The generated pages are current, and what makes them does not take anyone's word for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from proxyless.parse import support

from docs.pages import matrix, probe, reference
from docs.pages.features import NOT_HERE, Feature
from docs.pages.peers import read_peers

DOCS = Path(__file__).parents[2] / "docs"
LISTENER = "envoy.config.listener.v3.Listener"
ROUTE_MATCH = "envoy.config.route.v3.RouteMatch"
CLUSTER = "envoy.config.cluster.v3.Cluster"
HEADER = "envoy.config.route.v3.HeaderMatcher"


@pytest.fixture(scope="module")
def made() -> matrix.Matrix:
    return matrix.make_matrix()


@pytest.fixture(scope="module")
def resources() -> probe.Resources:
    return probe.read_resources(matrix.read("resources.yaml"))


def test_nothing_lacks_a_reason(made: matrix.Matrix) -> None:
    assert made.problems == []
    assert all(row.ours and all(row.peers) for row in made.rows)


def test_the_matrix_is_current(made: matrix.Matrix) -> None:
    assert (DOCS / "support-matrix.md").read_text(encoding="utf-8") == matrix.render(made), "make docs"


def test_the_reference_is_current() -> None:
    assert (DOCS / "reference.md").read_text(encoding="utf-8") == reference.render(), "make docs"


def test_every_field_of_every_message_is_there(made: matrix.Matrix) -> None:
    shown = {(row.message, row.field) for row in made.rows}
    for name, fields in support.SUPPORTED.items():
        assert fields <= set(probe.fields_of(name)), name
        assert {(name, field) for field in probe.fields_of(name)} <= shown


@pytest.mark.parametrize(
    ("message", "field", "outcomes"),
    [
        (ROUTE_MATCH, "path", {"effect"}),
        (ROUTE_MATCH, "tls_context", {"refused"}),
        (HEADER, "invert_match", {"effect"}),
        (LISTENER, "address", {"silent"}),
        (LISTENER, "filter_chains", {"noted"}),
        (CLUSTER, "health_checks", {"noted"}),
        (CLUSTER, "maglev_lb_config", {"noted"}),  # and not an effect, for what it displaces in its oneof
        (CLUSTER, "type", {"effect", "refused"}),
        (CLUSTER, "cluster_type", {"effect"}),  # in one of the resources, not in all
    ],
)
def test_a_field_is_tried(resources: probe.Resources, message: str, field: str, outcomes: set[str]) -> None:
    assert {each.outcome for each in probe.try_field(resources, message, field)} == outcomes


def test_the_table_is_held_against_what_parsing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {**support.SUPPORTED, HEADER: support.SUPPORTED[HEADER] - {"treat_missing_header_as_empty"}}
    monkeypatch.setattr(matrix, "SUPPORTED", without)
    field = f"{HEADER}.treat_missing_header_as_empty"
    problems = matrix.make_matrix().problems
    assert f"support.py: {field} has an effect, but is not in the table" in problems


def test_a_feature_without_its_tests_is_not_here(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("async def test_it(): ...\n", encoding="utf-8")

    def ours(*proof: str, partly: str = "") -> str:
        return Feature("", "x", partly, "", proof, ()).ours(tmp_path)

    assert ours("test_a.py::test_it") == ours("test_a.py") == "yes"
    assert ours("test_a.py::test_it", partly="a little") == "partly: a little"
    assert ours("test_a.py::test_it", "test_a.py::test_more") == ours("test_b.py") == NOT_HERE


def test_a_peer_s_message_nobody_looked_at_is_not_checked() -> None:
    said = {"title": "", "version": "", "looked_at": "", "reads": {"A": "x y"}, "refuses": {"A": "z"}}
    (peer,) = read_peers({"P": {**said, "partly": {"A.y": "sometimes"}}})
    assert [peer.does("A", field) for field in "xyzw"] == ["yes", "partly: sometimes", "refused", "no"]
    assert peer.does("B", "x") == "not checked"


def test_what_users_may_rely_on_is_there() -> None:
    shown = {path for path, _ in reference.public()}
    for name, members in reference._FOR_USERS.items():
        assert {f"proxyless.{name}.{member}" for member in members} <= shown


def test_every_public_name_says_what_it_is() -> None:
    for path, thing in reference.public():
        assert thing.docstring is not None, path
        first = thing.docstring.value.partition("\n\n")[0].strip()
        assert first.endswith("."), f"{path}: {first}"


def test_every_claim_about_security_leads_somewhere() -> None:
    text = (DOCS / "security.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(links) > 30
    assert [link for link in links if not (DOCS / link).exists()] == []
