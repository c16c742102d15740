"""The copies of calls that a route sends elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as pb
from envoy.type.v3 import percent_pb2
from google.protobuf.wrappers_pb2 import BoolValue

from controlplane.objects import Destination, Mirror


def build_mirrors(
    mirrors: Iterable[Mirror], cluster: Callable[[Destination], str]
) -> list[pb.RouteAction.RequestMirrorPolicy]:
    """A policy for each mirror that gets any call."""
    found = []
    for mirror in mirrors:
        share = _share(mirror)
        if share is not None:
            found.append(
                pb.RouteAction.RequestMirrorPolicy(
                    cluster=cluster(mirror.destination),
                    runtime_fraction=base_pb2.RuntimeFractionalPercent(default_value=share),
                    trace_sampled=BoolValue(value=False),
                    disable_shadow_host_suffix_append=True,
                )
            )
    return found


def _share(mirror: Mirror) -> percent_pb2.FractionalPercent | None:
    if mirror.millionths is not None:
        million = percent_pb2.FractionalPercent.MILLION
        share = percent_pb2.FractionalPercent(numerator=mirror.millionths, denominator=million)
        return share if mirror.millionths else None
    percent = 100 if mirror.percent is None else mirror.percent
    return percent_pb2.FractionalPercent(numerator=percent) if percent else None
