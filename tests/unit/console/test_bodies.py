"""What verbs are asked with: taken as they are meant, or refused by the name of the field."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.acting import bodies
from console.acting.bodies import READERS, BodyError, parse, read
from lanes.spec import Mode

GOOD: dict[str, tuple[dict[str, Any], bodies.Body]] = {
    "weights": (
        {"service": "reviews", "weights": {"v1": 40, "v3": 60, "v2": 0}},
        bodies.Weights("reviews", {"v1": 40, "v3": 60, "v2": 0}),
    ),
    "validate": ({"yaml": "a: 1"}, bodies.Yaml("a: 1")),
    "apply": ({"yaml": "a: 1"}, bodies.Yaml("a: 1")),
    "delete": (
        {"kind": "VirtualService", "namespace": "default", "name": "reviews"},
        bodies.Delete("VirtualService", "default", "reviews"),
    ),
    "lane-create": (
        {"name": "dev", "versions": {"reviews": "v2"}, "mode": "strict"},
        bodies.LaneCreate("dev", {"reviews": "v2"}, Mode.STRICT),
    ),
    "lane-delete": ({"name": "dev"}, bodies.Named("dev")),
    "kill": ({"name": "reviews/v2"}, bodies.Named("reviews/v2")),
    "start": ({"name": "controlplane"}, bodies.Named("controlplane")),
    "fault": (
        {"service": "reviews", "lane": "", "delay_ms": 500, "abort": None, "percent": 12.5},
        bodies.Fault(bodies.Scope("reviews", ""), 500, None, 12.5),
    ),
    "clear-fault": ({"service": "reviews", "lane": "base"}, bodies.Scope("reviews", "base")),
    "send": ({"lane": "dev", "user": "jason", "count": 3}, bodies.Send("dev", "jason", 3)),
    "traffic": ({"rate": 2.5, "lanes": {"base": 4, "dev": 1}}, bodies.Traffic(2.5, {"base": 4, "dev": 1})),
    "undo": ({"id": "7"}, bodies.Undo("7")),
}


def test_every_verb_is_here() -> None:
    assert GOOD.keys() == READERS.keys()


@pytest.mark.parametrize("verb", GOOD)
def test_a_body_is_read(verb: str) -> None:
    data, expected = GOOD[verb]
    assert read(verb, parse(json.dumps(data).encode())) == expected


@pytest.mark.parametrize("verb", GOOD)
def test_an_unknown_field_is_named(verb: str) -> None:
    with pytest.raises(BodyError, match="There is no field 'expcted'"):
        read(verb, {**GOOD[verb][0], "expcted": 1})


@pytest.mark.parametrize("verb", GOOD)
def test_a_missing_field_is_named(verb: str) -> None:
    optional = {"mode", "delay_ms", "abort", "lanes"} if verb != "send" else {"lane", "user"}
    for name in GOOD[verb][0].keys() - optional:
        with pytest.raises(BodyError, match=rf"'{name}' is missing"):
            read(verb, {key: value for key, value in GOOD[verb][0].items() if key != name})


@pytest.mark.parametrize("verb", GOOD)
@pytest.mark.parametrize("wrong", [[], {"": []}, True, "\n", -1, 1e9, "x" * 70_000])
def test_a_field_of_the_wrong_type_is_named(verb: str, wrong: Any) -> None:
    for name in GOOD[verb][0]:
        if name == "yaml" and isinstance(wrong, str):
            continue
        with pytest.raises(BodyError, match=name):
            read(verb, {**GOOD[verb][0], name: wrong})


@pytest.mark.parametrize(
    ("verb", "changed", "said"),
    [
        ("weights", {"weights": {"v1": 99}}, "weights sum to 99, not 100."),
        ("weights", {"weights": {}}, "weights sum to 0, not 100."),
        ("weights", {"weights": {"v1": 101, "v2": -1}}, "weights.v1 is not within 0 to 100."),
        ("weights", {"weights": {"v1": 50.5, "v2": 49.5}}, "weights.v1 is not a whole number."),
        ("weights", {"weights": {"v1": True}}, "weights.v1 is not a whole number."),
        ("weights", {"weights": {"-v1": 100}}, "weights: the version '-v1' is not 1 to 63 letters"),
        ("lane-create", {"versions": {}}, "versions names no service."),
        ("lane-create", {"versions": {"reviews": "./reviews"}}, "versions.reviews './reviews' is not"),
        ("lane-create", {"versions": {"reviews": 2}}, "versions.reviews is not a text."),
        ("lane-create", {"mode": "loose"}, "mode 'loose' is none of permissive, strict."),
        ("lane-create", {"name": "base"}, "name 'base' is the name of the base lane."),
        ("fault", {"delay_ms": None}, "Neither delay_ms nor abort"),
        ("fault", {"delay_ms": 0}, "delay_ms is not within 1 to 600000."),
        ("fault", {"abort": "OK"}, "abort 'OK' is none of"),
        ("fault", {"percent": 100.1}, "percent is not within 0 to 100."),
        ("fault", {"lane": "Dev"}, "lane 'Dev' is not made of"),
        ("send", {"count": 0}, "count is not within 1 to 50."),
        ("send", {"count": 51}, "count is not within 1 to 50."),
        ("traffic", {"rate": 50.5}, "rate is not within 0 to 50."),
        ("traffic", {"lanes": {}}, "lanes gives no lane a share."),
        ("traffic", {"lanes": {"dev": 0}}, "lanes gives no lane a share."),
        ("traffic", {"lanes": {"Dev": 1}}, "lanes: the lane name 'Dev' is not made of"),
        ("traffic", {"lanes": {"dev": float("nan")}}, "lanes.dev is not within 0 to 1000."),
        ("traffic", {"rate": float("inf")}, "rate is not within 0 to 50."),
    ],
)
def test_what_is_out_of_range_is_named(verb: str, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BodyError) as caught:
        read(verb, {**GOOD[verb][0], **changed})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xff"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"\xef\xbb\xbf{}",
        b"{} {}",
    ],
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BodyError):
        parse(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_nothing_but_a_body_or_a_sentence_comes_of_any_fields(verb: str, data: st.DataObject) -> None:
    given_fields = {name: data.draw(st.just(value) | JSON) for name, value in GOOD[verb][0].items()}
    try:
        read(verb, given_fields)
    except BodyError as error:
        assert str(error).endswith((".", "…"))
