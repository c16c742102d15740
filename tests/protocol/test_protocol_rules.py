"""The ADS machine, one rule of DESIGN section 4 a test. Nothing here waits: the clock is a number."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from proxyless.held import TRANSITIONS, Event, State
from proxyless.protocol import ABSENT_AFTER, NOT_THERE, RECHECK_AFTER, Request, Response
from proxyless.resources import Kind, Listener

from tests.fakes import resources as fake
from tests.protocol.talk import BAD, CDS, EDS, GOOD, LDS, RDS, Talk


def kinds_and_names(requests: Iterable[Request]) -> list[tuple[Kind, tuple[str, ...]]]:
    return [(request.kind, request.names) for request in requests]


# --- the table --------------------------------------------------------------------------------------------


def test_the_table_has_every_step_and_no_other() -> None:
    for state, event in product(State, Event):
        timed = event in (Event.EXPIRED, Event.OVERDUE) and state is not State.REQUESTED
        assert ((state, event) in TRANSITIONS) is not timed
    ends = {
        Event.VALID: State.ACKED,
        Event.INVALID: State.NACKED,
        Event.DENIED: State.DENIED,
        Event.TROUBLED: State.DENIED,
        Event.OVERDUE: State.OVERDUE,
    }
    assert all(after is ends.get(event, State.ABSENT) for (_, event), after in TRANSITIONS.items())


# --- requests ---------------------------------------------------------------------------------------------


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


# --- streams ----------------------------------------------------------------------------------------------


def test_a_reconnect_forgets_nonces_and_keeps_versions_and_resources() -> None:
    talk = Talk((LDS, "a"), (CDS, "c"))
    talk.requests()
    talk.answer(LDS, fake.listener("a"), version="5")
    talk.answer(CDS, fake.Cluster(name="c"), version="6")
    talk.requests()
    talk.machine.disconnected("gone")
    assert talk.requests() == []
    talk.machine.connected()
    assert talk.requests() == [
        Request(LDS, ("a",), "5", "", first=True),
        Request(CDS, ("c",), "", ""),
    ]
    assert talk.state(LDS, "a") is State.ACKED
    assert talk.state(CDS, "c") is State.NACKED


def test_an_answer_owed_to_a_stream_dies_with_it() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.answer(LDS, fake.listener("a"))
    talk.machine.disconnected("")
    talk.machine.connected()
    assert talk.request() == Request(LDS, ("a",), "1", "", first=True)


def test_a_name_dropped_while_disconnected_is_not_asked_for_again() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.answer(LDS, fake.listener("a"))
    talk.machine.unwatch(LDS, "a")
    talk.machine.disconnected("")
    talk.machine.connected()
    assert talk.requests() == []
    talk.machine.watch(LDS, "a")
    assert talk.state(LDS, "a") is State.REQUESTED


def test_a_stream_that_ends_after_a_response_is_no_error() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.answer(LDS, fake.listener("b"))
    talk.machine.disconnected("UNAVAILABLE: closed")
    assert talk.machine.stream_error == ""


def test_a_stream_that_fails_before_any_response_is_an_error_until_one_answers() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.machine.take_changes()
    talk.machine.disconnected("UNAVAILABLE: refused")
    assert talk.machine.stream_error == "UNAVAILABLE: refused"
    assert talk.machine.take_changes() == [(LDS, "a")]
    talk.machine.connected()
    talk.requests()
    assert talk.machine.stream_error  # a connection alone proves nothing
    talk.answer(LDS)
    assert talk.machine.stream_error == ""
    assert (LDS, "a") in talk.machine.take_changes()


def test_an_attempt_that_fails_is_an_error_even_where_the_stream_before_it_had_answered() -> None:
    """An attempt that never connects is told by `disconnected` alone."""
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.answer(LDS, fake.listener("a"))
    talk.machine.disconnected("closed")
    talk.machine.watch(LDS, "b")
    talk.machine.disconnected("UNAVAILABLE: refused")
    assert talk.machine.stream_error == "UNAVAILABLE: refused"
    assert (LDS, "b") in talk.machine.take_changes()


# --- what does not exist ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_absence_from_a_full_response_deletes_listeners_and_clusters_only(kind: Kind) -> None:
    talk = Talk((kind, "a"), (kind, "b"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"), GOOD[kind]("b"))
    talk.answer(kind, GOOD[kind]("b"), version="2")
    full = kind in (LDS, CDS)
    assert talk.state(kind, "a") is (State.ABSENT if full else State.ACKED)
    assert (talk.held(kind, "a").resource is None) is full
    assert talk.state(kind, "b") is State.ACKED


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_a_refused_resource_that_is_deleted_is_gone(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.answer(kind, BAD[kind]("a"))
    talk.answer(kind)
    assert talk.held(kind, "a").state is State.ABSENT
    assert (talk.held(kind, "a").resource, talk.held(kind, "a").error) == (None, NOT_THERE)


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_absence_from_the_first_response_to_the_only_request_counts_at_once(kind: Kind) -> None:
    talk = Talk((kind, "a"), (kind, "b"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("b"))
    assert talk.state(kind, "a") is State.ABSENT
    assert (kind, "a") in talk.machine.take_changes()


@pytest.mark.parametrize("kind", [LDS, CDS])
@pytest.mark.parametrize("added", ["before the response", "and sent before it"])
def test_a_name_added_since_the_request_gives_all_a_second(kind: Kind, added: str) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.machine.watch(kind, "b")
    if added == "and sent before it":
        talk.requests()
    nonce = talk.answer(kind, GOOD[kind]("other"))
    assert talk.state(kind, "a") is State.REQUESTED
    assert talk.state(kind, "b") is State.REQUESTED
    assert talk.request() == Request(kind, ("a", "b"), "1", nonce)  # asked for again
    talk.after(RECHECK_AFTER - 0.01)
    assert talk.state(kind, "a") is State.REQUESTED
    talk.after(0.01)
    assert talk.state(kind, "a") is State.ABSENT
    # b had a second from the first response that left it out after it had been asked for.
    sent = added == "and sent before it"
    assert talk.state(kind, "b") is (State.ABSENT if sent else State.REQUESTED)


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_a_later_response_without_a_new_name_gives_it_a_second(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.machine.watch(kind, "b")
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"), version="2")
    talk.requests()
    assert talk.state(kind, "b") is State.REQUESTED
    assert talk.machine.deadline() == talk.now + RECHECK_AFTER
    talk.after(0.5)
    talk.answer(kind, GOOD[kind]("a"), version="3")  # a second push does not prolong it
    talk.after(0.5)
    assert talk.state(kind, "b") is State.ABSENT


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_a_name_that_arrives_within_the_second_is_there(kind: Kind) -> None:
    talk = Talk((kind, "a"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.machine.watch(kind, "b")
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"), version="2")
    talk.after(0.5)
    talk.answer(kind, GOOD[kind]("a"), GOOD[kind]("b"), version="3")
    talk.after(ABSENT_AFTER)
    assert talk.state(kind, "b") is State.ACKED
    assert talk.machine.deadline() is None


@pytest.mark.parametrize("kind", [RDS, EDS])
def test_a_partial_response_proves_nothing(kind: Kind) -> None:
    talk = Talk((kind, "a"), (kind, "b"))
    talk.requests()
    talk.answer(kind, GOOD[kind]("b"))
    assert talk.state(kind, "a") is State.REQUESTED
    assert talk.machine.deadline() == talk.now + ABSENT_AFTER


@pytest.mark.parametrize("kind", Kind)
def test_the_timer_starts_when_the_name_is_sent_on_a_stream(kind: Kind) -> None:
    talk = Talk((kind, "a"), connected=False)
    talk.after(1000)
    assert talk.machine.deadline() is None
    talk.machine.connected()
    talk.after(1000)
    assert talk.machine.deadline() is None  # connected, but not sent
    talk.requests()
    assert talk.machine.deadline() == talk.now + ABSENT_AFTER
    talk.after(10)
    talk.machine.disconnected("")
    assert talk.machine.deadline() is None
    talk.after(1000)
    assert talk.state(kind, "a") is State.REQUESTED
    talk.machine.connected()
    talk.requests()
    talk.after(ABSENT_AFTER - 0.01)
    assert talk.state(kind, "a") is State.REQUESTED
    talk.after(0.01)
    assert talk.state(kind, "a") is State.ABSENT
    assert talk.machine.deadline() is None
    assert (kind, "a") in talk.machine.take_changes()


def test_asking_again_does_not_prolong_a_timer() -> None:
    talk = Talk((EDS, "a"))
    talk.requests()
    due = talk.machine.deadline()
    talk.after(5)
    talk.machine.watch(EDS, "b")
    talk.requests()
    assert talk.machine.deadline() == due


def test_an_absent_resource_that_appears_is_taken() -> None:
    talk = Talk((EDS, "a"))
    talk.requests()
    talk.after(ABSENT_AFTER)
    talk.answer(EDS, fake.endpoints("a", "10.0.0.1:80"))
    assert talk.state(EDS, "a") is State.ACKED


# --- good and bad -----------------------------------------------------------------------------------------


def test_the_good_siblings_of_a_bad_resource_apply() -> None:
    talk = Talk((CDS, "a"), (CDS, "b"), (CDS, "c"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a"), fake.Cluster(name="b"), fake.cluster("c"))
    assert [talk.state(CDS, name) for name in "abc"] == [State.ACKED, State.NACKED, State.ACKED]
    error = talk.request().error
    assert (
        error
        == "1 of 3 resources refused: b: type: STATIC is not supported: only EDS, LOGICAL_DNS and aggregates"
    )
    assert (
        talk.held(CDS, "b").error == "b: type: STATIC is not supported: only EDS, LOGICAL_DNS and aggregates"
    )


def test_the_last_good_version_outlives_a_bad_one() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a"), version="1")
    good = talk.held(CDS, "a")
    talk.answer(CDS, fake.Cluster(name="a"), version="2")
    held = talk.held(CDS, "a")
    assert (held.state, held.resource, held.version) == (State.NACKED, good.resource, "1")
    assert held.resource is good.resource
    talk.answer(CDS, fake.cluster("a"), version="3")
    held = talk.held(CDS, "a")
    assert (held.state, held.error, held.version) == (State.ACKED, "", "3")
    assert held.resource is good.resource


def test_the_same_bytes_keep_the_same_object_and_are_no_change() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.answer(LDS, fake.listener("a"), version="1")
    before = talk.held(LDS, "a").resource
    talk.machine.take_changes()
    talk.answer(LDS, fake.listener("a"), version="2")
    assert talk.held(LDS, "a").resource is before
    assert talk.held(LDS, "a").version == "2"
    assert talk.machine.take_changes() == []
    talk.answer(LDS, fake.listener("a", "other"), version="3")
    assert talk.held(LDS, "a").resource is not before
    assert talk.machine.take_changes() == [(LDS, "a")]


def test_a_first_resource_that_cannot_be_decoded_fails_with_the_reason() -> None:
    talk = Talk((LDS, "a"))
    talk.requests()
    talk.answer(LDS, b"\xff")
    assert talk.state(LDS, "a") is State.NACKED
    assert "cannot be decoded as envoy.config.listener.v3.Listener" in talk.held(LDS, "a").error
    assert "cannot be decoded" in talk.request().error


def test_garbage_is_not_blamed_on_those_who_have_an_answer_or_were_not_asked_for() -> None:
    talk = Talk((CDS, "a"), (CDS, "b"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a"), fake.cluster("b"))
    talk.machine.watch(CDS, "c")
    talk.requests()
    talk.machine.watch(CDS, "late")
    talk.answer(CDS, b"\xff", fake.cluster("b"))
    states = {name: held.state for name, held in talk.machine.watched(CDS).items()}
    # Absence proves nothing beside bytes nobody can name.
    assert states == {
        "a": State.ACKED,
        "b": State.ACKED,
        "c": State.NACKED,
        "late": State.REQUESTED,
    }


def test_a_wrapped_resource_is_known_by_its_wrapper() -> None:
    talk = Talk((LDS, "a"), (LDS, "b"))
    talk.requests()
    good, bad = Wrapper(name="a"), Wrapper(name="b")
    good.resource.Pack(fake.listener("a"))
    bad.resource.type_url, bad.resource.value = LDS.type_url, b"\xff"
    talk.answer(LDS, good, bad)
    assert isinstance(talk.held(LDS, "a").resource, Listener)
    assert talk.state(LDS, "b") is State.NACKED
    assert "cannot be decoded" in talk.held(LDS, "b").error


def test_a_long_list_of_refusals_is_cut() -> None:
    names = [f"c{i:02}" for i in range(25)]
    talk = Talk(*((CDS, name) for name in names))
    talk.requests()
    talk.answer(CDS, *(fake.Cluster(name=name) for name in names))
    error = talk.request().error
    assert error.startswith("25 of 25 resources refused: c00: type")
    assert error.endswith("; and 15 more")


def test_what_has_no_effect_is_noted_with_the_resource() -> None:
    talk = Talk((CDS, "a"))
    talk.requests()
    talk.answer(CDS, fake.cluster("a", upstream_connection_options={}))
    assert talk.held(CDS, "a").notes == ("upstream_connection_options: has no effect here",)


def test_a_refusal_stays_small_whatever_it_quotes() -> None:
    """A server takes 4 MiB of a message, and ends the stream at more: the next one would end as the last."""
    names = [str(i) + "n" * 100_000 for i in range(10, 40)]
    talk = Talk(*((CDS, name) for name in names))
    talk.requests()
    talk.answer(CDS, *(fake.Cluster(name=name) for name in names))
    error = talk.request().error
    assert error.startswith("30 of 30 resources refused: 10nnn")
    assert error.endswith("nnn…; and 20 more")
    assert len(error) < 10_000
