"""The ADS machine: what does not exist, one rule of DESIGN section 4 a test. The clock is a number."""

from __future__ import annotations

import pytest
from proxyless.held import State
from proxyless.messages import Request
from proxyless.protocol import ABSENT_AFTER, NOT_THERE, RECHECK_AFTER
from proxyless.resources import Kind

from tests.fakes import resources as fake
from tests.protocol.talk import BAD, CDS, EDS, GOOD, LDS, RDS, Talk


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
