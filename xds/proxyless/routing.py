"""Where one call goes: route, cluster, fault, fallback. A pure decision over an immutable Config."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from .balance import Status, call_hash, draw_weighted, set_cookie
from .depgraph import Config
from .fault import NO_FAULT, Fault, combined, draw_fault
from .match import CallHeaders, Draw, RequestHeaders, RouteTable
from .resources import (
    ClusterAction,
    DirectResponse,
    HashCookie,
    RedirectAction,
    Route,
    WeightedCluster,
)

Fallback: TypeAlias = Literal["none", "next-route"]
ClusterStatus: TypeAlias = Callable[[str], tuple[Status, str]]
"""What a cluster can do now, and why not where it cannot."""


class Chosen(Struct, frozen=True):
    """The call belongs to this route; `cluster` is None only where a fault aborts it first."""

    route: Route
    action: ClusterAction
    cluster: WeightedCluster | None
    status: Status
    reason: str
    fault: Fault
    skipped: tuple[str, ...]
    """What fallback passed over before, a sentence each."""


class Refused(Struct, frozen=True):
    """No route takes the call."""

    reason: str
    skipped: tuple[str, ...] = ()
    route: Route | None = None
    """The one that matches, where its action sends no call on: an HTTP client may follow it all the same."""


class Course:
    """What was drawn for one call in one route table.

    A call is matched once, above its retries (gRFC A44): which routes match it, each one's cluster and each
    one's fault are drawn when first asked for, and stay.
    """

    __slots__ = (
        "_active_faults",
        "_channel",
        "_clusters",
        "_cookies",
        "_draw",
        "_faults",
        "_found",
        "_hashes",
        "_rest",
        "call",
        "other",
        "table",
    )

    def __init__(
        self,
        table: RouteTable,
        call: CallHeaders,
        draw: Draw,
        *,
        active_faults: Callable[[], int] = int,
        routes: Iterable[Route] | None = None,
        channel: int = 0,
    ) -> None:
        self.table = table
        self.call = call
        self._draw = draw
        self._active_faults = active_faults
        self._found: list[Route] = []
        self._rest = iter(table.matches(call, draw) if routes is None else routes)
        self._clusters: dict[int, WeightedCluster] = {}
        self._faults: dict[int, tuple[Fault, ...]] = {}
        self._hashes: dict[int, int] = {}
        self._cookies: dict[int, list[str]] = {}
        self._channel = channel
        self.other: Course | None = None
        """The same call's course through the table before or after this one, where both are asked."""

    def pair(self, other: Course) -> None:
        """Keep a course of the same call through another table."""
        self.other, other.other = other, self

    def through(self, table: RouteTable) -> Course:
        """The same call's course through another table."""
        if self.other is None or self.other.table is not table:
            faults, channel = self._active_faults, self._channel
            self.pair(Course(table, self.call, self._draw, active_faults=faults, channel=channel))
        assert self.other is not None
        return self.other

    def routes(self) -> Iterator[Route]:
        """Yield the routes that match, in order; looks no further than it is asked."""
        yield from self._found
        for route in self._rest:
            self._found.append(route)
            yield route

    def cluster(self, route: Route, without: Container[str] = ()) -> WeightedCluster | None:
        """The route's cluster, drawn by weight: anew if it is in `without`, None if there is no other."""
        assert isinstance(route.action, ClusterAction)
        drawn = self._clusters.get(route.index)
        if drawn is None or drawn.name in without:
            left = [each for each in route.action.clusters if each.weight and each.name not in without]
            if not left:
                return None
            drawn = draw_weighted(left, [each.weight for each in left], self._draw)
            self._clusters[route.index] = drawn
        return drawn

    def draw_as(self, route: Route, cluster: WeightedCluster) -> None:
        """Take what has been drawn already."""
        self._clusters[route.index] = cluster

    def fault(self, config: Config, route: Route, cluster: WeightedCluster) -> Fault:
        """The fault the route injects into the call now, until `suffered`."""
        drawn = self._faults.get(route.index)
        if drawn is None:
            policies = config.faults(route, cluster)
            faults = (draw_fault(policy, self.call, self._draw) for policy in policies)
            drawn = self._faults[route.index] = tuple(fault for fault in faults if fault)
        return combined(drawn, self._active_faults()) if drawn else NO_FAULT

    def hash(self, route: Route) -> int | None:
        """The call's hash on this route; None where the route has no hash policy (gRFC A42).

        Where its policies give none, it is drawn.
        """
        action = route.action
        if not isinstance(action, ClusterAction) or not action.hash_policies:
            return None
        found = self._hashes.get(route.index)
        if found is None:
            found = call_hash(
                action.hash_policies,
                self.call.get,
                self._channel,
                query=self.call.query,
                make_cookie=self._cookie_of(route) if isinstance(self.call, RequestHeaders) else None,
            )
            found = self._hashes[route.index] = self._draw(2**64) if found is None else found
        return found

    def _cookie_of(self, route: Route) -> Callable[[HashCookie], str]:
        # Envoy's value is one for all requests of a connection, which is not known yet here.
        def make(cookie: HashCookie) -> str:
            value = f"{self._draw(2**64):016x}"
            self._cookies.setdefault(route.index, []).append(set_cookie(cookie, value))
            return value

        return make

    def cookies(self, route: Route) -> Sequence[str]:
        """The `set-cookie`s of a response to a request on this route, so that the next one hashes alike."""
        return self._cookies.get(route.index, ())

    def suffered(self, route: Route) -> None:
        """The route's fault was injected: it is not injected again."""
        self._faults[route.index] = ()


def decide(
    config: Config, course: Course, *, fallback: Fallback, status: ClusterStatus
) -> tuple[Config, Course, Chosen | Refused]:
    """Choose by the configuration in force; returns which one decided, and the call's course through it.

    A call that comes to a cluster for which nobody can be asked now is decided by the configuration before,
    as long as that has a way for it.
    """
    choice = choose(config, course, fallback=fallback, status=status, ends=config.cut_off)
    if config.before is None or isinstance(choice, Refused) or choice.status is not Status.UNUSABLE:
        return config, course, choice
    if choice.cluster is None or choice.cluster.name not in config.cut_off:
        return config, course, choice
    other = course.through(config.before.table)
    kept = choose(config.before, other, fallback=fallback, status=status)
    if _is_answer(kept, course.call):
        return config.before, other, kept
    return config, course, choose(config, course, fallback=fallback, status=status)


def _is_answer(choice: Chosen | Refused, call: CallHeaders) -> bool:
    """Whether there is, or may soon be, somebody who answers, be it the configuration itself."""
    if isinstance(choice, Chosen):
        return choice.status is not Status.UNUSABLE
    answers = choice.route is not None and isinstance(choice.route.action, RedirectAction | DirectResponse)
    return answers and isinstance(call, RequestHeaders)


def choose(
    config: Config,
    course: Course,
    *,
    fallback: Fallback,
    status: ClusterStatus,
    ends: Container[str] = (),
) -> Chosen | Refused:
    """Take the first of the matching routes that can serve the call.

    Without fallback that is the first, whatever its clusters can do. With "next-route", a route whose
    clusters are all unusable is passed over; a route that aborts the call by fault never is, nor is one
    of the clusters in `ends`.
    """
    skipped: list[str] = []
    last: Chosen | None = None
    for route in course.routes():
        action = route.action
        if not isinstance(action, ClusterAction):
            who = "no client can" if isinstance(course.call, RequestHeaders) else "gRPC cannot"
            return Refused(
                f"route {describe(route)} has the action {action.what!r}, which {who} follow",
                tuple(skipped),
                route,
            )
        cluster = course.cluster(route)
        assert cluster is not None  # parse/ refuses a route whose weights add up to nothing
        fault = course.fault(config, route, cluster)
        if fault.abort is not None:
            return Chosen(route, action, None, Status.USABLE, "", fault, tuple(skipped))
        state, reason = status(cluster.name)
        unusable: set[str] = set()
        while state is Status.UNUSABLE and fallback == "next-route" and cluster.name not in ends:
            unusable.add(cluster.name)
            other = course.cluster(route, unusable)
            if other is None:
                break
            skipped.append(f"cluster {cluster.name}: {reason}")
            cluster = other
            state, reason = status(cluster.name)
        last = Chosen(route, action, cluster, state, reason, fault, tuple(skipped))
        if state is not Status.UNUSABLE or fallback == "none" or cluster.name in ends:
            return last
        skipped.append(f"route {describe(route)}: cluster {cluster.name}: {reason}")
    if last is not None:
        return last
    return Refused(f"no route of virtual host {config.table.virtual_host.name!r} matches {course.call.path}")


def name_of(route: Route) -> str:
    """A route's name, `#INDEX` where it has none."""
    return route.name or f"#{route.index}"


def describe(route: Route) -> str:
    """A route as people find it again: its name, else its place."""
    return repr(route.name) if route.name else f"#{route.index}"
