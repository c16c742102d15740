"""The file of the door's rules: what it may say, where it is wrong, and whom its rules are for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.context import Forwarding
from lanes.door import CookieRule, Door, HeaderRule, ShareRule, UserRule, Visitor, admit
from lanes.doorfile import DoorError, DoorRule, compiled, digest_of, format_door, parse_door

WHOLE = """
rules:
- header: X-Lane
- header: x-team
  equals: blue
  lane: dev
- cookie: lane
- user: [jason, ann]
  lane: dev
- user: zoe
  lane: qa
- percent: 10
  lane: dev
- percent: 2.5
  lane: qa
"""


def test_every_kind_of_rule() -> None:
    rules = parse_door(WHOLE)
    assert compiled(rules) == (
        HeaderRule("x-lane"),
        HeaderRule("x-team", "blue", "dev"),
        CookieRule("lane"),
        UserRule(frozenset({"jason", "ann"}), "dev"),
        UserRule(frozenset({"zoe"}), "qa"),
        ShareRule(0.0, 0.1, "dev"),
        ShareRule(0.1, 0.125, "qa"),
    )
    assert parse_door(format_door(rules)) == rules
    assert [rule.describe() for rule in rules] == [
        "header x-lane → the lane it names",
        "header x-team = blue → dev",
        "cookie lane → the lane it names",
        "user jason, ann → dev",
        "user zoe → qa",
        "10% of the visitors who asked for no lane → dev",
        "2.5% of the visitors who asked for no lane → qa",
    ]


@pytest.mark.parametrize("text", ["", "# nothing", "rules:", "rules: []"])
def test_no_rules(text: str) -> None:
    assert parse_door(text) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [", "door.yaml:2: this is not YAML"),
        ("[]", "door.yaml:1: the file holds `rules` and nothing else."),
        ("rules: []\nrule: []", "door.yaml:2: rule: the file holds `rules` and nothing else."),
        ("rules: {}x", "door.yaml:1: "),
        ("rules: x", "door.yaml:1: rules: it is a list of rules."),
        ("rules:\n- x", "door.yaml:2: rules[0]: a rule is a mapping"),
        ("rules:\n- header: x\n  too: y", "door.yaml:3: rules[0].too: a rule has no such field"),
        (
            "rules:\n- lane: dev",
            "door.yaml:2: rules[0]: a rule has exactly one of header, cookie, user, percent.",
        ),
        ("rules:\n- header: x\n  cookie: y", "exactly one of"),
        ("rules:\n- header: x y", "rules[0].header: 'x y' cannot be the name of a header."),
        ("rules:\n- cookie: 7", "rules[0].cookie: 7 is no text; quote it"),
        ("rules:\n- header: x\n  equals: y", "rules[0]: this rule needs a `lane` to lead to."),
        (
            "rules:\n- header: x\n  lane: base",
            "rules[0].lane: the lane name 'base' is the name of the base lane.",
        ),
        ("rules:\n- user: x\n  equals: y\n  lane: dev", "rules[0].equals: only a header or a cookie"),
        ("rules:\n- user: []\n  lane: dev", "rules[0].user: a user is a name"),
        ("rules:\n- user: 7\n  lane: dev", "rules[0].user: a user is a name"),
        ("rules:\n- percent: true\n  lane: dev", "rules[0].percent: True is no number above 0"),
        ("rules:\n- percent: .nan\n  lane: dev", "rules[0].percent: nan is no number above 0"),
        (
            "rules:\n- {percent: 60, lane: a}\n- {percent: 50, lane: b}",
            "door.yaml:3: rules[1].percent: the shares sum",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(DoorError) as caught:
        parse_door(text, "door.yaml")
    assert str(caught.value).startswith("door.yaml:")
    assert said in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_rules_or_a_reason(text: str) -> None:
    try:
        parse_door(text)
    except DoorError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("visitor", "lane"),
    [
        (Visitor({"x-lane": "blue"}, user="jason"), "blue"),
        (Visitor({}, {"team": "red"}, user="jason"), "dev"),
        (Visitor({}, {"team": "red"}), "red"),
        (Visitor({}, user="zoe", draw=0.09), "share"),
        (Visitor({}, draw=0.1), "other"),
        (Visitor({}, draw=0.2999), "other"),
        (Visitor({}, draw=0.3), None),
    ],
)
def test_rules_count_in_order(visitor: Visitor, lane: str | None) -> None:
    rules = compiled(
        [
            DoorRule(header="x-lane"),
            DoorRule(users=("jason",), lane="dev"),
            DoorRule(cookie="team"),
            DoorRule(percent=10, lane="share"),
            DoorRule(percent=20, lane="other"),
        ]
    )
    assert admit(Door(rules), visitor, [], Forwarding()).carried.lane == lane


def test_who_asked_for_a_lane_is_in_no_share() -> None:
    door = Door(compiled([DoorRule(percent=100, lane="dev")]), trust_baggage=True)
    assert admit(door, Visitor({}), [("baggage", "env=qa")], Forwarding()).carried.lane == "qa"
    assert admit(door, Visitor({}), [("baggage", "a=b")], Forwarding()).carried.lane == "dev"
    unbelieved = Door(door.rules)
    assert admit(unbelieved, Visitor({}), [("baggage", "env=qa")], Forwarding()).carried.lane == "dev"


def test_a_digest_tells_texts_apart() -> None:
    assert digest_of("") == digest_of("")
    assert digest_of("a") != digest_of("b")
