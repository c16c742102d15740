"""One HTTP route, by the rules of Istio's `validateHTTPRoute`."""

from __future__ import annotations

from controlplane.fields import Fields
from controlplane.objects import HttpRoute, Meta, Place
from controlplane.parse.cors import parse_cors
from controlplane.parse.destination import parse_weighted
from controlplane.parse.fault import parse_fault
from controlplane.parse.headers import parse_headers
from controlplane.parse.match import parse_match
from controlplane.parse.mirror import parse_mirror, parse_mirrors
from controlplane.parse.replies import parse_direct_response, parse_redirect
from controlplane.parse.retries import parse_retries
from controlplane.parse.rewrite import check_authority, parse_rewrite


def parse_route(route: Fields, meta: Meta, *, is_delegate: bool) -> HttpRoute:
    """Read one entry of `http`."""
    found = HttpRoute(
        name=route.string("name"),
        matches=tuple(parse_match(match, meta) for match in route.children("match")),
        destinations=tuple(parse_weighted(item, meta) for item in route.children("route")),
        timeout=route.duration("timeout"),
        retries=parse_retries(route),
        fault=parse_fault(route),
        redirect=parse_redirect(route),
        direct_response=parse_direct_response(route),
        rewrite=parse_rewrite(route),
        headers=parse_headers(route),
        cors=parse_cors(route),
        mirror=parse_mirror(route, meta),
        mirrors=parse_mirrors(route, meta),
        delegate=_delegate(route, meta),
        place=Place(route.path, route.line),
    )
    check_authority(route, found.rewrite, found.headers)
    if len(found.destinations) > 1 and not sum(each.weight for each in found.destinations):
        route.error("the weights of the destinations add up to 0", "route")
    _check_conflicts(route, found, is_delegate=is_delegate)
    route.close()
    return found


def _delegate(route: Fields, meta: Meta) -> tuple[str, str] | None:
    delegate = route.child("delegate")
    if delegate is None:
        return None
    found = (delegate.string("namespace") or meta.namespace, delegate.string("name"))
    delegate.close()
    return found


def _check_conflicts(route: Fields, found: HttpRoute, *, is_delegate: bool) -> None:
    """A route leads somewhere, answers, or delegates, and only one of them (`validateHTTPRouteConflict`)."""
    if found.delegate is not None and not is_delegate:
        for name, is_given in (("redirect", found.redirect is not None), ("route", bool(found.destinations))):
            if is_given:
                route.error("cannot stand beside delegate", name)
        return
    if found.delegate is not None:
        route.error("a delegate cannot delegate again", "delegate")
    answers = [name for name in ("redirect", "directResponse") if route.has(name)]
    if answers:
        against = [*answers[1:], *(name for name in ("fault", "rewrite") if route.has(name))]
        for name in (*against, *(("route",) if found.destinations else ())):
            route.error(f"cannot stand beside {answers[0]}", name)
    elif not found.destinations:
        message = "needs a route with at least one destination, a redirect or a directResponse"
        route.error(message, "route" if route.has("route") else "")
    if found.mirror is not None and found.mirrors:
        route.error("cannot stand beside mirror", "mirrors")
