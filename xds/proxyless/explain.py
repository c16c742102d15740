"""Why a call goes where it goes: the very decision a call gets, with every rule that was tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .balance import Readiness, Status
from .balance.priorities import addresses, usable_by_priority
from .clusters import ActiveCluster
from .depgraph import Config, Failed, Pending
from .match import CallHeaders, Step, fitting_domain
from .resources import ClusterAction, FaultPolicy, RetryPolicy, Route
from .retry import GRPC_ATTEMPTS
from .routing import Chosen, Refused, describe
from .targets import ActiveTarget
from .wanted import Draft, Wanted, advise, find


class RouteName(str):
    """The name of a route, empty where it has none; it also knows its place in its virtual host."""

    index: int  # type: ignore[assignment] # a place, which nobody needs str.index for

    def __new__(cls, name: str, index: int) -> RouteName:
        made = super().__new__(cls, name)
        made.index = index
        return made

    @property
    def name(self) -> str:
        """The name alone."""
        return str(self)


@dataclass(frozen=True)
class Decision:
    """Where a call would go.

    Where the decision stops early, what comes later is None or empty and `error` says why.
    """

    target: str
    """The target as it was given."""
    method: str
    """The path of the call, `/package.Service/Method`."""
    listener: str
    """The name asked for in LDS."""
    route_config: str | None = None
    """The name asked for in RDS, or of the routes in the listener."""
    virtual_host: str | None = None
    """The name of the virtual host whose domains match the authority."""
    domain: str | None = None
    """Which of the virtual host's domains fits the authority of the call."""
    route: RouteName | None = None
    """The name of the route, a `str` that also has its `index` in the virtual host."""
    cluster: str | None = None
    """The cluster that was drawn."""
    clusters: dict[str, int] = field(default_factory=dict)
    """The clusters it was drawn among, with their weights."""
    serving: str | None = None
    """The cluster that serves, where `cluster` is an aggregate of others."""
    endpoints: list[str] = field(default_factory=list)
    """The usable addresses, `ip:port`, best priority first."""
    balancing: dict[str, Any] | None = None
    """How the endpoints share the calls: the policy, the call's hash, what limits them."""
    timeout: float | None = None
    """The configured limit of the call in seconds (gRFC A31); None is none."""
    retry: dict[str, Any] | None = None
    """When the call is tried again, how often, and after how many seconds (gRFC A44)."""
    fault: dict[str, Any] | None = None
    """The delays and aborts that calls of this route may get (gRFC A33)."""
    mirrors: dict[str, float] = field(default_factory=dict)
    """Which clusters get a copy, and of what percentage of the calls."""
    edits: list[str] = field(default_factory=list)
    """What is done to the headers of the request and the response, in order."""
    steps: list[str] = field(default_factory=list)
    """Every route that was tried, in order, and why it did not match or was passed over."""
    error: str | None = None
    """Why the call would fail; None where it would reach an endpoint."""
    wanted: list[dict[str, Any]] | None = None
    """For each route of the name that was asked about: what keeps the call from it, and one that takes it."""

    def to_json(self, indent: int | None = 2) -> str:
        """Return the decision as a JSON object; `indent` is json.dumps's."""
        fields = {
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            "route": None if self.route is None else {"name": self.route.name, "index": self.route.index},
        }
        return json.dumps(fields, indent=indent)


async def explain(
    active: ActiveTarget,
    method: str,
    metadata: Sequence[tuple[str, str | bytes]],
    timeout: float | None,
    want_route: str | None = None,
) -> Decision:
    """Wait for configuration, then decide as a call with this method and metadata would be decided."""
    path = method if method.startswith("/") else f"/{method}"
    call = Draft(path, active.target.authority, tuple(metadata))
    try:
        async with asyncio.timeout(timeout):
            while True:
                decision = _decide(active, call, want_route)
                if not isinstance(decision, Pending):
                    return decision
                await active.changed()
    except TimeoutError:
        raise TimeoutError(f"{active.target.uri}: still waiting for {_waiting_for(active)}") from None


def _waiting_for(active: ActiveTarget) -> str:
    outcome = active.outcome
    if isinstance(outcome, Pending):
        return outcome.what
    waiting = [
        f"cluster {name}: {cluster.picker.reason}"
        for name, cluster in active.clusters.items()
        if cluster.picker.status is Status.WAITING
    ]
    return "; ".join(waiting) or "configuration"


def _decide(active: ActiveTarget, draft: Draft, want_route: str | None) -> Decision | Pending:
    call = draft.headers
    outcome = active.outcome
    base: dict[str, Any] = {
        "target": active.target.uri,
        "method": call.path,
        "listener": active.target.listener,
    }
    if isinstance(outcome, Pending):
        return outcome
    if isinstance(outcome, Failed):
        return Decision(**base, error=outcome.reason)
    tried: list[Step] = []
    course = active.course(outcome, call, _recorded(outcome, call, active, tried))
    choice = active.choose(outcome, course)
    steps = [f"route {describe(step.route)}: {step.reason}" for step in tried]
    common: dict[str, Any] = {
        **base,
        "route_config": outcome.route_config.name,
        "virtual_host": outcome.table.virtual_host.name,
        "domain": fitting_domain(outcome.table.virtual_host, active.target.authority),
    }
    if want_route is not None:
        wanted = _wanted(active, outcome, draft, want_route, choice)
        if isinstance(wanted, Pending):
            return wanted
        common["wanted"] = wanted
    if isinstance(choice, Refused):
        return Decision(**common, steps=[*steps, *_passed(choice.skipped)], error=choice.reason)
    if choice.status is Status.WAITING:
        return Pending(choice.reason)
    common["steps"] = [*steps, *_passed(choice.skipped)]
    return _describe(outcome, choice, active, course.hash(choice.route), common)


def _wanted(
    active: ActiveTarget, config: Config, draft: Draft, name: str, choice: Chosen | Refused
) -> list[dict[str, Any]] | Pending:
    found = []
    fallback = active.fallback == "next-route"
    for rule in find(config.table, name):
        hit = isinstance(choice, Chosen) and choice.route is rule.route
        after = _after_matching(active, rule.route)
        if isinstance(after, Pending):
            return after
        found.append(_plain_wanted(advise(config.table, rule, draft, fallback=fallback), hit, after))
    return found


def _after_matching(active: ActiveTarget, route: Route) -> str | Pending | None:
    """What becomes of a call that takes a route, where that is not simply that it is sent."""
    if not isinstance(route.action, ClusterAction):
        return f"gRPC cannot follow its action {route.action.what!r}: the call fails"
    said = []
    for cluster in route.action.clusters:
        if cluster.weight:
            status, reason = active.status(cluster.name)
            if status is Status.WAITING:
                return Pending(f"cluster {cluster.name}: {reason}")
            if status is Status.USABLE:
                return None
            said.append(f"cluster {cluster.name}: {reason}")
    then = "the next matching route" if active.fallback == "next-route" else "nothing: the call fails"
    return f"{'; '.join(said)}; what comes then is {then}"


def _plain_wanted(wanted: Wanted, hit: bool, after: str | None) -> dict[str, Any]:
    call = wanted.call
    return {
        "route": {"name": wanted.name, "index": wanted.index},
        "hit": hit,
        "unmet": list(wanted.unmet),
        "before": list(wanted.before),
        "call": None
        if call is None
        else {
            "method": call.path,
            "metadata": [[key, value] for key, value in call.metadata if isinstance(value, str)],
            "percentage": round(wanted.share, 4),
        },
        "obstacle": wanted.obstacle or None,
        "after": after,
    }


def _recorded(config: Config, call: CallHeaders, active: ActiveTarget, tried: list[Step]) -> Iterator[Route]:
    for step in config.table.explain(call, active.draw):
        tried.append(step)
        if step.matched:
            yield step.route


def _passed(skipped: tuple[str, ...]) -> list[str]:
    return [f"fallback passed over {each}" for each in skipped]


def _describe(
    config: Config,
    choice: Chosen,
    active: ActiveTarget,
    request_hash: int | None,
    common: dict[str, Any],
) -> Decision:
    action: ClusterAction = choice.action
    name = choice.cluster.name if choice.cluster is not None else None
    error = None
    if choice.fault.abort is not None:
        error = f"a fault aborts the call with gRPC status {choice.fault.abort}"
    elif choice.status is Status.UNUSABLE:
        error = f"cluster {name}: {choice.reason}"
    policies = config.faults(choice.route, choice.cluster)
    serving, cluster = active.serving(name) if name is not None else (None, None)
    return Decision(
        **common,
        route=RouteName(choice.route.name, choice.route.index),
        cluster=name,
        clusters={each.name: each.weight for each in action.clusters},
        serving=serving if serving != name else None,
        endpoints=_endpoints(cluster),
        balancing=_balancing(cluster, request_hash),
        timeout=config.timeout(action),
        retry=_retry(config.retry(action)),
        fault=_fault(policies),
        mirrors={m.cluster: 100 * m.fraction.numerator / m.fraction.denominator for m in action.mirrors},
        edits=list(_edits(config, choice)),
        error=error,
    )


def _edits(config: Config, choice: Chosen) -> Iterator[str]:
    levels = config.edits(choice.route, choice.cluster) if choice.cluster is not None else ()
    for level in levels:
        for which, edits in (("request", level.request), ("response", level.response)):
            yield from (f"{which}: remove {name}" for name in edits.remove)
            yield from (f"{which}: {e.how.replace('_', ' ')} {e.name}: {e.value}" for e in edits.add)


def _endpoints(cluster: ActiveCluster | None) -> list[str]:
    """The usable addresses, best priority first: healthy, not ejected, not known to be out of reach."""
    if cluster is None or cluster.endpoints is None:
        return []
    readiness, ejected = cluster.readiness, cluster.ejected
    return [
        address
        for group in usable_by_priority(cluster.endpoints)
        for address in addresses(group)
        if readiness.get(address) is not Readiness.FAILED and address not in ejected
    ]


def _balancing(active: ActiveCluster | None, request_hash: int | None) -> dict[str, Any] | None:
    """What is not as it is where nothing is said, and what keeps endpoints from calls."""
    if active is None or active.cluster is None:
        return None
    cluster, drops = active.cluster, active.endpoints.drops if active.endpoints is not None else ()
    policy = cluster.lb_policy
    said: dict[str, Any] = {"policy": policy.name, "by_locality": policy.by_locality}
    if request_hash is not None:
        said["hash"] = request_hash
    said["max_requests"] = cluster.max_requests
    if cluster.max_retries is not None:
        said["max_retries"] = cluster.max_retries
    if drops:
        said["drops"] = {d.category: 100 * d.fraction.numerator / d.fraction.denominator for d in drops}
    if active.ejected:
        said["ejected"] = sorted(active.ejected)
    return said


def _retry(policy: RetryPolicy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    return {
        "retry_on": sorted(policy.retry_on),
        "max_attempts": min(policy.max_attempts, GRPC_ATTEMPTS),
        "per_try_timeout": policy.per_try_timeout,
        "base_interval": policy.base_interval,
        "max_interval": policy.max_interval,
        **({"status_codes": sorted(policy.status_codes)} if policy.status_codes else {}),
    }


def _fault(policies: Sequence[FaultPolicy]) -> dict[str, Any] | None:
    fault: dict[str, Any] = {}
    for policy in policies:
        if policy.delay is not None:
            share = policy.delay.fraction
            fault["delay"] = {
                "seconds": policy.delay.seconds,
                "percentage": 100 * share.numerator / share.denominator,
            }
        if policy.abort is not None:
            share = policy.abort.fraction
            fault["abort"] = {
                "grpc_status": policy.abort.code,
                "percentage": 100 * share.numerator / share.denominator,
            }
        if fault and policy.max_active is not None:
            fault["max_active"] = policy.max_active
    return fault or None
