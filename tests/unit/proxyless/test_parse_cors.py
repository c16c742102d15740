"""A CORS policy on a route, which Istiod sends to everyone, is no reason to refuse the table."""

from __future__ import annotations

from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy
from proxyless.resources import RouteConfig

from tests.fakes import resources as build
from tests.fakes.parsing import parse


def test_a_route_keeps_working_and_the_policy_is_noted() -> None:
    message = build.route_config("routes", [build.route("v1")])
    packed = message.virtual_hosts[0].routes[0].typed_per_filter_config["envoy.filters.http.cors"]
    packed.Pack(CorsPolicy(allow_methods="GET"))
    parsed = parse(message)
    assert isinstance(parsed.resource, RouteConfig)
    (route,) = parsed.resource.virtual_hosts[0].routes
    assert route.faults == ()
    (note,) = parsed.notes
    assert "typed_per_filter_config['envoy.filters.http.cors']" in note and "no effect" in note
