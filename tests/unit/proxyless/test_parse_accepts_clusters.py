"""What valid clusters and endpoints become, and what is in a wrapper."""

from __future__ import annotations

import pytest
from envoy.service.discovery.v3.discovery_pb2 import Resource as Wrapper
from proxyless.parse import parse_resource
from proxyless.resources import (
    Cluster,
    EdsDiscovery,
    Endpoint,
    Endpoints,
    Health,
    Kind,
    Locality,
    LocalityName,
)

from tests.fakes import resources as fake
from tests.fakes.parsing import parse

# --- clusters and endpoints -------------------------------------------------------------------------------


def test_a_cluster_finds_its_endpoints_by_service_name_or_its_own() -> None:
    assert parse(fake.cluster("c")).resource == Cluster("c", EdsDiscovery("c"))
    bare = fake.cluster("c")
    bare.eds_cluster_config.service_name = ""
    assert parse(bare).resource == Cluster("c", EdsDiscovery("c"))


def test_localities_priorities_health_and_both_families() -> None:
    made = fake.endpoints("e")
    fake.add_locality(made, ["10.0.0.1:80"], zone="a", weight=3)
    fake.add_locality(made, ["2001:db8:0::1:443"], zone="b", weight=1, health="DRAINING")
    fake.add_locality(made, ["10.0.0.1:81"], zone="a", priority=1)
    fake.add_locality(made, ["10.0.0.9:80"], zone="c", weight=0)
    parsed = parse(made)
    assert parsed.resource == Endpoints(
        "e",
        (
            Locality(LocalityName(zone="a"), 3, 0, (Endpoint("10.0.0.1", 80, Health.HEALTHY),)),
            Locality(LocalityName(zone="b"), 1, 0, (Endpoint("2001:db8::1", 443, Health.DRAINING),)),
            Locality(LocalityName(zone="a"), 1, 1, (Endpoint("10.0.0.1", 81, Health.HEALTHY),)),
        ),
    )
    assert isinstance(parsed.resource, Endpoints)
    assert [each.endpoints[0].address for each in parsed.resource.localities] == [
        "10.0.0.1:80",
        "[2001:db8::1]:443",
        "10.0.0.1:81",
    ]
    assert parsed.notes == ("endpoints[3]: a locality without load_balancing_weight gets no calls",)


def test_no_endpoints_are_endpoints() -> None:
    assert parse(fake.endpoints("e")).resource == Endpoints("e")
    empty = fake.endpoints("e")
    fake.add_locality(empty, [])
    assert parse(empty).resource == Endpoints("e", (Locality(LocalityName(), 1, 0, ()),))


@pytest.mark.parametrize(
    ("number", "health", "usable"),
    [
        (0, Health.UNKNOWN, True),
        (1, Health.HEALTHY, True),
        (2, Health.UNHEALTHY, False),
        (3, Health.DRAINING, False),
        (4, Health.TIMEOUT, False),
        (5, Health.DEGRADED, False),
        (42, Health.UNHEALTHY, False),  # a status of the future must not receive calls
    ],
)
def test_health(number: int, health: Health, usable: bool) -> None:
    made = fake.endpoints("e", "10.0.0.1:80")
    made.endpoints[0].lb_endpoints[0].health_status = number
    resource = parse(made).resource
    assert isinstance(resource, Endpoints)
    assert resource.localities[0].endpoints[0].health is health
    assert health.usable is usable


def test_a_wrapped_resource_has_the_name_and_bytes_within() -> None:
    cluster = fake.cluster("c")
    wrapper = Wrapper(name="c")
    wrapper.resource.Pack(cluster)
    parsed = parse_resource(Kind.CLUSTER, fake.type_url(wrapper), wrapper.SerializeToString())
    assert (parsed.name, parsed.resource) == ("c", Cluster("c", EdsDiscovery("c")))
    assert parsed == parse(cluster)
