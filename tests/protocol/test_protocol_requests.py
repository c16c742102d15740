"""The ADS machine: what is asked, one rule of DESIGN section 4 a test."""

from __future__ import annotations

import pytest
from proxyless.held import State
from proxyless.messages import Request, Response
from proxyless.protocol import ABSENT_AFTER
from proxyless.resources import Kind

from tests.fakes import resources as fake
from tests.protocol.talk import BAD, CDS, EDS, GOOD, LDS, RDS, Talk


def test_nothing_is_said_before_the_stream_is_open() -> None:
    talk = Talk((LDS, "a"), connected=False)
    assert talk.requests() == []
    talk.machine.connected()
    assert talk.request() == Request(LDS, ("a",), "", "", first=True)
    assert talk.requests() == []


def test_only_the_first_request_of_a_stream_carries_the_node() -> None:
    talk = Talk(*((kind, "a") for kind in Kind))
    assert [request.first for request in talk.requests()] == [True, False, False, False]
    talk.answer(LDS, fake.listener("a"))
    talk.machine.watch(CDS, "b")
    assert [request.first for request in talk.requests()] == [False, False]
    talk.machine.disconnected("")
    talk.machine.connected()
    assert [request.first for request in talk.requests()] == [True, False, False, False]


def test_types_are_asked_for_in_the_order_of_their_dependency() -> None:
    talk = Talk(*((kind, "a") for kind in reversed(Kind)))
    assert [request.kind for request in talk.requests()] == [LDS, RDS, CDS, EDS]


def test_a_type_of_which_more_is_asked_for_comes_before_what_only_acknowledges() -> None:
    talk = Talk((RDS, "a"), (CDS, "b"), (EDS, "b"))
    talk.requests()
    nonce = talk.answer(RDS, GOOD[RDS]("a"))
    talk.machine.watch(CDS, "c")
    talk.machine.unwatch(EDS, "b")
    asked, acknowledged, dropped = talk.requests()
    assert (asked.kind, asked.names) == (CDS, ("b", "c"))
    assert acknowledged == Request(RDS, ("a",), "1", nonce)
    assert (dropped.kind, dropped.names) == (EDS, ())


def test_a_request_lists_every_name_of_its_type_once() -> None:
    talk = Talk((CDS, "b"), (CDS, "a"), (CDS, "b"))
    assert talk.request().names == ("a", "b")
    talk.machine.watch(CDS, "0")
    assert talk.request().names == ("0", "a", "b")
    talk.machine.unwatch(CDS, "a")
    assert talk.request().names == ("0", "b")


@pytest.mark.parametrize("kind", Kind)
def test_an_ack_echoes_version_and_nonce(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    nonce = talk.answer(kind, GOOD[kind]("a"), version="7")
    assert talk.request() == Request(kind, ("a",), "7", nonce)
    assert talk.requests() == []
    assert talk.machine.accepted_version(kind) == "7"


@pytest.mark.parametrize("kind", Kind)
def test_the_first_nack_has_an_empty_version(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    nonce = talk.answer(kind, BAD[kind]("a"), version="7")
    request = talk.request()
    assert (request.version, request.nonce, request.names) == ("", nonce, ("a",))
    assert request.error.startswith("1 of 1 resources refused: a: ")
    assert talk.requests() == []


def test_a_nack_carries_the_last_accepted_version_and_the_current_nonce() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a"), version="7")
    talk.requests()
    nonce = talk.answer(CDS, fake.Cluster(name="a"), version="8")
    request = talk.request()
    assert (request.version, request.nonce) == ("7", nonce)
    nonce = talk.answer(CDS, fake.cluster("a"), version="9")
    assert talk.request() == Request(CDS, ("a",), "9", nonce)


def test_every_response_gets_its_own_answer_when_several_arrive_at_once() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    first = talk.answer(CDS, fake.cluster("a"), version="1")
    second = talk.answer(CDS, fake.Cluster(name="a"), version="2")
    third = talk.answer(CDS, fake.cluster("a"), version="3")
    answers = talk.requests()
    assert [(r.nonce, r.version, bool(r.error)) for r in answers] == [
        (first, "1", False),
        (second, "1", True),
        (third, "3", False),
    ]


def test_names_never_change_in_a_nack_but_follow_in_a_request_of_their_own() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.machine.watch(CDS, "b")
    nonce = talk.answer(CDS, fake.Cluster(name="a"))
    nack, request = talk.requests()
    assert (nack.names, nack.nonce, bool(nack.error)) == (("a",), nonce, True)
    assert request == Request(CDS, ("a", "b"), "", nonce)


def test_names_ride_on_an_ack() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.machine.watch(CDS, "b")
    nonce = talk.answer(CDS, fake.cluster("a"))
    assert talk.request() == Request(CDS, ("a", "b"), "1", nonce)


def test_a_nack_repeats_the_names_that_may_have_been_lost() -> None:
    """Istiod drops a request with a stale nonce, and reads no names in a NACK: b was never heard of."""
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a"))
    talk.requests()
    talk.machine.watch(CDS, "b")
    assert talk.request().names == ("a", "b")  # a push is under way: this one is dropped
    nonce = talk.answer(CDS, fake.Cluster(name="a"), version="2")
    nack, request = talk.requests()
    assert nack.error
    assert request == Request(CDS, ("a", "b"), "1", nonce)


def test_a_name_watched_and_dropped_before_it_was_sent_is_sent_when_watched_again() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.machine.watch(CDS, "b")
    talk.machine.unwatch(CDS, "b")
    assert talk.requests() == []
    talk.machine.watch(CDS, "b")
    assert talk.request().names == ("a", "b")


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_an_empty_list_is_never_sent_where_it_would_be_a_wildcard(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.machine.unwatch(kind, "a")
    assert talk.requests() == []
    nonce = talk.answer(kind, GOOD[kind]("a"))
    assert talk.request() == Request(kind, ("a",), "1", nonce)
    assert talk.machine.held(kind, "a") is None
    assert talk.machine.take_changes() == []


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_the_last_name_watched_again_is_known_at_once(kind: Kind) -> None:
    """The server takes it for known and would not send it anew: a call would wait for nothing."""
    talk = Talk((kind, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.requests()
    talk.machine.unwatch(kind, "a")
    assert talk.requests() == []
    talk.answer(kind, GOOD[kind]("a"), version="2")
    talk.machine.watch(kind, "a")
    assert talk.state(kind, "a") is State.ACKED
    assert talk.held(kind, "a").version == "2"


@pytest.mark.parametrize("kind", Kind)
def test_a_name_dropped_and_watched_again_before_anything_is_sent_is_kept(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.requests()
    before = talk.held(kind, "a")
    talk.machine.unwatch(kind, "a")
    assert talk.machine.held(kind, "a") is None
    talk.machine.watch(kind, "a")
    assert talk.requests() == []
    assert talk.held(kind, "a") is before


def test_a_name_dropped_while_it_was_asked_for_keeps_its_timer() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.machine.unwatch(LDS, "a")
    talk.machine.watch(LDS, "a")
    assert talk.requests() == []
    talk.after(ABSENT_AFTER)
    assert talk.state(LDS, "a") is State.ABSENT


@pytest.mark.parametrize("kind", [RDS, EDS])
def test_an_empty_list_ends_the_subscription_of_the_others(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.requests()
    talk.machine.unwatch(kind, "a")
    assert talk.request().names == ()
    talk.machine.watch(kind, "a")
    assert talk.state(kind, "a") is State.REQUESTED
    assert talk.request().names == ("a",)


@pytest.mark.parametrize("kind", Kind)
def test_what_nobody_asked_for_is_not_answered(kind: Kind) -> None:
    """An answer would name nothing, and so subscribe to everything."""
    talk = Talk((LDS if kind is not LDS else CDS, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    assert talk.requests() == []
    assert talk.machine.watched(kind) == {}
    talk.machine.received(Response("type.googleapis.com/x.Unknown", "1", "n", ()), talk.now)
    assert talk.requests() == []


def test_resources_nobody_watches_are_acknowledged_and_dropped() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a"), fake.cluster("b"), fake.Cluster(name="c"))
    assert not talk.request().error
    assert set(talk.machine.watched(CDS)) == {"a"}
