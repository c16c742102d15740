"""What clients hold: read out of config dumps, and since when it is so."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from console.reading.clients import Changes, client_json, read_dump
from console.reading.spans import UnreadableError
from console.reading.tables import lanes_of, rules_of
from lanes.spec import Lane, Mode
from tests.fakes.recorded import said

REVIEWS = "outbound|9080||reviews.default.svc.cluster.local"


def dumped(**fields: Any) -> Any:
    """The recorded dump with other fields of the routing table of reviews."""
    data = copy.deepcopy(said("config-dump"))
    data["resources"]["RDS"]["resources"][REVIEWS] |= fields
    return data


def table(data: Any) -> dict[str, Any]:
    [found] = [r for r in client_json(read_dump(data), Changes(), "")["resources"] if r["type"] == "RDS"]
    return found


def test_what_is_in_force() -> None:
    dump = read_dump(said("config-dump"))
    assert dump.name == "productpage-v1"
    assert [each.type for each in dump.resources][:2] == ["LDS", "RDS"]
    assert {each.type for each in dump.resources} == {"LDS", "RDS", "CDS", "EDS"}
    assert "xds:///reviews.default.svc.cluster.local:9080" in dump.targets
    shown = client_json(dump, Changes(), "")
    assert (shown["connected"], shown["error"]) == (True, "")
    found = table(said("config-dump"))
    assert (found["name"], found["state"], found["error"], found["changed"]) == (REVIEWS, "ACKED", "", None)
    assert found["unsupported"] == ["virtual_hosts[0].include_request_attempt_count: has no effect here"]
    assert found["version"]


def test_what_was_refused_and_why() -> None:
    found = table(dumped(state="NACKED", error="virtual_hosts[0]: no domains"))
    assert (found["state"], found["error"]) == ("NACKED", "virtual_hosts[0]: no domains")


def test_a_client_that_lost_its_control_plane_and_one_that_is_lost_itself() -> None:
    data = dumped()
    data["server"]["error"] = "control plane c:1: UNAVAILABLE: connection refused"
    dump = read_dump(data)
    assert client_json(dump, Changes(), "")["connected"] is False
    assert client_json(dump, Changes(), "")["error"].startswith("the control plane does not answer;")
    gone = client_json(dump, Changes(), "no answer within 3 s")
    assert (gone["connected"], gone["error"]) == (False, "no answer within 3 s")
    assert gone["resources"]


def test_since_when_it_is_so() -> None:
    changes = Changes()

    def since() -> float | None:
        return changes.since("productpage-v1", "RDS", REVIEWS)

    assert since() is None
    changes.look(read_dump(dumped()), 1.0)
    assert since() is None  # it may have been so for long
    changes.look(read_dump(dumped(version="another number")), 2.0)
    assert since() is None  # with the same rules in it
    changes.look(read_dump(dumped(state="NACKED", error="no")), 3.0)
    assert since() == 3.0
    changes.look(read_dump(dumped(state="NACKED", error="no")), 4.0)
    assert since() == 3.0
    changes.look(read_dump(dumped()), 5.0)
    assert since() == 5.0
    without = dumped()
    del without["resources"]["RDS"]["resources"][REVIEWS]
    changes.look(read_dump(without), 6.0)
    assert since() is None
    changes.look(read_dump(dumped()), 7.0)
    assert since() == 7.0
    assert changes.known_at("productpage-v1", 1.0)
    assert not changes.known_at("productpage-v1", 0.5)
    changes.forget([])
    assert since() is None
    assert not changes.known_at("productpage-v1", 9.0)


def test_whose_rule_is_which() -> None:
    [rds] = read_dump(said("config-dump")).of_type("RDS")
    rules = [(rule.name, rule.lane, rule.strict) for rule in rules_of(rds.body, "env")]
    assert rules == [
        ("lane-dev", "dev", False),
        ("lane-plain", "plain", False),
        ("lane-strict", "strict", False),
        ("lane-strict-strict", "strict", True),
        ("base", "", False),
    ]
    assert {(rule.lane, rule.wants) for rule in rules_of(rds.body, "another-key")} == {("", "")}
    assert rules_of(rds.body, "env")[0].headers == ("baggage",)


def test_a_rule_for_a_lane_that_is_not_the_lanes_own() -> None:
    [rds] = read_dump(said("config-dump")).of_type("RDS")
    body: Any = copy.deepcopy(rds.body)
    dev, *_, base = body["virtual_hosts"][0]["routes"]
    dev["name"] = "fault-dev"
    base["match"]["headers"] = [{**copy.deepcopy(dev["match"]["headers"][0]), "invert": True}]
    first, *_, last = rules_of(body, "env")
    assert (first.name, first.wants, first.lane) == ("fault-dev", "dev", "")
    assert (last.name, last.wants, last.lane) == ("base", "", "")


def test_the_lanes_that_clients_know_of() -> None:
    assert lanes_of([(read_dump(said("config-dump")), "env")]) == (
        Lane("dev", {"reviews": "v2"}),
        Lane("plain", {"reviews": "v1"}),
        Lane("strict", {"reviews": "v2"}, Mode.STRICT),
    )


@pytest.mark.parametrize(
    "body", [None, 7, {}, {"virtual_hosts": 1}, {"virtual_hosts": [{"routes": [3, {}]}]}]
)
def test_a_table_of_another_form_has_no_lanes(body: object) -> None:
    assert [rule for rule in rules_of(body, "env") if rule.lane] == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("node", {}, "id is no text"),
        ("server", None, "server is no object"),
        ("resources", [], "resources is no object"),
        ("resources", {"RDS": {"resources": {"x": 1}}}, "x is no object"),
        ("resources", {"RDS": {"resources": {"x": {"state": "ACKED", "unsupported": 1}}}}, "is no list"),
        ("targets", None, "targets is no object"),
    ],
)
def test_what_is_no_dump_is_an_error_by_name(field: str, value: Any, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        read_dump({**said("config-dump"), field: value})


def test_what_is_not_there_was_not_refused() -> None:
    data = said("config-dump")
    [gone, refused, *_] = data["resources"]["CDS"]["resources"].values()
    gone |= {"state": "DOES_NOT_EXIST", "error": "a full response proved that it does not exist"}
    refused |= {"state": "NACKED", "error": "weights add up to nothing"}
    shown = client_json(read_dump(data), Changes(), "")
    total = len(shown["resources"])
    counts = {"acked": total - 2, "refused": 1, "absent": 1, "waiting": 0, "failed": 0}
    assert shown["counts"] == counts
    by_state = {each["state"]: each for each in shown["resources"]}
    absent = by_state["DOES_NOT_EXIST"]
    assert (absent["error"], absent["absent"]) == ("", "a full response proved that it does not exist")
    assert (by_state["NACKED"]["error"], by_state["NACKED"]["absent"]) == ("weights add up to nothing", "")
    assert by_state["ACKED"]["absent"] == ""


REFUSED = (
    "control plane 127.0.0.1:1: UNAVAILABLE: failed to connect to all addresses: Connection refused (111)"
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (REFUSED, "the control plane does not answer; the last rules stay in force"),
        (
            "control plane c:1: UNAVAILABLE: Tls handshake failed",
            "the control plane cannot be used; the last rules stay in force",
        ),
        ("", ""),
    ],
)
def test_a_dead_stream_in_a_sentence(error: str, sentence: str) -> None:
    data = said("config-dump")
    data["server"]["error"] = error or None
    shown = client_json(read_dump(data), Changes(), "")
    assert (shown["connected"], shown["error"], shown["error_detail"]) == (not error, sentence, error)
    data["resources"] = {}
    if error == REFUSED:
        none = client_json(read_dump(data), Changes(), "")
        assert none["error"] == "the control plane does not answer; there are no rules yet"
    assert client_json(read_dump(data), Changes(), "out of reach")["error"] == "out of reach"
