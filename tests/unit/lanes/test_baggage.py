"""The lane in a baggage header, and what happens to everything beside it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes import baggage
from lanes.baggage import MAX_BYTES, MAX_MEMBERS, Baggage, colour, format_member, lane_of, parse, receive


@pytest.mark.parametrize(
    ("headers", "lane", "passed_on"),
    [
        ([], None, ""),
        ([""], None, ""),
        (["env=dev"], "dev", "env=dev"),
        (["user=7,env=dev;ttl=1,x=y"], "dev", "user=7,env=dev;ttl=1,x=y"),
        (["user=7 , env = dev ; ttl=1"], "dev", "user=7,env = dev ; ttl=1"),
        (["user=7\t,\tenv=dev"], "dev", "user=7,env=dev"),
        (["env=dev2"], "dev2", "env=dev2"),
        (["someenv=dev"], None, "someenv=dev"),
        (["ENV=dev"], None, "ENV=dev"),
        (["user=7", "env=dev"], "dev", "user=7,env=dev"),
        # Escapes that need not be would make `env=dev` rules miss.
        (["env=%64ev;p=%31,a=%31"], "dev", "env=dev;p=%31,a=%31"),
        (["env=a+b"], "a+b", "env=a+b"),
        (["env=a%2Cenv=b"], "a,env=b", "env=a%2Cenv=b"),
        (["env=%FF"], "\ufffd", "env=%EF%BF%BD"),
        (["env=%zz"], "%zz", "env=%25zz"),
        # One request, one lane: the last of several, as OpenTelemetry reads them.
        (["env=a,x=1,env=b"], "b", "x=1,env=b"),
        (["env=,x=1"], None, "x=1"),
        # Malformed members are not ours to mend.
        (["env,=x,a b=c,env=dev,;;,=="], "dev", "env,=x,a b=c,env=dev,;;,=="),
        # ... but must not break the call that carries them.
        (["a=\x00,b=é,c=\udcff,env=dev"], "dev", "env=dev"),
        ([",,,env=dev,,"], "dev", "env=dev"),
    ],
)
def test_receive(headers: list[str], lane: str | None, passed_on: str) -> None:
    assert receive(headers, "env") == Baggage(passed_on, lane)


@pytest.mark.parametrize(
    ("header", "lane", "wanted"),
    [
        ("", "dev", "env=dev"),
        ("user=7;p=1", "dev", "env=dev,user=7;p=1"),
        ("user=7,env=old;ttl=1,x=y", "dev", "user=7,env=dev,x=y"),
        ("env=a,user=7,env=b", "dev", "env=dev,user=7"),
        ("user=7,env=old,x=y", None, "user=7,x=y"),
        ("env=old", None, ""),
        ("garbage,,a=1", "dev", "env=dev,garbage,a=1"),
    ],
)
def test_colour_replaces_only_the_lane(header: str, lane: str | None, wanted: str) -> None:
    assert colour(header, "env", lane) == wanted


def test_the_limits_of_the_specification_are_kept_whole() -> None:
    members = [f"k{i}=v" for i in range(MAX_MEMBERS - 1)]
    header = ",".join([*members, "env=dev"])
    assert receive([header], "env") == Baggage(header, "dev")
    full = "a=" + "x" * (MAX_BYTES - len("a=,env=dev")) + ",env=dev"
    assert len(full) == MAX_BYTES
    assert receive([full], "env") == Baggage(full, "dev")


def test_a_lane_that_cannot_travel_is_none_and_its_properties_are_worth_less_than_it() -> None:
    """What this hop takes for the lane is what the next one reads."""
    assert receive([f"a=1,env={'x' * 9000}"], "env") == Baggage("a=1", None)
    assert receive([f"a=1,env=dev{';p' * 9000}"], "env") == Baggage("a=1,env=dev", "dev")


def test_beyond_the_limits_the_lane_stays_and_the_last_members_go() -> None:
    many = receive([",".join(f"k{i}=v" for i in range(100)) + ",env=dev"], "env")
    assert many.lane == "dev"
    assert [m.key for m in parse(many.header)] == [*(f"k{i}" for i in range(63)), "env"]
    large = receive(["a=1,b=" + "x" * 9000 + ",c=3,env=dev"], "env")
    assert large == Baggage("a=1,c=3,env=dev", "dev")


KEYS = st.text("abcxyzABZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8)
VALUES = st.text(max_size=20)


@given(st.lists(st.tuples(KEYS, VALUES), max_size=8))
def test_what_is_formatted_is_parsed_again(pairs: list[tuple[str, str]]) -> None:
    header = ",".join(format_member(key, value, ";p=1") for key, value in pairs)
    assert [(m.key, m.value) for m in parse(header)] == pairs


@given(st.lists(st.text(max_size=200), max_size=4), st.sampled_from(["env", "a", "x-1"]))
def test_no_header_whatever_raises_and_what_goes_on_can_travel(headers: list[str], key: str) -> None:
    received = receive(headers, key)
    assert received.header.isascii()
    assert received.header == "" or received.header.isprintable()
    assert len(parse(received.header)) <= MAX_MEMBERS
    assert len(received.header) <= MAX_BYTES
    assert lane_of(parse(received.header), key) == received.lane


@given(st.lists(st.text("ab=;, env%\t", max_size=60), max_size=4))
def test_a_second_hop_changes_nothing_more(headers: list[str]) -> None:
    once = receive(headers, "env")
    assert receive([once.header], "env") == once


@given(
    st.lists(st.tuples(KEYS.filter(lambda k: k != "env"), VALUES), max_size=8),
    st.from_regex("[a-z]{1,9}", fullmatch=True),
)
def test_colouring_leaves_the_others_alone(pairs: list[tuple[str, str]], lane: str) -> None:
    header = ",".join(format_member(key, value) for key, value in pairs)
    coloured = colour(header, "env", lane)
    assert lane_of(parse(coloured), "env") == lane
    assert [(m.key, m.value) for m in parse(coloured) if m.key != "env"] == pairs
    assert baggage.colour(coloured, "env", None) == header
