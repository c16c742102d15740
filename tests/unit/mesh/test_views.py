"""What a person reads: reports, status, tables."""

import io
import json
from typing import cast

import pytest
from rich.console import Console

from mesh.admin import problem_line
from mesh.clients import Settling, with_view, with_xds_state
from mesh.objects import parse_objects
from mesh.report import ClientOutcome, ObjectOutcome, Report, pod_of
from mesh.sources import BASE_RULES, CANARY_RULES, read_files
from mesh.status import MeshStatus, ProcessStatus, describe_exit
from mesh.table import about, change_line, objects_view, status_view

NACK = {"version": "1f", "message": "1 of 1 resources refused: a: no", "at": "2026-01-01T00:00:00.000Z"}
NODE = "sidecar~127.77.0.11~{}.default~default.svc.cluster.local"
CREATED = (ObjectOutcome("virtualservice.networking.istio.io/reviews", "created"),)


def shown(view: object) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(view)
    return cast(io.StringIO, console.file).getvalue()


def client(pod: str, state: str, message: str = "") -> ClientOutcome:
    return ClientOutcome(NODE.format(pod), state, message, ("reviews:9080",))


@pytest.mark.parametrize(
    ("report", "ok", "last"),
    [
        (
            Report(CREATED, (client("b", "acknowledged"), client("a", "acknowledged")), 12.4),
            True,
            "acknowledged by 2 clients in 12 ms: a, b",
        ),
        (Report(CREATED), True, "no connected client is affected"),
        (
            Report(CREATED, (client("a", "refused", "bad regex"),)),
            False,
            "refused by a (reviews:9080): bad regex",
        ),
        (
            Report(CREATED, (client("a", "pending"),), complete=False, timeout=0.5),
            False,
            "no answer from a within 0.5 s",
        ),
        (Report((ObjectOutcome("x", "unchanged"),)), True, "x unchanged"),
        (Report(CREATED, complete=False, unobserved="nobody knows"), False, "nobody knows"),
    ],
)
def test_a_report_says_who_took_it(report: Report, ok: bool, last: str) -> None:
    assert report.ok is ok
    assert report.lines()[-1] == last
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report


@pytest.mark.parametrize(
    ("node", "pod"),
    [(NODE.format("reviews-v2"), "reviews-v2"), ("my-client", "my-client"), ("a~b~c~d", "c")],
)
def test_a_client_goes_by_its_pod(node: str, pod: str) -> None:
    assert pod_of(node) == pod


@pytest.mark.parametrize(
    ("code", "text"), [(0, "exit 0"), (3, "exit 3"), (-9, "SIGKILL"), (-250, "signal 250")]
)
def test_exits_in_words(code: int, text: str) -> None:
    assert describe_exit(code) == text


def test_a_process_in_words() -> None:
    died = ProcessStatus("reviews/v2", "127.77.0.12:9080", "died", exit_code=1)
    assert died.text == "died (exit 1)"
    assert change_line(died) == "reviews/v2 died (exit 1) 127.77.0.12:9080"
    assert ProcessStatus("a/v1", "x", "ready", pid=7, exit_code=None).text == "ready"


def mesh_status() -> MeshStatus:
    processes = (
        ProcessStatus("controlplane", "127.0.0.1:15010", "ready", pid=1),
        ProcessStatus("reviews/v2", "127.77.0.12:9080", "ready", pid=2),
        ProcessStatus("ratings/v1", "127.77.0.13:9080", "killed", exit_code=-9),
    )
    view = {
        "generation": 4,
        "objects": [{}, {}],
        "errors": [],
        "warnings": [{"file": "a.yaml", "document": 2, "line": 7, "field": "spec", "message": "odd"}],
        "clients": [
            {
                "id": NODE.format("reviews-v2"),
                "types": {"LDS": {"state": "acknowledged"}, "RDS": {"state": "refused", "last_nack": NACK}},
            },
            {"id": "somebody", "types": {}},
        ],
    }
    status = MeshStatus(
        "ready", "http://127.0.0.1:9080", "127.0.0.1:15010", "http://127.0.0.1:15014", "/s",
        with_xds_state(processes, view), limits=("only one address",),
    )  # fmt: skip
    return with_view(status, view)


def test_status_brings_processes_and_clients_together() -> None:
    status = mesh_status()
    assert status.process("reviews/v2").xds == "refused: RDS: 1 of 1 resources refused: a: no"
    assert status.clients == ("somebody",)
    assert status.warnings == ("a.yaml:7 (document 2): spec: odd",)
    assert MeshStatus.from_dict(json.loads(json.dumps(status.to_dict()))) == status
    with pytest.raises(KeyError):
        status.process("details/v9")


def test_the_table_shows_it_all() -> None:
    text = shown(status_view(mesh_status()))
    for part in (
        "killed (SIGKILL)",
        "refused: RDS: 1 of 1 resources refused: a: no",
        "limit: only one address",
        "somebody",
        "generation 4",
    ):
        assert part in text


def test_without_a_control_plane_the_table_says_so() -> None:
    status = with_view(MeshStatus("ready", "u", "x", "a", "s", ()), None)
    assert "does not answer" in shown(status_view(status))


def test_objects_in_a_table() -> None:
    rules = [item for text in read_files([CANARY_RULES]).values() for item in parse_objects(text, "t")]
    text = shown(objects_view(rules))
    assert "reviews: matched → v2; → v1 80%, v3 20%" in text
    assert "ratings: subsets v1, v2" in text


@pytest.mark.parametrize(
    "spec", ["", "spec: 7", "spec: {http: 7, hosts: 8}", "spec: {http: [{route: [{}]}]}"]
)
def test_an_odd_object_is_listed_too(spec: str) -> None:
    [item] = parse_objects(f"apiVersion: a/v1\nkind: VirtualService\nmetadata: {{name: n}}\n{spec}", "t")
    assert isinstance(about(item), str)


def test_the_rules_shipped_are_read() -> None:
    assert {path.split("/")[-1] for path in read_files([BASE_RULES])} == {
        "destination-rules.yaml",
        "virtual-services.yaml",
    }


def test_problems_of_the_control_plane_are_one_line_with_their_place() -> None:
    problem = {"file": "a.yaml", "document": 1, "line": 3, "field": "spec.http[0]", "message": "is wrong"}
    assert problem_line(problem) == "a.yaml:3: spec.http[0]: is wrong"
    assert problem_line("as it is") == "as it is"


def look(**types: str) -> dict[str, object]:
    states = {short: {"state": state, "last_nack": NACK} for short, state in types.items()}
    return {"clients": [{"id": NODE.format("a"), "types": states}]}


def test_a_client_has_settled_when_it_asks_for_no_more() -> None:
    settling = Settling(["a"])
    done = look(LDS="acknowledged", EDS="acknowledged")
    assert settling.unsettled(None) == {"a": "is not connected to the control plane"}
    assert settling.unsettled(look(LDS="pending")) == {"a": "has not taken its configuration (pending)"}
    assert settling.unsettled(look(LDS="acknowledged")) == {"a": "is still asking for configuration"}
    assert settling.unsettled(done) == {"a": "is still asking for configuration"}
    assert settling.unsettled(done) == {}
    assert settling.unsettled({"clients": []}) == {"a": "is not connected to the control plane"}
    assert settling.unsettled(done) == {"a": "is still asking for configuration"}


def test_a_client_that_refuses_does_not_settle() -> None:
    settling = Settling(["a"])
    refusing = look(LDS="acknowledged", RDS="refused", EDS="acknowledged")
    for _ in range(3):
        assert settling.unsettled(refusing) == {
            "a": "has not taken its configuration (refused: RDS: 1 of 1 resources refused: a: no)"
        }


def test_a_client_without_endpoints_settles_later() -> None:
    settling = Settling(["a"])
    looks = [settling.unsettled(look(LDS="acknowledged")) for _ in range(30)]
    assert looks[1] != {}
    assert looks[-1] == {}
