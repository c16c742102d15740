"""Decisions and config dumps as people read them: a line a fact. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from .decision import Decision

_ORDER = ("LDS", "RDS", "CDS", "EDS")


def status_lines(dump: dict[str, Any]) -> Iterator[str]:
    """Yield node, control plane, targets and resources of a config dump, with what is wrong beside it."""
    yield f"node           {dump['node']['id']}"
    server = dump["server"]
    yield f"control plane  {server['address']}  {server['error'] or 'connected'}"
    for uri, target in sorted(dump["targets"].items()):
        yield ""
        yield f"{uri}  {_target_state(target)}"
        for name, cluster in target.get("clusters", {}).items():
            yield f"  {name}  {cluster['reason'] or cluster['status']}"
    rows = [
        (kind, name, held["state"], held["version"] or "-", held["error"] or "; ".join(held["unsupported"]))
        for kind in _ORDER
        for name, held in dump["resources"].get(kind, {}).get("resources", {}).items()
    ]
    if rows:
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        yield ""
        for row in rows:
            columns = "  ".join(row[i].ljust(widths[i]) for i in range(4))
            yield f"{columns}  {row[4]}".rstrip()


def healthy(dump: dict[str, Any]) -> bool:
    """Whether nothing in the dump is refused, absent, failed or out of reach."""
    resources = (held for kind in dump["resources"].values() for held in kind["resources"].values())
    return (
        not dump["server"]["error"]
        and all(target["state"] == "ready" for target in dump["targets"].values())
        and all(held["state"] == "ACKED" for held in resources)
    )


def answered(dump: dict[str, Any]) -> bool:
    """Whether the control plane has said anything of the resources in the dump."""
    resources = (held for kind in dump["resources"].values() for held in kind["resources"].values())
    return any(held["state"] != "REQUESTED" for held in resources)


def _target_state(target: dict[str, Any]) -> str:
    if target["state"] == "ready":
        before = ", ".join(target.get("decided_before", ()))
        more = f"; calls to {before} are decided by what was in force before" if before else ""
        return f"ready: virtual host {target['virtual_host']!r} of {target['route_config']!r}{more}"
    if target["state"] == "failed":
        return f"failed: {target['reason']}"
    return f"waiting for {target['waiting_for']}"


def _balancing_line(balancing: dict[str, Any] | None) -> str | None:
    """Said where there is more to say than round robin."""
    if balancing is None or (balancing["policy"] == "round_robin" and len(balancing) == 3):
        return None
    rest = [f"{name} {balancing[name]}" for name in ("hash", "drops", "ejected") if name in balancing]
    return ", ".join([balancing["policy"], *rest])


def _retry_line(retry: dict[str, Any] | None) -> str | None:
    if retry is None:
        return None
    each = retry["per_try_timeout"]
    limit = "" if each is None else f", {each:g} s each"
    codes = f", status codes {', '.join(map(str, retry['status_codes']))}" if "status_codes" in retry else ""
    headers = f", {' or '.join(retry['headers'])}" if "headers" in retry else ""
    return (
        f"{retry['max_attempts']} attempts on {', '.join(retry['retry_on'])}{limit}, "
        f"back-off {retry['base_interval']:g} s to {retry['max_interval']:g} s{codes}{headers}"
    )


def _fault_line(fault: dict[str, Any] | None) -> str | None:
    if fault is None:
        return None
    said = []
    if "delay" in fault:
        seconds = fault["delay"]["seconds"]
        long = "as long as the call's headers ask for" if seconds is None else f"of {seconds:g} s"
        said.append(f"delay {long} for {fault['delay']['percentage']:g} %")
    if "abort" in fault:
        abort = fault["abort"]
        kind, name = ("HTTP", "http_status") if "http_status" in abort else ("gRPC", "grpc_status")
        code = "that the call's headers ask for" if abort[name] is None else str(abort[name])
        said.append(f"abort with {kind} status {code} for {abort['percentage']:g} %")
    if "max_active" in fault:
        said.append(f"at most {fault['max_active']} at a time")
    return ", ".join(said)


def _answer_line(answer: dict[str, Any] | None) -> str | None:
    if answer is None:
        return None
    if "location" in answer:
        return f"with status {answer['status']}, location {answer['location']}"
    return f"with status {answer['status']}, {len(answer['body'])} characters"


def _virtual_host_line(decision: Decision) -> str | None:
    if decision.virtual_host is None:
        return None
    return f"{decision.virtual_host}  (domain {decision.domain})"


def wanted_lines(wanted: Mapping[str, Any], target: str) -> Iterator[str]:
    """Yield what stands between a call and a wanted route, and a call that takes it."""
    route, call = wanted["route"], wanted["call"]
    name = f"{route['name'] or 'unnamed'} (#{route['index']})"
    yield f"wanted: {name}: {'this call takes it' if wanted['hit'] else 'this call does not take it'}"
    yield from (f"  does not fit  {each}" for each in wanted["unmet"])
    yield from (f"  taken before  {each}" for each in wanted["before"])
    if wanted["after"]:
        yield f"  once taken    {wanted['after']}"
    if call is None:
        yield f"  no such call  {wanted['obstacle']}"
    elif not wanted["hit"] or call["percentage"] < 100:
        share = "" if call["percentage"] >= 100 else f"  ({call['percentage']:g} % of such calls, by chance)"
        target, plain = (call["url"], "GET") if "url" in call else (target, "")
        words = [] if call["method"] == plain else ["--method", call["method"]]
        for key, value in call["metadata"]:
            words += ["-m", f"{key}={value}"]
        yield f"  would take it {shlex.join([target, *words])}{share}"


def decision_lines(decision: Decision) -> Iterator[str]:
    """Yield a decision, a line a fact, then the rules that were tried."""
    route = decision.route
    rows = [
        ("target", decision.target),
        ("method", decision.method),
        ("listener", decision.listener),
        ("route config", decision.route_config),
        ("virtual host", _virtual_host_line(decision)),
        ("route", None if route is None else f"{route.name or 'unnamed'} (#{route.index})"),
        ("cluster", decision.cluster),
        (
            "weights",
            ", ".join(f"{n} {w}" for n, w in decision.clusters.items())
            if len(decision.clusters) > 1
            else None,
        ),
        ("served by", decision.serving),
        ("endpoints", ", ".join(decision.endpoints) or None),
        ("balancing", _balancing_line(decision.balancing)),
        ("sent as", ", ".join(f"{name} {text}" for name, text in (decision.rewrite or {}).items()) or None),
        ("answered", _answer_line(decision.answer)),
        ("timeout", None if decision.timeout is None else f"{decision.timeout:g} s"),
        ("retry", _retry_line(decision.retry)),
        ("fault", _fault_line(decision.fault)),
        ("headers", "; ".join(decision.edits) or None),
        (
            "mirrored to",
            ", ".join(f"{name} ({share:g} %)" for name, share in decision.mirrors.items()) or None,
        ),
        ("fails", decision.error),
    ]
    yield from (f"{name:>13}  {value}" for name, value in rows if value is not None)
    if decision.steps:
        yield ""
        yield "tried, in order:"
        yield from (f"  {step}" for step in decision.steps)
    for wanted in decision.wanted or ():
        yield ""
        yield from wanted_lines(wanted, decision.target)
