"""The rule of a lane: RE2 matches a header exactly when one of its members is the lane's."""

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from lanes.baggage import parse
from lanes.render import lane_regex


def matches(header: str, key: str = "env", lane: str = "dev") -> bool:
    return re2.fullmatch(lane_regex(key, lane), header) is not None


@pytest.mark.parametrize(
    "header",
    [
        "env=dev",
        "user=7,env=dev;ttl=1,x=y",
        "env=dev,user=7",
        "a=1 ,\tenv = dev ; p ; q=2 , b=2",
        "a,b,,env=dev",
        "env=qa,env=dev",
        'note="quoted", env=dev',
    ],
)
def test_hits(header: str) -> None:
    assert matches(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "env=dev2",
        "env=2dev",
        "someenv=dev",
        "some env=dev",
        "env=de",
        "env=dev=1",
        "env=",
        "env",
        "env==dev",
        "a=1;env=dev",
        "a=env=dev",
        "ENV=dev",
        "env=DEV",
        "env=dev x",
        "xenv=dev,env=devx",
    ],
)
def test_misses(header: str) -> None:
    assert not matches(header)


def test_special_characters_of_a_key_are_only_themselves() -> None:
    assert matches("a.b*|+^$=dev", "a.b*|+^$")
    assert not matches("aXb*|+^$=dev", "a.b*|+^$")


PIECES = st.sampled_from(
    ["env", "dev", "=", ";", ",", " ", "\t", "someenv", "dev2", "x=y", "env=dev", "p=1", "é", "user=7", "%64"]
)


@given(st.lists(PIECES, max_size=14).map("".join))
@example("env=dev")
@example("x=y,\tenv =dev;p=1")
def test_the_regex_is_the_parsed_truth(header: str) -> None:
    truth = any(m.key == "env" and m.raw_value == "dev" for m in parse(header))
    assert matches(header) == truth


@given(
    before=st.lists(
        st.sampled_from(["user=7", "x=y;p=1;q", "someenv=dev", "env2=dev", "broken"]), max_size=5
    ),
    after=st.lists(st.sampled_from(["user=7", "x=y;p=1;q", "someenv=dev", "env2=dev", ""]), max_size=5),
    blanks=st.tuples(*[st.text(" \t", max_size=2)] * 4),
    value=st.sampled_from(["dev", "dev2", "de", "qa", ""]),
    properties=st.sampled_from(["", ";ttl=1", ";a;b=2"]),
)
def test_in_any_company(
    before: list[str], after: list[str], blanks: tuple[str, str, str, str], value: str, properties: str
) -> None:
    a, b, c, d = blanks
    member = f"{a}env{b}={c}{value}{d}{properties}"
    assert matches(",".join([*before, member, *after])) == (value == "dev")
