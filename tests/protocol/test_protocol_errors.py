"""The ADS machine: good and bad resources, one rule of DESIGN section 4 a test."""

from __future__ import annotations

from itertools import product

from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from proxyless.held import TRANSITIONS, Event, State
from proxyless.resources import Listener

from tests.fakes import resources as fake
from tests.protocol.talk import CDS, LDS, Talk

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
