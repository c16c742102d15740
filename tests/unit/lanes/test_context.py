"""What a request carries, and where in the process it is found."""

import asyncio

from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context

from lanes.context import NOTHING, Carried, Forwarding, carry, current, current_lane, in_lane, outgoing, use


def lane(name: str) -> Carried:
    return carry([("baggage", f"env={name}")], Forwarding())


def test_only_known_headers_that_can_travel_are_carried() -> None:
    headers: list[tuple[str, str | bytes]] = [
        ("Baggage", "a=1"),
        ("baggage", "env=dev"),
        ("X-Request-Id", " 7 "),
        ("end-user", "jörg"),
        ("traceparent", "00-1-2-01\x00"),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("cookie", "secret"),
        ("x-bin", b"\x00"),
    ]
    carried = carry(headers, Forwarding())
    assert carried.lane == "dev"
    assert carried.metadata == (
        ("x-request-id", "7"),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("baggage", "a=1,env=dev"),
    )


def test_more_headers_and_another_key_on_demand() -> None:
    forwarding = Forwarding("lane").also(["X-Tenant"])
    carried = carry([("baggage", "env=a,lane=b"), ("x-tenant", "t")], forwarding)
    assert carried.lane == "b"
    assert carried.get("x-tenant") == "t"


def test_nothing_outside_of_a_request() -> None:
    assert current() is NOTHING
    with use(lane("dev")):
        assert current_lane() == "dev"
        with use(lane("qa")):
            assert current_lane() == "qa"
        assert current_lane() == "dev"
    assert current_lane() is None
    assert current().lane_name == "base"


def test_opentelemetry_sees_the_members() -> None:
    with use(carry([("baggage", "env=dev;ttl=1,user=J%C3%B6rg")], Forwarding())):
        assert otel_baggage.get_all() == {"env": "dev", "user": "Jörg"}
    assert otel_baggage.get_all() == {}


async def test_tasks_keep_the_lane_they_were_started_in() -> None:
    release = asyncio.Event()

    async def later() -> str | None:
        await release.wait()
        return current_lane()

    tasks = []
    for name in ("dev", "qa"):
        with use(lane(name)):
            tasks.append(asyncio.create_task(later()))  # outlives the request, as background work does
    with use(lane("now")):
        release.set()
        assert await asyncio.gather(*tasks) == ["dev", "qa"]
        assert await asyncio.gather(later(), asyncio.wait_for(later(), 5)) == ["now", "now"]
        assert await asyncio.to_thread(current_lane) == "now"
    assert await later() is None


def test_a_lane_for_what_no_request_has_started() -> None:
    with in_lane("dev") as carried:
        assert carried is current()
        assert (current_lane(), outgoing()) == ("dev", (("baggage", "env=dev"),))
        assert otel_baggage.get_all() == {"env": "dev"}
    assert current() is NOTHING
    assert otel_baggage.get_all() == {}
    with in_lane(None):
        assert (current_lane(), outgoing()) == (None, ())
    with in_lane("dev", Forwarding("lane")):
        assert outgoing() == (("baggage", "lane=dev"),)


def test_another_lane_within_a_request_leaves_the_rest_as_it_is() -> None:
    headers = [("baggage", "user=7;p=1,env=dev;ttl=1"), ("x-tenant", "t"), ("x-request-id", "1")]
    with use(carry(headers, Forwarding().also(["x-tenant"]))):
        token = otel_context.attach(otel_baggage.set_baggage("plan", "gold"))
        with in_lane("qa"):
            assert current_lane() == "qa"
            assert dict(outgoing()) == {
                "x-tenant": "t",
                "x-request-id": "1",
                "baggage": "user=7;p=1,env=qa,plan=gold",
            }
        with in_lane(None):
            assert dict(outgoing())["baggage"] == "user=7;p=1,plan=gold"
        otel_context.detach(token)
        assert current_lane() == "dev"
