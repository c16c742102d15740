"""Where one call goes: route, cluster, fault, fallback. A pure decision over an immutable Config."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .balance import Status, draw_weighted
from .depgraph import Config
from .fault import NO_FAULT, Fault, draw_fault
from .match import CallHeaders, Draw
from .resources import ClusterAction, Route, WeightedCluster

Fallback: TypeAlias = Literal["none", "next-route"]
ClusterStatus: TypeAlias = Callable[[str], tuple[Status, str]]
"""What a cluster can do now, and why not where it cannot."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The call belongs to this route; `cluster` is None only where a fault aborts it first."""

    route: Route
    action: ClusterAction
    cluster: WeightedCluster | None
    status: Status
    reason: str
    fault: Fault
    skipped: tuple[str, ...]
    """What fallback passed over before, a sentence each."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No route takes the call."""

    reason: str
    skipped: tuple[str, ...] = ()


def choose(
    config: Config,
    routes: Iterable[Route],
    call: CallHeaders,
    draw: Draw,
    *,
    fallback: Fallback,
    status: ClusterStatus,
    fault_of: Callable[[Route, Callable[[], Fault]], Fault] = lambda _, drawn: drawn(),
    active_faults: int = 0,
) -> Chosen | Refused:
    """Take the first of the matching `routes` that can serve the call.

    Without fallback that is the first, whatever its clusters can do. With "next-route", a route whose
    clusters are all unusable is passed over; a route that aborts the call by fault never is. `fault_of`
    lets the caller draw each route's fault once a call only.
    """
    skipped: list[str] = []
    last: Chosen | None = None
    for route in routes:
        action = route.action
        if not isinstance(action, ClusterAction):
            return Refused(
                f"route {describe(route)} has the action {action.what!r}, which gRPC cannot follow",
                tuple(skipped),
            )
        candidates = [cluster for cluster in action.clusters if cluster.weight]
        cluster = _draw(candidates, draw)

        def drawn(route: Route = route, cluster: WeightedCluster = cluster) -> Fault:
            return _draw_fault(config, route, cluster, call, draw, active_faults)

        fault = fault_of(route, drawn)
        if fault.abort is not None:
            return Chosen(route, action, None, Status.USABLE, "", fault, tuple(skipped))
        state, reason = status(cluster.name)
        while state is Status.UNUSABLE and fallback == "next-route" and len(candidates) > 1:
            skipped.append(f"cluster {cluster.name}: {reason}")
            candidates.remove(cluster)
            cluster = _draw(candidates, draw)
            state, reason = status(cluster.name)
        last = Chosen(route, action, cluster, state, reason, fault, tuple(skipped))
        if state is not Status.UNUSABLE or fallback == "none":
            return last
        skipped.append(f"route {describe(route)}: cluster {cluster.name}: {reason}")
    if last is not None:
        return last
    return Refused(f"no route of virtual host {config.table.virtual_host.name!r} matches {call.path}")


def describe(route: Route) -> str:
    """A route as people find it again: its name, else its place."""
    return repr(route.name) if route.name else f"#{route.index}"


def _draw(candidates: list[WeightedCluster], draw: Draw) -> WeightedCluster:
    return draw_weighted(candidates, [each.weight for each in candidates], draw)


def _draw_fault(
    config: Config, route: Route, cluster: WeightedCluster, call: CallHeaders, draw: Draw, active: int
) -> Fault:
    delay, abort = 0.0, None
    for policy in config.faults(route, cluster):
        fault = draw_fault(policy, call, draw, active)
        delay += fault.delay
        abort = fault.abort if abort is None else abort
    return Fault(delay, abort) if delay or abort is not None else NO_FAULT
