"""The ADS machine: streams that end and begin, one rule of DESIGN section 4 a test."""

from __future__ import annotations

from proxyless.held import State
from proxyless.messages import Request

from tests.fakes import resources as fake
from tests.protocol.talk import CDS, LDS, Talk


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
