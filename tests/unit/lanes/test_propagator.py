"""OpenTelemetry's baggage beside the lane's: what others set goes along, and the lane stays the request's."""

from __future__ import annotations

import grpc
import pytest
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry import trace

from lanes.baggage import changed
from lanes.context import Carried, Forwarding, carry, outgoing, use
from lanes.grpc_client import forwarded
from lanes.http import outgoing_headers
from lanes.propagator import LaneBaggagePropagator, Propagators

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(header: str) -> Carried:
    return carry([("baggage", header), ("x-request-id", "7")], Forwarding())


def sent(**members: str | None) -> str | None:
    """The header of a call made after OpenTelemetry's members were changed so."""
    context = otel_context.get_current()
    for key, value in members.items():
        if value is None:
            context = otel_baggage.remove_baggage(key, context)
        else:
            context = otel_baggage.set_baggage(key, value, context)
    token = otel_context.attach(context)
    try:
        return dict(outgoing()).get("baggage")
    finally:
        otel_context.detach(token)


@pytest.mark.parametrize(
    ("members", "header"),
    [
        ({}, "user=7;p=1,env=dev;ttl=1,x=y"),
        ({"extra": "a b"}, "user=7;p=1,env=dev;ttl=1,x=y,extra=a%20b"),
        ({"x": "z"}, "user=7;p=1,env=dev;ttl=1,x=z"),
        ({"user": None}, "env=dev;ttl=1,x=y"),
        ({"env": "other"}, "user=7;p=1,env=dev;ttl=1,x=y"),
        ({"env": None}, "user=7;p=1,env=dev;ttl=1,x=y"),
        ({"not a key": "1"}, "user=7;p=1,env=dev;ttl=1,x=y"),
    ],
)
def test_what_a_handler_changes_goes_along_and_the_lane_stays(
    members: dict[str, str | None], header: str
) -> None:
    with use(request("user=7;p=1,env=dev;ttl=1,x=y")):
        assert sent(**members) == header
        assert dict(outgoing())["x-request-id"] == "7"


def test_a_handler_puts_no_request_of_base_into_a_lane() -> None:
    with use(request("user=7")):
        assert sent(env="dev") == "user=7"
    with use(carry([], Forwarding())):
        assert sent(env="dev") is None
        assert sent(env="dev", a="1") == "a=1"


def test_outside_of_a_request_there_is_no_lane_to_keep() -> None:
    assert sent(env="dev") == "env=dev"


def test_members_nobody_touched_stay_as_they_came() -> None:
    header = "a=1,a=2,broken,b=%41;p"
    members = {"a": "2", "b": "A"}
    assert changed(header, "env", members, members) == header
    assert changed(header, "env", members, {"a": "2"}) == "a=1,a=2,broken"
    assert changed(header, "env", members, members | {"a": "3"}) == "broken,b=%41;p,a=3"


def test_every_way_out_sends_the_same() -> None:
    details = grpc.aio.ClientCallDetails("/a.B/C", None, None, None, None)
    with use(request("env=dev")):
        token = otel_context.attach(otel_baggage.set_baggage("x", "1"))
        assert dict(forwarded(details).metadata or ())["baggage"] == "env=dev,x=1"
        assert outgoing_headers()["baggage"] == "env=dev,x=1"
        carrier: dict[str, str] = {}
        LaneBaggagePropagator().inject(carrier)
        assert carrier == {"baggage": "env=dev,x=1"}
        otel_context.detach(token)


def test_the_propagator_leaves_alone_what_is_there_and_believes_nobody_but_the_door() -> None:
    propagator = LaneBaggagePropagator()
    with use(request("env=dev,user=7")):
        carrier = {"baggage": "mine=1"}
        propagator.inject(carrier)
        assert carrier == {"baggage": "mine=1"}
        context = propagator.extract({"baggage": "env=evil,admin=1"})
        assert otel_baggage.get_all(context) == {"env": "dev", "user": "7"}
    assert otel_baggage.get_all(propagator.extract({"baggage": "env=evil"})) == {}


@pytest.mark.parametrize(
    ("environ", "traced"),
    [
        ({}, True),
        ({"OTEL_PROPAGATORS": "baggage,tracecontext"}, True),
        ({"OTEL_PROPAGATORS": "baggage"}, False),
        ({"OTEL_PROPAGATORS": "none"}, False),
    ],
)
def test_the_propagators_of_the_environment(environ: dict[str, str], traced: bool) -> None:
    propagators = Propagators(environ)
    assert propagators.fields == {"baggage"} | ({"traceparent", "tracestate"} if traced else set())
    with use(request("env=dev;ttl=1")):
        context = propagators.extract({"traceparent": PARENT, "baggage": "env=evil"})
        assert trace.get_current_span(context).get_span_context().is_valid == traced
        carrier: dict[str, str] = {}
        propagators.inject(carrier, context)
    assert carrier == {"baggage": "env=dev;ttl=1"} | ({"traceparent": PARENT} if traced else {})


def test_a_propagator_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="there is no propagator 'nobody'"):
        Propagators({"OTEL_PROPAGATORS": "nobody"})
