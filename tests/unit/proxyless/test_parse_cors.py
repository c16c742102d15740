"""A CORS policy on a route, which Istiod sends to everyone, is no reason to refuse the table."""

from __future__ import annotations

from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy
from proxyless.parse.routes import parse_route_config
from proxyless.parse.support import Notes

from tests.fakes import resources as build


def test_a_route_keeps_working_and_the_policy_is_noted() -> None:
    message = build.route_config("routes", [build.route("v1")])
    packed = message.virtual_hosts[0].routes[0].typed_per_filter_config["envoy.filters.http.cors"]
    packed.Pack(CorsPolicy(allow_methods="GET"))
    notes = Notes()
    (host,) = parse_route_config(message, notes).virtual_hosts
    (route,) = host.routes
    assert route.faults == ()
    (note,) = notes.lines
    assert "typed_per_filter_config['envoy.filters.http.cors']" in note and "no effect" in note
