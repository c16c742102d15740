"""What the features of a control plane change in the machine (gRFCs A53, A88); the clock is a number."""

from __future__ import annotations

import pytest
from proxyless.depgraph import ClusterConfig, Config, Dependencies, Failed
from proxyless.held import DataErrors, Event, State
from proxyless.messages import Denial, Response
from proxyless.protocol import ABSENT_AFTER, NOT_THERE, OVERDUE_AFTER, RECHECK_AFTER
from proxyless.resources import Kind

from tests.fakes import resources as fake
from tests.protocol.talk import BAD, CDS, EDS, GOOD, LDS, RDS, Talk

FAILS = DataErrors.of({"fail_on_data_errors"})
KEEPS = DataErrors.of({"ignore_resource_deletion", "xds_v3"})
SLOW = DataErrors.of({"resource_timer_is_transient_error"})


def deny(talk: Talk, kind: Kind, name: str, code: int) -> None:
    talk.machine.received(Response(kind.type_url, "2", "d", (), (Denial(name, code, "no"),)), talk.now)


def test_features_are_read_by_name() -> None:
    assert DataErrors.of([]) == DataErrors(False, False, False)
    assert (DataErrors(True), DataErrors(False, True), DataErrors(False, False, True)) == (FAILS, KEEPS, SLOW)


@pytest.mark.parametrize("kind", [LDS, CDS])
def test_a_deletion_is_ignored_where_the_control_plane_is_known_for_wrong_ones(kind: Kind) -> None:
    talk = Talk((kind, "a"), policy=KEEPS)
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    good = talk.held(kind, "a").resource
    talk.answer(kind)
    held = talk.held(kind, "a")
    assert (held.state, held.resource, held.error) == (State.ABSENT, good, NOT_THERE)
    assert (held.updated_at, held.failed_at) == (talk.now, talk.now)
    talk.machine.take_changes()
    talk.answer(kind)
    assert talk.machine.take_changes() == []  # said once (gRFC A53)
    talk.answer(kind, GOOD[kind]("a"))
    held = talk.held(kind, "a")
    assert (held.state, held.error, held.failed_at) == (State.ACKED, "", None)
    assert held.resource is good


@pytest.mark.parametrize("kind", Kind)
def test_a_refused_version_ends_the_good_one_where_that_is_asked_for(kind: Kind) -> None:
    talk = Talk((kind, "a"), policy=FAILS)
    talk.requests()
    talk.answer(kind, GOOD[kind]("a"))
    talk.answer(kind, BAD[kind]("a"), version="2")
    held = talk.held(kind, "a")
    assert (held.state, held.resource, held.failed_version) == (State.NACKED, None, "2")


def test_to_fail_goes_before_to_ignore() -> None:
    both = DataErrors.of({"fail_on_data_errors", "ignore_resource_deletion"})
    assert both.drops(Event.OMITTED) and not KEEPS.drops(Event.OMITTED)


def test_an_error_for_a_name_ends_its_timer_and_is_acknowledged() -> None:
    talk = Talk((EDS, "a"))
    talk.requests()
    assert talk.machine.deadline() is not None
    deny(talk, EDS, "a", 5)
    assert talk.machine.deadline() is None
    assert (talk.state(EDS, "a"), talk.held(EDS, "a").error) == (State.DENIED, "no")
    (request,) = talk.requests()
    assert (request.nonce, request.version, request.error) == ("d", "2", "")


def test_silence_is_trouble_of_a_control_plane_that_would_have_said_no() -> None:
    talk = Talk((EDS, "a"), policy=SLOW)
    talk.requests()
    talk.after(ABSENT_AFTER)
    assert talk.state(EDS, "a") is State.REQUESTED
    talk.after(OVERDUE_AFTER - ABSENT_AFTER)
    assert (talk.state(EDS, "a"), talk.held(EDS, "a").error) == (State.OVERDUE, "no answer for 30 s")
    talk.answer(EDS, GOOD[EDS]("a"))
    assert talk.state(EDS, "a") is State.ACKED


def test_a_name_left_out_of_a_full_answer_is_absent_there_too() -> None:
    talk = Talk((CDS, "a"), policy=SLOW)
    talk.requests()
    talk.answer(CDS, GOOD[CDS]("a"))
    talk.machine.watch(CDS, "b")
    talk.requests()
    talk.answer(CDS, GOOD[CDS]("a"))
    talk.after(RECHECK_AFTER)
    assert (talk.state(CDS, "b"), talk.held(CDS, "b").error) == (State.ABSENT, NOT_THERE)


def test_what_calls_are_told_of_a_resource_that_cannot_be_had() -> None:
    for policy, seconds, reason in (
        (DataErrors(), ABSENT_AFTER, "LDS resource 'l' does not exist in the control plane"),
        (SLOW, OVERDUE_AFTER, "LDS resource 'l' cannot be had: no answer for 30 s"),
    ):
        talk, target = Talk((LDS, "l"), policy=policy), Dependencies("l", "a")
        talk.requests()
        talk.after(seconds)
        target.resolve(talk.machine.held)
        assert isinstance(target.outcome, Failed) and target.outcome.reason == reason
    talk = Talk((LDS, "l"))
    talk.requests()
    deny(talk, LDS, "l", 7)
    target.resolve(talk.machine.held)
    assert target.outcome == Failed("LDS resource 'l' cannot be had: no")


def test_what_is_wrong_beside_what_is_in_force() -> None:
    """An ambient error is said of the clusters it concerns, and of no other."""
    talk, target = Talk((LDS, "l"), (RDS, "r"), (CDS, "c"), (CDS, "d"), (EDS, "c")), Dependencies("l", "a")
    talk.requests()
    talk.answer(LDS, fake.listener("l", "r"))
    talk.answer(RDS, fake.route_config("r", [fake.route("c"), fake.route("d")]))
    talk.answer(CDS, fake.cluster("c"), fake.cluster("d"))
    talk.answer(EDS, GOOD[EDS]("c"))
    target.resolve(talk.machine.held)
    assert isinstance(target.outcome, Config)
    assert isinstance(target.outcome.clusters["c"], ClusterConfig)
    assert target.ambient(talk.machine.held, "c", "") == ()
    talk.answer(CDS, BAD[CDS]("c"), fake.cluster("d"))
    deny(talk, EDS, "c", 14)
    target.resolve(talk.machine.held)
    first, second = target.ambient(talk.machine.held, "c", "")
    assert first.startswith("CDS resource 'c' was refused: ")
    assert second == "EDS resource 'c' cannot be had: no"
    assert target.ambient(talk.machine.held, "d", "out of reach") == ("out of reach",)
    talk.answer(RDS, BAD[RDS]("r"))
    (of_all,) = target.ambient(talk.machine.held, "d", "")
    assert of_all.startswith("RDS resource 'r' was refused: ")
