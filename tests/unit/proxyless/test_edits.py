"""Header mutation: what is removed, added, overwritten, by which level."""

from __future__ import annotations

from typing import Any

import pytest
from proxyless.edits import edited, edited_answer
from proxyless.errors import ResourceError
from proxyless.parse.edits import parse_edits
from proxyless.parse.support import Notes
from proxyless.resources import HeaderEdit, HeaderEdits, MessageEdits

from tests.fakes import resources as build

BEFORE = (("a", "1"), ("b", "2"), ("a", "3"), ("x-bin", b"4"))
CALL = {"user": "joined, or removed since", ":path": "/s/m", "content-type": "application/grpc"}


def add(how: Any, name: str, value: str, keep_empty: bool = False) -> HeaderEdits:
    return HeaderEdits(add=(HeaderEdit(how, name, value, keep_empty),))


@pytest.mark.parametrize(
    ("level", "after"),
    [
        (HeaderEdits(), BEFORE),
        (HeaderEdits(remove=("a", "none")), (("b", "2"), ("x-bin", b"4"))),
        (add("append", "a", "9"), (*BEFORE, ("a", "9"))),
        (add("append", "c", "9"), (*BEFORE, ("c", "9"))),
        (add("add_if_absent", "a", "9"), BEFORE),
        (add("add_if_absent", "c", "9"), (*BEFORE, ("c", "9"))),
        (add("overwrite", "a", "9"), (("b", "2"), ("x-bin", b"4"), ("a", "9"))),
        (add("overwrite", "c", "9"), (*BEFORE, ("c", "9"))),
        (add("overwrite_if_exists", "b", "9"), (("a", "1"), ("a", "3"), ("x-bin", b"4"), ("b", "9"))),
        (add("overwrite_if_exists", "c", "9"), BEFORE),
        (add("append", "c", ""), BEFORE),
        (add("append", "c", "", True), (*BEFORE, ("c", ""))),
        (add("append", "c", "%REQ(B)% at 100%%"), (*BEFORE, ("c", "2 at 100%"))),
        (add("append", "c", "%REQ(:PATH)%"), (*BEFORE, ("c", "/s/m"))),
        (add("append", "c", "%REQ(nobody)%"), BEFORE),
        (add("append", "c", "<%REQ(nobody)%>"), (*BEFORE, ("c", "<>"))),
        (add("append", "c", "%REQ(nobody?a)%"), (*BEFORE, ("c", "1"))),  # the first value
        (add("append", "c", "%REQ(b?a)%%REQ(nobody?none)%"), (*BEFORE, ("c", "2"))),
        (add("append", "c", "%REQ(:path):2%|%REQ(b):0%|%REQ(b):9%"), (*BEFORE, ("c", "/s||2"))),
        (add("append", "c", "%REQ(content-type)%"), (*BEFORE, ("c", "application/grpc"))),
        (add("append", "c", "%REQ(x-bin)%"), BEFORE),
        (HeaderEdits(("b",), (HeaderEdit("append", "c", "%REQ(b)%"),)), (*BEFORE[:1], *BEFORE[2:])),
        # Within a level Envoy overwrites before it adds, and looks at what is there before either.
        (
            HeaderEdits(add=(HeaderEdit("append", "c", "9"), HeaderEdit("overwrite", "c", "8"))),
            (*BEFORE, ("c", "8"), ("c", "9")),
        ),
        (
            HeaderEdits(add=(HeaderEdit("append", "c", "9"), HeaderEdit("add_if_absent", "c", "8"))),
            (*BEFORE, ("c", "9"), ("c", "8")),
        ),
        (
            HeaderEdits(add=(HeaderEdit("append", "c", "9"), HeaderEdit("overwrite_if_exists", "c", "8"))),
            (*BEFORE, ("c", "9")),
        ),
        (
            HeaderEdits(add=(HeaderEdit("overwrite", "c", "8"), HeaderEdit("overwrite", "c", "9"))),
            (*BEFORE, ("c", "9")),
        ),
        (add("append", "y-bin", "v"), (*BEFORE, ("y-bin", b"v"))),
        (
            HeaderEdits(("a",), (HeaderEdit("append", "a", "9"),)),
            (("b", "2"), ("x-bin", b"4"), ("a", "9")),
        ),
    ],
)
def test_one_level(level: HeaderEdits, after: Any) -> None:
    assert edited(BEFORE, [level], CALL.get) == after


def test_a_level_sees_what_the_one_before_did() -> None:
    levels = [add("append", "a", "1"), add("overwrite_if_exists", "a", "<%REQ(a)%>")]
    assert edited((), levels, CALL.get) == (("a", "<1>"),)


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("%RESP(a)%", "1"),
        ("%RESP(none?b)%", "2"),
        ("%REQ(user)%", "joined, or removed since"),
        ("%REQ(a)%", ""),
        ("%REQ(:path)% %RESP(A):1%%%", "/s/m 1%"),
    ],
)
def test_an_answer_can_quote_both(value: str, becomes: str) -> None:
    after = edited_answer(BEFORE, [add("append", "c", value, True)], CALL.get)
    assert after == (*BEFORE, ("c", becomes))


def test_the_last_level_has_the_last_word() -> None:
    levels = [add("overwrite", "a", "first"), add("overwrite", "a", "last")]
    assert edited((), levels, CALL.get) == (("a", "last"),)


def parsed(**fields: Any) -> tuple[MessageEdits, list[str]]:
    host = build.virtual_host("vh", ["*"], [{**build.route("c"), **fields}])
    notes = Notes()
    return parse_edits(host.routes[0], "r", notes), notes.lines


def test_what_is_read() -> None:
    options = [
        {"header": {"key": "A", "value": "1"}},
        {"header": {"key": "b", "value": "2"}, "append": False},
        {"header": {"key": "c", "value": "%REQ(x?y):9%"}, "append_action": "OVERWRITE_IF_EXISTS"},
        {"header": {"key": "d"}, "append_action": "ADD_IF_ABSENT", "keep_empty_value": True},
    ]
    edits, notes = parsed(request_headers_to_add=options, response_headers_to_remove=["Server"])
    assert edits.request.add == (
        HeaderEdit("append", "a", "1"),
        HeaderEdit("overwrite", "b", "2"),
        HeaderEdit("overwrite_if_exists", "c", "%REQ(x?y):9%"),
        HeaderEdit("add_if_absent", "d", "", True),
    )
    assert edits.response == HeaderEdits(("server",))
    assert not notes


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"request_headers_to_add": [{"header": {"key": ":authority", "value": "x"}}]}, "it is gRPC's own"),
        ({"request_headers_to_remove": ["Host"]}, "'Host' has no effect here"),
        ({"request_headers_to_remove": ["grpc-timeout"]}, "it is gRPC's own"),
        (
            {"response_headers_to_add": [{"header": {"key": "a", "value": "%UPSTREAM_HOST%"}}]},
            "r.response_headers_to_add[0].header.value: '%UPSTREAM_HOST%' has no effect here",
        ),
        *(
            (
                {"request_headers_to_add": [{"header": {"key": "a", "value": value}}]},
                f"r.request_headers_to_add[0].header.value: {value!r} has no effect here: of commands, only "
                "%REQ()% is known",
            )
            for value in ["%RESP(a)%", "%REQ%", "%REQ(a", "100%", "%REQ(a):x%", "%REQ(a?)%", "%PROTOCOL%"]
        ),
    ],
)
def test_what_has_no_effect_is_noted(fields: Any, note: str) -> None:
    edits, notes = parsed(**fields)
    assert not edits.request and not edits.response
    assert len(notes) == 1 and note in notes[0]


def test_two_ways_to_say_how_are_refused() -> None:
    option = {"header": {"key": "a"}, "append": True, "append_action": "ADD_IF_ABSENT"}
    with pytest.raises(ResourceError, match="cannot go with append_action"):
        parsed(request_headers_to_add=[option])


@pytest.mark.parametrize("name", ["", "a b", "ä"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ResourceError, match="is not a header name"):
        parsed(request_headers_to_add=[{"header": {"key": name, "value": "1"}}])
