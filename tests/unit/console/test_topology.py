"""Who calls whom: edges, rates, errors, percentiles of the last half minute."""

from __future__ import annotations

import pytest

from console.reading.calls import Directory
from console.reading.spans import Place
from console.reading.topology import MOST_LANES, OTHER, Window, edges, percentile, requests_by_lane, topology
from tests.fakes.recorded import DIRECTORY, attempt, made, spans

REVIEWS = "outbound|9080|{}|reviews.default.svc.cluster.local"


def window(seconds: float = 30.0) -> Window:
    return Window("productpage", seconds)


def test_the_edges_of_a_real_mesh() -> None:
    told = spans()
    looked = window(3600)
    looked.add(told)
    calls = looked.calls(max(span.end for span in told), DIRECTORY)
    found = {(str(a), str(b)): {t.lane: t.calls for t in each} for (a, b), each in edges(calls).items()}
    assert found == {
        ("", "productpage v1"): {"base": 1, "dev": 2, "strict": 1},
        ("productpage v1", "details v1"): {"base": 1, "dev": 1},
        ("productpage v1", "details"): {"strict": 1},
        ("productpage v1", "reviews v2"): {"dev": 1, "strict": 1},
        ("productpage v1", "reviews v3"): {"base": 1},
        ("productpage v1", "delivery v1"): {"dev": 1},
        ("delivery v1", "details v1"): {"dev": 1},
        ("reviews v2", "ratings v2"): {"dev": 1},
        ("reviews v2", "ratings"): {"strict": 1},
        ("reviews v3", "ratings v1"): {"base": 1},
    }
    assert requests_by_lane(calls) == {"base": 1, "dev": 2, "strict": 1}
    errors = {(str(b), t.lane): t.errors for (_, b), each in edges(calls).items() for t in each if t.errors}
    assert errors == {("details", "strict"): 1, ("ratings", "strict"): 1}


def test_only_what_ended_in_the_window_counts() -> None:
    looked = window()
    looked.add(made("SERVER", "productpage v1", trace=f"t{n}", start=float(n)) for n in range(100))
    assert requests_by_lane(looked.calls(100.0, DIRECTORY)) == {"base": 30}
    assert requests_by_lane(looked.calls(110.0, DIRECTORY)) == {"base": 20}
    assert looked.calls(200.0, DIRECTORY) == []
    assert looked.calls(100.0, DIRECTORY) == []  # it forgets


def test_a_long_call_still_finds_who_served_it() -> None:
    call = made("CLIENT", "productpage v1", start=0.0, ms=38_000, attempts=(attempt("1.1.1.1:1"),))
    served = made("SERVER", "reviews v2", parent=call.span_id, start=0.0, ms=1_000)
    looked = window()
    looked.add([served])
    assert looked.calls(31.0, DIRECTORY) == []
    looked.add([call])
    [found] = looked.calls(38.0, DIRECTORY)
    assert found.callee == Place("reviews", "v2")


def test_a_span_told_twice_counts_once() -> None:
    looked = window()
    request = made("SERVER", "productpage v1")
    looked.add([request])
    looked.add([request])
    assert len(looked.calls(1.0, DIRECTORY)) == 1


@pytest.mark.parametrize(
    ("error", "endpoint", "service", "version"),
    [
        ("", "127.77.0.12:9080", "reviews", "v2"),  # who served has not told yet
        ("", "10.1.1.1:9080", "reviews", "v7"),  # nor is it known who listens there: the rule tells
        ("UNAVAILABLE", "127.77.0.12:9080", "reviews", ""),  # it reached nobody
    ],
)
def test_who_was_called_where_only_the_caller_tells(
    error: str, endpoint: str, service: str, version: str
) -> None:
    call = made("CLIENT", "productpage v1", error=error, attempts=(attempt(endpoint, REVIEWS.format("v7")),))
    looked = window()
    looked.add([call])
    [found] = looked.calls(1.0, DIRECTORY)
    assert found.callee == Place(service, version)


def test_the_service_of_a_call_that_never_left() -> None:
    looked = window()
    looked.add(
        [
            made("CLIENT", "a v1", error="xds:///ratings.default.svc:9080: fault"),
            made("CLIENT", "b v1", error="CANCELLED"),
            made("CLIENT", "c v1", error="CANCELLED", **{"rpc.service": "unheard.Of"}),
            made("CLIENT", "d v1", error="gone", **{"http.url": "http://delivery.default:80/"}),
        ]
    )
    known = Directory({}, {"bookinfo.v1.Reviews": "reviews"})
    found = {call.caller.service: call.callee for call in looked.calls(1.0, known)}
    assert found == {
        "a": Place("ratings", ""),
        "b": Place("reviews", ""),
        "c": Place("unheard.Of", ""),
        "d": Place("delivery", ""),
    }


def test_in_a_pod_the_address_tells_without_the_port() -> None:
    assert Directory({"10.0.0.7": Place("reviews", "v1")}).at("10.0.0.7:9080") == Place("reviews", "v1")


@pytest.mark.parametrize(("share", "value"), [(50, 50.0), (99, 99.0), (100, 100.0), (1, 1.0), (0.5, 1.0)])
def test_percentiles_are_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], share) == value


def test_the_percentiles_of_one_value_are_that_value() -> None:
    assert percentile([7.0], 50) == percentile([7.0], 99) == 7.0


def test_the_picture() -> None:
    looked = window()
    looked.add(
        made("SERVER", "productpage v1", trace=f"t{n}", lane=lane, start=1.0, ms=n + 1.0)
        for n, lane in enumerate(["qa", "base", "base", "qa", "dev", "base"])
    )
    members = [(Place("productpage", "v1"), True), (Place("reviews", "v1"), False)]
    drawn = topology(looked.calls(2.0, DIRECTORY), members)
    assert drawn["window"] == 30
    assert drawn["nodes"] == [
        {"service": "productpage", "version": "v1", "ready": 1, "total": 1},
        {"service": "reviews", "version": "v1", "ready": 0, "total": 1},
    ]
    [edge] = drawn["edges"]
    assert edge["from"] == {"service": "", "version": ""}
    assert [lane["lane"] for lane in edge["lanes"]] == ["base", "dev", "qa"]
    assert edge["lanes"][0] == {
        "lane": "base",
        "hue": "base",
        "calls": 3,
        "rate": 0.1,
        "errors": 0,
        "p50": 3.0,
        "p99": 6.0,
        "aborted": False,
    }


@pytest.mark.parametrize(
    ("errors", "aborted"),
    [
        (["xds:///reviews: fault injected by route 'base'"] * 2, True),
        (["xds:///reviews: fault injected by route 'base'", "xds:///reviews: nobody"], False),
        (["xds:///reviews: deadline exceeded in a delay injected by route 'base'"], False),
    ],
)
def test_an_edge_to_nobody_for_a_rule_ended_its_calls(errors: list[str], aborted: bool) -> None:
    looked = window()
    looked.add(made("CLIENT", "productpage v1", trace=f"t{n}", error=each) for n, each in enumerate(errors))
    [edge] = topology(looked.calls(1.0, DIRECTORY), ())["edges"]
    assert edge["to"]["version"] == ""
    assert [lane["aborted"] for lane in edge["lanes"]] == [aborted]


def test_an_answer_that_nobody_gave_is_a_rule_s() -> None:
    looked = window()
    url = {"http.url": "http://delivery:9080/delivery/0", "http.status_code": 503}
    looked.add([made("CLIENT", "productpage v1", error="503", **url)])
    [edge] = topology(looked.calls(1.0, DIRECTORY), ())["edges"]
    assert edge["lanes"][0]["aborted"]


def test_lanes_that_a_caller_makes_up_do_not_fill_the_picture() -> None:
    looked = window()
    for number in range(100):
        times = 2 if number >= 90 else 1
        looked.add(
            made("SERVER", "productpage v1", lane=f"made-up-{number}", start=1.0) for _ in range(times)
        )
    looked.add(made("SERVER", "productpage v1", lane=lane, start=1.0) for lane in ("base", "dev"))
    [[*traffic]] = edges(looked.calls(2.0, DIRECTORY), {"dev"}).values()
    calls = {each.lane: each.calls for each in traffic}
    assert len(calls) == MOST_LANES + 3
    assert (calls["base"], calls["dev"], calls[OTHER]) == (1, 1, 80)
    assert all(calls[f"made-up-{number}"] == 2 for number in range(90, 100))  # the busiest are told apart
    assert sum(calls.values()) == 112
