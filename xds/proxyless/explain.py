"""Why a call goes where it goes: the very decision a call gets, with every rule that was tried."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from .balance import Readiness, Status
from .balance.priorities import addresses, usable_by_priority
from .clusters import ActiveCluster
from .decision import Decision, RouteName
from .depgraph import Config, Failed, Pending
from .drafts import Draft, RequestDraft
from .fault import http_status
from .match import CallHeaders, Step, describe_header, fitting_domain
from .resources import (
    ClusterAction,
    DirectResponse,
    FaultPolicy,
    MessageEdits,
    RedirectAction,
    RetryPolicy,
    Route,
)
from .retry import GRPC_ATTEMPTS, GRPC_CONDITIONS
from .rewrites import location, rewritten
from .routing import Chosen, Refused, describe
from .targets import ActiveTarget
from .wanted import Wanted, advise, find


async def explain(
    active: ActiveTarget, call: Draft, timeout: float | None, want_route: str | None = None
) -> Decision:
    """Wait for configuration, then decide as such a call or request would be decided."""
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
    request = draft if isinstance(draft, RequestDraft) else None
    base: dict[str, Any] = {
        "target": active.target.uri if request is None else request.url,
        "method": call.path if request is None else request.verb,
        "listener": active.target.listener,
    }
    if isinstance(outcome, Pending):
        return outcome
    if isinstance(outcome, Failed):
        return Decision(**base, error=outcome.reason)
    tried: list[Step] = []
    tried_before: list[Step] = []
    course = active.course(outcome, call, _recorded(outcome, call, active, tried))
    if outcome.before is not None:
        recorded = _recorded(outcome.before, call, active, tried_before)
        course.pair(active.course(outcome.before, call, recorded))
    config, course, choice = active.decide(outcome, course)
    steps = [f"route {describe(step.route)}: {step.reason}" for step in tried]
    if config is not outcome:
        cut_off = (f"cluster {name}: {active.status(name)[1]}" for name in sorted(outcome.cut_off))
        steps.append(f"the configuration that was in force before decides: {'; '.join(cut_off)}")
        steps += [f"before: route {describe(step.route)}: {step.reason}" for step in tried_before]
    common: dict[str, Any] = {
        **base,
        "route_config": config.route_config.name,
        "virtual_host": config.table.virtual_host.name,
        "domain": fitting_domain(config.table.virtual_host, active.target.authority),
    }
    if want_route is not None:
        wanted = _wanted(active, outcome, draft, want_route, choice)
        if isinstance(wanted, Pending):
            return wanted
        common["wanted"] = wanted
    if isinstance(choice, Refused):
        common["steps"] = [*steps, *_passed(choice.skipped)]
        answer = _answer(choice.route, request) if choice.route is not None else None
        if choice.route is None or answer is None:
            return Decision(**common, error=choice.reason)
        edits = list(_edits(config.edits(choice.route, None), only="response"))
        return Decision(**common, route=_name(choice.route), answer=answer, edits=edits)
    if choice.status is Status.WAITING:
        return Pending(choice.reason)
    common["steps"] = [*steps, *_passed(choice.skipped)]
    return _describe(config, choice, active, draft, course.hash(choice.route), common)


def _wanted(
    active: ActiveTarget, config: Config, draft: Draft, name: str, choice: Chosen | Refused
) -> list[dict[str, Any]] | Pending:
    found = []
    fallback = active.fallback == "next-route"
    for rule in find(config.table, name):
        hit = choice.route is rule.route and (isinstance(choice, Chosen) or _answered(rule.route, draft))
        after = _after_matching(active, config, rule.route, draft)
        if isinstance(after, Pending):
            return after
        found.append(_plain_wanted(advise(config.table, rule, draft, fallback=fallback), hit, after))
    return found


def _after_matching(active: ActiveTarget, config: Config, route: Route, draft: Draft) -> str | Pending | None:
    """What becomes of a call that takes a route, where that is not simply that it is sent."""
    if not isinstance(route.action, ClusterAction):
        if not isinstance(draft, RequestDraft):
            return f"gRPC cannot follow its action {route.action.what!r}: the call fails"
        if isinstance(route.action, RedirectAction | DirectResponse):
            return f"its {route.action.what} answers the request with status {route.action.status}"
        return f"no client can follow its action {route.action.what!r}: the request fails"
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
    if any(each.weight and each.name in config.cut_off for each in route.action.clusters):
        then = "the configuration that was in force before"
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
            **_asked(call),
            "metadata": [[key, value] for key, value in call.metadata if isinstance(value, str)],
            "percentage": round(wanted.share, 4),
        },
        "obstacle": wanted.obstacle or None,
        "after": after,
    }


def _asked(call: Draft) -> dict[str, str]:
    if isinstance(call, RequestDraft):
        return {"url": call.url, "method": call.verb}
    return {"method": call.path}


def _answered(route: Route, draft: Draft) -> bool:
    """Whether the configuration itself answers."""
    return isinstance(draft, RequestDraft) and isinstance(route.action, RedirectAction | DirectResponse)


def _answer(route: Route, request: RequestDraft | None) -> dict[str, Any] | None:
    """What an HTTP request gets that no cluster is to see; None where it gets nothing."""
    action = route.action
    if request is None:
        return None
    if isinstance(action, RedirectAction):
        to = location(action, route.match.path, "http", request.host, request.target)
        return {"status": action.status, "location": to}
    if isinstance(action, DirectResponse):
        return {"status": action.status, "body": action.body.decode("utf-8", "backslashreplace")}
    return None


def _name(route: Route) -> RouteName:
    return RouteName(route.name, route.index)


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
    draft: Draft,
    request_hash: int | None,
    common: dict[str, Any],
) -> Decision:
    action: ClusterAction = choice.action
    name = choice.cluster.name if choice.cluster is not None else None
    request = draft if isinstance(draft, RequestDraft) else None
    error = None
    if choice.fault.abort is not None:
        kind = "call with gRPC" if request is None else "request with HTTP"
        error = f"a fault aborts the {kind} status {choice.fault.abort}"
    elif choice.status is Status.UNUSABLE:
        error = f"cluster {name}: {choice.reason}"
    policies = config.faults(choice.route, choice.cluster)
    serving, cluster = active.serving(name) if name is not None else (None, None)
    return Decision(
        **common,
        route=_name(choice.route),
        cluster=name,
        clusters={each.name: each.weight for each in action.clusters},
        serving=serving if serving != name else None,
        endpoints=_endpoints(cluster),
        balancing=_balancing(cluster, request_hash),
        timeout=config.timeout(action) if request is None else config.request_timeout(action),
        retry=_retry(config.retry(action), request),
        fault=_fault(policies, draft),
        rewrite=_rewrite(choice, request),
        mirrors={m.cluster: 100 * m.fraction.numerator / m.fraction.denominator for m in action.mirrors},
        edits=list(_edits(config.edits(choice.route, choice.cluster))) if choice.cluster is not None else [],
        error=error,
    )


def _rewrite(choice: Chosen, request: RequestDraft | None) -> dict[str, str] | None:
    if request is None:
        return None
    path = rewritten(choice.action.rewrite, choice.route.match.path, request.target)
    changed = {"path": path} if path != request.target else {}
    if choice.action.host_rewrite:
        changed["authority"] = choice.action.host_rewrite
    return changed or None


def _edits(levels: Sequence[MessageEdits], only: str = "") -> Iterator[str]:
    for level in levels:
        for which, edits in (("request", level.request), ("response", level.response)):
            if only in ("", which):
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


def _retry(policy: RetryPolicy | None, request: RequestDraft | None) -> dict[str, Any] | None:
    """What of the policy has an effect: gRPC's words say nothing of HTTP requests, nor does its limit."""
    if policy is None:
        return None
    conditions = policy.retry_on if request is None else policy.retry_on - GRPC_CONDITIONS
    if not conditions:
        return None
    attempts = policy.max_attempts
    said: dict[str, Any] = {
        "retry_on": sorted(conditions),
        "max_attempts": min(attempts, GRPC_ATTEMPTS) if request is None else attempts,
        "per_try_timeout": policy.per_try_timeout,
        "base_interval": policy.base_interval,
        "max_interval": policy.max_interval,
    }
    if policy.status_codes:
        said["status_codes"] = sorted(policy.status_codes)
    if request is not None and policy.headers and "retriable-headers" in conditions:
        said["headers"] = [describe_header(header) for header in policy.headers]
    return said


def _fault(policies: Sequence[FaultPolicy], draft: Draft) -> dict[str, Any] | None:
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
            status: dict[str, Any] = {"grpc_status": policy.abort.code}
            if isinstance(draft, RequestDraft):
                status = {"http_status": http_status(policy.abort, draft.headers)}
            fault["abort"] = {**status, "percentage": 100 * share.numerator / share.denominator}
        if fault and policy.max_active is not None:
            fault["max_active"] = policy.max_active
    return fault or None
