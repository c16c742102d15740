"""The way of a call in sentences for a person. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from console.reading.calls import Call, Directory, host_of_cluster
from console.reading.faulted import fault_in_words
from console.reading.spans import Attempt
from console.reading.tables import Rule
from console.reading.why import Then, route_of
from lanes.baggage import HEADER
from lanes.context import BASE, END_USER
from lanes.own import PREFIX

_STEP = re.compile(r"route (?:'(?P<name>.*?)'|(?P<place>#\d+)): (?P<reason>.*)", re.DOTALL)
_PASSED = "fallback passed over "
_CLUSTER = re.compile(r"cluster (?P<name>.*?): (?P<reason>.*)", re.DOTALL)
_KNOWN = (HEADER, END_USER)
_NOTHING: Mapping[str, str] = {}


def says(
    call: Call,
    then: Then,
    decision: Mapping[str, Any],
    rules: Sequence[Rule],
    directory: Directory,
    *,
    same: bool,
    changed: bool | None,
    lacking: Mapping[str, str] = _NOTHING,
) -> list[str]:
    """What happened, why, and whether it would happen now; `rules` are those of the call's table.

    `changed` says whether what decides has changed since; None where nobody looked then. `lacking` are the
    clusters that can serve nobody now, and why.
    """
    lane, span = call.span.lane, call.span
    of = "no lane" if lane == BASE else f"lane {lane}"
    asked = span.name if span.name.startswith("/") else f"{span.text('http.method')} {span.text('http.url')}"
    service = call.callee.service
    said = [f"{call.caller} asked {service} for {asked}, in a request of {of}."]
    if not same:
        said += list(_recorded(then, directory))
        said.append(
            "The rules have not changed since, but a call of which no more is known would go another way:"
            if changed is False
            else "By the rules as they are now it would go another way:"
        )
    elif changed:
        said.append("What decides over it has changed at its client since; as it is now:")
    said += list(_steps(decision, lane, rules))
    said += list(_taken(decision, lane, service, rules))
    if same and then.cluster:
        said += list(_drawn(decision, "" if changed is not False else then.cluster, lacking))
        said += list(_sent(span.attempts, decision, directory))
    elif not same:
        said += list(_drawn(decision, "", lacking))
        said += list(_would(decision, directory))
    taken_by = next((rule for rule in rules if rule.name == route_of(decision)), None)
    if taken_by is None or not taken_by.strict:
        fault = decision.get("fault") or {}
        known, timeout = same and changed is not True, decision.get("timeout")
        said += list(fault_in_words(fault, span, then.ended, known=known, timeout=timeout))
    if span.failed:
        said.append(f"The call failed: {span.error}.")
    unknown = sorted({name for rule in rules for name in rule.headers} - {*_KNOWN})
    if unknown:
        said.append(
            f"The rules also look at {', '.join(unknown)}; spans do not tell what the call had there, "
            "so it counts as absent."
        )
    if any(HEADER in rule.headers and not rule.wants for rule in rules):
        said.append(f"The rules also look at all of {HEADER}, of which spans tell the lane alone.")
    if changed is None:
        said.append("What was in force then is not known: its client was looked at only later.")
    if same:
        unchanged = "The rules are still the same: " if then.ended and changed is False else ""
        said.append(f"{unchanged}{'the' if unchanged else 'The'} same call would go by the same rule now.")
    return said


def _recorded(then: Then, directory: Directory) -> Iterator[str]:
    if then.cluster:
        yield f"It went by rule {then.route} to {_version(then.cluster)}, at {_at(then.endpoint, directory)}."
    elif then.ended == "delay":
        yield f"It ended while rule {then.route} delayed it, before anybody was picked to serve it."
    elif then.route:
        yield f"Rule {then.route} ended it before anybody was picked to serve it."
    else:
        yield "It was sent nowhere."


def _steps(decision: Mapping[str, Any], lane: str, rules: Sequence[Rule]) -> Iterator[str]:
    """Who did not take it, and why."""
    by_name = {rule.name: rule for rule in rules}
    others: dict[str, None] = {}
    for step in decision.get("steps") or ():
        if step.startswith(_PASSED):
            yield from _of_others(others)
            others.clear()
            passed = step.removeprefix(_PASSED)
            if _CLUSTER.fullmatch(passed) is None:  # else its rule has others, and draws again
                yield f"{_upper(passed)}: so it was passed over, and the next rule had its turn."
            continue
        found = _STEP.fullmatch(step)
        if found is None or found["reason"] == "matches":
            continue
        name = found["name"] or found["place"]
        rule = by_name.get(name)
        if rule is not None and rule.wants and rule.wants != lane:
            others.setdefault(rule.wants)
            continue
        yield from _of_others(others)
        others.clear()
        yield f"Rule {name} did not take it: {found['reason']}."
    yield from _of_others(others)


def _of_others(lanes: Collection[str]) -> Iterator[str]:
    """One sentence for all the rules in a row that are other lanes'."""
    if len(lanes) == 1:
        yield f"The rules of lane {next(iter(lanes))} did not take it: the request is not of that lane."
    elif lanes:
        names = ", ".join(lanes)
        yield f"The rules of the lanes {names} did not take it: the request is of none of them."


def _taken(decision: Mapping[str, Any], lane: str, service: str, rules: Sequence[Rule]) -> Iterator[str]:
    name = route_of(decision)
    if not name:
        yield f"No rule takes it: {decision.get('error') or 'nothing fits'}."
        return
    rule = next((rule for rule in rules if rule.name == name), None)
    versions = _versions(decision)
    if rule is not None and rule.lane and rule.strict:
        yield (
            f"Rule {name} takes it: lane {rule.lane} is strict and nobody of its own can be called here, "
            "so the call fails before anybody is picked to serve it, and base does not stand in."
        )
    elif rule is not None and rule.lane:
        yield f"Rule {name} takes it: it sends lane {rule.lane} to its own {versions}."
    elif rule is not None and rule.wants:
        yield f"Rule {name} takes it: it is for lane {rule.wants}, but leads to what base has, {versions}."
    elif rule is not None and rule.headers:
        asked = ", ".join(dict.fromkeys(rule.headers))
        yield f"Rule {name} takes it: the call has in {asked} what it asks for, and it leads to {versions}."
    elif lane == BASE:
        yield f"Rule {name} takes it: the request is of no lane, so base is to serve it, {versions}."
    elif any(each.lane == lane for each in rules):
        yield f"Rule {name} takes it: lane {lane}'s own rule did not, so base stands in, {versions}."
    else:
        yield f"Rule {name} takes it: no rule of {service} is for lane {lane}, so base stands in, {versions}."


def _drawn(decision: Mapping[str, Any], cluster: str, lacking: Mapping[str, str]) -> Iterator[str]:
    """The draw among weights, and the one that follows where what was drawn can serve nobody."""
    clusters = decision.get("clusters") or {}
    total = sum(clusters.values())
    if len(clusters) < 2 or not total:
        return
    shares = ", ".join(f"{_version(name)} {100 * weight / total:g} %" for name, weight in clusters.items())
    nobody = {**lacking, **_redrawn(decision)}
    out = [name for name, weight in clusters.items() if weight and name in nobody]
    if not out or len(out) == sum(map(bool, clusters.values())):
        drew = f"; this call drew {_version(cluster)}" if cluster in clusters else ""
        yield f"It draws among its versions by weight: {shares}{drew}."
        return
    yield f"It draws among its versions by weight: {shares}."
    for name in out:
        yield f"{_upper(_version(name))} can serve nobody ({nobody[name]})."
    names = " or ".join(map(_version, out))
    came = f"; this call came to {_version(cluster)}" if cluster in clusters else ""
    yield f"A call that draws {names} is drawn again among the others{came}."


def _redrawn(decision: Mapping[str, Any]) -> dict[str, str]:
    """The clusters that were drawn and could serve nobody, so that the draw was repeated, and why."""
    steps = (
        str(step).removeprefix(_PASSED) for step in decision.get("steps") or () if step.startswith(_PASSED)
    )
    found = (_CLUSTER.fullmatch(step) for step in steps)
    return {each["name"]: each["reason"] for each in found if each is not None}


def _sent(attempts: Sequence[Attempt], decision: Mapping[str, Any], directory: Directory) -> Iterator[str]:
    for attempt in attempts[:-1]:
        how = f" failed with {attempt.failed}" if attempt.failed else " did not end it"
        yield f"Attempt {attempt.number} at {_at(attempt.endpoint, directory)}{how}, so it was tried again."
    if not attempts:
        return
    last = attempts[-1]
    others = len(decision.get("endpoints") or ()) if decision.get("cluster") == last.cluster else 0
    policy = (decision.get("balancing") or {}).get("policy", "")
    chosen = (
        f", chosen by {policy} among {others}" if others > 1 else ", the only one there" if others else ""
    )
    what = "It was sent to" if len(attempts) == 1 else f"Attempt {last.number} was sent to"
    failed = f" and failed with {last.failed}" if last.failed else ""
    yield f"{what} {_at(last.endpoint, directory)}{chosen}{failed}."


def _would(decision: Mapping[str, Any], directory: Directory) -> Iterator[str]:
    endpoints = decision.get("endpoints") or []
    if endpoints and decision.get("error") is None:
        yield f"It would be sent to {' or '.join(_at(each, directory) for each in endpoints)}."
    elif decision.get("error"):
        yield f"It would fail: {decision['error']}."


def _versions(decision: Mapping[str, Any]) -> str:
    names = [_version(name) for name in decision.get("clusters") or ()]
    return " or ".join(names) if names else "nobody"


def _version(cluster: str) -> str:
    """A cluster as people know it: service and subset."""
    host = host_of_cluster(cluster)
    if not host:
        return cluster
    subset = cluster.split("|")[2].removeprefix(PREFIX)
    service = host.partition(".")[0]
    return f"{service} {subset}" if subset else f"any {service}"


def _at(endpoint: str, directory: Directory) -> str:
    place = directory.at(endpoint)
    return f"{endpoint} ({place})" if place else endpoint


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
